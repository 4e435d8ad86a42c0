//! What differs between a run and the one before it: who is new, gone, changed, and why.

use std::collections::BTreeMap;

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
use crate::storage::{enrolment, hold, payment, run};

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
    let scheme = office.scheme_of(tx, this).await?;
    let now = by_person(payment::of_run(tx, agency, this).await?);
    let then = by_person(payment::of_run(tx, agency, &last).await?);
    let is_gone = then.keys().any(|enrolment_no| !now.contains_key(enrolment_no));
    let enrolments = if is_gone { enrolment::of_scheme(tx, agency, &this.scheme_code).await? } else { Vec::new() };
    let holds = hold::open_by_person(tx, agency).await?;
    let mut difference = RunDifference {
        last_run: Some(last.code.clone()),
        new: Vec::new(),
        gone: Vec::new(),
        changed: Vec::new(),
        same: 0,
    };
    for (enrolment_no, p) in &now {
        match then.get(enrolment_no) {
            Some(old) if old.amount == p.amount => difference.same += 1,
            Some(old) => difference.changed.push(entry(p, old.amount, p.amount, months_reason(this, &p.covers))),
            None => difference.new.push(entry(p, Money::ZERO, p.amount, months_reason(this, &p.covers))),
        }
    }
    for (enrolment_no, p) in &then {
        if now.contains_key(enrolment_no) {
            continue;
        }
        let person = enrolments.binary_search_by_key(enrolment_no, |e| e.no).ok().map(|at| &enrolments[at]);
        let claim = person.map(|e| claim(&scheme, &e.entitlement, this.periods.last));
        let reason = match (holds.get(&p.beneficiary_no), claim) {
            (_, Some(claim)) if !claim.reason().is_empty() => claim.reason(),
            (Some((hold, _)), _) => format!("暂停支付: {}（{}）", hold.reason.title(), hold.note),
            _ => "所属期已由其他批次覆盖".to_string(),
        };
        difference.gone.push(entry(p, p.amount, Money::ZERO, reason));
    }
    Ok(difference)
}

fn by_person(payments: Vec<Payment>) -> BTreeMap<i64, Payment> {
    payments.into_iter().map(|p| (p.enrolment_no, p)).collect()
}

fn months_reason(run: &Run, covers: &[Cover]) -> String {
    if covers.iter().any(|c| c.period < run.periods.first || !c.covered_before.is_zero()) {
        format!("含补发: {}", trace(covers))
    } else {
        format!("所属期 {}", trace(covers))
    }
}

fn entry(payment: &Payment, was_fen: Money, now_fen: Money, reason: String) -> Entry {
    let citizen_number = CitizenNumber::from_stored(payment.citizen_number.clone()).masked();
    Entry { name: payment.name.clone(), citizen_number, was_fen, now_fen, reason }
}
