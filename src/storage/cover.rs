//! Cover: which part of which claim is in flight or credited, and what became of it.
//!
//! The effective cover of a month is what payments put into it, less what was recovered from it, plus
//! what was offset into it (see [`super::recovery`]).

use std::collections::{BTreeMap, HashMap};

use super::engine::Tx;
use super::error::StorageError;
use super::payment::{ALL_LINES, Pages, Standing, StoredOutcome, pages_of_enrolment, unreadable};
use super::{payment_file, recovery, run};
use crate::domain::money::Money;
use crate::domain::payment::{Cover, FrozenLine, PaymentState};
use crate::domain::period::Period;
use crate::domain::recovery::{RunKey, Stretch};
use crate::domain::run::{Run, RunState};

/// Covered amount by enrolment and month.
pub type Covered = HashMap<i64, BTreeMap<Period, Money>>;

/// The runs of a scheme that were not cancelled.
async fn runs(tx: &mut Tx, agency: &str, scheme: &str) -> Result<Vec<Run>, StorageError> {
    let mut runs = run::list(tx, agency, Some(scheme)).await?;
    runs.retain(|r| !matches!(r.state, RunState::Cancelled(..)));
    Ok(runs)
}

/// Calls `take` with every payment of a run, its state and its last outcome.
async fn each_line(
    tx: &mut Tx,
    agency: &str,
    run: &Run,
    mut take: impl FnMut(&FrozenLine<'_>, PaymentState, Option<&StoredOutcome>) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let standing = Standing::of(tx, agency, run).await?;
    let mut pages = Pages::of(agency, run, ALL_LINES);
    while let Some(page) = pages.next(tx).await? {
        for line in page.lines()? {
            let (state, told) = standing.state(line.line_no)?;
            take(&line, state, told)?;
        }
    }
    Ok(())
}

fn covers(line: &FrozenLine<'_>) -> impl Iterator<Item = Result<Cover, StorageError>> {
    line.covers().map(|cover| cover.map_err(unreadable))
}

/// Effective cover per enrolment of a scheme and month, in flight and credited together.
///
/// # Errors
/// The database's, or a page that cannot be read.
pub async fn covered(tx: &mut Tx, agency: &str, scheme: &str) -> Result<Covered, StorageError> {
    let mut covered = Covered::new();
    for run in runs(tx, agency, scheme).await? {
        each_line(tx, agency, &run, |line, state, _| {
            if state.covers() {
                let months = covered.entry(line.enrolment_no).or_default();
                for cover in covers(line) {
                    let cover = cover?;
                    *months.entry(cover.period).or_default() += cover.amount;
                }
            }
            Ok(())
        })
        .await?;
    }
    // Those of other schemes are nobody's here.
    for ((enrolment_no, month), moved) in recovery::moved(tx, agency).await? {
        *covered.entry(enrolment_no).or_default().entry(month).or_default() += moved.offset_in - moved.recovered;
    }
    Ok(covered)
}

/// Effective cover of one enrolment by month, in flight and credited together.
///
/// # Errors
/// As [`covered`].
pub async fn covered_of(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<BTreeMap<Period, Money>, StorageError> {
    let mut covered: BTreeMap<Period, Money> = BTreeMap::new();
    for sent in sent_of_enrolment(tx, agency, enrolment_no).await? {
        if sent.state.covers() {
            *covered.entry(sent.period).or_default() += sent.amount;
        }
    }
    for ((no, month), moved) in recovery::moved(tx, agency).await? {
        if no == enrolment_no {
            *covered.entry(month).or_default() += moved.offset_in - moved.recovered;
        }
    }
    Ok(covered)
}

/// What payments credited to an enrolment, month by month, each where it lies in its run's money.
///
/// # Errors
/// As [`covered`].
pub async fn credited_of(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<Vec<Stretch>, StorageError> {
    let mut credited: Vec<Stretch> = Vec::new();
    for sent in sent_of_enrolment(tx, agency, enrolment_no).await? {
        if sent.state == PaymentState::Credited {
            credited.push(Stretch { period: sent.period, run: sent.run, at: sent.at, amount: sent.amount });
        }
    }
    credited.sort_by_key(|s| (s.run.no, s.period));
    Ok(credited)
}

/// Sum of covers of one month, one run and one state.
#[derive(Debug, Clone)]
pub struct MonthSum {
    /// The benefit month.
    pub period: Period,
    /// First period of the run: later than `period` means back-pay.
    pub run_first: Period,
    /// The run.
    pub run_no: i64,
    /// What became of it.
    pub state: PaymentState,
    /// Number of covers.
    pub count: i64,
    /// Their sum.
    pub amount: Money,
}

/// Sums per month, run and state for the months from `first` to `last`, in this order.
///
/// # Errors
/// As [`covered`].
pub async fn by_month(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    first: Period,
    last: Period,
) -> Result<Vec<MonthSum>, StorageError> {
    let mut sums: Vec<MonthSum> = Vec::new();
    for run in run::list(tx, agency, Some(scheme)).await? {
        let mut of_run: HashMap<(Period, PaymentState), (i64, Money)> = HashMap::new();
        each_line(tx, agency, &run, |line, state, _| {
            for cover in covers(line) {
                let cover = cover?;
                if (first..=last).contains(&cover.period) {
                    let (count, amount) = of_run.entry((cover.period, state)).or_default();
                    *count += 1;
                    *amount += cover.amount;
                }
            }
            Ok(())
        })
        .await?;
        sums.extend(of_run.into_iter().map(|((period, state), (count, amount))| MonthSum {
            period,
            run_first: run.periods.first,
            run_no: run.no,
            state,
            count,
            amount,
        }));
    }
    sums.sort_by_key(|s| (s.period, s.run_no, s.state.code()));
    Ok(sums)
}

/// One cover and what became of it.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Whose.
    pub enrolment_no: i64,
    /// The benefit month.
    pub period: Period,
    /// How much.
    pub amount: Money,
    /// In which run.
    pub run_code: String,
    /// On which line.
    pub line_no: i64,
    /// What became of it.
    pub state: PaymentState,
    /// Why, in the words of the bank or of the engine.
    pub reason: String,
    /// Our class of the reason, `''` for none.
    pub reason_class: String,
    /// When, for states that an outcome row tells.
    pub on: Option<i64>,
}

/// Every cover of the months from `first` to `last`, by enrolment and month, without cancelled runs.
///
/// # Errors
/// As [`covered`].
pub async fn traces(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    first: Period,
    last: Period,
) -> Result<Vec<Trace>, StorageError> {
    let mut traces = Vec::new();
    for run in runs(tx, agency, scheme).await? {
        each_line(tx, agency, &run, |line, state, told| {
            for cover in covers(line) {
                let cover = cover?;
                if (first..=last).contains(&cover.period) {
                    traces.push(Trace {
                        enrolment_no: line.enrolment_no,
                        period: cover.period,
                        amount: cover.amount,
                        run_code: run.code.clone(),
                        line_no: line.line_no,
                        state,
                        reason: told.map_or_else(String::new, |o| o.reason_text.clone()),
                        reason_class: told.map_or_else(String::new, |o| o.reason_class.clone()),
                        on: told.map(|o| o.outcome_on),
                    });
                }
            }
            Ok(())
        })
        .await?;
    }
    // Stable: of one month, the runs stay in their order.
    traces.sort_by_key(|t| (t.enrolment_no, t.period));
    Ok(traces)
}

/// Enrolments and months of which a payment was withheld, rejected or returned, with the day of the last failure
/// (yyyymmdd). Another payment may cover the month since.
///
/// # Errors
/// As [`covered`].
pub async fn failed(tx: &mut Tx, agency: &str, scheme: &str) -> Result<HashMap<(i64, Period), i64>, StorageError> {
    let mut failed: HashMap<(i64, Period), i64> = HashMap::new();
    for run in runs(tx, agency, scheme).await? {
        each_line(tx, agency, &run, |line, state, told| {
            if let (false, Some(told)) = (state.covers(), told) {
                for cover in covers(line) {
                    let on = failed.entry((line.enrolment_no, cover?.period)).or_default();
                    *on = told.outcome_on.max(*on);
                }
            }
            Ok(())
        })
        .await?;
    }
    Ok(failed)
}

/// One cover of an enrolment, with where it was sent.
#[derive(Debug, Clone)]
pub struct SentCover {
    /// The benefit month.
    pub period: Period,
    /// How much.
    pub amount: Money,
    /// In which run.
    pub run: RunKey,
    /// Its code.
    pub run_code: String,
    /// On which line.
    pub line_no: i64,
    /// Where it lies in its run's money.
    pub at: Money,
    /// What became of it.
    pub state: PaymentState,
    /// What the bank and the engine said of its payment, in order.
    pub outcomes: Vec<StoredOutcome>,
    /// Name of the file, once there is one and it is not withheld.
    pub file: Option<String>,
    /// When the file was first answered, yyyymmdd.
    pub answered_on: Option<i64>,
}

/// Every cover of an enrolment by month and run, those of cancelled runs too.
///
/// # Errors
/// As [`covered`].
pub async fn sent_of_enrolment(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<Vec<SentCover>, StorageError> {
    let pages = pages_of_enrolment(tx, agency, enrolment_no).await?;
    let runs: HashMap<i64, Run> = run::list(tx, agency, None).await?.into_iter().map(|r| (r.no, r)).collect();
    let mut found = Vec::new();
    for page in &pages {
        let lines = page.lines()?;
        let own: Vec<_> = lines.iter().filter(|l| l.enrolment_no == enrolment_no).collect();
        let Some(run) = runs.get(&page.run_no).filter(|_| !own.is_empty()) else { continue };
        let standing = Standing::of(tx, agency, run).await?;
        for line in own {
            let (state, _) = standing.state(line.line_no)?;
            // A withheld line lies between the lines of a file but was never in it.
            let file = standing.file(line.line_no).filter(|_| state != PaymentState::Withheld);
            let answered_on = match file {
                Some(file) => payment_file::first_answer(tx, agency, file).await?,
                None => None,
            };
            let mut at = line.offset;
            for cover in covers(line) {
                let cover = cover?;
                found.push(SentCover {
                    period: cover.period,
                    amount: cover.amount,
                    run: RunKey { no: run.no, period: run.periods.last },
                    run_code: run.code.clone(),
                    line_no: line.line_no,
                    at,
                    state,
                    outcomes: standing.outcomes(line.line_no).to_vec(),
                    file: file.map(|f| f.name.clone()),
                    answered_on,
                });
                at += cover.amount;
            }
        }
    }
    found.sort_by_key(|s| (s.period, s.run.no));
    Ok(found)
}

/// A month whose effective cover cannot be.
#[derive(Debug, Clone, Copy)]
pub struct WronglyCovered {
    /// Whose.
    pub enrolment_no: i64,
    /// The benefit month.
    pub period: Period,
    /// Effective cover.
    pub covered: Money,
    /// The most that was ever owed for it.
    pub claim: Money,
}

/// How many covers there are, and the months that are covered by more than was ever owed, or by less than nothing.
///
/// # Errors
/// As [`covered`].
pub async fn wrongly_covered(tx: &mut Tx, agency: &str) -> Result<(usize, Vec<WronglyCovered>), StorageError> {
    let mut count = 0;
    let mut months: HashMap<(i64, Period), (Money, Money)> = HashMap::new();
    for run in run::list(tx, agency, None).await? {
        each_line(tx, agency, &run, |line, state, _| {
            for cover in covers(line) {
                let cover = cover?;
                count += 1;
                if state != PaymentState::Cancelled {
                    let month = months.entry((line.enrolment_no, cover.period)).or_default();
                    month.0 += if state.covers() { cover.amount } else { Money::ZERO };
                    month.1 = month.1.max(cover.claim);
                }
            }
            Ok(())
        })
        .await?;
    }
    for entry in recovery::all_entries(tx, agency).await? {
        if entry.recovers() {
            months.entry((entry.enrolment_no, entry.period)).or_default().0 -= entry.amount;
            if let Some(target) = entry.target {
                let month = months.entry((target.enrolment_no, target.period)).or_default();
                month.0 += entry.amount;
                month.1 = month.1.max(target.claim);
            }
        }
    }
    let wrong = months.into_iter().filter(|(_, (covered, claim))| !(Money::ZERO..=*claim).contains(covered));
    let mut wrong: Vec<WronglyCovered> = wrong
        .map(|((enrolment_no, period), (covered, claim))| WronglyCovered { enrolment_no, period, covered, claim })
        .collect();
    wrong.sort_by_key(|w| (w.enrolment_no, w.period));
    Ok((count, wrong))
}
