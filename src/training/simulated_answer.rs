//! The simulated bank answers payment files of any layout: it reads the file by the layout's description and
//! answers in the words that the description knows. What happens to a payment is decided as for `neutral`.

use super::simulated_bank::{Fate, SimulatedBank};
use crate::domain::bank::{Bank, BankBook, Layout, ReasonClass};
use crate::domain::bank_form::{Field, Form, Medium, Said};
use crate::domain::money::Money;
use crate::domain::period::{Period, PeriodRange, parse_date};
use crate::formats::bank::layout::read_back::{NotOfLayout, SentFile, read_payment_file};
use crate::formats::bank::layout::sample;
use crate::formats::bank::neutral::{FileHeader, PaymentRow};

/// A bank with a layout of its own.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// The bank.
    pub bank: &'a Bank,
    /// Its layout.
    pub layout: &'a Layout,
    /// How the layout's files look.
    pub form: &'a Form,
}

/// The answers to one payment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The first return; none where nothing is decided yet and the layout has no word for that.
    pub first: Option<Vec<u8>>,
    /// The second return: what was open in the first.
    pub second: Option<Vec<u8>>,
    /// Money that came back, where the layout can say so.
    pub late: Option<Vec<u8>>,
    /// Ending of the answers' names.
    pub extension: &'static str,
}

/// The banks of the office whose layout could have written this file, one for each layout.
#[must_use]
pub fn owners<'a>(book: &'a BankBook, name: &str, bytes: &[u8]) -> Vec<Own<'a>> {
    let own = |bank: &'a Bank| {
        let layout = book.layout(&bank.layout)?;
        Some(Own { bank, layout, form: layout.form.as_ref()? })
    };
    let mut owners: Vec<Own<'a>> = book.banks.iter().filter_map(own).collect();
    owners.retain(|own| read_payment_file(own.form, own.bank, name, bytes).is_ok());
    owners.dedup_by_key(|own| own.layout.code.as_str());
    owners
}

impl SimulatedBank {
    /// The answers to a payment file in a bank's own layout.
    ///
    /// # Errors
    /// When the file is none of the layout, or the layout cannot write the answer.
    pub fn answer_own(&self, own: Own<'_>, name: &str, bytes: &[u8]) -> Result<Answers, NotOfLayout> {
        let mut sent = read_payment_file(own.form, own.bank, name, bytes)?;
        for (seq, row) in (1..).zip(&mut sent.rows) {
            if row.payment_ref.is_empty() {
                // What happens to a payment depends on something that is its own.
                row.payment_ref = format!("{name}|{seq}");
            }
        }
        let rows = || (1..).zip(&sent.rows);
        let knows = |said: Said| own.form.answer.statuses.iter().any(|(known, _)| *known == said);
        let first = rows().map(|(seq, row)| (seq, row, self.first_fate(row)));
        let (open, decided): (Vec<_>, Vec<_>) = first.partition(|(.., fate)| matches!(fate, Fate::Open));
        let second = open.iter().map(|(seq, row, _)| (*seq, *row, self.second_fate(row))).collect::<Vec<_>>();
        let comes_back = |row: &PaymentRow| knows(Said::Returned) && self.comes_back(row);
        let credited = decided.iter().filter(|(.., fate)| matches!(fate, Fate::Credit));
        let late: Vec<_> = credited.filter(|(_, row, _)| comes_back(row)).map(|(seq, row, _)| (*seq, *row)).collect();
        let mut in_first = decided;
        if knows(Said::Open) {
            in_first.extend(open);
            in_first.sort_by_key(|(seq, ..)| *seq);
        }
        let returned =
            |(seq, row)| Told { seq, row, said: Said::Returned, reason: (String::new(), "退票".to_string()) };
        let write = |told: Vec<Told<'_>>| self.write_own(own, &sent, &told);
        Ok(Answers {
            first: write(Told::all(own.layout, in_first))?,
            second: write(Told::all(own.layout, second))?,
            late: write(late.into_iter().map(returned).collect())?,
            extension: match own.form.answer.medium {
                Medium::Workbook => "xlsx",
                Medium::Xml => "xml",
                Medium::Text => "txt",
            },
        })
    }

    fn write_own(&self, own: Own<'_>, sent: &SentFile, told: &[Told<'_>]) -> Result<Option<Vec<u8>>, NotOfLayout> {
        if told.is_empty() {
            return Ok(None);
        }
        let refs: Vec<String> = told.iter().map(|told| SimulatedBank::reference(told.row)).collect();
        let with_refs = told.iter().zip(&refs);
        let fates: Vec<sample::Fate<'_>> = with_refs
            .map(|(Told { seq, row, said, reason: (reason_code, reason) }, bank_ref)| sample::Fate {
                seq: *seq,
                row,
                said: *said,
                reason_code,
                reason,
                bank_ref,
            })
            .collect();
        let lines = sample::answer(own.form, own.bank, &self.header(sent), &fates);
        let cannot = |problem| NotOfLayout { place: "回盘".to_string(), problem };
        sample::bytes(own.form, &lines).map(Some).map_err(cannot)
    }

    /// Of the header, what an answer may repeat.
    fn header(&self, sent: &SentFile) -> FileHeader {
        let month = Period::of(self.on);
        FileHeader {
            file_ref: sent.said(Field::FileRef).unwrap_or_default().to_string(),
            agency_code: String::new(),
            scheme_code: String::new(),
            periods: PeriodRange { first: month, last: month },
            pay_date: sent.said(Field::PayDate).and_then(parse_date).unwrap_or(self.on),
            rows: sent.rows.len(),
            total: sent.rows.iter().map(|row| row.amount).sum::<Money>(),
            part: 1,
            parts: 1,
        }
    }
}

/// What is answered to a row.
struct Told<'r> {
    seq: usize,
    row: &'r PaymentRow,
    said: Said,
    /// Code and text.
    reason: (String, String),
}

impl<'r> Told<'r> {
    fn all(layout: &Layout, fates: Vec<(usize, &'r PaymentRow, Fate)>) -> Vec<Told<'r>> {
        fates.into_iter().map(|(seq, row, fate)| Told::of(layout, seq, row, fate)).collect()
    }

    fn of(layout: &Layout, seq: usize, row: &'r PaymentRow, fate: Fate) -> Told<'r> {
        let (said, reason) = match fate {
            Fate::Credit => (Said::Credited, Default::default()),
            Fate::Open => (Said::Open, Default::default()),
            Fate::Reject(code) => (Said::Rejected, reason(layout, &code)),
        };
        Told { seq, row, said, reason }
    }
}

/// The bank's own code and words for a reason: of its code, else of the class that the code has in `neutral`.
fn reason(layout: &Layout, code: &str) -> (String, String) {
    let class = match code {
        "3031" => ReasonClass::NameMismatch,
        "3018" => ReasonClass::AccountClosed,
        _ => ReasonClass::Unknown,
    };
    let known = layout.reasons.iter().find(|r| r.code == code);
    let known = known.or_else(|| layout.reasons.iter().find(|r| r.class == class));
    let unknown = || (String::new(), "SIM 未列入代码表的原因".to_string());
    known.map_or_else(unknown, |reason| (reason.code.clone(), reason.text.replace('*', "SIM")))
}
