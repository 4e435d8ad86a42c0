//! XML of banks and treasuries: read within limits, written so that it is well-formed.
//!
//! A file is decoded as a whole, as its mark or its declaration says, before it is parsed. Then it is read
//! element by element, or record by record ([`Reader::node`]), so that no more than one record is held beside
//! the text. What could make a parser reach out or swell up is refused by name: a document type, entities
//! of any kind beside the five predefined ones, and whatever is deeper, longer or more than [`Limits`] says.
//! Names are local names: no prefix of a namespace means anything here.

use quick_xml::events::{BytesRef, BytesStart, Event as Raw};

use super::charset::{self, Charset, CharsetError};

/// How much of everything a file may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Elements within each other.
    pub depth: usize,
    /// Attributes of an element.
    pub attributes: usize,
    /// Bytes between the brackets of a tag.
    pub tag: usize,
    /// Bytes of one text.
    pub text: usize,
    /// Elements of one record.
    pub nodes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        const MIB: usize = 1024 * 1024;
        Limits { bytes: 64 * MIB, depth: 64, attributes: 32, tag: 16 * 1024, text: 4 * MIB, nodes: 20_000 }
    }
}

/// Why a file is no XML that may be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Bytes that are no text of the charset.
    #[error("{0}")]
    Charset(CharsetError),
    /// A charset that nobody here uses.
    #[error("XML 声明的编码是“{0}”，应为 UTF-8、GBK 或 GB18030\n请让对方按其中一种重新提供")]
    Encoding(String),
    /// Declaration, mark and bytes tell different stories.
    #[error("XML 声明的编码是 {declared}，文件却是 {found}\n请让对方重新提供，不要用编辑器另存")]
    NotAsDeclared {
        /// In the declaration.
        declared: &'static str,
        /// By its mark or its bytes.
        found: &'static str,
    },
    /// More bytes than are read.
    #[error("文件有 {found} 字节，最多读 {limit} 字节\n请核对是不是要读的文件")]
    TooLarge {
        /// Bytes.
        found: usize,
        /// Limit.
        limit: usize,
    },
    /// A document type.
    #[error(
        "第 {0} 行有文档类型声明（DOCTYPE）\n交换文件不需要它，它可能引出别的文件或无限膨胀，一律不读；请让对方重新提供"
    )]
    Doctype(usize),
    /// An entity that is not predefined, or no character.
    #[error("第 {line} 行的“&{name};”不是 XML 预定义的实体，不读\n只能用 &lt; &gt; &amp; &quot; &apos; 和字符编号")]
    Entity {
        /// Line, from 1.
        line: usize,
        /// Its name, shortened.
        name: String,
    },
    /// A character that XML 1.0 does not have.
    #[error("第 {line} 行含有 XML 不允许的字符 U+{code:04X}\n请让对方重新提供")]
    Character {
        /// Line, from 1.
        line: usize,
        /// Code point.
        code: u32,
    },
    /// Something beyond the limits.
    #[error("第 {line} 行的{what}超过 {limit}\n这不像交换文件，请核对")]
    Beyond {
        /// Line, from 1.
        line: usize,
        /// Of what there is too much.
        what: &'static str,
        /// Limit.
        limit: usize,
    },
    /// No well-formed XML.
    #[error("第 {line} 行不是正确的 XML: {problem}\n文件可能不完整，请重新取文件")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// The file ends before its elements do.
    #[error("第 {line} 行文件就结束了，<{open}> 没有结束\n文件不完整，请重新取文件")]
    Truncated {
        /// Last line.
        line: usize,
        /// Innermost element that is open.
        open: String,
    },
    /// Nothing in it.
    #[error("文件里没有内容\n请重新取文件")]
    Empty,
}

impl XmlError {
    /// Stable code for logs, JSON and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Charset(error) => error.code(),
            Self::Encoding(_) | Self::NotAsDeclared { .. } => "XML_ENCODING",
            Self::TooLarge { .. } => "XML_TOO_LARGE",
            Self::Doctype(_) => "XML_DOCTYPE",
            Self::Entity { .. } => "XML_ENTITY",
            Self::Character { .. } => "XML_CHARACTER",
            Self::Beyond { .. } => "XML_BEYOND",
            Self::Malformed { .. } => "XML_MALFORMED",
            Self::Truncated { .. } => "XML_TRUNCATED",
            Self::Empty => "XML_EMPTY",
        }
    }
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// True when a file can only be meant as XML: its first character is `<`.
#[must_use]
pub fn seems_xml(bytes: &[u8]) -> bool {
    let body = bytes.strip_prefix(BOM).unwrap_or(bytes);
    body.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<')
}

