//! What differs between a run and the one before it: who is new, gone, changed, and why.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use super::payment_sheet::trace;
use crate::calculation::claim::claim;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::money::Money;
use crate::domain::payment::{Cover, FrozenLine, Payment};
use crate::domain::run::{Run, RunState};
use crate::failure::Failure;
use crate::office::Office;
use crate::progress::Bar;
use crate::storage::engine::Tx;
use crate::storage::error::StorageError;
use crate::storage::payment::{self, Page, Pages, unreadable};
use crate::storage::{enrolment, hold, run};

/// The difference of a run to the last run of its scheme.
#[derive(Debug, Clone, Serialize)]
pub struct RunDifference {
    /// The run compared with; none when this is the first.
    pub last_run: Option<String>,
    /// Paid now, not then.
    pub new: Vec<Entry>,
    /// Paid then, not now.
    pub gone: Vec<Entry>,
    /// Another amount.
    pub changed: Vec<Entry>,
    /// The same amount.
    pub same: usize,
}

/// One person who differs.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// Name.
    pub name: String,
    /// Masked.
    pub citizen_number: String,
    /// Amount then.
    pub was_fen: Money,
    /// Amount now.
    pub now_fen: Money,
    /// Why.
    pub reason: String,
}

/// Compares a run with the last one of its scheme that was not cancelled.
///
/// # Errors
/// When the database cannot be read.
pub async fn run_difference(tx: &mut Tx, office: &Office, this: &Run) -> Result<RunDifference, Failure> {
    let agency = office.agency_code.as_str();
    let earlier = run::list(tx, agency, Some(&this.scheme_code)).await?;
    let last = earlier
        .into_iter()
        .rfind(|r| r.no < this.no && !matches!(r.state, RunState::Cancelled(..)) && r.kind == this.kind);
    let Some(last) = last else {
        return Ok(RunDifference { last_run: None, new: Vec::new(), gone: Vec::new(), changed: Vec::new(), same: 0 });
    };
    let mut difference = RunDifference {
        last_run: Some(last.code.clone()),
        new: Vec::new(),
        gone: Vec::new(),
        changed: Vec::new(),
        same: 0,
    };
    let bar = office.progress.begin("与上一批次比较", usize::try_from(last.payments + this.payments).ok(), "笔");
    let mut banks = Banks::default();
    let (mut now, mut then) = (Walk::of(agency, this), Walk::of(agency, &last));
    let (mut others, mut gone_payments) = (BTreeMap::new(), BTreeMap::new());
    while !(now.is_over && then.is_over) {
        while let Some(order) = now.beside(&then, &banks) {
            match (order, now.amount(), then.amount()) {
                (Ordering::Equal, is, was) if is == was => difference.same += 1,
                (Ordering::Equal, _, was) => now.want(was),
                (Ordering::Less, ..) => now.want(None),
                (Ordering::Greater, ..) => then.want(None),
            }
            now.at += usize::from(order.is_le());
            then.at += usize::from(order.is_ge());
        }
        for (was, payment) in now.turn(tx, &mut banks, &bar).await? {
            others.insert(payment.enrolment_no, (was, payment));
        }
        for (_, payment) in then.turn(tx, &mut banks, &bar).await? {
            gone_payments.insert(payment.enrolment_no, payment);
        }
    }
    // Who is paid at another bank now stands at another place.
    gone_payments.retain(|no, then| {
        let Some((was, now)) = others.get_mut(no) else { return true };
        *was = Some(then.amount);
        if now.amount == then.amount {
            difference.same += 1;
            others.remove(no);
        }
        false
    });
    for (was, p) in others.into_values() {
        let differ = if was.is_some() { &mut difference.changed } else { &mut difference.new };
        differ.push(entry(&p, was.unwrap_or_default(), p.amount, months_reason(this, &p.covers)));
    }
    difference.gone = gone(tx, office, this, gone_payments).await?;
    Ok(difference)
}

/// Codes of banks that were met.
#[derive(Default)]
struct Banks(Vec<String>);

impl Banks {
    /// The place of a code.
    fn place(&mut self, code: &str) -> usize {
        self.0.iter().position(|own| own == code).unwrap_or_else(|| {
            self.0.push(code.to_string());
            self.0.len() - 1
        })
    }
}

/// The payments of a run, bank by bank and in the order of the roll. Most people are the same in both runs: of them only
/// the amounts are looked at, of all others the whole payments.
struct Walk {
    pages: Pages,
    page: Option<Page>,
    /// Place of the bank, enrolment and amount of the payments of the page.
    payments: Vec<(usize, i64, Money)>,
    at: usize,
    /// Payments of the page that are wanted whole, with what was paid before.
    wanted: Vec<(usize, Option<Money>)>,
    is_over: bool,
}

