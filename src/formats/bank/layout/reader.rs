//! Reads a bank's own answer: rows of cells, whatever the file is, and of them the rows answered.
//!
//! Text is decoded before it is split, empty fields count, and only what the description says is
//! skipped. A text that is no status of the list is neither success nor failure. Nothing is known
//! here of the payments: `matching` finds them.

use std::borrow::Cow;

use chrono::NaiveDate;
use memchr::memchr_iter;

use super::{records, writer};
use crate::domain::bank::{Bank, Layout};
use crate::domain::bank_form::{
    AnswerForm, Column, Field, Form, FormCharset, Medium, Piece, Place, Said, Template, Unit,
};
use crate::domain::money::Money;
use crate::domain::period::parse_date;
use crate::domain::text::{between, fold_width, mask_long_numbers};
use crate::formats::charset::{self, Charset, CharsetError, is_unmarked_utf8};
use crate::formats::table::{Cell, TableError, is_workbook, read_table};
use crate::formats::xml::XmlError;

/// Longest line read.
const LONGEST_LINE: usize = 64 * 1024;

/// Blank rows of a workbook count only so far from its top.
const MOST_HEAD_LINES: usize = 100;

/// Why an answer is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Bytes that are no text of the charset.
    #[error("{0}\n请让银行重新提供，不要用编辑器另存")]
    Charset(CharsetError),
    /// Text that is UTF-8 where the bank writes another charset.
    #[error("文件是没有标记（BOM）的 UTF-8，应为 {0}\n请让银行重新提供，或存为带 BOM 的 UTF-8")]
    UnmarkedUtf8(&'static str),
    /// A workbook that cannot be read.
    #[error("{0}")]
    Workbook(TableError),
    /// XML that cannot be read.
    #[error("{0}")]
    Xml(XmlError),
    /// Elements that the description names are not there, or are there twice.
    #[error("第 {row} 行 {problem}\n请确认是这家银行的回盘；银行改了格式时请更正布局的 answer")]
    Element {
        /// Line of the file.
        row: usize,
        /// What is missing.
        problem: String,
    },
    /// No row after head and titles.
    #[error("没有明细，应有至少一笔\n文件可能不完整，请重新取回盘文件")]
    Empty,
    /// A line that no bank writes.
    #[error("第 {0} 行超过 65536 字节\n这不像银行文件，请核对")]
    LineTooLong(usize),
    /// A quote that is not closed.
    #[error("第 {0} 行的引号没有正确闭合\n文件可能不完整，请重新取回盘文件")]
    Quote(usize),
    /// Titles that the description names are not there, or are there twice.
    #[error("第 {row} 行应为栏名，{problem}\n请确认是这家银行的回盘；银行改了格式时请更正布局的 answer.columns")]
    Titles {
        /// Line of the titles.
        row: usize,
        /// What is missing.
        problem: String,
    },
    /// A field that cannot be read.
    #[error("第 {row} 行 {field}: “{found}”，应为 {expected}")]
    Field {
        /// Line of the file, from 1.
        row: usize,
        /// Which.
        field: &'static str,
        /// What stands there, long numbers masked.
        found: String,
        /// What should.
        expected: String,
    },
    /// Totals that the rows do not confirm.
    #[error("第 {row} 行 {field}: 写明 {stated}，按明细应为 {counted}\n文件可能不完整或被改动，请重新取文件")]
    Totals {
        /// Line of the total.
        row: usize,
        /// Which.
        field: &'static str,
        /// What the file says.
        stated: String,
        /// What the rows say.
        counted: String,
    },
}

impl ReadError {
    /// Stable code for logs, JSON and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Charset(CharsetError::Nul { .. }) => "BANK_FILE_NUL",
            Self::Charset(_) | Self::UnmarkedUtf8(_) => "BANK_FILE_ENCODING",
            Self::Workbook(error) => error.code(),
            Self::Xml(error) => error.code(),
            Self::Element { .. } => "BANK_FILE_ELEMENT",
            Self::Empty => "BANK_FILE_EMPTY",
            Self::LineTooLong(_) => "BANK_FILE_LINE_TOO_LONG",
            Self::Quote(_) => "BANK_FILE_QUOTE",
            Self::Titles { .. } => "BANK_FILE_TITLES",
            Self::Field { .. } => "BANK_FILE_FIELD",
            Self::Totals { .. } => "BANK_FILE_TOTALS",
        }
    }
}