/// Decodes a file by its mark, else by its declaration, else as UTF-8, and looks at every character.
///
/// # Errors
/// When it is too large, of another charset, not what it declares, or holds a character that XML does not have.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<String, XmlError> {
    decode_or(bytes, limits, Charset::Utf8)
}

/// The same, with the charset that a file has which says nothing of it.
///
/// # Errors
/// As [`decode`].
pub fn decode_or(bytes: &[u8], limits: &Limits, undeclared: Charset) -> Result<String, XmlError> {
    if bytes.len() > limits.bytes {
        return Err(XmlError::TooLarge { found: bytes.len(), limit: limits.bytes });
    }
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err(XmlError::Encoding("UTF-16".to_string()));
    }
    let has_mark = bytes.starts_with(BOM);
    let charset = match declared(bytes.strip_prefix(BOM).unwrap_or(bytes)) {
        None if has_mark => Charset::Utf8,
        None => undeclared,
        Some(name) => match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" | "us-ascii" | "ascii" => Charset::Utf8,
            "gbk" | "gb2312" | "gb18030" | "cp936" if has_mark => {
                return Err(XmlError::NotAsDeclared { declared: "GBK", found: "UTF-8" });
            }
            "gbk" | "gb2312" | "gb18030" | "cp936" => Charset::Gb18030,
            _ => return Err(XmlError::Encoding(name.chars().take(20).collect())),
        },
    };
    if charset == Charset::Gb18030 && charset::is_unmarked_utf8(bytes) {
        return Err(XmlError::NotAsDeclared { declared: "GBK", found: "UTF-8" });
    }
    let (text, _) = charset::decode(bytes, Some(charset)).map_err(XmlError::Charset)?;
    match text.char_indices().find(|(_, c)| !is_of_xml(*c)) {
        Some((at, c)) => Err(XmlError::Character { line: 1 + breaks(&text[..at]), code: u32::from(c) }),
        None => Ok(text),
    }
}

/// The encoding of the declaration `<?xml … encoding="…"?>`, which stands at the very beginning in ASCII.
fn declared(body: &[u8]) -> Option<String> {
    let head = &body[..body.len().min(200)];
    let rest = head.strip_prefix(b"<?xml")?;
    let end = rest.windows(2).position(|two| two == b"?>").unwrap_or(rest.len());
    let declaration = String::from_utf8_lossy(&rest[..end]).into_owned();
    let (_, after) = declaration.split_once("encoding")?;
    let quoted = after.trim_start().strip_prefix('=')?.trim_start();
    let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    quoted[1..].split(quote).next().map(|name| name.trim().to_string())
}

/// True for a character that XML 1.0 has.
#[must_use]
pub fn is_of_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

fn breaks(text: &str) -> usize {
    text.bytes().filter(|b| *b == b'\n').count()
}

/// The beginning of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Line of the file, from 1.
    pub line: usize,
    /// Local name.
    pub name: String,
    /// Attributes as they are written, in their order: names with prefixes, namespaces too.
    pub attributes: Vec<(String, String)>,
}

impl Start {
    /// The namespace that an attribute `xmlns` of this element declares.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        let is_it = |name: &str| name == "xmlns" || name.starts_with("xmlns:");
        self.attributes.iter().find(|(name, _)| is_it(name)).map(|(_, value)| value.as_str())
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An element begins.
    Start(Start),
    /// Text, as a whole and as it is meant: references are characters.
    Text(String),
    /// The innermost element ends.
    End,
}

/// An element with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Line of the file, from 1.
    pub line: usize,
    /// Local name.
    pub name: String,
    /// Attributes as they are written.
    pub attributes: Vec<(String, String)>,
    /// Its own text, with the blanks around it.
    pub content: String,
    /// Elements within, in their order.
    pub children: Vec<Node>,
}

impl Node {
    /// Its own text, without the blanks around it.
    #[must_use]
    pub fn text(&self) -> &str {
        self.content.trim()
    }

