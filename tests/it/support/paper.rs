//! Paper that comes into the office: rosters and bank returns written by hand.

use encoding_rs::GB18030;
use fafang::formats::bank::neutral::{Answer, AnswerKind, AnswerRow, AnswerStatus, read_payment_file, write_answer};
use fafang::office::Office;
use fafang::training::people::InventedPerson;

/// One line of a roster.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// 姓名.
    pub name: String,
    /// 公民身份号码.
    pub citizen_number: String,
    /// 开户银行.
    pub bank: String,
    /// 银行账号.
    pub account: String,
    /// 户名; empty: the same as the name.
    pub holder: String,
    /// 户名关系.
    pub relation: String,
    /// 享受起始月.
    pub first: String,
    /// 享受终止月.
    pub last: String,
}

impl Row {
    /// A person from January 2026 on.
    pub fn of(person: &InventedPerson, office: &Office) -> Row {
        Row {
            name: person.name.clone(),
            citizen_number: person.citizen_number.clone(),
            bank: office.banks.bank(&person.bank_code).unwrap().name.clone(),
            account: person.account.clone(),
            first: "2026-01".into(),
            ..Row::default()
        }
    }

    /// The same from another month on.
    pub fn from(mut self, month: &str) -> Row {
        self.first = month.into();
        self
    }
}

/// The bytes of a roster.
pub fn roster(rows: &[Row]) -> Vec<u8> {
    let mut text = "姓名,公民身份号码,开户银行,银行账号,户名,户名关系,享受起始月,享受终止月\n".to_string();
    for r in rows {
        let fields = [&r.name, &r.citizen_number, &r.bank, &r.account, &r.holder, &r.relation, &r.first, &r.last];
        text.push_str(&fields.map(String::as_str).join(","));
        text.push('\n');
    }
    text.into_bytes()
}

/// A return that credits every row of a payment file, to be changed by the test.
pub fn all_credited(payment_file: &[u8]) -> Answer {
    answered(payment_file, AnswerKind::Return, &AnswerStatus::Credited)
}

/// A late return of every row of a payment file.
pub fn all_returned(payment_file: &[u8]) -> Answer {
    let mut answer = answered(payment_file, AnswerKind::LateReturn, &AnswerStatus::Returned);
    for row in &mut answer.rows {
        (row.reason_code, row.reason_text) = ("3056".into(), "退票".into());
    }
    answer
}

fn answered(payment_file: &[u8], kind: AnswerKind, status: &AnswerStatus) -> Answer {
    let (header, rows) = read_payment_file(payment_file).unwrap();
    let rows = rows.into_iter().map(|row| AnswerRow {
        row: 0,
        line_no: row.line_no.to_string(),
        account: row.account,
        holder: row.holder,
        amount: Ok(row.amount),
        status: status.clone(),
        reason_code: String::new(),
        reason_text: String::new(),
        bank_ref: format!("B{}", row.line_no),
        on: Some(header.pay_date),
        payment_ref: row.payment_ref,
    });
    let rows = rows.collect();
    Answer { kind, header, rows }
}

/// Rejects one row, counted from 0.
pub fn reject(answer: &mut Answer, row: usize, code: &str) {
    let row = &mut answer.rows[row];
    row.status = AnswerStatus::Rejected;
    row.on = None;
    (row.reason_code, row.reason_text) = (code.into(), "银行说明".into());
}

/// Leaves one row open, counted from 0.
pub fn leave_open(answer: &mut Answer, row: usize) {
    let row = &mut answer.rows[row];
    row.status = AnswerStatus::Open;
    row.on = None;
}

/// The bytes of an answer, with the trailer that its rows demand.
pub fn bytes(answer: &Answer) -> Vec<u8> {
    write_answer(answer).unwrap()
}

/// The bytes with one text replaced by another, wherever it stands.
pub fn edited(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let (text, _, _) = GB18030.decode(bytes);
    assert!(text.contains(from), "{from} is not in the file");
    GB18030.encode(&text.replace(from, to)).0.into_owned()
}