/// One row of an answer, as the bank wrote it; what the bank does not write is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaidRow {
    /// Line of the file, from 1.
    pub row: usize,
    /// Row of the payment file.
    pub seq: Option<String>,
    /// Our reference.
    pub payment_ref: Option<String>,
    /// Account.
    pub account: Option<String>,
    /// Account holder.
    pub holder: Option<String>,
    /// Amount.
    pub amount: Option<Money>,
    /// What was really credited: blank in the file, or not a column of it, is `None`.
    pub paid: Option<Money>,
    /// The bank's text of the status.
    pub status: String,
    /// Reason code: the bank's, or that of the list for its text.
    pub reason_code: String,
    /// Reason.
    pub reason: String,
    /// The bank's reference.
    pub bank_ref: String,
    /// Day of the credit, or on which money came back.
    pub on: Option<NaiveDate>,
}

/// What an answer says of the payment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Line of the answer.
    pub row: usize,
    /// Of what.
    pub field: Field,
    /// What it says.
    pub text: String,
}

/// A bank's answer, before its payments are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaidAnswer {
    /// Head and tail, as far as they speak of the payment file.
    pub claims: Vec<Claim>,
    /// Rows.
    pub rows: Vec<LaidRow>,
}

impl LaidAnswer {
    /// What the head or tail says of a field.
    #[must_use]
    pub fn claim(&self, field: Field) -> Option<&str> {
        self.claims.iter().find(|claim| claim.field == field).map(|claim| claim.text.as_str())
    }

    /// True when a row has a status of this kind.
    #[must_use]
    pub fn says(&self, form: &AnswerForm, said: Said) -> bool {
        self.rows.iter().any(|row| form.means(&row.status, said))
    }
}

/// A line as cells, without the blanks around them.
pub(super) struct Line<'t> {
    pub(super) number: usize,
    pub(super) cells: Vec<Cow<'t, str>>,
    /// As it stands in a text.
    pub(super) text: Cow<'t, str>,
}

/// An answer as lines: what stands around the rows, where the columns are, the rows.
pub(super) struct Lines<'t> {
    /// Those of the head and those of the tail.
    pub(super) around: Vec<Line<'t>>,
    /// Where each column is, from 0.
    pub(super) columns: Vec<(Column, usize)>,
    /// Rows.
    pub(super) rows: Vec<Line<'t>>,
}

impl Line<'_> {
    fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", AsRef::as_ref)
    }

    fn wrong(&self, field: &'static str, found: &str, expected: impl Into<String>) -> ReadError {
        let found: String = mask_long_numbers(found).chars().take(40).collect();
        ReadError::Field { row: self.number, field, found, expected: expected.into() }
    }
}

/// Reads an answer of a layout, as it comes from this bank.
///
/// # Errors
/// The first rule that the file breaks: nothing of such a file may count.
pub fn read_answer(
    layout: &Layout,
    form: &Form,
    bank: &Bank,
    name: &str,
    bytes: &[u8],
) -> Result<LaidAnswer, ReadError> {
    let answer = &form.answer;
    let text;
    let Lines { around, columns, rows } = if answer.medium == Medium::Xml {
        records::lines(form, bytes)?
    } else if is_workbook(bytes) {
        sorted(workbook(name, bytes)?, answer)?
    } else {
        text = decoded(form, bytes)?;
        let mut lines = sorted(text_lines(form, &text)?, answer)?;
        if !answer.widths.is_empty() {
            lines.rows.iter_mut().try_for_each(|line| cut(line, form))?;
        }
        lines
    };
    let mut claims = Vec::new();
    for (line, cells) in around.iter().zip(answer.head.iter().chain(&answer.tail)) {
        claims.extend(read_head(line, cells)?);
    }
    let widest = columns.iter().map(|(_, at)| at + 1).max().unwrap_or_default();
    let is_fen = answer.unit == Unit::Fen || (answer.unit == Unit::AsBankSays && bank.amounts_in_fen());
    let rows = rows.iter().map(|line| read_row(line, layout, answer, &columns, (widest, is_fen)));
    let rows: Vec<LaidRow> = rows.collect::<Result<_, _>>()?;
    let total = Money(rows.iter().filter_map(|row| row.amount).fold(0, |sum, amount| sum.saturating_add(amount.fen())));
    let mut of_the_payment_file = Vec::new();
    for claim in claims {
        let counted = match claim.field {
            Field::Rows => rows.len().to_string(),
            Field::Total => total.to_string(),
            _ => {
                of_the_payment_file.push(normal(claim, is_fen)?);
                continue;
            }
        };
        let Claim { row, field, text: stated } = normal(claim, is_fen)?;
        if stated != counted {
            return Err(ReadError::Totals { row, field: field.title(), stated, counted });
        }
    }
    Ok(LaidAnswer { claims: of_the_payment_file, rows })
}