    /// Elements of this name directly within.
    pub fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> + 'a {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first element along a path: `PmtId/EndToEndId`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Node> {
        path.split('/').try_fold(self, |node, name| node.children.iter().find(|child| child.name == name))
    }

    /// The text along a path; empty where there is none.
    #[must_use]
    pub fn text_at(&self, path: &str) -> &str {
        self.at(path).map_or("", Node::text)
    }

    /// An attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a decoded text, event by event.
pub struct Reader<'t> {
    text: &'t str,
    raw: quick_xml::Reader<&'t [u8]>,
    limits: Limits,
    /// Names of the elements that are open, outermost first.
    open: Vec<String>,
    has_root: bool,
    waiting: Option<Event>,
    /// Line breaks were counted up to here.
    counted: usize,
    line: usize,
}

impl<'t> Reader<'t> {
    /// Reads within the usual limits.
    #[must_use]
    pub fn new(text: &'t str) -> Reader<'t> {
        Reader::within(text, Limits::default())
    }

    /// Reads within these limits.
    #[must_use]
    pub fn within(text: &'t str, limits: Limits) -> Reader<'t> {
        let mut raw = quick_xml::Reader::from_str(text);
        raw.config_mut().expand_empty_elements = true;
        Reader { text, raw, limits, open: Vec::new(), has_root: false, waiting: None, counted: 0, line: 1 }
    }

    /// Line of what comes next, from 1.
    pub fn line(&mut self) -> usize {
        let at = usize::try_from(self.raw.buffer_position()).unwrap_or_default().min(self.text.len());
        // The parser may stop within a character where it gives up; lines do not end there.
        let passed = self.text.as_bytes().get(self.counted..at).unwrap_or_default();
        self.line += passed.split(|b| *b == b'\n').count().saturating_sub(1);
        self.counted = self.counted.max(at);
        self.line
    }

    /// Names of the elements that are open, outermost first.
    #[must_use]
    pub fn path(&self) -> &[String] {
        &self.open
    }

    /// How many elements are open.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    fn beyond(&mut self, what: &'static str, limit: usize) -> XmlError {
        XmlError::Beyond { line: self.line(), what, limit }
    }

    fn malformed(&mut self, problem: &'static str) -> XmlError {
        XmlError::Malformed { line: self.line(), problem }
    }

    /// The next event; none at the end. Comments and processing instructions are passed over.
    ///
    /// # Errors
    /// The first thing that is not well-formed, not allowed or beyond the limits.
    #[expect(clippy::should_implement_trait, reason = "an iterator of results would have to end after the first error")]
    pub fn next(&mut self) -> Result<Option<Event>, XmlError> {
        if let Some(event) = self.waiting.take() {
            self.leave_or_enter(&event);
            return Ok(Some(event));
        }
        let mut text = String::new();
        let event = loop {
            let line = self.line();
            let is_first = self.raw.buffer_position() == 0;
            match self.raw.read_event() {
                Ok(Raw::Text(part)) => text.push_str(&part.xml10_content()),
                Ok(Raw::CData(part)) => text.push_str(&part.xml10_content()),
                Ok(Raw::GeneralRef(reference)) => text.push(character(&reference, line)?),
                Ok(Raw::PI(instruction)) if instruction.target().eq_ignore_ascii_case("xml") => {
                    return Err(self.malformed("XML 声明只能在开头"));
                }
                Ok(Raw::Comment(_) | Raw::PI(_)) => {}
                Ok(Raw::Decl(_)) if !is_first => return Err(self.malformed("XML 声明只能在开头")),
                Ok(Raw::Decl(declaration)) => {
                    if declaration.version().is_ok_and(|version| version != "1.0") {
                        return Err(self.malformed("版本应为 1.0"));
                    }
                }
                Ok(Raw::DocType(_)) => return Err(XmlError::Doctype(line)),
                Ok(Raw::Start(start) | Raw::Empty(start)) => break Some(Event::Start(self.start(&start, line)?)),
                Ok(Raw::End(_)) => break Some(Event::End),
                Ok(Raw::Eof) => break None,
                Err(error) => return Err(problem(&error, line)),
            }
            if text.len() > self.limits.text {
                return Err(self.beyond("文字字节数", self.limits.text));
            }
        };
        if self.open.is_empty() && !text.trim().is_empty() {
            return Err(self.malformed("文字在最外层元素之外"));
        }
        match event {
            None => match self.open.last() {
                Some(open) => {
                    let open = open.clone();
                    Err(XmlError::Truncated { line: self.line(), open })
                }
                None if !self.has_root => Err(XmlError::Empty),
                None => Ok(None),
            },
            Some(event) if text.is_empty() || self.open.is_empty() => {
                self.leave_or_enter(&event);
                Ok(Some(event))
            }
            Some(event) => {
                self.waiting = Some(event);
                Ok(Some(Event::Text(text)))
            }
        }
    }

    fn leave_or_enter(&mut self, event: &Event) {
        match event {
            Event::Start(start) => {
                self.has_root = true;
                self.open.push(start.name.clone());
            }
            Event::End => {
                self.open.pop();
            }
            Event::Text(_) => {}
        }
    }

    fn start(&mut self, raw: &BytesStart<'_>, line: usize) -> Result<Start, XmlError> {
        if self.open.is_empty() && self.has_root {
            return Err(XmlError::Malformed { line, problem: "最外层只能有一个元素" });
        }
        if self.open.len() >= self.limits.depth {
            return Err(XmlError::Beyond { line, what: "元素层数", limit: self.limits.depth });
        }
        if raw.len() > self.limits.tag {
            return Err(XmlError::Beyond { line, what: "标签字节数", limit: self.limits.tag });
        }
        let name = raw.local_name().into_inner();
        if !is_name(name) {
            return Err(XmlError::Malformed { line, problem: "元素名不对" });
        }
        let mut attributes = Vec::new();
        for attribute in raw.attributes() {
            let attribute = attribute.map_err(|_| XmlError::Malformed { line, problem: "属性写得不对" })?;
            if attributes.len() >= self.limits.attributes {
                return Err(XmlError::Beyond { line, what: "属性个数", limit: self.limits.attributes });
            }
            let key = attribute.key.into_inner();
            if !is_name(key) || attribute.value.contains('<') {
                return Err(XmlError::Malformed { line, problem: "属性写得不对" });
            }
            attributes.push((key.to_string(), unescaped(&attribute.value, line)?));
        }
        Ok(Start { line, name: name.to_string(), attributes })
    }

    /// The outermost element.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn root(&mut self) -> Result<Start, XmlError> {
        match self.next()? {
            Some(Event::Start(start)) => Ok(start),
            _ => Err(XmlError::Empty),
        }
    }

