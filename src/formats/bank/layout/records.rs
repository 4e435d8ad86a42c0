//! An answer in XML as lines of cells: the elements outside of its rows, and its rows. The description names
//! elements, not where in the file they stand: banks wrap the same records in envelopes of their own.

use super::reader::{Line, Lines, ReadError};
use super::writer::decoded_as;
use crate::domain::bank_form::{Column, Form, Piece, Place, Template};
use crate::formats::xml::{self, Event, Limits, Node, Reader};

/// Elements within each other, at whatever depth they begin, and at the end an attribute: `INFO/REQ_SN`, `ROW/@state`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path<'p> {
    pub(super) elements: Vec<&'p str>,
    pub(super) attribute: Option<&'p str>,
}

impl<'p> Path<'p> {
    /// Reads a path, without blanks; `None` where a name is none.
    pub(super) fn of(text: &'p str) -> Option<Path<'p>> {
        let mut elements: Vec<&str> = text.split('/').collect();
        let attribute = elements.last().and_then(|last| last.strip_prefix('@'));
        if attribute.is_some() {
            elements.pop();
        }
        elements.iter().copied().chain(attribute).all(xml::is_name).then_some(Path { elements, attribute })
    }

    /// The path of a line of the head: what stands before its first equals sign.
    pub(super) fn of_head(template: &'p Template) -> Option<Path<'p>> {
        let Some(Piece::Text(text)) = template.0.first() else { return None };
        Path::of(text.split_once('=')?.0).filter(|path| !path.elements.is_empty())
    }

    /// True when the elements that are open end with those of the path.
    fn is_at(&self, open: &[String]) -> bool {
        let outside = open.len().checked_sub(self.elements.len());
        outside.is_some_and(|outside| open[outside..].iter().zip(&self.elements).all(|(open, name)| open == name))
    }

    /// Its texts within a row.
    fn texts<'n>(&self, row: &'n Node) -> Vec<&'n str> {
        let within = |nodes: Vec<&'n Node>, name: &&str| -> Vec<&'n Node> {
            nodes.into_iter().flat_map(|node| node.children.iter().filter(|child| child.name == *name)).collect()
        };
        let nodes = self.elements.iter().fold(vec![row], within);
        match self.attribute {
            Some(name) => nodes.into_iter().filter_map(|node| node.attribute(name)).map(str::trim).collect(),
            None => nodes.into_iter().map(Node::text).collect(),
        }
    }
}

/// What a file says at a path outside of the rows: the line, and the text.
type Found = Vec<(usize, String)>;

/// Reads the file as lines: first one for each of the head, as the description writes it, then the rows.
///
/// # Errors
/// What is no XML within the limits; no row; an element that must be there once and is not.
pub(super) fn lines(form: &Form, bytes: &[u8]) -> Result<Lines<'static>, ReadError> {
    let answer = &form.answer;
    let text = xml::decode_or(bytes, &Limits::default(), decoded_as(form.charset)).map_err(ReadError::Xml)?;
    let head = answer.head.iter().filter_map(|cells| Path::of_head(cells.first()?));
    let mut head: Vec<(Path<'_>, Found)> = head.map(|path| (path, Found::new())).collect();
    let record = Path::of(&answer.record);
    let columns = columns(&answer.columns);
    let mut rows = Vec::new();
    let mut reader = Reader::new(&text);
    while let Some(event) = reader.next().map_err(ReadError::Xml)? {
        match event {
            Event::Start(start) if record.as_ref().is_some_and(|record| record.is_at(reader.path())) => {
                rows.push(row(&columns, &reader.node(start).map_err(ReadError::Xml)?)?);
            }
            Event::Start(start) => {
                for (path, found) in head.iter_mut().filter(|(path, _)| path.is_at(reader.path())) {
                    let of = |name: &str| start.attributes.iter().find(|(known, _)| known == name);
                    match path.attribute {
                        Some(name) => found.extend(of(name).map(|(_, value)| (start.line, value.clone()))),
                        None => found.push((start.line, String::new())),
                    }
                }
            }
            Event::Text(text) => {
                let texts = head.iter_mut().filter(|(path, _)| path.attribute.is_none() && path.is_at(reader.path()));
                texts.filter_map(|(_, found)| found.last_mut()).for_each(|(_, so_far)| so_far.push_str(&text));
            }
            Event::End => {}
        }
    }
    if rows.is_empty() {
        return Err(ReadError::Empty);
    }
    let around = head.iter().map(|(path, found)| {
        let [(number, text)] = found.as_slice() else {
            let row = found.get(1).map_or(1, |(row, _)| *row);
            return Err(not_once(row, &path.to_string(), "文件", found.len()));
        };
        let text = format!("{path}={}", text.trim());
        Ok(Line { number: *number, cells: vec![text.clone().into()], text: text.into() })
    });
    let around = around.collect::<Result<_, _>>()?;
    let columns = (0..).zip(&columns).map(|(at, (column, _))| (*column, at)).collect();
    Ok(Lines { around, columns, rows })
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let attribute = self.attribute.map(|name| format!("@{name}"));
        let names: Vec<&str> = self.elements.iter().copied().chain(attribute.as_deref()).collect();
        f.write_str(&names.join("/"))
    }
}

/// Every column with the paths at which banks write it.
fn columns(columns: &[(Column, Place)]) -> Vec<(Column, Vec<Path<'_>>)> {
    let mut named = Vec::with_capacity(columns.len());
    for (column, place) in columns {
        if let Place::Titled(titles) = place {
            named.push((*column, titles.iter().filter_map(|title| Path::of(title)).collect()));
        }
    }
    named
}

/// A row, its cells in the order of the columns. What a payment is known by must be there; nothing may be there twice.
fn row(columns: &[(Column, Vec<Path<'_>>)], node: &Node) -> Result<Line<'static>, ReadError> {
    use Column::{Account, Amount, PaymentRef, Seq, Status};
    let cell = |(column, paths): &(Column, Vec<Path<'_>>)| {
        let texts: Vec<&str> = paths.iter().flat_map(|path| path.texts(node)).collect();
        match texts.as_slice() {
            [text] => Ok((*text).to_string().into()),
            [] if !matches!(column, Account | Amount | PaymentRef | Seq | Status) => Ok("".into()),
            several => {
                let names: Vec<String> = paths.iter().map(ToString::to_string).collect();
                Err(not_once(node.line, &names.join("”或“"), &format!("<{}>", node.name), several.len()))
            }
        }
    };
    let cells = columns.iter().map(cell).collect::<Result<Vec<_>, _>>()?;
    Ok(Line { number: node.line, cells, text: "".into() })
}

fn not_once(row: usize, path: &str, place: &str, times: usize) -> ReadError {
    let problem = match times {
        0 => format!("{place}里没有“{path}”"),
        times => format!("{place}里有 {times} 个“{path}”，应只有一个"),
    };
    ReadError::Element { row, problem }
}
