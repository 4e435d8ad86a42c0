//! Reads a payment file that `writer` made: for the simulated bank, which knows nothing but the file, and to
//! prove that what was written says what was meant.
//!
//! Each line is walked along its template: a field ends where its own width ends, or where the words begin
//! that come after it.

use super::writer::{decoded_as, prefix};
use crate::domain::bank::Bank;
use crate::domain::bank_form::{Field, Form, Medium, Piece, Side, Style, Template, Unit};
use crate::domain::money::Money;
use crate::formats::bank::neutral::PaymentRow;
use crate::formats::charset;
use crate::formats::table::{is_workbook, read_table};

/// Why a file is none of this layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct NotOfLayout {
    /// `第 3 行`, or `文件`.
    pub place: String,
    /// What was found, what was expected.
    pub problem: String,
}

fn wrong(place: impl Into<String>, problem: impl Into<String>) -> NotOfLayout {
    NotOfLayout { place: place.into(), problem: problem.into() }
}

/// What a payment file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentFile {
    /// What its name, head and tail say, as far as they say anything.
    pub said: Vec<(Field, String)>,
    /// Its rows. What the layout does not write is empty, and the line is the number within the file.
    pub rows: Vec<PaymentRow>,
}

impl SentFile {
    /// What name, head or tail say of a field.
    #[must_use]
    pub fn said(&self, field: Field) -> Option<&str> {
        self.said.iter().find(|(known, _)| *known == field).map(|(_, text)| text.as_str())
    }
}

/// The file as lines of text, cells of a workbook with the separator between them: as the layout describes it.
///
/// # Errors
/// When the bytes are no such file.
pub fn lines(form: &Form, name: &str, bytes: &[u8]) -> Result<Vec<String>, NotOfLayout> {
    if form.medium != Medium::Workbook {
        let (text, _) =
            charset::decode(bytes, Some(decoded_as(form.charset))).map_err(|e| wrong("文件", e.to_string()))?;
        return Ok(text.lines().map(str::to_string).collect());
    }
    if !is_workbook(bytes) {
        return Err(wrong("文件", "不是工作簿"));
    }
    let table = read_table(name, bytes, None).map_err(|e| wrong("文件", e.to_string()))?;
    let separator = form.separator.map(String::from).unwrap_or_default();
    let mut lines = Vec::new();
    for row in table.rows() {
        lines.resize(lines.len().max(row.number - 1), String::new());
        let cells: Vec<_> = row.cells.iter().map(|cell| cell.text().into_owned()).collect();
        lines.push(cells.join(&separator));
    }
    Ok(lines)
}

/// Reads a payment file of the layout, as it went to this bank under this name.
///
/// # Errors
/// At the first line that the layout would not have written.
pub fn read_payment_file(form: &Form, bank: &Bank, name: &str, bytes: &[u8]) -> Result<SentFile, NotOfLayout> {
    let lines = lines(form, name, bytes)?;
    let around = form.head.len() + form.tail.len();
    let Some(count) = lines.len().checked_sub(around).filter(|count| *count > 0) else {
        return Err(wrong("文件", format!("只有 {} 行，没有明细", lines.len())));
    };
    let mut said =
        walk(form, bank, &form.name, name).ok_or_else(|| wrong("文件名", format!("“{name}”不是这个布局的文件名")))?;
    let mut rows = Vec::with_capacity(count);
    let around = |template| (false, template);
    let rows_expected = std::iter::repeat_n((true, &form.row), count);
    let expected = form.head.iter().map(around).chain(rows_expected).chain(form.tail.iter().map(around));
    for ((number, line), (is_row, template)) in (1..).zip(&lines).zip(expected) {
        let place = || format!("第 {number} 行");
        let fields = walk(form, bank, template, line).ok_or_else(|| wrong(place(), "与布局不符"))?;
        if is_row {
            rows.push(row(form, bank, rows.len() + 1, &fields).ok_or_else(|| wrong(place(), "金额不是金额"))?);
        } else {
            said.extend(fields);
        }
    }
    let sent = SentFile { said, rows };
    if sent.said(Field::Rows).is_some_and(|said| said.trim_start_matches('0') != sent.rows.len().to_string()) {
        return Err(wrong("文件", "总笔数与明细不符"));
    }
    Ok(sent)
}

