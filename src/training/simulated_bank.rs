//! A bank that is none: answers payment files of the layout `neutral`, for training and tests; those of a
//! bank's own layout in `simulated_answer`.
//!
//! What happens to a payment depends only on the seed and the payment's reference, so that a file
//! answered twice gives the same bytes, whatever the order of its rows. Incidents can be planted by
//! account. Every bank reference begins with `SIM`: no answer from here can pass for a real one.
//! Never used when real money moves; it opens no path and asks for no time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use crate::domain::bank::Layout;
use crate::formats::bank::book::built_in;
use crate::formats::bank::neutral::{
    Answer, AnswerKind, AnswerRow, AnswerStatus, PaymentRow, ReadError, read_answer, read_payment_file, write_answer,
};

const NAME_MISMATCH: &str = "3031";
const CLOSED_ACCOUNT: &str = "3018";
const RETURNED_LATER: &str = "3056";

/// How often something goes wrong, in rows per 10,000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Rejected, 3031 账号户名不符.
    pub name_mismatch: u32,
    /// Rejected, 3018 已清户.
    pub closed_account: u32,
    /// Still open in the first return.
    pub still_open: u32,
    /// Credited, and back days later, 3056 退票.
    pub late_return: u32,
}

/// A planted incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forced {
    /// Credited, and not returned later.
    Credit,
    /// Rejected with this reason code.
    Reject(String),
    /// Open in the first return, credited in the second.
    Open,
    /// Credited, then returned.
    LateReturn,
}

/// The bank that is none.
#[derive(Debug, Clone)]
pub struct SimulatedBank {
    /// Another seed, other incidents.
    pub seed: u64,
    /// How often something goes wrong.
    pub faults: Faults,
    /// Day of the credits or returns.
    pub on: NaiveDate,
    /// Planted incidents by account number.
    pub forced: BTreeMap<String, Forced>,
}

/// Fate of one row.
pub(super) enum Fate {
    /// Credited.
    Credit,
    /// Rejected with this reason code.
    Reject(String),
    /// Not decided yet.
    Open,
}

impl SimulatedBank {
    /// A bank without planted incidents.
    #[must_use]
    pub fn new(seed: u64, faults: Faults, on: NaiveDate) -> SimulatedBank {
        SimulatedBank { seed, faults, on, forced: BTreeMap::new() }
    }

    /// Plants an incident for whatever is paid to an account.
    #[must_use]
    pub fn with_answer(mut self, account: impl Into<String>, forced: Forced) -> SimulatedBank {
        self.forced.insert(account.into(), forced);
        self
    }

    /// The return of a payment file.
    ///
    /// # Errors
    /// When the file is no payment file of ours, or a planted reason code cannot be written.
    pub fn answer(&self, payment_file: &[u8]) -> Result<Vec<u8>, ReadError> {
        self.write(payment_file, AnswerKind::Return, |row| Some(self.first_fate(row))).map(|(bytes, _)| bytes)
    }

    /// The second, partial return: what was open in the earlier one. `None` when nothing was.
    ///
    /// # Errors
    /// When one of the files cannot be read.
    pub fn answer_open(&self, payment_file: &[u8], earlier_return: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let open = refs(earlier_return, &AnswerStatus::Open)?;
        self.write_some(payment_file, AnswerKind::Return, |row| {
            open.contains(&row.payment_ref).then(|| self.second_fate(row))
        })
    }

    /// The late return of payments that the earlier return credited. `None` when there are none.
    ///
    /// # Errors
    /// When one of the files cannot be read.
    pub fn late_returns(&self, payment_file: &[u8], earlier_return: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let credited = refs(earlier_return, &AnswerStatus::Credited)?;
        self.write_some(payment_file, AnswerKind::LateReturn, |row| {
            (self.comes_back(row) && credited.contains(&row.payment_ref))
                .then(|| Fate::Reject(RETURNED_LATER.to_string()))
        })
    }

    pub(super) fn comes_back(&self, row: &PaymentRow) -> bool {
        match self.forced.get(&row.account) {
            Some(forced) => *forced == Forced::LateReturn,
            None => self.roll("late return", row) < self.faults.late_return,
        }
    }

    pub(super) fn first_fate(&self, row: &PaymentRow) -> Fate {
        match self.forced.get(&row.account) {
            Some(Forced::Reject(code)) => return Fate::Reject(code.clone()),
            Some(Forced::Open) => return Fate::Open,
            Some(Forced::Credit | Forced::LateReturn) => return Fate::Credit,
            None => {}
        }
        let roll = self.roll("answer", row);
        let rejected = self.faults.name_mismatch + self.faults.closed_account;
        if (rejected..rejected + self.faults.still_open).contains(&roll) { Fate::Open } else { self.rejected_by(roll) }
    }

    pub(super) fn second_fate(&self, row: &PaymentRow) -> Fate {
        match self.forced.get(&row.account) {
            Some(Forced::Reject(code)) => Fate::Reject(code.clone()),
            Some(_) => Fate::Credit,
            None => self.rejected_by(self.roll("open answer", row)),
        }
    }

