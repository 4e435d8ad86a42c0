//! What vouchers travel in: `MOF`, one `VoucherBody` a voucher, and in it the voucher itself as base64 of GBK.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::formats::bank::neutral::AnswerKind;
use crate::formats::bank::standard::ReadError;
use crate::formats::charset::{self, Charset, Unmappable};
use crate::formats::xml::{Event, Limits, Node, Reader, Writer, XmlError, decode, decode_or};

/// A voucher on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voucher {
    /// `AdmDivCode`.
    pub division: String,
    /// `StYear`.
    pub year: String,
    /// `VtCode`.
    pub code: &'static str,
    /// `VoucherNo`.
    pub number: String,
    /// 0: sent; 1: returned.
    pub flag: &'static str,
    /// The voucher as XML.
    pub text: String,
}

/// A voucher that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Line of its envelope, from 1.
    pub line: usize,
    /// `AdmDivCode`.
    pub division: String,
    /// `StYear`.
    pub year: String,
    /// `VtCode`.
    pub code: String,
    /// `VoucherNo`.
    pub number: String,
    /// True for a return (回单).
    pub is_return: bool,
    /// The voucher; its lines are counted within itself.
    pub voucher: Node,
}

/// Puts vouchers into one envelope.
///
/// # Errors
/// The first character that GBK does not have.
pub fn wrap(vouchers: &[Voucher]) -> Result<Vec<u8>, Unmappable> {
    let mut xml = Writer::new("GBK");
    xml.open("MOF");
    xml.leaf("VoucherCount", &vouchers.len().to_string());
    for voucher in vouchers {
        let Voucher { division, year, code, number, flag, text } = voucher;
        let attributes = [("AdmDivCode", division.as_str()), ("StYear", year), ("VtCode", code), ("VoucherNo", number)];
        xml.open_with("VoucherBody", &attributes);
        xml.leaf("Attach", "");
        xml.leaf("VoucherFlag", flag);
        xml.leaf("Voucher", &STANDARD.encode(charset::encode_gbk(text)?));
        xml.close();
    }
    charset::encode_gbk(&xml.finish())
}

/// Which answer a file of vouchers is, by its first voucher; `None` for any other XML.
///
/// # Errors
/// When it cannot be read so far.
pub fn kind_of(bytes: &[u8]) -> Result<Option<AnswerKind>, XmlError> {
    let text = decode_or(bytes, &Limits::default(), Charset::Gb18030)?;
    let mut reader = Reader::new(&text);
    if reader.root()?.name != "MOF" {
        return Ok(None);
    }
    while let Some(event) = reader.next()? {
        if let Event::Start(start) = event
            && let Some((_, code)) = start.attributes.iter().find(|(name, _)| name == "VtCode")
        {
            return Ok(Some(if code == super::REFUND { AnswerKind::LateReturn } else { AnswerKind::Return }));
        }
    }
    Ok(Some(AnswerKind::Return))
}

/// Takes the vouchers out of their envelope.
///
/// # Errors
/// When it is none, is not whole, or says one thing outside and another inside.
pub fn open(bytes: &[u8]) -> Result<Vec<Body>, ReadError> {
    let text = decode_or(bytes, &Limits::default(), Charset::Gb18030)?;
    let mut reader = Reader::new(&text);
    let root = reader.root()?;
    if root.name != "MOF" {
        return Err(ReadError::Other { line: root.line, found: root.name, expected: "国库集中支付凭证 MOF" });
    }
    let (mut count, mut bodies) = (None, Vec::new());
    while let Some(event) = reader.next()? {
        let Event::Start(start) = event else { continue };
        let node = reader.node(start)?;
        match node.name.as_str() {
            "VoucherCount" => count = Some((node.line, node.text().to_string())),
            "VoucherBody" => bodies.push(body(&node)?),
            _ => {}
        }
    }
    match count {
        Some((line, found)) if found.parse() != Ok(bodies.len()) => {
            Err(ReadError::field(line, "凭证张数 VoucherCount", &found, "文件里凭证的张数；文件可能不完整"))
        }
        Some(_) if !bodies.is_empty() => Ok(bodies),
        _ => {
            Err(ReadError::Missing { line: root.line, element: "MOF".into(), missing: "VoucherCount 或 VoucherBody" })
        }
    }
}

fn body(node: &Node) -> Result<Body, ReadError> {
    let attribute = |name: &'static str| {
        let missing = || ReadError::Missing { line: node.line, element: node.name.clone(), missing: name };
        node.attribute(name).map(str::trim).filter(|text| !text.is_empty()).ok_or_else(missing)
    };
    let (division, year) = (attribute("AdmDivCode")?.to_string(), attribute("StYear")?.to_string());
    let (code, number) = (attribute("VtCode")?.to_string(), attribute("VoucherNo")?.to_string());
    let is_return = match node.text_at("VoucherFlag") {
        "0" => false,
        "1" => true,
        found => return Err(ReadError::field(node.line, "凭证标志 VoucherFlag", found, "0（发送单）或 1（回单）")),
    };
    let Some(inside) = node.at("Voucher") else {
        return Err(ReadError::Missing { line: node.line, element: node.name.clone(), missing: "Voucher" });
    };
    let packed: String = inside.content.split_ascii_whitespace().collect();
    let unpacked = STANDARD.decode(packed);
    let Ok(bytes) = unpacked else {
        return Err(ReadError::field(inside.line, "凭证 Voucher", "", "BASE64 编码的凭证"));
    };
    let voucher = voucher(&bytes)?;
    // They once differed, and the one was signed for the other.
    for (name, outside) in [("VoucherNo", &number), ("VtCode", &code), ("AdmDivCode", &division), ("StYear", &year)] {
        let found = voucher.text_at(name);
        if found != outside && (name == "VoucherNo" || !found.is_empty()) {
            let expected = "与报文头的属性相同";
            let field = if name == "VtCode" { "凭证类型编号" } else { super::title(name) };
            return Err(ReadError::field(node.line, field, found, expected));
        }
    }
    Ok(Body { line: node.line, division, year, code, number, is_return, voucher })
}

/// The voucher itself. One that declares no charset is GBK.
fn voucher(bytes: &[u8]) -> Result<Node, ReadError> {
    let text = decode_or(bytes, &Limits::default(), Charset::Gb18030)?;
    let mut reader = Reader::new(&text);
    let root = reader.root()?;
    if root.name != "Voucher" {
        return Err(ReadError::Other { line: root.line, found: root.name, expected: "凭证 Voucher" });
    }
    let node = reader.node(root)?;
    match reader.next()? {
        None => Ok(node),
        Some(_) => {
            Err(ReadError::Xml(XmlError::Malformed { line: reader.line(), problem: "凭证之后还有内容" }))
        }
    }
}

/// A file of vouchers with every voucher as it can be read, for a clerk; as it is where it cannot.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    let text = decode(bytes, &Limits::default()).unwrap_or_default();
    let inside = |line: &str| -> Option<String> {
        let packed = line.trim().strip_prefix("<Voucher>")?.strip_suffix("</Voucher>")?;
        let voucher = STANDARD.decode(packed).ok()?;
        decode_or(&voucher, &Limits::default(), Charset::Gb18030).ok()
    };
    text.lines().map(|line| inside(line).unwrap_or_else(|| format!("{line}\n"))).collect()
}
