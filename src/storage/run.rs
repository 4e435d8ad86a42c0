//! Runs. A run moves only by `UPDATE … WHERE status = expected`: one row, or a conflict.

use super::engine::Tx;
use super::error::StorageError;
use super::payment_file::PaymentFile;
use super::{date, period};
use crate::domain::actor::Signature;
use crate::domain::money::Money;
use crate::domain::period::{Period, PeriodRange, date_number};
use crate::domain::run::{Run, RunKind, RunState, Signed, Submitted};
use crate::values;

/// What a row is read from, in every query.
macro_rules! columns {
    () => {
        "period, run_no, run_code, scheme_code, scheme_version, kind, first_period, payment_count, \
         total_fen, offset_fen, status, prepared_by, prepared_on, prepared_at, prepared_event_no, submitted_by, \
         submitted_on, submitted_at, digest, reviewed_by, reviewed_on, reviewed_at, approved_by, \
         approved_on, approved_at, issued_by, issued_on, issued_at, closed_by, closed_on, closed_at, ended_by, \
         ended_on, ended_at, ended_reason"
    };
}

statements! {
    INSERT = "INSERT INTO run (agency_code, period, run_no, run_code, scheme_code, scheme_version, kind, first_period, payment_count, \
              total_fen, offset_fen, status, prepared_by, prepared_on, prepared_at, prepared_event_no) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'prepared', $12, $13, $14, $15)";
    BY_NO = concat!("SELECT ", columns!(), " FROM run WHERE agency_code = $1 AND period = $2 AND run_no = $3");
    BY_CODE = concat!("SELECT ", columns!(), " FROM run WHERE agency_code = $1 AND run_code = $2");
    LIST = concat!("SELECT ", columns!(), " FROM run WHERE agency_code = $1 AND (CAST($2 AS TEXT) IS NULL OR scheme_code = $2) ORDER BY run_no");
    CODES_OF_PERIOD = "SELECT COUNT(*) FROM run WHERE agency_code = $1 AND scheme_code = $2 AND period = $3";
    /// Every column that a state decides, in one move.
    MOVE = "UPDATE run SET status = $5, submitted_by = $6, submitted_on = $7, submitted_at = $8, digest = $9, \
            reviewed_by = $10, reviewed_on = $11, reviewed_at = $12, approved_by = $13, approved_on = $14, approved_at = $15, \
            issued_by = $16, issued_on = $17, issued_at = $18, ended_by = $19, ended_on = $20, ended_at = $21, ended_reason = $22, \
            closed_by = $23, closed_on = $24, closed_at = $25 \
            WHERE agency_code = $1 AND period = $2 AND run_no = $3 AND status = $4";
}

#[derive(sqlx::FromRow)]
struct Row {
    period: i64,
    run_no: i64,
    run_code: String,
    scheme_code: String,
    scheme_version: i64,
    kind: String,
    first_period: i64,
    payment_count: i64,
    total_fen: i64,
    offset_fen: i64,
    status: String,
    prepared_by: String,
    prepared_on: i64,
    prepared_at: String,
    prepared_event_no: i64,
    submitted_by: Option<String>,
    submitted_on: Option<i64>,
    submitted_at: Option<String>,
    digest: Option<String>,
    reviewed_by: Option<String>,
    reviewed_on: Option<i64>,
    reviewed_at: Option<String>,
    approved_by: Option<String>,
    approved_on: Option<i64>,
    approved_at: Option<String>,
    issued_by: Option<String>,
    issued_on: Option<i64>,
    issued_at: Option<String>,
    closed_by: Option<String>,
    closed_on: Option<i64>,
    closed_at: Option<String>,
    ended_by: Option<String>,
    ended_on: Option<i64>,
    ended_at: Option<String>,
    ended_reason: Option<String>,
}

type StoredSignature = (Option<String>, Option<i64>, Option<String>);

fn signature(stored: StoredSignature) -> Result<Option<Signature>, StorageError> {
    let (Some(by), Some(on), Some(at)) = stored else { return Ok(None) };
    Ok(Some(Signature { by, on: date("run", on)?, at }))
}

fn columns(signature: Option<&Signature>) -> StoredSignature {
    match signature {
        None => (None, None, None),
        Some(s) => (Some(s.by.clone()), Some(date_number(s.on)), Some(s.at.clone())),
    }
}