/// Lines of a text or a workbook, each to where it belongs.
fn sorted<'t>(mut lines: Vec<Line<'t>>, answer: &AnswerForm) -> Result<Lines<'t>, ReadError> {
    while lines.last().is_some_and(|line| line.cells.iter().all(|cell| cell.is_empty())) {
        lines.pop();
    }
    if !answer.comment.is_empty() {
        lines.retain(|line| !line.text.starts_with(answer.comment.as_str()));
    }
    let around = answer.head.len() + usize::from(answer.has_titles()) + answer.tail.len();
    if lines.len() <= around {
        return Err(ReadError::Empty);
    }
    let tail = lines.split_off(lines.len() - answer.tail.len());
    let mut rows = lines.split_off(answer.head.len());
    let columns = if answer.has_titles() { titled(&rows.remove(0), answer)? } else { placed(answer) };
    lines.extend(tail);
    Ok(Lines { around: lines, columns, rows })
}

/// Counts, amounts and dates in the one form in which they are compared.
fn normal(claim: Claim, is_fen: bool) -> Result<Claim, ReadError> {
    let Claim { row, field, text } = claim;
    let (read, expected) = match field {
        Field::Rows | Field::SentRows => (number(&text).map(|n| n.to_string()), "笔数"),
        Field::Total | Field::SentTotal => (money(&text, is_fen).map(|m| m.to_string()), "金额"),
        Field::PayDate => (date(&text).map(|d| d.to_string()), "20260115 这样的日期"),
        _ => (Some(text.clone()), ""),
    };
    let found = || mask_long_numbers(&text).chars().take(40).collect();
    match read {
        Some(text) => Ok(Claim { row, field, text }),
        None => Err(ReadError::Field { row, field: field.title(), found: found(), expected: expected.to_string() }),
    }
}

fn workbook(name: &str, bytes: &[u8]) -> Result<Vec<Line<'static>>, ReadError> {
    let table = read_table(name, bytes, None).map_err(ReadError::Workbook)?;
    let mut lines = Vec::with_capacity(table.row_count());
    for row in table.rows() {
        // Lines of the head may be blank, and then the workbook does not hold them.
        while lines.len() + 1 < row.number.min(MOST_HEAD_LINES) {
            lines.push(Line { number: lines.len() + 1, cells: Vec::new(), text: Cow::default() });
        }
        let cells: Vec<Cow<'_, str>> = row.cells.iter().map(|cell| cell.text().trim().to_string().into()).collect();
        let line = Line { number: row.number, text: cells.first().cloned().unwrap_or_default(), cells };
        if row.cells.iter().any(|cell| matches!(cell, Cell::Formula(_) | Cell::Error(_))) {
            return Err(line.wrong("单元格", "公式或错误值", "银行写出的文字或数字，请重新取原文件"));
        }
        lines.push(line);
    }
    Ok(lines)
}

fn decoded(form: &Form, bytes: &[u8]) -> Result<String, ReadError> {
    let has_mark = bytes.starts_with(b"\xEF\xBB\xBF");
    let charset = match form.charset {
        FormCharset::Gbk | FormCharset::Gb18030 if !has_mark => {
            if is_unmarked_utf8(bytes) {
                return Err(ReadError::UnmarkedUtf8("GBK"));
            }
            Charset::Gb18030
        }
        _ => Charset::Utf8,
    };
    charset::decode(bytes, Some(charset)).map(|(text, _)| text).map_err(ReadError::Charset)
}

fn text_lines<'t>(form: &Form, text: &'t str) -> Result<Vec<Line<'t>>, ReadError> {
    let mut lines = Vec::with_capacity(memchr_iter(b'\n', text.as_bytes()).count() + 1);
    let mut usual = 0;
    for (number, line) in (1..).zip(between(b'\n', text)) {
        if line.len() > LONGEST_LINE {
            return Err(ReadError::LineTooLong(number));
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        let cells = if form.answer.has_cells() {
            split(line, form.answer.separator, usual).ok_or(ReadError::Quote(number))?
        } else {
            vec![line.trim().into()]
        };
        usual = cells.len();
        lines.push(Line { number, cells, text: line.into() });
    }
    Ok(lines)
}

