//! Cover: which part of which claim is in flight or credited, and what became of it.
//!
//! The effective cover of a month is what payments put into it, less what was recovered from it, plus
//! what was offset into it (see [`super::recovery`]).

use std::collections::{BTreeMap, HashMap};

use super::engine::Tx;
use super::error::StorageError;
use super::payment::{ALL_LINES, Lines, outcome_kind};
use super::{period, recovery};
use crate::domain::money::Money;
use crate::domain::payment::{Cover, OutcomeKind, PaymentState};
use crate::domain::period::Period;
use crate::domain::recovery::{RunKey, Stretch};
use crate::domain::run::Run;
use crate::values;

/// Covers reached from their runs, or from one enrolment's payments: a run names the scheme, and both
/// lead to covers through a key. CROSS JOIN is a plain join to PostgreSQL; to SQLite it says that the table on
/// the left is to be read first.
macro_rules! from_runs {
    () => {
        "FROM run r CROSS JOIN cover c"
    };
}

/// See [`from_runs`].
macro_rules! from_payments {
    () => {
        "FROM payment p CROSS JOIN cover c CROSS JOIN run r"
    };
}

/// What joins the tables of [`from_runs`].
macro_rules! of_runs {
    () => {
        "r.agency_code = $1 AND c.agency_code = r.agency_code AND c.run_period = r.period AND c.run_no = r.run_no"
    };
}

/// What joins the tables of [`from_payments`].
macro_rules! of_payments {
    () => {
        "p.agency_code = $1 AND p.enrolment_no = $2 AND c.agency_code = p.agency_code AND c.run_period = p.period \
         AND c.run_no = p.run_no AND c.line_no = p.line_no \
         AND r.agency_code = p.agency_code AND r.period = p.period AND r.run_no = p.run_no"
    };
}

/// An outcome after which a payment covers nothing, if there was one.
macro_rules! join_failure {
    () => {
        "LEFT JOIN payment_outcome o ON o.agency_code = c.agency_code AND o.period = c.run_period AND o.run_no = c.run_no \
         AND o.line_no = c.line_no AND o.kind IN ('withheld', 'rejected', 'returned')"
    };
}

/// File and last outcome: with the run they tell the state (see [`payment_state`]).
macro_rules! join_state {
    () => {
        "LEFT JOIN payment_file f ON f.agency_code = c.agency_code AND f.period = c.run_period AND f.run_no = c.run_no \
         AND c.line_no BETWEEN f.first_line_no AND f.last_line_no \
         LEFT JOIN payment_outcome o ON o.agency_code = c.agency_code AND o.period = c.run_period AND o.run_no = c.run_no \
         AND o.line_no = c.line_no AND o.seq_no = (SELECT MAX(x.seq_no) FROM payment_outcome x \
         WHERE x.agency_code = c.agency_code AND x.period = c.run_period AND x.run_no = c.run_no AND x.line_no = c.line_no)"
    };
}