impl Walk {
    fn of(agency: &str, run: &Run) -> Walk {
        let pages = Pages::of(agency, run, payment::ALL_LINES);
        Walk { pages, page: None, payments: Vec::new(), at: 0, wanted: Vec::new(), is_over: false }
    }

    /// How its payment stands to that of another walk; none when a page must be turned first.
    fn beside(&self, other: &Walk, banks: &Banks) -> Option<Ordering> {
        match (self.payments.get(self.at), other.payments.get(other.at)) {
            (Some((bank, no, _)), Some((other_bank, other_no, _))) if bank == other_bank => Some(no.cmp(other_no)),
            (Some((bank, ..)), Some((other_bank, ..))) => Some(banks.0[*bank].cmp(&banks.0[*other_bank])),
            (Some(_), None) if other.is_over => Some(Ordering::Less),
            (None, Some(_)) if self.is_over => Some(Ordering::Greater),
            _ => None,
        }
    }

    fn amount(&self) -> Option<Money> {
        self.payments.get(self.at).map(|(.., amount)| *amount)
    }

    fn want(&mut self, was: Option<Money>) {
        self.wanted.push((self.at, was));
    }

    /// Goes to the next page when this one is over; the payments of this one that are wanted whole.
    async fn turn(
        &mut self,
        tx: &mut Tx,
        banks: &mut Banks,
        bar: &Bar,
    ) -> Result<Vec<(Option<Money>, Payment)>, StorageError> {
        let mut whole = Vec::with_capacity(self.wanted.len());
        if self.at < self.payments.len() || self.is_over {
            return Ok(whole);
        }
        if let Some(page) = self.page.take().filter(|_| !self.wanted.is_empty()) {
            let lines = page.lines()?;
            for (at, was) in self.wanted.drain(..) {
                whole.push((was, lines[at].payment().map_err(unreadable)?));
            }
        }
        self.payments.clear();
        self.at = 0;
        self.page = self.pages.next(tx).await?;
        let Some(page) = &self.page else {
            self.is_over = true;
            return Ok(whole);
        };
        bar.advance(page.span());
        let lines = page.lines()?;
        let (first, last) = page.ends()?;
        let mut bank = |line: &FrozenLine<'_>| -> Result<usize, StorageError> {
            Ok(banks.place(line.payee().map_err(unreadable)?.bank_code))
        };
        let (first, last) = (bank(&first)?, bank(&last)?);
        for line in &lines {
            let bank = if first == last { first } else { bank(line)? };
            self.payments.push((bank, line.enrolment_no, line.amount));
        }
        Ok(whole)
    }
}

/// Who was paid by the last run and is not by this one, with the reason.
async fn gone(
    tx: &mut Tx,
    office: &Office,
    this: &Run,
    payments: BTreeMap<i64, Payment>,
) -> Result<Vec<Entry>, Failure> {
    if payments.is_empty() {
        return Ok(Vec::new());
    }
    let agency = office.agency_code.as_str();
    let scheme = office.scheme_of(tx, this).await?;
    let numbers = payments.keys().copied().collect();
    let (enrolments, _) = enrolment::some_since(tx, agency, &this.scheme_code, &numbers, i64::MAX).await?;
    let holds = hold::open_by_person(tx, agency).await?;
    let mut gone = Vec::with_capacity(payments.len());
    for p in payments.into_values() {
        let person = enrolments.binary_search_by_key(&p.enrolment_no, |e| e.no).ok().map(|at| &enrolments[at]);
        let claim = person.map(|e| claim(&scheme, &e.entitlement, this.periods.last));
        let reason = match (holds.get(&p.beneficiary_no), claim) {
            (_, Some(claim)) if !claim.reason().is_empty() => claim.reason(),
            (Some((hold, _)), _) => format!("暂停支付: {}（{}）", hold.reason.title(), hold.note),
            _ => "所属期已由其他批次覆盖".to_string(),
        };
        gone.push(entry(&p, p.amount, Money::ZERO, reason));
    }
    Ok(gone)
}

fn months_reason(run: &Run, covers: &[Cover]) -> String {
    if covers.iter().any(|c| c.period < run.periods.first || !c.covered_before.is_zero()) {
        format!("含补发: {}", trace(covers))
    } else {
        format!("所属期 {}", trace(covers))
    }
}

fn entry(payment: &Payment, was_fen: Money, now_fen: Money, reason: String) -> Entry {
    let citizen_number = CitizenNumber::from_stored(&payment.citizen_number).masked();
    Entry { name: payment.name.clone(), citizen_number, was_fen, now_fen, reason }
}