/// Cuts a line into fields of fixed widths. Blanks at its end may be missing, and with them whole fields.
fn cut(line: &mut Line<'_>, form: &Form) -> Result<(), ReadError> {
    // The text was decoded as GB18030 where the bank says GBK: what only that has takes four bytes.
    let charset = if form.charset == FormCharset::Gbk { FormCharset::Gb18030 } else { form.charset };
    let mut rest = line.text.trim_end();
    let mut cells = Vec::with_capacity(form.answer.widths.len());
    for (at, width) in form.answer.widths.iter().enumerate() {
        if rest.is_empty() {
            break;
        }
        let (end, bytes) = writer::prefix(rest, *width, charset);
        if bytes > *width {
            return Err(line.wrong("栏宽", &rest[..end], format!("第 {} 栏 {width} 字节，字不能跨两栏", at + 1)));
        }
        cells.push(rest[..end].trim().to_string().into());
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        let all: usize = form.answer.widths.iter().sum();
        return Err(line.wrong("行尾", rest, format!("一行最多 {all} 字节")));
    }
    line.cells = cells;
    Ok(())
}

/// The fields of a line, about as many as is usual. A field that begins with a quote ends with one, and may hold the separator.
fn split(line: &str, separator: char, usual: usize) -> Option<Vec<Cow<'_, str>>> {
    let (mut cells, mut rest) = (Vec::with_capacity(usual), line);
    loop {
        let (cell, after) = if separator == ',' && rest.starts_with('"') {
            let mut end = 1 + rest[1..].find('"')?;
            while rest[end + 1..].starts_with('"') {
                end += 2 + rest[end + 2..].find('"')?;
            }
            let after = &rest[end + 1..];
            if !after.is_empty() && !after.starts_with(separator) {
                return None;
            }
            // Also blanks of a Chinese keyboard, and the tab that keeps digits from a spreadsheet.
            (rest[1..end].replace("\"\"", "\"").trim().to_string().into(), after.strip_prefix(separator))
        } else {
            match rest.split_once(separator) {
                Some((cell, after)) => (Cow::Borrowed(cell.trim()), Some(after)),
                None => (rest.trim().into(), None),
            }
        };
        cells.push(cell);
        match after {
            Some(after) => rest = after,
            None => return Some(cells),
        }
    }
}

/// A line of head or tail against its description: its words must be there, its fields are taken.
fn read_head(line: &Line<'_>, cells: &[Template]) -> Result<Vec<Claim>, ReadError> {
    let mut claims = Vec::new();
    for (column, template) in cells.iter().enumerate() {
        let found = line.cell(column);
        let mut rest = found;
        let mut pieces = template.0.as_slice();
        let text_at = |piece: Option<&Piece>| match piece {
            Some(Piece::Text(text)) => Some(text.trim().to_string()),
            _ => None,
        };
        let expected = || {
            template.0.iter().map(|p| match p {
                Piece::Text(text) => text.clone(),
                Piece::Field(field, _) => format!("（{}）", field.title()),
            })
        };
        let wrong = || line.wrong("文件头尾", found, format!("“{}”", expected().collect::<String>()));
        if pieces.is_empty() {
            continue;
        }
        if let Some(start) = text_at(pieces.first()) {
            rest = rest.strip_prefix(start.as_str()).ok_or_else(wrong)?;
            pieces = &pieces[1..];
        }
        if let Some(end) = text_at(pieces.last()) {
            rest = rest.strip_suffix(end.as_str()).ok_or_else(wrong)?;
        }
        match pieces.first() {
            Some(Piece::Field(field, _)) => {
                claims.push(Claim { row: line.number, field: *field, text: rest.trim().to_string() });
            }
            _ if !rest.is_empty() => return Err(wrong()),
            _ => {}
        }
    }
    Ok(claims)
}