    fn rejected_by(&self, roll: u32) -> Fate {
        if roll < self.faults.name_mismatch {
            Fate::Reject(NAME_MISMATCH.to_string())
        } else if roll < self.faults.name_mismatch + self.faults.closed_account {
            Fate::Reject(CLOSED_ACCOUNT.to_string())
        } else {
            Fate::Credit
        }
    }

    /// The bank's own reference of a payment.
    pub(super) fn reference(row: &PaymentRow) -> String {
        format!("SIM{:.10}", format!("{:X}", Sha256::digest(&row.payment_ref)))
    }

    /// 0–9,999, from nothing but seed, question and payment.
    fn roll(&self, question: &str, row: &PaymentRow) -> u32 {
        let digest = Sha256::digest(format!("{}|{question}|{}", self.seed, row.payment_ref));
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]) % 10_000
    }

    fn write_some(
        &self,
        payment_file: &[u8],
        kind: AnswerKind,
        fate: impl Fn(&PaymentRow) -> Option<Fate>,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let (bytes, rows) = self.write(payment_file, kind, fate)?;
        Ok((rows > 0).then_some(bytes))
    }

    /// Answers the rows that have a fate: the file and how many they are.
    fn write(
        &self,
        payment_file: &[u8],
        kind: AnswerKind,
        fate: impl Fn(&PaymentRow) -> Option<Fate>,
    ) -> Result<(Vec<u8>, usize), ReadError> {
        let (header, payments) = read_payment_file(payment_file)?;
        let book = built_in().unwrap_or_default();
        let layout = book.layout("neutral");
        let rows: Vec<AnswerRow> =
            payments.iter().filter_map(|row| Some(self.answer_row(row, kind, fate(row)?, layout))).collect();
        let count = rows.len();
        let bytes = write_answer(&Answer { kind, header, rows })
            .map_err(|faults| faults.into_iter().next().map_or(ReadError::Empty, ReadError::Unanswerable))?;
        Ok((bytes, count))
    }

    fn answer_row(&self, row: &PaymentRow, kind: AnswerKind, fate: Fate, layout: Option<&Layout>) -> AnswerRow {
        let (status, on, reason_code) = match (kind, fate) {
            (AnswerKind::LateReturn, _) => (AnswerStatus::Returned, Some(self.on), RETURNED_LATER.to_string()),
            (_, Fate::Credit) => (AnswerStatus::Credited, Some(self.on), String::new()),
            (_, Fate::Reject(code)) => (AnswerStatus::Rejected, None, code),
            (_, Fate::Open) => (AnswerStatus::Open, None, String::new()),
        };
        let reason = layout.and_then(|l| l.reasons.iter().find(|r| r.code == reason_code));
        let reason_text = match (&status, reason) {
            (_, Some(reason)) => reason.text.clone(),
            (AnswerStatus::Rejected | AnswerStatus::Returned, None) => "SIM 未列入代码表的原因".to_string(),
            _ => String::new(),
        };
        AnswerRow {
            row: 0, // counted by the reader
            line_no: row.line_no.to_string(),
            account: row.account.clone(),
            holder: row.holder.clone(),
            amount: Ok(row.amount),
            status,
            reason_code,
            reason_text,
            bank_ref: SimulatedBank::reference(row),
            on,
            payment_ref: row.payment_ref.clone(),
        }
    }
}

/// References of the rows with this status.
fn refs(answer: &[u8], status: &AnswerStatus) -> Result<BTreeSet<String>, ReadError> {
    let rows = read_answer(answer)?.rows.into_iter();
    Ok(rows.filter(|r| r.status == *status).map(|r| r.payment_ref).collect())
}

#[cfg(test)]
mod tests {
    use AnswerStatus::{Credited, Open, Rejected};

    use super::*;
    use crate::domain::money::Money;
    use crate::formats::bank::neutral::{FileHeader, write_payment_file};