    /// Reads the element that has just begun to its end.
    ///
    /// # Errors
    /// As [`Reader::next`], and when it is too large for one record.
    pub fn node(&mut self, start: Start) -> Result<Node, XmlError> {
        let node = |Start { line, name, attributes }| Node { line, name, attributes, ..Node::default() };
        let (mut outer, mut at, mut count): (Vec<Node>, Node, usize) = (Vec::new(), node(start), 1);
        while let Some(event) = self.next()? {
            match event {
                Event::Text(text) => at.content.push_str(&text),
                Event::Start(start) => {
                    count += 1;
                    if count > self.limits.nodes {
                        return Err(self.beyond("一条记录的元素个数", self.limits.nodes));
                    }
                    outer.push(std::mem::replace(&mut at, node(start)));
                }
                Event::End => match outer.pop() {
                    None => break,
                    Some(parent) => {
                        let child = std::mem::replace(&mut at, parent);
                        at.children.push(child);
                    }
                },
            }
        }
        Ok(at)
    }

    /// Passes over the element that has just begun.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn skip(&mut self) -> Result<(), XmlError> {
        let outside = self.open.len().saturating_sub(1);
        while self.open.len() > outside && self.next()?.is_some() {}
        Ok(())
    }
}

/// True for a name of an element or an attribute.
pub(super) fn is_name(name: &str) -> bool {
    let is_first = |c: char| c.is_alphabetic() || matches!(c, '_' | ':');
    let is_later = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.' | '·');
    name.starts_with(is_first) && name.chars().all(is_later)
}

/// The character of a reference in a text.
fn character(reference: &BytesRef<'_>, line: usize) -> Result<char, XmlError> {
    referred(reference, line)
}

fn referred(name: &str, line: usize) -> Result<char, XmlError> {
    let number = |digits: &str| match digits.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    };
    let found = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => name.strip_prefix('#').and_then(number).and_then(char::from_u32).filter(|c| is_of_xml(*c)),
    };
    found.ok_or_else(|| XmlError::Entity { line, name: name.chars().take(20).collect() })
}