statements! {
    /// One row per enrolment, its months in a text: a third of the time of one row per month.
    COVERED = concat!(
        "SELECT c.enrolment_no, STRING_AGG(CAST(c.period AS TEXT) || '=' || CAST(c.amount_fen AS TEXT), ',') ",
        from_runs!(), " ", join_failure!(), " WHERE ", of_runs!(),
        " AND r.scheme_code = $2 AND r.status <> 'cancelled' AND o.line_no IS NULL GROUP BY c.enrolment_no");
    COVERED_OF = concat!(
        "SELECT c.period, CAST(SUM(c.amount_fen) AS BIGINT) ",
        from_payments!(), " ", join_failure!(), " WHERE ", of_payments!(),
        " AND r.status <> 'cancelled' AND o.line_no IS NULL GROUP BY c.period");
    OF_LINES = "SELECT line_no, period, amount_fen, claim_fen, covered_fen FROM cover \
              WHERE agency_code = $1 AND run_period = $2 AND run_no = $3 AND line_no BETWEEN $4 AND $5 ORDER BY line_no, period";
    /// Sums per month and state; a state is told by run, file and last outcome together.
    BY_MONTH = concat!(
        "SELECT c.period, r.first_period, r.run_no, r.status, f.status, o.kind, COUNT(*), \
         CAST(COALESCE(SUM(c.amount_fen), 0) AS BIGINT) ",
        from_runs!(), " ", join_state!(), " WHERE ", of_runs!(),
        " AND r.scheme_code = $2 AND c.period BETWEEN $3 AND $4 \
         GROUP BY c.period, r.first_period, r.run_no, r.status, f.status, o.kind \
         ORDER BY c.period, r.run_no, f.status, o.kind");
    /// Months whose effective cover is more than was ever owed for them, or less than nothing.
    WRONGLY_COVERED = concat!(
        "SELECT x.enrolment_no, x.period, CAST(SUM(x.fen) AS BIGINT), MAX(x.claim_fen) FROM ( \
         SELECT c.enrolment_no AS enrolment_no, c.period AS period, CASE WHEN o.line_no IS NULL THEN c.amount_fen ELSE 0 END AS fen, \
         c.claim_fen AS claim_fen ",
        from_runs!(), " ", join_failure!(), " WHERE ", of_runs!(), " AND r.status <> 'cancelled' \
         UNION ALL SELECT e.enrolment_no, e.period, CASE e.kind WHEN 'released' THEN e.amount_fen ELSE -e.amount_fen END, 0 \
         FROM recovery_entry e LEFT JOIN run r ON r.agency_code = e.agency_code AND r.period = e.run_period AND r.run_no = e.run_no \
         WHERE e.agency_code = $1 AND e.kind <> 'write_off' AND (r.status IS NULL OR r.status <> 'cancelled') \
         UNION ALL SELECT e.to_enrolment_no, e.to_period, CASE e.kind WHEN 'released' THEN -e.amount_fen ELSE e.amount_fen END, e.claim_fen \
         FROM recovery_entry e JOIN run r ON r.agency_code = e.agency_code AND r.period = e.run_period AND r.run_no = e.run_no \
         WHERE e.agency_code = $1 AND r.status <> 'cancelled') x \
         GROUP BY x.enrolment_no, x.period HAVING SUM(x.fen) NOT BETWEEN 0 AND MAX(x.claim_fen)");
    /// Covers whose payment is another enrolment's.
    MISPLACED = concat!(
        "SELECT r.run_code, c.line_no, c.enrolment_no, p.enrolment_no FROM run r CROSS JOIN payment p CROSS JOIN cover c WHERE ",
        of_runs!(),
        " AND p.agency_code = r.agency_code AND p.period = r.period AND p.run_no = r.run_no AND p.line_no = c.line_no \
         AND p.enrolment_no <> c.enrolment_no ORDER BY r.run_code, c.line_no");
    /// Months of which a payment failed, with the day of the last failure.
    FAILED = concat!(
        "SELECT c.enrolment_no, c.period, MAX(o.outcome_on) ",
        from_runs!(), " ", join_failure!(), " WHERE ", of_runs!(),
        " AND r.scheme_code = $2 AND r.status <> 'cancelled' AND o.line_no IS NOT NULL GROUP BY c.enrolment_no, c.period");
    /// Every cover of one enrolment with its file and the day of the file's first answer.
    SENT_OF_ENROLMENT = concat!(
        "SELECT c.period, c.amount_fen, r.run_code, c.run_period, c.run_no, c.line_no, r.status, f.status, o.kind, f.name, \
         (SELECT MIN(b.received_on) FROM bank_return b WHERE b.agency_code = f.agency_code AND b.period = f.period \
         AND b.run_no = f.run_no AND b.file_no = f.file_no AND b.kind = 'return') ",
        from_payments!(), " ", join_state!(), " WHERE ", of_payments!(), " ORDER BY c.period, r.run_no");
    /// Payments of one enrolment, month by month, with what tells their state.
    OF_ENROLMENT = concat!(
        "SELECT c.period, c.run_period, c.run_no, c.amount_fen, p.offset_fen, r.status, f.status, o.kind ",
        from_payments!(), " ", join_state!(), " WHERE ", of_payments!(), " ORDER BY c.run_no, c.period");
    COUNT = "SELECT COUNT(*) FROM cover WHERE agency_code = $1";
    /// Every cover of some months with what became of it.
    TRACES = concat!(
        "SELECT c.enrolment_no, c.period, c.amount_fen, r.run_code, c.line_no, r.status, f.status, o.kind, o.reason_class, \
         o.reason_text, o.outcome_on ",
        from_runs!(), " ", join_state!(), " WHERE ", of_runs!(),
        " AND r.scheme_code = $2 AND c.period BETWEEN $3 AND $4 AND r.status <> 'cancelled' \
         ORDER BY c.enrolment_no, c.period, r.run_no");
}