fn row(form: &Form, bank: &Bank, at: usize, fields: &[(Field, String)]) -> Option<PaymentRow> {
    let text = |wanted: Field| fields.iter().find(|(field, _)| *field == wanted).map(|(_, text)| text.clone());
    let style = form.row.fields().find(|(field, _)| *field == Field::Amount).map(|(_, style)| style)?;
    let is_fen = style.unit == Unit::Fen || style.unit == Unit::AsBankSays && bank.amounts_in_fen();
    let amount = text(Field::Amount)?;
    let line_no = text(Field::LineNo).and_then(|no| no.parse().ok());
    Some(PaymentRow {
        line_no: line_no.or_else(|| i64::try_from(at).ok())?,
        account: text(Field::Account).unwrap_or_default(),
        holder: text(Field::Holder).unwrap_or_default(),
        amount: if is_fen { Money(amount.parse().ok()?) } else { Money::parse(&amount).ok()? },
        citizen_number: text(Field::CitizenNumber).unwrap_or_default(),
        remark: text(Field::Remark).unwrap_or_default(),
        payment_ref: text(Field::PaymentRef).unwrap_or_default(),
    })
}

/// The fields of a line along its template; `None` where the line is another.
fn walk(form: &Form, bank: &Bank, template: &Template, line: &str) -> Option<Vec<(Field, String)>> {
    let (mut fields, mut rest) = (Vec::new(), line);
    let mut pieces = template.0.iter().peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Text(text) => {
                // A workbook has no blank cells at its end.
                let is_end = rest.is_empty() && form.medium == Medium::Workbook;
                let only_blank = text.chars().all(|c| Some(c) == form.separator);
                rest = if is_end && only_blank { rest } else { rest.strip_prefix(text.as_str())? };
            }
            Piece::Field(field, style) => {
                let known = stands(bank, *field, *style).filter(|text| rest.starts_with(text)).map(str::len);
                let end = match (known.or_else(|| own_width(form, *field, *style, rest)), pieces.peek()) {
                    (Some(end), _) => end,
                    (None, Some(Piece::Text(after))) => match rest.find(after.as_str()) {
                        Some(end) => end,
                        None if form.medium == Medium::Workbook => rest.len(),
                        None => return None,
                    },
                    (None, _) => rest.len(),
                };
                let (text, after) = (rest.get(..end)?, rest.get(end..)?);
                fields.push((*field, plain(form, *style, text)));
                rest = after;
            }
        }
    }
    rest.is_empty().then_some(fields)
}

/// What the office says of the bank, where it stands as it is.
fn stands(bank: &Bank, field: Field, style: Style) -> Option<&str> {
    let is_plain = style.width.is_none() && style.zeros.is_none() && !style.blank;
    match field {
        Field::Bank => Some(bank.code.as_str()),
        Field::BankName => Some(bank.name.as_str()),
        other if other.is_of_bank() => bank.value(other.name()),
        _ => None,
    }
    .filter(|_| is_plain)
}

/// Where a field ends that has a width of its own, counted in bytes of the file.
fn own_width(form: &Form, field: Field, style: Style, rest: &str) -> Option<usize> {
    let always = match field {
        Field::PayDate => Some("20260116".len()),
        Field::Period | Field::Agency => Some("202601".len()),
        _ => None,
    };
    let bytes = style.width.map(|(_, width)| width).or(style.zeros).or(always)?;
    Some(prefix(rest, bytes, form.charset).0)
}

/// A field's text without what its style put around it.
fn plain(form: &Form, style: Style, text: &str) -> String {
    let text = match style.width {
        Some((Side::Left, _)) => text.trim_end_matches(' '),
        Some((Side::Right, _)) => text.trim_start_matches(' '),
        None if style.blank => text.trim_matches(' '),
        None => text,
    };
    let unescaped = |text: &str| {
        let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
        marks.iter().fold(text.to_string(), |text, (mark, c)| text.replace(mark, c))
    };
    if form.medium == Medium::Xml { unescaped(text) } else { text.to_string() }
}