impl TryFrom<Row> for Run {
    type Error = StorageError;
    fn try_from(row: Row) -> Result<Run, StorageError> {
        let code = row.run_code.clone();
        let missing = || StorageError::inconsistent("run", &code, "状态与签名不符");
        let submitted = signature((row.submitted_by, row.submitted_on, row.submitted_at))?
            .zip(row.digest)
            .map(|(by, digest)| Submitted { by, digest });
        let reviewed = signature((row.reviewed_by, row.reviewed_on, row.reviewed_at))?;
        let approved = signature((row.approved_by, row.approved_on, row.approved_at))?;
        let issued = signature((row.issued_by, row.issued_on, row.issued_at))?;
        let closed = signature((row.closed_by, row.closed_on, row.closed_at))?;
        let ended = signature((row.ended_by, row.ended_on, row.ended_at))?.zip(row.ended_reason);
        let signed = match (&submitted, &reviewed, approved) {
            (Some(submitted), Some(reviewed), Some(approved)) => {
                Some(Signed { submitted: submitted.clone(), reviewed: reviewed.clone(), approved })
            }
            _ => None,
        };
        let state = match row.status.as_str() {
            "prepared" => RunState::Prepared { sent_back: ended },
            "submitted" => RunState::Submitted(submitted.ok_or_else(missing)?),
            "reviewed" => RunState::Reviewed(submitted.ok_or_else(missing)?, reviewed.ok_or_else(missing)?),
            "approved" => RunState::Approved(signed.ok_or_else(missing)?),
            "issued" => RunState::Issued(signed.ok_or_else(missing)?, issued.ok_or_else(missing)?),
            "settled" => RunState::Settled(signed.ok_or_else(missing)?, issued.ok_or_else(missing)?),
            "closed" => {
                RunState::Closed(signed.ok_or_else(missing)?, issued.ok_or_else(missing)?, closed.ok_or_else(missing)?)
            }
            "cancelled" => ended.map(|(by, reason)| RunState::Cancelled(by, reason)).ok_or_else(missing)?,
            _ => return Err(missing()),
        };
        Ok(Run {
            no: row.run_no,
            scheme_code: row.scheme_code,
            scheme_version: row.scheme_version,
            kind: RunKind::parse(&row.kind).ok_or_else(missing)?,
            periods: PeriodRange { first: period("run", row.first_period)?, last: period("run", row.period)? },
            payments: row.payment_count,
            total: Money(row.total_fen),
            offset: Money(row.offset_fen),
            prepared: Signature { by: row.prepared_by, on: date("run", row.prepared_on)?, at: row.prepared_at },
            prepared_event_no: row.prepared_event_no,
            state,
            code,
        })
    }
}

/// Stores a run that was just prepared.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, agency: &str, run: &Run) -> Result<(), StorageError> {
    tx.execute(
        INSERT,
        values![
            agency,
            run.periods.last.number(),
            run.no,
            &run.code,
            &run.scheme_code,
            run.scheme_version,
            run.kind.code(),
            run.periods.first.number(),
            run.payments,
            run.total.fen(),
            run.offset.fen(),
            &run.prepared.by,
            date_number(run.prepared.on),
            &run.prepared.at,
            run.prepared_event_no,
        ],
    )
    .await?;
    Ok(())
}

/// The run of this code.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, agency: &str, code: &str) -> Result<Option<Run>, StorageError> {
    let row: Option<Row> = tx.fetch_optional(BY_CODE, values![agency, code]).await?;
    row.map(TryInto::try_into).transpose()
}

/// The run that a payment file belongs to.
///
/// # Errors
/// The database's.
pub async fn of_file(tx: &mut Tx, agency: &str, file: &PaymentFile) -> Result<Option<Run>, StorageError> {
    let row: Option<Row> = tx.fetch_optional(BY_NO, values![agency, file.period, file.run_no]).await?;
    row.map(TryInto::try_into).transpose()
}

/// Those that were not cancelled.
pub fn standing(runs: &[Run]) -> impl DoubleEndedIterator<Item = &Run> {
    runs.iter().filter(|run| !matches!(run.state, RunState::Cancelled(..)))
}

/// All runs, or those of a scheme, in order of preparation.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, agency: &str, scheme: Option<&str>) -> Result<Vec<Run>, StorageError> {
    let rows: Vec<Row> = tx.fetch_all(LIST, values![agency, scheme]).await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// How many runs of a scheme end with a period, cancelled ones included: the next gets the next number.
///
/// # Errors
/// The database's.
pub async fn count_of_period(tx: &mut Tx, agency: &str, scheme: &str, last: Period) -> Result<i64, StorageError> {
    let (count,): (i64,) = tx.fetch_one(CODES_OF_PERIOD, values![agency, scheme, last.number()]).await?;
    Ok(count)
}

/// Writes the run's new state, if it is still in the state `from`. False is a conflict.
///
/// # Errors
/// The database's.
pub async fn move_from(tx: &mut Tx, agency: &str, run: &Run, from: &RunState) -> Result<bool, StorageError> {
    let (submitted, reviewed) = match &run.state {
        RunState::Submitted(s) => (Some(s), None),
        RunState::Reviewed(s, r) => (Some(s), Some(r)),
        other => other.signed().map_or((None, None), |s| (Some(&s.submitted), Some(&s.reviewed))),
    };
    let closed = match &run.state {
        RunState::Closed(_, _, closed) => Some(closed),
        _ => None,
    };
    let (ended, reason) = match &run.state {
        RunState::Prepared { sent_back: Some((by, reason)) } | RunState::Cancelled(by, reason) => {
            (Some(by), Some(reason))
        }
        _ => (None, None),
    };
    let (submitted_by, submitted_on, submitted_at) = columns(submitted.map(|s| &s.by));
    let (reviewed_by, reviewed_on, reviewed_at) = columns(reviewed);
    let (approved_by, approved_on, approved_at) = columns(run.state.signed().map(|s| &s.approved));
    let (issued_by, issued_on, issued_at) = columns(run.state.issued());
    let (closed_by, closed_on, closed_at) = columns(closed);
    let (ended_by, ended_on, ended_at) = columns(ended);
    let moved = tx
        .execute(
            MOVE,
            values![
                agency,
                run.periods.last.number(),
                run.no,
                from.code(),
                run.state.code(),
                submitted_by,
                submitted_on,
                submitted_at,
                submitted.map(|s| s.digest.clone()),
                reviewed_by,
                reviewed_on,
                reviewed_at,
                approved_by,
                approved_on,
                approved_at,
                issued_by,
                issued_on,
                issued_at,
                ended_by,
                ended_on,
                ended_at,
                reason.cloned(),
                closed_by,
                closed_on,
                closed_at,
            ],
        )
        .await?;
    Ok(moved == 1)
}