/// Covered amount by enrolment and month.
pub type Covered = HashMap<i64, BTreeMap<Period, Money>>;

/// Effective cover per enrolment of a scheme and month, in flight and credited together.
///
/// # Errors
/// The database's.
pub async fn covered(tx: &mut Tx, agency: &str, scheme: &str) -> Result<Covered, StorageError> {
    let rows: Vec<(i64, String)> = tx.fetch_all(COVERED, values![agency, scheme]).await?;
    let parsed = rows.into_iter().map(|(enrolment_no, months)| Ok((enrolment_no, parse_months(&months)?)));
    let mut covered = parsed.collect::<Result<Covered, StorageError>>()?;
    // Those of other schemes are nobody's here.
    for ((enrolment_no, month), moved) in recovery::moved(tx, agency).await? {
        *covered.entry(enrolment_no).or_default().entry(month).or_default() += moved.offset_in - moved.recovered;
    }
    Ok(covered)
}

/// Effective cover of one enrolment by month, in flight and credited together.
///
/// # Errors
/// The database's.
pub async fn covered_of(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<BTreeMap<Period, Money>, StorageError> {
    let rows: Vec<(i64, i64)> = tx.fetch_all(COVERED_OF, values![agency, enrolment_no]).await?;
    let parsed = rows.into_iter().map(|(month, fen)| Ok((period("cover", month)?, Money(fen))));
    let mut covered = parsed.collect::<Result<BTreeMap<_, _>, StorageError>>()?;
    for ((no, month), moved) in recovery::moved(tx, agency).await? {
        if no == enrolment_no {
            *covered.entry(month).or_default() += moved.offset_in - moved.recovered;
        }
    }
    Ok(covered)
}

type PaidRow = (i64, i64, i64, i64, i64, String, Option<String>, Option<String>);

/// What payments credited to an enrolment, month by month, each where it lies in its run's money.
///
/// # Errors
/// The database's.
pub async fn credited_of(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<Vec<Stretch>, StorageError> {
    let rows: Vec<PaidRow> = tx.fetch_all(OF_ENROLMENT, values![agency, enrolment_no]).await?;
    let mut credited = Vec::new();
    // One payment of a run has the enrolment's months one after another.
    for payment in rows.chunk_by(|a, b| (a.1, a.2) == (b.1, b.2)) {
        let mut at = Money(payment[0].4);
        for (month, run_period, no, fen, _, run, file, outcome) in payment {
            let amount = Money(*fen);
            if payment_state(run, file.as_deref(), outcome.as_deref())? == PaymentState::Credited {
                let run = RunKey { no: *no, period: period("run", *run_period)? };
                credited.push(Stretch { period: period("cover", *month)?, run, at, amount });
            }
            at += amount;
        }
    }
    Ok(credited)
}

fn parse_months(text: &str) -> Result<BTreeMap<Period, Money>, StorageError> {
    let mut months: BTreeMap<Period, Money> = BTreeMap::new();
    for part in text.split(',') {
        let (month, fen) = part
            .split_once('=')
            .and_then(|(m, f)| Some((m.parse().ok()?, f.parse().ok()?)))
            .ok_or_else(|| StorageError::inconsistent("cover", part, "无法读取"))?;
        *months.entry(period("cover", month)?).or_default() += Money(fen);
    }
    Ok(months)
}

/// What each payment of a run covers.
///
/// # Errors
/// The database's.
pub async fn of_run(tx: &mut Tx, agency: &str, run: &Run) -> Result<HashMap<i64, Vec<Cover>>, StorageError> {
    of_lines(tx, agency, run, ALL_LINES).await
}

/// What each payment of a stretch of a run covers.
///
/// # Errors
/// The database's.
pub async fn of_lines(
    tx: &mut Tx,
    agency: &str,
    run: &Run,
    lines: Lines,
) -> Result<HashMap<i64, Vec<Cover>>, StorageError> {
    let key = values![agency, run.periods.last.number(), run.no, lines.0, lines.1];
    let rows: Vec<(i64, i64, i64, i64, i64)> = tx.fetch_all(OF_LINES, key).await?;
    let mut covers: HashMap<i64, Vec<Cover>> = HashMap::new();
    for (line_no, month, amount, claim, covered) in rows {
        covers.entry(line_no).or_default().push(Cover {
            period: period("cover", month)?,
            amount: Money(amount),
            claim: Money(claim),
            covered_before: Money(covered),
        });
    }
    Ok(covers)
}

/// The state that run, file and last outcome tell together.
///
/// # Errors
/// When a stored word is unknown.
pub fn payment_state(
    run_status: &str,
    file_status: Option<&str>,
    last_outcome: Option<&str>,
) -> Result<PaymentState, StorageError> {
    if let Some(kind) = last_outcome {
        return Ok(match outcome_kind(kind)? {
            OutcomeKind::Withheld => PaymentState::Withheld,
            OutcomeKind::Open => PaymentState::Sent,
            OutcomeKind::Credited => PaymentState::Credited,
            OutcomeKind::Rejected => PaymentState::Rejected,
            OutcomeKind::Returned => PaymentState::Returned,
        });
    }
    match (run_status, file_status) {
        ("prepared" | "submitted" | "reviewed", _) => Ok(PaymentState::Planned),
        ("cancelled", _) => Ok(PaymentState::Cancelled),
        ("approved", _) => Ok(PaymentState::Approved),
        ("issued" | "settled" | "closed", Some("answered")) => Ok(PaymentState::Credited),
        ("issued" | "settled" | "closed", Some("written")) => Ok(PaymentState::Sent),
        (run, file) => Err(StorageError::inconsistent("payment_file", run, format!("支付文件状态 {file:?}"))),
    }
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

type MonthRow = (i64, i64, i64, String, Option<String>, Option<String>, i64, i64);

/// Sums per month, run and state for the months from `first` to `last`.
///
/// # Errors
/// The database's.
pub async fn by_month(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    first: Period,
    last: Period,
) -> Result<Vec<MonthSum>, StorageError> {
    let rows: Vec<MonthRow> = tx.fetch_all(BY_MONTH, values![agency, scheme, first.number(), last.number()]).await?;
    rows.into_iter()
        .map(|(month, run_first, run_no, run, file, outcome, count, fen)| {
            Ok(MonthSum {
                period: period("cover", month)?,
                run_first: period("run", run_first)?,
                run_no,
                state: payment_state(&run, file.as_deref(), outcome.as_deref())?,
                count,
                amount: Money(fen),
            })
        })
        .collect()
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

#[derive(sqlx::FromRow)]
struct TraceRow(
    i64,
    i64,
    i64,
    String,
    i64,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
);

/// Every cover of the months from `first` to `last`, by enrolment and month, without cancelled runs.
///
/// # Errors
/// The database's.
pub async fn traces(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    first: Period,
    last: Period,
) -> Result<Vec<Trace>, StorageError> {
    let rows: Vec<TraceRow> = tx.fetch_all(TRACES, values![agency, scheme, first.number(), last.number()]).await?;
    rows.into_iter()
        .map(|TraceRow(enrolment_no, month, fen, run_code, line_no, run, file, outcome, class, text, on)| {
            Ok(Trace {
                enrolment_no,
                period: period("cover", month)?,
                amount: Money(fen),
                run_code,
                line_no,
                state: payment_state(&run, file.as_deref(), outcome.as_deref())?,
                reason: text.unwrap_or_default(),
                reason_class: class.unwrap_or_default(),
                on,
            })
        })
        .collect()
}

/// Enrolments and months of which a payment was withheld, rejected or returned, with the day of the last failure
/// (yyyymmdd). Another payment may cover the month since.
///
/// # Errors
/// The database's.
pub async fn failed(tx: &mut Tx, agency: &str, scheme: &str) -> Result<HashMap<(i64, Period), i64>, StorageError> {
    let rows: Vec<(i64, i64, i64)> = tx.fetch_all(FAILED, values![agency, scheme]).await?;
    rows.into_iter().map(|(no, month, on)| Ok(((no, period("cover", month)?), on))).collect()
}

/// One cover of an enrolment, with where it was sent.
#[derive(Debug, Clone)]
pub struct SentCover {
    /// The benefit month.
    pub period: Period,
    /// How much.
    pub amount: Money,
    /// In which run.
    pub run_code: String,
    /// Key of its payment: period of the run, number of the run, line.
    pub payment: (i64, i64, i64),
    /// What became of it.
    pub state: PaymentState,
    /// Name of the file, once there is one and it is not withheld.
    pub file: Option<String>,
    /// When the file was first answered, yyyymmdd.
    pub answered_on: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct SentRow(i64, i64, String, i64, i64, i64, String, Option<String>, Option<String>, Option<String>, Option<i64>);

/// Every cover of an enrolment by month and run, those of cancelled runs too.
///
/// # Errors
/// The database's.
pub async fn sent_of_enrolment(tx: &mut Tx, agency: &str, enrolment_no: i64) -> Result<Vec<SentCover>, StorageError> {
    let rows: Vec<SentRow> = tx.fetch_all(SENT_OF_ENROLMENT, values![agency, enrolment_no]).await?;
    rows.into_iter()
        .map(|SentRow(month, fen, run_code, run_period, run_no, line_no, run, file, outcome, name, answered_on)| {
            let state = payment_state(&run, file.as_deref(), outcome.as_deref())?;
            // A withheld line lies between the lines of a file but was never in it.
            let is_in_file = state != PaymentState::Withheld;
            Ok(SentCover {
                period: period("cover", month)?,
                amount: Money(fen),
                run_code,
                payment: (run_period, run_no, line_no),
                state,
                file: name.filter(|_| is_in_file),
                answered_on: answered_on.filter(|_| is_in_file),
            })
        })
        .collect()
}

/// Enrolment, month, effective cover and highest claim of months that are covered by more than was ever
/// owed, or by less than nothing.
///
/// # Errors
/// The database's.
pub async fn wrongly_covered(tx: &mut Tx, agency: &str) -> Result<Vec<(i64, i64, i64, i64)>, StorageError> {
    tx.fetch_all(WRONGLY_COVERED, values![agency]).await
}

/// Run code, line, the cover's enrolment and the payment's, of covers that say another than their payment.
///
/// # Errors
/// The database's.
pub async fn misplaced(tx: &mut Tx, agency: &str) -> Result<Vec<(String, i64, i64, i64)>, StorageError> {
    tx.fetch_all(MISPLACED, values![agency]).await
}

/// How many covers there are.
///
/// # Errors
/// The database's.
pub async fn count(tx: &mut Tx, agency: &str) -> Result<i64, StorageError> {
    let (count,): (i64,) = tx.fetch_one(COUNT, values![agency]).await?;
    Ok(count)
}
