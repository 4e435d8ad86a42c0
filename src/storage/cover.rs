//! Cover: which part of which claim is in flight or credited, and what became of it.
//!
//! The effective cover of a month is what payments put into it, less what was recovered from it, plus
//! what was offset into it (see [`super::recovery`]).

use std::collections::HashMap;

use super::engine::Tx;
use super::error::StorageError;
use super::payment::{ALL_LINES, Pages, Standing, StoredOutcome, outcome_kind, pages_of_enrolment, unreadable};
use super::{HUNDRED, hundred_values, payment_file, recovery, run};
use crate::domain::baseline::Sent;
use crate::domain::money::Money;
use crate::domain::payment::{Cover, FrozenLine, PaymentState, read_covers};
use crate::domain::period::Period;
use crate::domain::recovery::{RunKey, Stretch};
use crate::domain::run::Run;
use crate::values;

/// What an outcome says of a payment that failed, as one text (see [`Tx::fetch_lines`]).
macro_rules! select_failed {
    ($condition:expr) => {
        concat!(
            "SELECT CONCAT_WS('\t', run_no, kind, enrolment_no, beneficiary_no, covers) FROM payment_outcome \
             WHERE agency_code = $1 AND kind IN ('withheld', 'rejected', 'returned') AND ",
            $condition,
            " ORDER BY run_no, line_no"
        )
    };
}

statements! {
    /// Whatever failed stays so: no later outcome need be looked for.
    FAILED_SINCE = select_failed!("event_no > $2");
    FAILED_OF = select_failed!(concat!("enrolment_no IN (", hundred!(), ")"));
}

/// Amount by enrolment and month.
pub type Covered = HashMap<i64, Sent>;

/// The runs of a scheme that were not cancelled.
async fn runs(tx: &mut Tx, agency: &str, scheme: &str) -> Result<Vec<Run>, StorageError> {
    let runs = run::list(tx, agency, Some(scheme)).await?;
    Ok(run::standing(&runs).cloned().collect())
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
    let mut covered = sent(tx, agency, scheme).await?;
    // Those of other schemes are nobody's here.
    for ((enrolment_no, month), moved) in recovery::moved(tx, agency).await? {
        *covered.entry(enrolment_no).or_default().entry(month).or_default() += moved.offset_in - moved.recovered;
    }
    Ok(covered)
}

/// What the payments of a scheme's runs cover, in flight and credited together, before recoveries: every payment is read.
///
/// # Errors
/// As [`covered`].
pub async fn sent(tx: &mut Tx, agency: &str, scheme: &str) -> Result<Covered, StorageError> {
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
    Ok(covered)
}

/// A payment that failed, with the months that are owed again for it.
#[derive(Debug, Clone)]
pub struct FailedPayment {
    /// Whose.
    pub enrolment_no: i64,
    /// Of whom.
    pub beneficiary_no: i64,
    /// In which run.
    pub run_no: i64,
    /// Withheld, rejected or returned.
    pub state: PaymentState,
    /// What it covered.
    pub covers: Vec<Cover>,
}

impl FailedPayment {
    fn read(line: &str) -> Result<FailedPayment, StorageError> {
        let wrong = || StorageError::inconsistent("payment_outcome", line, "无法读取");
        let mut fields = line.split('\t');
        let mut text = || fields.next().ok_or_else(wrong);
        let number = |text: &str| text.parse::<i64>().map_err(|_| wrong());
        Ok(FailedPayment {
            run_no: number(text()?)?,
            state: outcome_kind(text()?)?.into(),
            enrolment_no: number(text()?)?,
            beneficiary_no: number(text()?)?,
            covers: read_covers(text()?).collect::<Result<_, _>>().map_err(|_| wrong())?,
        })
    }
}

/// Payments of these runs that failed after an audit event, in order of run and line. No page is looked into.
///
/// # Errors
/// The database's, or a stored value that cannot be.
pub async fn failed_since(
    tx: &mut Tx,
    agency: &str,
    runs: &[Run],
    event_no: i64,
) -> Result<Vec<FailedPayment>, StorageError> {
    let mut failed = tx.fetch_lines(FAILED_SINCE, values![agency, event_no], FailedPayment::read).await?;
    failed.retain(|payment| runs.iter().any(|run| run.no == payment.run_no));
    Ok(failed)
}

/// How the last payment of each month that failed ended, of some enrolments.
///
/// # Errors
/// As [`failed_since`].
pub async fn last_failures(
    tx: &mut Tx,
    agency: &str,
    enrolment_nos: &[i64],
) -> Result<HashMap<(i64, Period), PaymentState>, StorageError> {
    let mut last = HashMap::new();
    for some in enrolment_nos.chunks(HUNDRED) {
        for payment in tx.fetch_lines(FAILED_OF, hundred_values(agency, some), FailedPayment::read).await? {
            last.extend(payment.covers.iter().map(|cover| ((payment.enrolment_no, cover.period), payment.state)));
        }
    }
    Ok(last)
}

/// What failed payments had covered, by enrolment.
pub fn by_enrolment(failed: Vec<FailedPayment>) -> HashMap<i64, Vec<Cover>> {
    let mut covers: HashMap<i64, Vec<Cover>> = HashMap::new();
    for payment in failed {
        covers.entry(payment.enrolment_no).or_default().extend(payment.covers);
    }
    covers
}

/// Effective cover of one enrolment by month, in flight and credited together.
///
/// # Errors
/// As [`covered`].
pub async fn covered_of(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<Sent, StorageError> {
    let mut covered = Sent::new();
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
        let mut of_run = SumsOfRun::new();
        each_line(tx, agency, &run, |line, state, _| {
            for cover in covers(line) {
                let cover = cover?;
                if (first..=last).contains(&cover.period) {
                    count(&mut of_run, &cover, state);
                }
            }
            Ok(())
        })
        .await?;
        sums.extend(of_run.into_iter().map(|key| month_sum(&run, key)));
    }
    sums.sort_by_key(|s| (s.period, s.run_no, s.state.code()));
    Ok(sums)
}

/// Number and sum of covers by month and state.
type SumsOfRun = HashMap<(Period, PaymentState), (i64, Money)>;

fn count(sums: &mut SumsOfRun, cover: &Cover, state: PaymentState) {
    let (count, amount) = sums.entry((cover.period, state)).or_default();
    *count += 1;
    *amount += cover.amount;
}

fn month_sum(run: &Run, ((period, state), (count, amount)): ((Period, PaymentState), (i64, Money))) -> MonthSum {
    MonthSum { period, run_first: run.periods.first, run_no: run.no, state, count, amount }
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