/// The value of an attribute: references are characters, line breaks and tabs are blanks.
fn unescaped(value: &str, line: usize) -> Result<String, XmlError> {
    let mut parts = value.split('&');
    let mut text = parts.next().unwrap_or_default().replace(['\t', '\r', '\n'], " ");
    for part in parts {
        let unclosed = XmlError::Malformed { line, problem: "& 应写成 &amp;" };
        let (name, rest) = part.split_once(';').ok_or(unclosed)?;
        text.push(referred(name, line)?);
        text.push_str(&rest.replace(['\t', '\r', '\n'], " "));
    }
    Ok(text)
}

fn problem(error: &quick_xml::Error, line: usize) -> XmlError {
    use quick_xml::errors::{Error, IllFormedError, SyntaxError};
    let problem = match error {
        Error::Syntax(SyntaxError::UnclosedDoctype) | Error::IllFormed(IllFormedError::MissingDoctypeName) => {
            return XmlError::Doctype(line);
        }
        Error::Syntax(_) => "标签没有写完",
        Error::IllFormed(IllFormedError::MismatchedEndTag { .. } | IllFormedError::UnmatchedEndTag(_)) => {
            "结束标签与开始标签不符"
        }
        Error::IllFormed(IllFormedError::UnclosedReference) => "& 应写成 &amp;",
        _ => "写得不对",
    };
    XmlError::Malformed { line, problem }
}

/// Writes a document: elements on lines of their own, two blanks deeper than what they are in.
#[derive(Debug, Default)]
pub struct Writer {
    text: String,
    open: Vec<&'static str>,
}

impl Writer {
    /// Begins with the declaration.
    #[must_use]
    pub fn new(encoding: &str) -> Writer {
        Writer { text: format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>\n"), open: Vec::new() }
    }

    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n("  ", self.open.len()));
    }

    /// An element begins.
    pub fn open(&mut self, name: &'static str) {
        self.open_with(name, &[]);
    }

    /// An element begins, with attributes.
    pub fn open_with(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.text.push('\n');
        self.open.push(name);
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.indent();
        self.text.push('<');
        self.text.push_str(name);
        for (key, value) in attributes {
            self.text.push(' ');
            self.text.push_str(key);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
        }
        self.text.push('>');
    }

    /// An element that holds a text.
    pub fn leaf(&mut self, name: &'static str, text: &str) {
        self.leaf_with(name, &[], text);
    }

    /// An element that holds a text, with attributes.
    pub fn leaf_with(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.tag(name, attributes);
        escape(text, &mut self.text);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push_str(">\n");
    }

    /// An element with all that is in it: elements, or else its text.
    pub fn node(&mut self, node: &Node) {
        let attributes: Vec<(&str, &str)> = node.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        if node.children.is_empty() {
            return self.leaf_with(&node.name, &attributes, &node.content);
        }
        self.tag(&node.name, &attributes);
        self.text.push('\n');
        self.open.push("");
        node.children.iter().for_each(|child| self.node(child));
        self.open.pop();
        self.end(&node.name);
    }

    /// The innermost element ends.
    pub fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.end(name);
        }
    }

    fn end(&mut self, name: &str) {
        self.indent();
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push_str(">\n");
    }

    /// The document, all its elements closed.
    #[must_use]
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }
}

