//! The figures of a scheme's months from what is kept: sums of claims and covers, and the few people who differ. Nobody
//! else is read, so it takes as long as there are differences. [`super::ledger`] comes to the same figures person by
//! person; `doctor` compares what both stand on.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::ledger::{self, MonthFigures, Uncovered};
use crate::calculation::baseline::{Asked, Claims, SentSoFar, Since};
use crate::calculation::claim::claim;
use crate::domain::money::Money;
use crate::domain::period::Period;
use crate::domain::scheme::Scheme;
use crate::failure::Failure;
use crate::office::Office;
use crate::storage::engine::Tx;
use crate::storage::{baseline, cover, enrolment, enrolment_event, hold, month_sum, recovery, run};

/// The scheme, and the figures of the months that [`ledger::Ledger::read`] would have. None when nothing is kept for all
/// of them: no run was prepared up to the last of them, one was cancelled since, or the scheme has another version.
///
/// # Errors
/// When there is no such scheme.
pub async fn kept_figures(
    tx: &mut Tx,
    office: &Office,
    scheme_code: &str,
    year: i32,
    only: Option<Period>,
) -> Result<Option<(Scheme, Vec<MonthFigures>)>, Failure> {
    let (scheme, version) = office.scheme(tx, scheme_code).await?;
    let agency = office.agency_code.as_str();
    let runs = run::list(tx, agency, Some(scheme_code)).await?;
    let months = ledger::months(office, &scheme, &runs, year, only);
    let Some(baseline) = baseline::standing(tx, agency, &runs).await? else { return Ok(None) };
    let (Some(first), Some(last)) = (months.first().copied(), months.last().copied()) else { return Ok(None) };
    if baseline.scheme_version != version || last > baseline.last {
        return Ok(None);
    }
    let sums = month_sum::by_month(tx, agency, scheme_code, first, last).await?;
    let by_month = recovery::by_month(tx, agency, scheme_code, first, last).await?;
    let moved = recovery::moved(tx, agency).await?;
    let failed = cover::failed_since(tx, agency, &runs, baseline.event_no).await?;
    let last_run = run::standing(&runs).next_back().map(|r| r.no);
    let is_moved: HashSet<i64> = moved.keys().map(|(enrolment_no, _)| *enrolment_no).collect();
    let mut numbers: BTreeSet<i64> = baseline.uneven.keys().copied().chain(is_moved.iter().copied()).collect();
    numbers.extend(enrolment_event::told_since(tx, agency, baseline.event_no).await?);
    numbers.extend(enrolment::later_than(tx, agency, scheme_code, baseline.last_enrolment_no).await?);
    // Of a payment of the last run that failed, nothing else need be known: it is the last attempt, of someone even.
    numbers.extend(failed.iter().filter(|f| Some(f.run_no) != last_run).map(|f| f.enrolment_no));
    let (people, then) = enrolment::some_since(tx, agency, scheme_code, &numbers, baseline.event_no).await?;

    let mut claims = Claims::of(&baseline);
    for person in &people {
        if person.no > baseline.last_enrolment_no {
            claims.add(&scheme, &person.entitlement, scheme.first, baseline.last);
        } else if let Some(then) = then.get(&person.no) {
            claims.take(&scheme, then, baseline.last);
            claims.add(&scheme, &person.entitlement, scheme.first, baseline.last);
        }
    }
    let mut figures: BTreeMap<Period, MonthFigures> = BTreeMap::new();
    for month in months {
        let mut of_month = MonthFigures::of_sums(month, &sums, by_month.get(&month).copied());
        of_month.owe(claims.of_month(month));
        figures.insert(month, of_month);
    }

    let held = hold::held(tx, agency).await?;
    let mut missing: Vec<(i64, Period, Money, bool)> = Vec::new();
    let failed_covers = cover::by_enrolment(failed.clone());
    let since = Since { baseline: &baseline, scheme: &scheme, is_other_version: false, failed: failed_covers };
    let mut sent = SentSoFar::Since(since);
    for person in &people {
        let (then, is_moved) = (then.get(&person.no), is_moved.contains(&person.no));
        let asked = Asked { no: person.no, now: &person.entitlement, then, is_moved };
        let sent = sent.to(asked).months(&scheme, &person.entitlement);
        for (month, figures) in &mut figures {
            let moved = moved.get(&(person.no, *month)).copied().unwrap_or_default();
            let covered = sent.get(month).copied().unwrap_or_default() + moved.offset_in - moved.recovered;
            let due = claim(&scheme, &person.entitlement, *month).amount();
            let overpaid = (covered - due).at_least_zero();
            figures.differ(overpaid, (overpaid - moved.written_off).at_least_zero());
            if covered < due {
                missing.push((person.no, *month, due - covered, held.contains(&person.beneficiary_no)));
            }
        }
    }
    let mut asked: Vec<i64> = missing.iter().filter(|(.., is_held)| !is_held).map(|(no, ..)| *no).collect();
    asked.dedup();
    let last_failures = cover::last_failures(tx, agency, &asked).await?;
    for (no, month, amount, is_held) in missing {
        let reason = Uncovered::because(is_held, last_failures.get(&(no, month)).copied());
        figures.entry(month).and_modify(|f| f.miss(amount, reason));
    }
    let looked_at: HashSet<i64> = people.iter().map(|p| p.no).collect();
    for payment in failed.iter().filter(|f| !looked_at.contains(&f.enrolment_no)) {
        let reason = Uncovered::because(held.contains(&payment.beneficiary_no), Some(payment.state));
        for cover in &payment.covers {
            figures.entry(cover.period).and_modify(|f| f.miss(cover.amount, reason));
        }
    }
    for of_month in figures.values_mut() {
        of_month.uncovered_by.sort_by_key(|by| by.reason);
    }
    Ok(Some((scheme, figures.into_values().collect())))
}
