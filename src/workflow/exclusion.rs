//! Schemes that exclude each other (互斥): who is owed by both in the same month is put on hold when a
//! run of either is prepared. Which of the two is right is a clerk's decision, with a reason.

use std::collections::{HashMap, HashSet};

use super::step::Step;
use crate::calculation::claim::{claim, first_claim_period};
use crate::domain::entitlement::Entitlement;
use crate::domain::hold::HoldReason;
use crate::domain::period::Period;
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::hold::{self, NewHold};
use crate::storage::roll::Roll;
use crate::storage::scheme;

/// Opens a hold for everyone of a scheme who is owed by an excluding scheme too, up to `last`. Whose
/// hold was cleared stays cleared until an enrolment of theirs changes.
///
/// # Errors
/// The database's.
pub(super) async fn hold_excluded(
    office: &Office,
    step: &mut Step,
    this: &Scheme,
    last: Period,
) -> Result<(), Failure> {
    let others = excluding(office, step, this).await?;
    if others.is_empty() {
        return Ok(());
    }
    let reason = HoldReason::Exclusion;
    let cleared = hold::last_cleared(&mut step.tx, &step.agency, reason).await?;
    let open = hold::open(&mut step.tx, &step.agency).await?;
    let mut held: HashSet<i64> =
        open.iter().filter(|(h, _)| h.reason == reason).map(|(h, _)| h.beneficiary_no).collect();
    let mut here: HashMap<i64, (i64, Entitlement)> = HashMap::new();
    let mut roll = Roll::of_scheme(&step.agency, &this.code);
    while let Some(stretch) = roll.next(&mut step.tx).await? {
        for enrolled in stretch.enrolled() {
            let enrolled = enrolled?;
            here.insert(enrolled.line.beneficiary_no, (enrolled.changed_event_no(), enrolled.entitlement()?));
        }
    }
    for other in others {
        let mut found = Vec::new();
        let mut roll = Roll::of_scheme(&step.agency, &other.code);
        while let Some(stretch) = roll.next(&mut step.tx).await? {
            for enrolled in stretch.enrolled() {
                let there = enrolled?;
                let person = there.line.beneficiary_no;
                let Some((changed, mine)) = here.get(&person) else { continue };
                let changed = there.changed_event_no().max(*changed);
                if held.contains(&person) || cleared.get(&person).is_some_and(|event_no| *event_no >= changed) {
                    continue;
                }
                let both = both_owe(this, mine, &other, &there.entitlement()?, last);
                found.extend(both.map(|months| (person, months)));
            }
        }
        let new = found.into_iter().map(|(beneficiary_no, (first, months))| {
            let note = format!("项目 {} 与 {} 互斥，自 {first} 起有 {months} 个月同时应发", this.code, other.code);
            NewHold { beneficiary_no, reason, note }
        });
        let new: Vec<NewHold> = new.collect();
        held.extend(new.iter().map(|hold| hold.beneficiary_no));
        hold::insert(&mut step.tx, &step.agency, &new, &step.actor.name, step.on, step.event_no).await?;
    }
    Ok(())
}

/// Schemes that exclude this one or that it excludes, whichever file says so.
async fn excluding(office: &Office, step: &mut Step, this: &Scheme) -> Result<Vec<Scheme>, Failure> {
    let mut found = Vec::new();
    for code in scheme::codes(&mut step.tx, &step.agency).await? {
        if code != this.code {
            let (other, _) = office.scheme(&mut step.tx, &code).await?;
            if this.excludes.contains(&code) || other.excludes.contains(&this.code) {
                found.push(other);
            }
        }
    }
    Ok(found)
}

/// First month that both owe, and how many.
fn both_owe(a: &Scheme, mine: &Entitlement, b: &Scheme, theirs: &Entitlement, last: Period) -> Option<(Period, usize)> {
    let first = first_claim_period(a, mine).max(first_claim_period(b, theirs));
    let owes = |scheme, who: &Entitlement, month| !claim(scheme, who, month).amount().is_zero();
    let mut months = first.through(last).filter(|month| owes(a, mine, *month) && owes(b, theirs, *month));
    let first = months.next()?;
    Some((first, 1 + months.count()))
}