    const NONE: Faults = Faults { name_mismatch: 0, closed_account: 0, still_open: 0, late_return: 0 };
    const MANY: Faults = Faults { name_mismatch: 1_000, closed_account: 1_000, still_open: 2_000, late_return: 1_000 };

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, day).unwrap()
    }

    fn payment_file(mut rows: Vec<PaymentRow>) -> Vec<u8> {
        let book = built_in().unwrap();
        let header = FileHeader {
            file_ref: "652827-202601-1-RCC-1".into(),
            agency_code: "652827".into(),
            scheme_code: "pochan1995".into(),
            periods: "2026-01".parse().unwrap(),
            pay_date: day(15),
            rows: rows.len(),
            total: rows.iter().map(|r| r.amount).sum(),
            part: 1,
            parts: 1,
        };
        rows.sort_by_key(|r| r.line_no);
        write_payment_file(&header, &rows, book.layout("neutral").unwrap()).unwrap()
    }

    fn payments(count: i64) -> Vec<PaymentRow> {
        (1..=count)
            .map(|line_no| PaymentRow {
                line_no,
                account: format!("62990000000000{line_no:05}"),
                holder: "阿依古丽·買東".into(),
                amount: Money(12_000 + line_no),
                citizen_number: String::new(),
                remark: "补贴".into(),
                payment_ref: format!("652827-202601-1-{line_no}"),
            })
            .collect()
    }

    fn with_status(answer: &[u8], status: &AnswerStatus) -> Vec<AnswerRow> {
        read_answer(answer).unwrap().rows.into_iter().filter(|r| r.status == *status).collect()
    }

    #[test]
    fn without_faults_everything_is_credited() {
        let bank = SimulatedBank::new(1, NONE, day(16));
        let file = payment_file(payments(5));
        let answer = bank.answer(&file).unwrap();
        let credited = with_status(&answer, &Credited);
        assert_eq!(credited.len(), 5);
        assert!(credited.iter().all(|r| r.on == Some(day(16)) && r.bank_ref.starts_with("SIM")));
        assert_eq!(bank.answer_open(&file, &answer), Ok(None));
        assert_eq!(bank.late_returns(&file, &answer), Ok(None));
    }

    #[test]
    fn rates_are_kept_and_every_open_row_is_answered_in_the_end() {
        let bank = SimulatedBank::new(7, MANY, day(16));
        let file = payment_file(payments(1_000));
        let first = bank.answer(&file).unwrap();
        assert_eq!(bank.answer(&file).unwrap(), first, "the same bytes again");
        let rejected = with_status(&first, &Rejected);
        let open = with_status(&first, &Open);
        assert!((120..280).contains(&rejected.len()) && (120..280).contains(&open.len()));
        assert!(rejected.iter().all(|r| matches!(
            (r.reason_code.as_str(), r.reason_text.as_str()),
            ("3031", "账号户名不符") | ("3018", "已清户")
        )));
        let second = bank.answer_open(&file, &first).unwrap().unwrap();
        let answered = read_answer(&second).unwrap();
        assert_eq!((answered.rows.len(), answered.header.rows), (open.len(), 1_000));
        assert!(with_status(&second, &Open).is_empty());
        let late = bank.late_returns(&file, &first).unwrap().unwrap();
        let returned = with_status(&late, &AnswerStatus::Returned);
        assert_eq!(returned.len(), read_answer(&late).unwrap().rows.len());
        let credited = with_status(&first, &Credited);
        assert!(
            returned
                .iter()
                .all(|r| { r.reason_code == "3056" && credited.iter().any(|c| c.payment_ref == r.payment_ref) })
        );
    }

    #[test]
    fn a_fate_does_not_depend_on_the_rest_of_the_file() {
        let bank = SimulatedBank::new(7, MANY, day(16));
        let whole = read_answer(&bank.answer(&payment_file(payments(100))).unwrap()).unwrap().rows;
        let some = read_answer(&bank.answer(&payment_file(payments(100).split_off(50))).unwrap()).unwrap().rows;
        for (a, b) in some.iter().zip(&whole[50..]) {
            assert_eq!((&a.payment_ref, &a.status, &a.bank_ref), (&b.payment_ref, &b.status, &b.bank_ref));
        }
    }

    #[test]
    fn planted_incidents_happen_whatever_the_rates() {
        let rows = payments(5);
        let account = |i: usize| rows[i].account.clone();
        let all_wrong = Faults { name_mismatch: 10_000, late_return: 10_000, ..NONE };
        let bank = SimulatedBank::new(1, all_wrong, day(16))
            .with_answer(account(0), Forced::Credit)
            .with_answer(account(1), Forced::Reject("9999".into()))
            .with_answer(account(2), Forced::Open)
            .with_answer(account(3), Forced::LateReturn);
        let file = payment_file(rows.clone());
        let first = bank.answer(&file).unwrap();
        let statuses: Vec<AnswerStatus> = read_answer(&first).unwrap().rows.into_iter().map(|r| r.status).collect();
        assert_eq!(statuses, [Credited, Rejected, Open, Credited, Rejected]);
        assert!(read_answer(&first).unwrap().rows[1].reason_text.starts_with("SIM"));
        let second = bank.answer_open(&file, &first).unwrap().unwrap();
        assert_eq!(with_status(&second, &Credited)[0].account, account(2));
        let late = read_answer(&bank.late_returns(&file, &first).unwrap().unwrap()).unwrap();
        assert_eq!((late.rows.len(), &late.rows[0].account), (1, &account(3)));
    }

    #[test]
    fn only_a_payment_file_is_answered() {
        let bank = SimulatedBank::new(1, NONE, day(16));
        let file = payment_file(payments(2));
        let answer = bank.answer(&file).unwrap();
        assert_eq!(bank.answer(&answer).unwrap_err().code(), "BANK_FILE_WRONG_KIND");
        assert_eq!(bank.answer_open(&file, &file).unwrap_err().code(), "BANK_FILE_WRONG_KIND");
        let account = payments(1)[0].account.clone();
        let wrong = bank.with_answer(account, Forced::Reject("a|b".into()));
        assert_eq!(wrong.answer(&file).unwrap_err().code(), "BANK_FILE_UNANSWERABLE");
    }
}