/// Where each column is, from 0, by its title.
fn titled(line: &Line<'_>, answer: &AnswerForm) -> Result<Vec<(Column, usize)>, ReadError> {
    let wrong = |problem| ReadError::Titles { row: line.number, problem };
    let mut found = Vec::with_capacity(answer.columns.len());
    for (column, place) in &answer.columns {
        let Place::Titled(titles) = place else { continue };
        let is_it = |cell: &str| titles.iter().any(|title| title == cell);
        let mut places = line.cells.iter().enumerate().filter(|(_, cell)| is_it(cell)).map(|(at, _)| at);
        match (places.next(), places.next()) {
            (Some(at), None) => found.push((*column, at)),
            (None, _) => return Err(wrong(format!("没有“{}”", titles.join("”或“")))),
            (Some(_), Some(_)) => return Err(wrong(format!("“{}”出现两次", titles.join("”或“")))),
        }
    }
    Ok(found)
}

fn placed(answer: &AnswerForm) -> Vec<(Column, usize)> {
    let at = |(column, place): &(Column, Place)| match place {
        Place::At(at) => Some((*column, at.saturating_sub(1))),
        Place::Titled(_) => None,
    };
    answer.columns.iter().filter_map(at).collect()
}

fn read_row(
    line: &Line<'_>,
    layout: &Layout,
    answer: &AnswerForm,
    columns: &[(Column, usize)],
    (widest, is_fen): (usize, bool),
) -> Result<LaidRow, ReadError> {
    // A workbook has no blank cells at its end; a text that ends early was cut.
    let needed = columns.iter().filter(|(c, _)| matches!(c, Column::Account | Column::Amount | Column::Status));
    if line.cells.len() <= needed.map(|(_, at)| *at).max().unwrap_or_default() {
        return Err(line.wrong("栏数", &line.cells.len().to_string(), format!("至少 {widest} 栏")));
    }
    let at = |wanted: Column| columns.iter().find(|(column, _)| *column == wanted).map(|(_, at)| line.cell(*at));
    let text = |column: Column| at(column).unwrap_or_default().to_string();
    let account = at(Column::Account).map(|found| fold_width(found).into_owned());
    let unit = if is_fen { "以分为单位的整数" } else { "120.00 这样的金额" };
    let read_money = |field, found: &str| money(found, is_fen).ok_or_else(|| line.wrong(field, found, unit));
    let amount = at(Column::Amount).map(|found| read_money("金额", found)).transpose()?;
    let paid = at(Column::PaidAmount).filter(|found| !found.is_empty());
    let paid = paid.map(|found| read_money("实处理金额", found)).transpose()?;
    let on = match at(Column::Date).unwrap_or_default() {
        "" => None,
        found => Some(date(found).ok_or_else(|| line.wrong("日期", found, "20260115 这样的日期"))?),
    };
    let (mut reason_code, mut reason) = (text(Column::ReasonCode), text(Column::Reason));
    // Where one code is both, success has no reason.
    if answer.status_is_reason() && answer.means(at(Column::Status).unwrap_or_default(), Said::Credited) {
        (reason_code, reason) = Default::default();
    }
    let split = answer.reason_split.filter(|_| reason_code.is_empty());
    if let Some((code, rest)) = split.and_then(|split| reason.split_once([split, '：']))
        && code.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        (reason_code, reason) = (code.to_string(), rest.trim().to_string());
    }
    if let Some(known) = layout.reason_of_text(&reason).filter(|_| !layout.knows_reason(&reason_code)) {
        reason_code.clone_from(&known.code);
    }
    Ok(LaidRow {
        row: line.number,
        seq: at(Column::Seq).map(str::to_string),
        // One bank's own remark ends with a comma.
        payment_ref: at(Column::PaymentRef).map(|text| text.trim_end_matches([',', '，']).to_string()),
        account,
        holder: at(Column::Holder).map(str::to_string),
        amount,
        paid,
        status: text(Column::Status),
        reason_code,
        reason,
        bank_ref: text(Column::BankRef),
        on,
    })
}

fn money(text: &str, is_fen: bool) -> Option<Money> {
    if is_fen {
        let fen: i64 = fold_width(text).trim().parse().ok()?;
        return Some(Money(fen));
    }
    Money::parse(text).ok()
}

fn number(text: &str) -> Option<usize> {
    fold_width(text).trim_end_matches('笔').trim().parse().ok()
}

/// A date, also as the first part of a moment: `20260116103000`, `2026-01-16 10:30:00`.
fn date(text: &str) -> Option<NaiveDate> {
    let folded = fold_width(text);
    let day = folded.split([' ', 'T']).next().unwrap_or_default();
    let digits = day.bytes().all(|b| b.is_ascii_digit());
    let day = if digits && day.len() == 14 { &day[..8] } else { day };
    parse_date(day)
}
