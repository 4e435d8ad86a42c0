//! An answer as a bank would write it after its description: to show a clerk what is expected, and for tests.

use super::records::Path;
use super::workbook::{self, Line};
use super::writer::{encode, unencodable, width};
use crate::domain::bank::Bank;
use crate::domain::bank_form::{Column, Field, Form, Medium, Piece, Place, Said, Template, Unit};
use crate::domain::money::Money;
use crate::domain::period::date_number;
use crate::formats::bank::neutral::{FileHeader, PaymentRow};
use crate::formats::xml::{Node, Writer};

/// What the bank says of a row: the status and, where it failed, the reason.
#[derive(Debug, Clone, Copy)]
pub struct Fate<'a> {
    /// Row of the payment file, from 1.
    pub seq: usize,
    /// The payment.
    pub row: &'a PaymentRow,
    /// Status.
    pub said: Said,
    /// Code of the reason, where the bank writes one.
    pub reason_code: &'a str,
    /// Reason.
    pub reason: &'a str,
    /// The bank's reference.
    pub bank_ref: &'a str,
}

/// The answer as lines of cells. A status for which the description has no text is left blank.
#[must_use]
pub fn answer(form: &Form, bank: &Bank, header: &FileHeader, fates: &[Fate<'_>]) -> Vec<Vec<String>> {
    let is_fen = form.answer.unit == Unit::Fen || (form.answer.unit == Unit::AsBankSays && bank.amounts_in_fen());
    let money = |amount: Money| if is_fen { amount.fen().to_string() } else { amount.to_string() };
    let total: Money = fates.iter().map(|fate| fate.row.amount).sum();
    let value = |field: Field| match field {
        Field::Rows => fates.len().to_string(),
        Field::Total => money(total),
        Field::SentRows => header.rows.to_string(),
        Field::SentTotal => money(header.total),
        Field::FileRef => header.file_ref.clone(),
        Field::PayDate => date_number(header.pay_date).to_string(),
        _ => bank.value(field.name()).unwrap_or_default().to_string(),
    };
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Field(field, _) => value(*field),
    };
    let line = |cells: &Vec<Template>| -> Vec<String> {
        cells.iter().map(|cell| cell.0.iter().map(piece).collect::<String>()).collect()
    };
    let mut lines: Vec<Vec<String>> = form.answer.head.iter().map(line).collect();
    let columns = &form.answer.columns;
    let place = |(at, (_, place)): (usize, &(Column, Place))| match place {
        Place::At(at) => at - 1,
        Place::Titled(_) => at,
    };
    let places: Vec<usize> = columns.iter().enumerate().map(place).collect();
    let width = places.iter().max().map_or(0, |last| last + 1);
    let laid = |texts: Vec<String>| {
        let mut cells = vec![String::new(); width];
        places.iter().zip(texts).for_each(|(at, text)| cells[*at] = text);
        cells
    };
    if form.answer.has_titles() && form.answer.medium != Medium::Xml {
        let title = |(_, place): &(Column, Place)| match place {
            Place::Titled(titles) => titles.first().cloned().unwrap_or_default(),
            Place::At(_) => String::new(),
        };
        lines.push(laid(columns.iter().map(title).collect()));
    }
    for fate in fates {
        // Where one code is both, the reason says which of the codes it is.
        let by_reason = form.answer.status_is_reason() && form.answer.means(fate.reason_code, fate.said);
        let status = form.answer.statuses.iter().find(|(said, _)| *said == fate.said).map(|(_, text)| text.clone());
        let status = if by_reason { Some(fate.reason_code.to_string()) } else { status };
        let text = |(column, _): &(Column, Place)| match column {
            Column::Seq => fate.seq.to_string(),
            Column::PaymentRef => fate.row.payment_ref.clone(),
            Column::Account => fate.row.account.clone(),
            Column::Holder => fate.row.holder.clone(),
            Column::Amount => money(fate.row.amount),
            Column::PaidAmount => money(if fate.said == Said::Credited { fate.row.amount } else { Money::ZERO }),
            Column::Status => status.clone().unwrap_or_default(),
            Column::Reason => fate.reason.to_string(),
            Column::Date => date_number(header.pay_date).to_string(),
            Column::BankRef => fate.bank_ref.to_string(),
            Column::ReasonCode => fate.reason_code.to_string(),
        };
        lines.push(laid(columns.iter().map(text).collect()));
    }
    lines.extend(form.answer.tail.iter().map(line));
    lines
}

/// The lines as the file that the bank gives: a workbook, or a text of the layout's charset.
///
/// # Errors
/// What keeps them from being written.
pub fn bytes(form: &Form, lines: &[Vec<String>]) -> Result<Vec<u8>, String> {
    if form.answer.medium != Medium::Workbook {
        return encode(&text(form, lines), form.charset).map_err(|c| unencodable(c, form.charset));
    }
    let texts = vec![false; lines.iter().map(Vec::len).max().unwrap_or_default()];
    let cells = lines.iter().map(|cells| cells.iter().map(String::as_str).collect());
    let lines: Vec<Line<'_>> = cells.map(|cells| Line { cells, numbers: &texts }).collect();
    workbook::write("Sheet1", &lines).map_err(|error| error.to_string())
}

