//! Finds the payment that each row of a bank's own answer is about, and makes of both the answer
//! that the rest of the program knows.
//!
//! A row is matched by our reference, else by its number within the file. Where a bank returns
//! neither, by account, holder and amount: payments that are alike in all three are told apart by
//! nothing, so their rows count only when all of them are there and say the same.

use std::collections::HashMap;

use super::reader::{LaidAnswer, LaidRow};
use crate::domain::bank_form::{AnswerForm, Column, MatchBy, Said};
use crate::domain::money::Money;
use crate::domain::person_name::{evened, masked_name};
use crate::formats::bank::neutral::{Answer, AnswerKind, AnswerRow, AnswerStatus, FileHeader};

/// A payment of the file that was sent, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Line within the run.
    pub line_no: i64,
    /// Account.
    pub account: String,
    /// Account holder.
    pub holder: String,
    /// Amount.
    pub amount: Money,
}

/// Payments that are alike, and the rows that cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous {
    /// Lines within the run.
    pub line_nos: Vec<i64>,
    /// Lines of the answer.
    pub rows: Vec<usize>,
    /// Amount of each.
    pub amount: Money,
}

/// The answer with its payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    /// As the layout `neutral` would have said it.
    pub answer: Answer,
    /// What stays open because it could mean several payments.
    pub ambiguous: Vec<Ambiguous>,
}

/// Finds the payment of every row. `stem` and a line make our reference; `header` is that of the file sent.
#[must_use]
pub fn matched(
    form: &AnswerForm,
    laid: &LaidAnswer,
    kind: AnswerKind,
    header: FileHeader,
    stem: &str,
    sent: &[Sent],
) -> Matched {
    let mut ambiguous = Vec::new();
    let lines = match &form.match_by {
        MatchBy::Account(_) => by_account(laid, stem, sent, &mut ambiguous),
        _ => laid.rows.iter().map(|row| by_reference(row, stem, sent)).collect(),
    };
    let is_open = |row: &LaidRow| ambiguous.iter().any(|a: &Ambiguous| a.rows.contains(&row.row));
    let rows = laid.rows.iter().zip(lines).map(|(row, (line_no, payment_ref))| {
        let named = payment_ref.strip_prefix(stem).and_then(|no| no.parse::<i64>().ok());
        let at = named.and_then(|no| sent.binary_search_by_key(&no, |payment| payment.line_no).ok());
        let payment = at.map(|at| &sent[at]);
        let payment_ref = if payment.is_none() && payment_ref.is_empty() { described(row) } else { payment_ref };
        let holder = row.holder.clone().or_else(|| payment.map(|p| p.holder.clone())).unwrap_or_default();
        // What the bank does not tell is that of the payment which it names by our own words.
        let amount = row.amount.or_else(|| payment.map(|p| p.amount)).unwrap_or_default();
        AnswerRow {
            row: row.row,
            line_no,
            account: row.account.clone().or_else(|| payment.map(|p| p.account.clone())).unwrap_or_default(),
            holder,
            amount: Ok(amount),
            status: if is_open(row) { AnswerStatus::Open } else { status_of(form, kind, row, amount) },
            reason_code: row.reason_code.clone(),
            reason_text: row.reason.clone(),
            bank_ref: row.bank_ref.clone(),
            on: row.on,
            payment_ref,
        }
    });
    let rows = rows.collect();
    Matched { answer: Answer { kind, header, rows }, ambiguous }
}

/// The status of a row. Success with another amount than the one that was sent, or with none where the bank tells
/// it, is no success.
fn status_of(form: &AnswerForm, kind: AnswerKind, row: &LaidRow, amount: Money) -> AnswerStatus {
    let tells_paid = form.columns.iter().any(|(column, _)| *column == Column::PaidAmount);
    match status(form, kind, &row.status) {
        AnswerStatus::Credited if tells_paid && row.paid != Some(amount) => {
            let paid = row.paid.map_or("空白".to_string(), |paid| format!("{paid} 元"));
            AnswerStatus::Unknown(format!("{}，实处理金额 {paid}", row.status))
        }
        told => told,
    }
}

