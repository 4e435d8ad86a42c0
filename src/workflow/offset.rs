//! Offsets (抵扣): months that are paid with what was overpaid before. Planned by the preparation of a
//! run, frozen with it, booked or left out when it is issued; a cancelled run's never were.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::issue_files::move_money;
use super::recover::{close_if_settled, give_back, known};
use super::step::Step;
use crate::calculation::claim::claim;
use crate::calculation::recovery::{Debt, Deduction, debt};
use crate::domain::appropriation::PostingKind;
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::recovery::{Entry, EntryKind, EntryState, RunKey, Target};
use crate::domain::run::Run;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::appropriation::PostingReason;
use crate::storage::{cover, enrolment, recovery};

/// What cases may take from the payments of a scheme, by the enrolment that is paid.
pub(super) async fn debts(
    office: &Office,
    step: &mut Step,
    scheme_code: &str,
) -> Result<HashMap<i64, Vec<Debt>>, Failure> {
    let mut debts: HashMap<i64, Vec<Debt>> = HashMap::new();
    for case in recovery::cases(&mut step.tx, &step.agency).await? {
        let Some(cap) = case.plan.as_ref().map(|p| p.monthly_cap) else { continue };
        if case.closed.is_some() || case.deducts_from() != Some(scheme_code) {
            continue;
        }
        let to = enrolment::of_beneficiary(&mut step.tx, &step.agency, scheme_code, case.beneficiary_no).await?;
        let Some(to) = to else { continue };
        let known = known(office, step, case).await?;
        let owed = debt(&known.case, cap, to, &known.credited, &known.standing);
        debts.entry(to).or_default().push(owed);
    }
    Ok(debts)
}

/// Stores the offsets of a run that was just prepared, laid end to end after its payments.
pub(super) async fn store(step: &mut Step, run: &Run, deductions: &[(i64, Deduction)]) -> Result<(), Failure> {
    let mut numbers: BTreeMap<i64, i64> = BTreeMap::new();
    let mut at = run.total;
    let mut entries = Vec::with_capacity(deductions.len());
    for (to_enrolment, d) in deductions {
        let last = match numbers.get(&d.case_no) {
            Some(last) => *last,
            None => recovery::last_entry(&mut step.tx, &step.agency, d.case_no).await?,
        };
        numbers.insert(d.case_no, last + 1);
        let run = RunKey { no: run.no, period: run.periods.last };
        entries.push(Entry {
            case_no: d.case_no,
            no: last + 1,
            kind: EntryKind::Offset,
            enrolment_no: d.enrolment_no,
            period: d.period,
            amount: d.amount,
            source: Some(d.source),
            target: Some(Target { enrolment_no: *to_enrolment, period: d.to_period, claim: d.claim, run, at }),
            releases: None,
            reference: String::new(),
            received_on: None,
            made_by: step.actor.name.clone(),
            made_on: step.on,
            accepted_by: None,
            state: EntryState::Planned,
        });
        at += d.amount;
    }
    let event_no = step.event_no;
    Ok(recovery::insert_entries(&mut step.tx, &step.agency, &entries, event_no).await?)
}

/// Books the offsets of a run that is being issued: the months they pay are paid by the run's appropriations,
/// the overpaid months' appropriations get theirs back. Left out are those of people who are not paid (`left`,
/// with the reason), and those whose overpayment is no more. What was booked and what was left out.
pub(super) async fn book(
    office: &Office,
    step: &mut Step,
    run: &Run,
    offsets: &[Entry],
    left: &HashMap<i64, String>,
) -> Result<(Money, Money), Failure> {
    if offsets.is_empty() {
        return Ok((Money::ZERO, Money::ZERO));
    }
    let settled = no_longer_overpaid(office, step, offsets).await?;
    let why_left = |offset: &Entry| {
        let withheld = offset.target.and_then(|t| left.get(&t.enrolment_no)).cloned();
        let corrected = settled.contains(&(offset.enrolment_no, offset.period));
        withheld.or_else(|| corrected.then(|| "多发已更正".to_string()))
    };
    let (mut booked, mut released) = (Vec::new(), Vec::new());
    for offset in offsets {
        match why_left(offset) {
            None => booked.push(offset.clone()),
            Some(reason) => {
                let no = recovery::last_entry(&mut step.tx, &step.agency, offset.case_no).await? + 1;
                let row = Entry {
                    no,
                    kind: EntryKind::Released,
                    releases: Some(offset.no),
                    reference: reason,
                    made_by: step.actor.name.clone(),
                    made_on: step.on,
                    state: EntryState::Void,
                    ..offset.clone()
                };
                let event_no = step.event_no;
                recovery::insert_entries(&mut step.tx, &step.agency, std::slice::from_ref(&row), event_no).await?;
                released.push(row);
            }
        }
    }
    let stretches = |list: &[Entry]| -> Vec<(Money, Money)> {
        list.iter().filter_map(|e| Some((e.target?.at, e.amount))).collect()
    };
    let reason = |note| PostingReason { run_no: Some(run.no), note, ..PostingReason::default() };
    move_money(step, run, PostingKind::Release, &stretches(&released), &reason("抵扣未办")).await?;
    move_money(step, run, PostingKind::Pay, &stretches(&booked), &reason("抵扣支付")).await?;
    give_back(step, &booked, Some(run.no), "抵扣追回").await?;
    let sum = |list: &[Entry]| list.iter().map(|e| e.amount).sum();
    Ok((sum(&booked), sum(&released)))
}

/// Overpaid months of offsets that have become too little for what is owed for them now.
async fn no_longer_overpaid(
    office: &Office,
    step: &mut Step,
    offsets: &[Entry],
) -> Result<HashSet<(i64, Period)>, Failure> {
    let mut found = HashSet::new();
    let by_enrolment: BTreeMap<i64, i64> = offsets.iter().map(|o| (o.enrolment_no, o.case_no)).collect();
    for (enrolment_no, case_no) in by_enrolment {
        let Some(case) = recovery::case(&mut step.tx, &step.agency, case_no).await? else { continue };
        let (scheme, _) = office.scheme(&mut step.tx, &case.scheme_code).await?;
        let person = enrolment::by_no(&mut step.tx, &step.agency, enrolment_no).await?;
        let covered = cover::covered_of(&mut step.tx, &step.agency, enrolment_no).await?;
        for period in offsets.iter().filter(|o| o.enrolment_no == enrolment_no).map(|o| o.period) {
            let cover = covered.get(&period).copied().unwrap_or_default();
            if cover < claim(&scheme, &person.entitlement, period).amount() {
                found.insert((enrolment_no, period));
            }
        }
    }
    Ok(found)
}

/// Closes the cases that the offsets of an issued run have settled.
pub(super) async fn close_settled(office: &Office, step: &mut Step, offsets: &[Entry]) -> Result<(), Failure> {
    let cases: HashSet<i64> = offsets.iter().map(|o| o.case_no).collect();
    for case_no in cases {
        close_if_settled(office, step, case_no).await?;
    }
    Ok(())
}
