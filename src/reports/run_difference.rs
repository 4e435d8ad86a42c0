//! What differs between a run and the one before it: who is new, gone, changed, and why.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::payment_sheet::trace;
use crate::calculation::claim::claim;
use crate::domain::citizen_number::CitizenNumber;
use crate::domain::money::Money;
use crate::domain::payment::{Cover, Payment};
use crate::domain::run::{Run, RunState};
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::engine::Tx;
use crate::storage::payment::{self, Pages, unreadable};
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
    // Most people are the same in both runs: of them only the amounts are looked at, of all others the whole payments.
    let mut then: Vec<(i64, Money)> = Vec::with_capacity(usize::try_from(last.payments).unwrap_or_default());
    let bar = office.progress.begin("与上一批次比较", usize::try_from(last.payments + this.payments).ok(), "笔");
    let mut pages = Pages::of(agency, &last, payment::ALL_LINES);
    while let Some(page) = pages.next(tx).await? {
        bar.advance(page.span());
        then.extend(page.lines()?.iter().map(|line| (line.enrolment_no, line.amount)));
    }
    then.sort_by_key(|(enrolment_no, _)| *enrolment_no);
    let mut is_paid_again = vec![false; then.len()];
    let mut at = 0;
    let mut pages = Pages::of(agency, this, payment::ALL_LINES);
    let mut others = BTreeMap::new();
    while let Some(page) = pages.next(tx).await? {
        bar.advance(page.span());
        for line in page.lines()? {
            // Enrolments ascend as long as the bank is the same.
            if at > 0 && then[at - 1].0 >= line.enrolment_no {
                at = 0;
            }
            at += then[at..].iter().take_while(|(enrolment_no, _)| *enrolment_no < line.enrolment_no).count();
            let was =
                then.get(at).filter(|(enrolment_no, _)| *enrolment_no == line.enrolment_no).map(|(_, amount)| *amount);
            if was.is_some() {
                is_paid_again[at] = true;
            }
            if was == Some(line.amount) {
                difference.same += 1;
            } else {
                others.insert(line.enrolment_no, (was, line.payment().map_err(unreadable)?));
            }
        }
    }
    for (was, p) in others.into_values() {
        let differ = if was.is_some() { &mut difference.changed } else { &mut difference.new };
        differ.push(entry(&p, was.unwrap_or_default(), p.amount, months_reason(this, &p.covers)));
    }
    let gone_numbers = then.iter().zip(is_paid_again).filter(|(_, is_paid)| !is_paid).map(|((no, _), _)| *no);
    difference.gone = gone(tx, office, this, &last, &gone_numbers.collect()).await?;
    Ok(difference)
}

/// Who was paid by the last run and is not by this one, with the reason.
async fn gone(
    tx: &mut Tx,
    office: &Office,
    this: &Run,
    last: &Run,
    numbers: &BTreeSet<i64>,
) -> Result<Vec<Entry>, Failure> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let agency = office.agency_code.as_str();
    let scheme = office.scheme_of(tx, this).await?;
    let (enrolments, _) = enrolment::some_since(tx, agency, &this.scheme_code, numbers, i64::MAX).await?;
    let holds = hold::open_by_person(tx, agency).await?;
    let mut pages = Pages::of(agency, last, payment::ALL_LINES);
    let mut gone = BTreeMap::new();
    while let Some(page) = pages.next(tx).await? {
        for line in page.lines()?.iter().filter(|line| numbers.contains(&line.enrolment_no)) {
            let p = line.payment().map_err(unreadable)?;
            let person = enrolments.binary_search_by_key(&p.enrolment_no, |e| e.no).ok().map(|at| &enrolments[at]);
            let claim = person.map(|e| claim(&scheme, &e.entitlement, this.periods.last));
            let reason = match (holds.get(&p.beneficiary_no), claim) {
                (_, Some(claim)) if !claim.reason().is_empty() => claim.reason(),
                (Some((hold, _)), _) => format!("暂停支付: {}（{}）", hold.reason.title(), hold.note),
                _ => "所属期已由其他批次覆盖".to_string(),
            };
            gone.insert(p.enrolment_no, entry(&p, p.amount, Money::ZERO, reason));
        }
    }
    Ok(gone.into_values().collect())
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