/// The lines as a text of the layout.
#[must_use]
pub fn text(form: &Form, lines: &[Vec<String>]) -> String {
    if form.answer.medium == Medium::Xml {
        return xml(form, lines);
    }
    let separator = form.answer.separator.to_string();
    let rows = form.answer.head.len()..lines.len().saturating_sub(form.answer.tail.len());
    let line = |(at, cells): (usize, &Vec<String>)| {
        let is_fixed = !form.answer.widths.is_empty() && rows.contains(&at);
        if is_fixed { fixed(form, cells) } else { cells.join(&separator) }
    };
    lines.iter().enumerate().map(|cells| line(cells) + form.newline).collect()
}

/// Cells of fixed widths, blanks behind each.
fn fixed(form: &Form, cells: &[String]) -> String {
    let blanks = |cell: &str, wide: usize| " ".repeat(wide.saturating_sub(width(cell, form.charset).unwrap_or(0)));
    let cell = |(wide, cell): (&usize, &String)| format!("{cell}{}", blanks(cell, *wide));
    form.answer.widths.iter().zip(cells).map(cell).collect()
}

/// The elements that the description names, in an envelope of which it says nothing.
fn xml(form: &Form, lines: &[Vec<String>]) -> String {
    let answer = &form.answer;
    let (head, rows) = lines.split_at(answer.head.len().min(lines.len()));
    let mut envelope = Node { name: "ANSWER".to_string(), ..Node::default() };
    for line in head {
        let (path, text) = line.first().and_then(|cell| cell.split_once('=')).unwrap_or_default();
        put(&mut envelope, path, text);
    }
    let (outer, name) = answer.record.rsplit_once('/').unwrap_or(("", &answer.record));
    for cells in rows {
        let mut record = Node { name: name.to_string(), ..Node::default() };
        for ((_, place), text) in answer.columns.iter().zip(cells) {
            if let Place::Titled(paths) = place {
                put(&mut record, paths.first().map_or("", String::as_str), text);
            }
        }
        let outer = Path::of(outer).map(|path| path.elements).unwrap_or_default();
        inside(&mut envelope, &outer).children.push(record);
    }
    let mut writer = Writer::new(form.charset.declared());
    writer.node(&envelope);
    writer.finish()
}

/// Puts a text where a path says. What two columns share is written once.
fn put(node: &mut Node, path: &str, text: &str) {
    let Some(Path { elements, attribute }) = Path::of(path) else { return };
    let at = inside(node, &elements);
    match attribute {
        Some(name) if at.attribute(name).is_none() => at.attributes.push((name.to_string(), text.to_string())),
        None if at.content.is_empty() => at.content = text.to_string(),
        _ => {}
    }
}

/// The element along a path, made where it is not there.
fn inside<'n>(node: &'n mut Node, elements: &[&str]) -> &'n mut Node {
    let Some((name, rest)) = elements.split_first() else { return node };
    let at = node.children.iter().position(|child| child.name == *name).unwrap_or_else(|| {
        node.children.push(Node { name: (*name).to_string(), ..Node::default() });
        node.children.len() - 1
    });
    inside(&mut node.children[at], rest)
}

/// An invented bank that uses the layout: every setting that it needs has some value.
#[must_use]
pub fn bank(layout: &str, form: &Form) -> Bank {
    let value = |key: &'static str| {
        let value = match key {
            "amount_unit" => "yuan",
            "payer_account" => "3000000000000000018",
            "payer_name" => "示例县社会保险中心",
            "payer_bank" => "00001",
            "bank_no" => "102000000001",
            _ => "1001",
        };
        (key, value.to_string())
    };
    Bank {
        code: "BANK".to_string(),
        name: "示例银行".to_string(),
        aliases: Vec::new(),
        account_lengths: Vec::new(),
        card_check: false,
        layout: layout.to_string(),
        values: form.needs_of_bank().into_iter().map(value).collect(),
    }
}

/// Invented payments with their header.
#[must_use]
pub fn payments(pay_date: chrono::NaiveDate) -> (FileHeader, Vec<PaymentRow>) {
    let month = crate::domain::period::Period::of(pay_date);
    let stem = format!("652827-{}-1-", month.number());
    let people = [("王建国", 12_000, "6299000000000000017"), ("阿依古丽·买买提", 24_050, "6299000000000000025")];
    let row = |(line_no, (holder, fen, account)): (i64, (&str, i64, &str))| PaymentRow {
        line_no,
        account: account.to_string(),
        holder: holder.to_string(),
        amount: Money(fen),
        citizen_number: "652827194001010012".to_string(),
        remark: format!("补贴{month}"),
        payment_ref: format!("{stem}{line_no}"),
    };
    let rows: Vec<PaymentRow> = (1..).zip(people).map(row).collect();
    let header = FileHeader {
        file_ref: format!("{stem}BANK-1"),
        agency_code: "652827".to_string(),
        scheme_code: "pochan1995".to_string(),
        periods: crate::domain::period::PeriodRange { first: month, last: month },
        pay_date,
        rows: rows.len(),
        total: rows.iter().map(|row| row.amount).sum(),
        part: 1,
        parts: 1,
    };
    (header, rows)
}