/// What a status text means in this kind of answer: exactly a text of the list, or nothing.
fn status(form: &AnswerForm, kind: AnswerKind, text: &str) -> AnswerStatus {
    match kind {
        AnswerKind::LateReturn if form.means(text, Said::Returned) => AnswerStatus::Returned,
        AnswerKind::Return if form.means(text, Said::Credited) => AnswerStatus::Credited,
        AnswerKind::Return if form.means(text, Said::Rejected) => AnswerStatus::Rejected,
        AnswerKind::Return if form.means(text, Said::Open) => AnswerStatus::Open,
        _ => AnswerStatus::Unknown(text.to_string()),
    }
}

/// Line and reference that a row names. What names no payment keeps its own words, for the finding.
fn by_reference(row: &LaidRow, stem: &str, sent: &[Sent]) -> (String, String) {
    let by_seq = row.seq.as_deref().map(|text| {
        let digits = text.rsplit('-').next().unwrap_or_default().trim_start_matches('0');
        let at = digits.parse::<usize>().ok().and_then(|seq| seq.checked_sub(1));
        at.and_then(|at| sent.get(at)).map_or_else(|| text.to_string(), |payment| payment.line_no.to_string())
    });
    match (&row.payment_ref, by_seq) {
        (Some(reference), Some(line)) => (line, reference.clone()),
        (Some(reference), None) => (reference.strip_prefix(stem).unwrap_or_default().to_string(), reference.clone()),
        (None, Some(line)) => (line.clone(), format!("{stem}{line}")),
        (None, None) => (String::new(), String::new()),
    }
}

/// How a row without a reference is named in a finding.
fn described(row: &LaidRow) -> String {
    let (holder, amount) = (row.holder.as_deref().unwrap_or_default(), row.amount.unwrap_or_default());
    format!("{} {amount} 元", masked_name(holder))
}

/// Rows by account, holder and amount, those that are alike in the order of the file.
fn by_account(laid: &LaidAnswer, stem: &str, sent: &[Sent], ambiguous: &mut Vec<Ambiguous>) -> Vec<(String, String)> {
    type Alike<'a> = (&'a str, String, Money);
    let mut payments: HashMap<Alike<'_>, Vec<&Sent>> = HashMap::new();
    for payment in sent {
        let key = (payment.account.as_str(), evened(&payment.holder), payment.amount);
        payments.entry(key).or_default().push(payment);
    }
    let mut rows: HashMap<Alike<'_>, Vec<usize>> = HashMap::new();
    for (at, row) in laid.rows.iter().enumerate() {
        let (account, holder) = (row.account.as_deref(), evened(row.holder.as_deref().unwrap_or_default()));
        let key = (account.unwrap_or_default(), holder, row.amount.unwrap_or_default());
        rows.entry(key).or_default().push(at);
    }
    let mut lines = vec![(String::new(), String::new()); laid.rows.len()];
    for (key, places) in rows {
        let Some(alike) = payments.get(&key) else { continue };
        for (place, payment) in places.iter().zip(alike) {
            lines[*place] = (payment.line_no.to_string(), format!("{stem}{}", payment.line_no));
        }
        let first = &laid.rows[places[0]];
        let says_the_same = |at: &usize| {
            let row = &laid.rows[*at];
            (&row.status, &row.reason_code) == (&first.status, &first.reason_code)
        };
        if alike.len() > 1 && (places.len() != alike.len() || !places.iter().all(says_the_same)) {
            ambiguous.push(Ambiguous {
                line_nos: alike.iter().map(|payment| payment.line_no).collect(),
                rows: places.iter().map(|at| laid.rows[*at].row).collect(),
                amount: key.2,
            });
        }
    }
    ambiguous.sort_by_key(|a| a.rows.first().copied());
    lines
}