/// Adds a text with what has a meaning in XML as references. The caller has made sure that XML has its characters.
pub fn escape(text: &str, to: &mut String) {
    for c in text.chars() {
        match c {
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '&' => to.push_str("&amp;"),
            '"' => to.push_str("&quot;"),
            '\n' => to.push_str("&#10;"),
            '\r' => to.push_str("&#13;"),
            '\t' => to.push_str("&#9;"),
            _ => to.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Node, XmlError> {
        let text = decode(bytes, &Limits::default())?;
        let mut reader = Reader::new(&text);
        let root = reader.root()?;
        let node = reader.node(root)?;
        assert_eq!(reader.next()?, None);
        Ok(node)
    }

    #[track_caller]
    fn refused(text: &str, code: &str) -> XmlError {
        let error = read(text.as_bytes()).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        error
    }

    #[test]
    fn elements_attributes_and_texts_come_as_they_are_meant() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- 说明 -->\n<n:Doc xmlns:n=\"urn:x\">\n\
                    <Amt Ccy=\"C&#78;Y\" b='1&lt;\t2'>1<![CDATA[2<]]>&amp;&#x33;</Amt><Empty/>\r\n<Nm> 阿依古丽·买买提 </Nm>\n</n:Doc>";
        let node = read(text.as_bytes()).unwrap();
        assert_eq!((node.name.as_str(), node.attribute("xmlns:n")), ("Doc", Some("urn:x")));
        let amount = node.at("Amt").unwrap();
        assert_eq!((amount.text(), amount.line), ("12<&3", 4));
        assert_eq!((amount.attribute("Ccy"), amount.attribute("b")), (Some("CNY"), Some("1< 2")));
        assert_eq!((node.text_at("Nm"), node.text_at("Empty"), node.text_at("Amt/No")), ("阿依古丽·买买提", "", ""));
        assert_eq!(node.at("Nm").unwrap().line, 5);
        let mut reader = Reader::new(text);
        assert_eq!(reader.root().unwrap().namespace(), Some("urn:x"));
    }

    #[test]
    fn records_are_read_one_by_one_and_others_passed_over() {
        let text = "<L><Head><A><B/></A></Head><R><Id>1</Id></R>\n<R><Id>2</Id></R></L>";
        let mut reader = Reader::new(text);
        reader.root().unwrap();
        let mut ids = Vec::new();
        while let Some(event) = reader.next().unwrap() {
            match event {
                Event::Start(start) if start.name == "R" => {
                    ids.push(reader.node(start).unwrap().text_at("Id").to_string());
                }
                Event::Start(_) => reader.skip().unwrap(),
                Event::Text(_) | Event::End => {}
            }
        }
        assert_eq!((ids, reader.depth()), (vec!["1".to_string(), "2".to_string()], 0));
    }

    #[test]
    fn a_document_type_is_refused_before_its_entities_count() {
        let mut laughs = "<!DOCTYPE lolz [\n<!ENTITY lol \"lol\">\n".to_string();
        for n in 1..10 {
            let before = if n == 1 { "lol".to_string() } else { format!("lol{}", n - 1) };
            let _ = writeln!(laughs, "<!ENTITY lol{n} \"{}\">", format!("&{before};").repeat(10));
        }
        laughs += "]>\n<lolz>&lol9;</lolz>";
        let error = refused(&format!("<?xml version=\"1.0\"?>\n{laughs}"), "XML_DOCTYPE");
        assert!(error.to_string().starts_with("第 2 行有文档类型声明（DOCTYPE）"), "{error}");
        for text in [
            "<!DOCTYPE a SYSTEM \"accounts.txt\"><a>&x;</a>",
            "<!DOCTYPE a [<!ENTITY x SYSTEM \"accounts.txt\">]><a>&x;</a>",
            "<!DOCTYPE a [<!ENTITY % p SYSTEM \"accounts.dtd\"> %p;]><a/>",
            "<!DOCTYPE a [",
            "<!doctype a><a/>",
            "<!DOCTYPE>",
            "<a/><!DOCTYPE a>",
        ] {
            refused(text, "XML_DOCTYPE");
        }
        for text in ["<a>&x;</a>", "<a b='&x;'/>", "<a>&#0;</a>", "<a>&#xFFFFFFFFF;</a>", "<a>&#xD800;</a>"] {
            refused(text, "XML_ENTITY");
        }
    }

    #[test]
    fn what_is_deeper_longer_or_more_than_any_real_file_is_refused() {
        let deep = |n: usize| "<a>".repeat(n) + &"</a>".repeat(n);
        assert!(read(deep(64).as_bytes()).is_ok());
        let error = refused(&deep(65), "XML_BEYOND");
        assert!(error.to_string().contains("元素层数超过 64"), "{error}");
        refused(&deep(100_000), "XML_BEYOND");
        refused(&format!("<a b='{}'/>", "x".repeat(20_000)), "XML_BEYOND");
        let many: Vec<String> = (0..33).map(|n| format!("a{n}='1'")).collect();
        refused(&format!("<a {}/>", many.join(" ")), "XML_BEYOND");
        refused(&format!("<a>{}</a>", "x".repeat(4 * 1024 * 1024 + 1)), "XML_BEYOND");
        refused(&format!("<a>{}</a>", "<b/>".repeat(20_000)), "XML_BEYOND");
        let limits = Limits { bytes: 10, ..Limits::default() };
        assert_eq!(decode(b"<aaaaaaaaaaaa/>", &limits), Err(XmlError::TooLarge { found: 15, limit: 10 }));
    }

    #[test]
    fn what_is_not_well_formed_is_told_with_its_line() {
        for (text, line) in [
            ("<a>\n<b></a>", 2),
            ("<a>\n</b>", 2),
            ("<a/>\n\n<b/>", 3),
            ("<a/>\nx", 2),
            ("x<a/>", 1),
            ("<a>\n<1/></a>", 2),
            ("<a>\n<b c=1/></a>", 2),
            ("<a>\n<b c='1' c='2'/></a>", 2),
            ("<a>\n<b c='<'/></a>", 2),
            ("<a>\n&</a>", 2),
            ("<a b='&'/>", 1),
            ("<a>\n<?xml version='1.0'?></a>", 2),
            ("<?xml version='1.1'?><a/>", 1),
            ("<a>\n<b", 2),
            ("<a>\n<!-- ", 2),
            ("</a>", 1),
        ] {
            match read(text.as_bytes()) {
                Err(XmlError::Malformed { line: found, .. }) => assert_eq!(found, line, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(read(b"<a>\n<b>\n"), Err(XmlError::Truncated { line: 3, open: "b".into() }));
        for text in ["", " \n", "<?xml version='1.0'?>", "<!-- x -->"] {
            assert_eq!(read(text.as_bytes()), Err(XmlError::Empty), "{text}");
        }
        assert_eq!(read(b"<a>\n\x01</a>"), Err(XmlError::Character { line: 2, code: 1 }));
        assert_eq!(read("<a>\u{FFFF}</a>".as_bytes()).unwrap_err().code(), "XML_CHARACTER");
    }

    #[test]
    fn the_declared_encoding_is_honoured_and_must_be_true() {
        let text = |encoding: &str| format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?><a>王東·買買提</a>");
        for encoding in ["GBK", "gb18030", "GB2312"] {
            let bytes = charset::encode(&text(encoding), Charset::Gb18030).unwrap();
            assert_eq!(read(&bytes).unwrap().text(), "王東·買買提");
            let utf8 = text(encoding).into_bytes();
            assert_eq!(read(&utf8).unwrap_err().code(), "XML_ENCODING", "{encoding}");
            let marked = [BOM, utf8.as_slice()].concat();
            assert_eq!(read(&marked).unwrap_err().code(), "XML_ENCODING");
        }
        for bytes in [text("utf-8").into_bytes(), [BOM, text("UTF-8").as_bytes()].concat(), "<a>王東·買買提</a>".into()]
        {
            assert_eq!(read(&bytes).unwrap().text(), "王東·買買提");
        }
        let gbk = charset::encode(&text("UTF-8"), Charset::Gb18030).unwrap();
        assert_eq!(read(&gbk).unwrap_err().code(), "CHARSET_MALFORMED");
        assert_eq!(
            read(&charset::encode("<a>王</a>", Charset::Gb18030).unwrap()).unwrap_err().code(),
            "CHARSET_MALFORMED"
        );
        for encoding in ["UTF-16", "Big5", "ISO-8859-1"] {
            assert_eq!(read(text(encoding).as_bytes()), Err(XmlError::Encoding(encoding.into())));
        }
        assert_eq!(read(b"\xFF\xFE<\0a\0"), Err(XmlError::Encoding("UTF-16".into())));
        assert!(seems_xml(b"\xEF\xBB\xBF \r\n<a") && !seems_xml(b"H|<a>") && !seems_xml(b""));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }

        #[test]
        fn anything_that_looks_like_xml_has_an_answer(text in "(<[/?!a&;\\[>' =-]{0,6}|]]>|<a>|</a>|<!DOCTYPE|<!\\[CDATA\\[|x|&#3;|&lt;|\\s){0,40}") {
            let _ = read(text.as_bytes());
        }

        #[test]
        fn what_is_written_reads_back(texts in proptest::collection::vec("[^\u{0}-\u{1f}\u{7f}\u{fffe}\u{ffff}]{0,30}", 1..8), value in "[ -~·王]{0,20}") {
            let mut writer = Writer::new("UTF-8");
            writer.open_with("Doc", &[("k", &value)]);
            for text in &texts {
                writer.open("R");
                writer.leaf("T", text);
                writer.close();
            }
            let node = read(writer.finish().as_bytes()).unwrap();
            prop_assert_eq!(node.attribute("k"), Some(value.as_str()));
            let back: Vec<&str> = node.children("R").map(|r| r.at("T").unwrap().content.as_str()).collect();
            prop_assert_eq!(back, texts);
        }
    }
}
