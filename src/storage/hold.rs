//! Holds on people.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use super::engine::Tx;
use super::error::StorageError;
use super::{counter, date};
use crate::domain::hold::{Hold, HoldReason};
use crate::domain::period::date_number;
use crate::values;

statements! {
    OPEN = "SELECT hold_no, beneficiary_no, reason_class, note, opened_on, opened_event_no FROM hold \
            WHERE agency_code = $1 AND cleared_on IS NULL ORDER BY hold_no";
    HELD = "SELECT DISTINCT beneficiary_no FROM hold WHERE agency_code = $1 AND cleared_on IS NULL";
    OF_PERSON = "SELECT hold_no, reason_class, note, opened_on, opened_by, cleared_on, cleared_by, resolution FROM hold \
                 WHERE agency_code = $1 AND beneficiary_no = $2 ORDER BY hold_no";
    CLEAR = "UPDATE hold SET cleared_on = $3, cleared_by = $4, cleared_event_no = $5, resolution = $6 \
             WHERE agency_code = $1 AND hold_no = $2 AND cleared_on IS NULL";
    LAST_CLEARED = "SELECT beneficiary_no, MAX(cleared_event_no) FROM hold \
                    WHERE agency_code = $1 AND reason_class = $2 AND cleared_on IS NOT NULL GROUP BY beneficiary_no";
}

#[derive(sqlx::FromRow)]
struct Row {
    hold_no: i64,
    beneficiary_no: i64,
    reason_class: String,
    note: String,
    opened_on: i64,
    opened_event_no: i64,
}

/// Open holds, with the audit event that opened each.
pub type OpenHolds = Vec<(Hold, i64)>;

/// A hold to be opened.
#[derive(Debug, Clone)]
pub struct NewHold {
    /// On whom.
    pub beneficiary_no: i64,
    /// Why.
    pub reason: HoldReason,
    /// In words.
    pub note: String,
}

/// Opens holds and returns the number of the first; the others follow it.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    holds: &[NewHold],
    by: &str,
    on: NaiveDate,
    event_no: i64,
) -> Result<i64, StorageError> {
    const COLUMNS: [&str; 8] = [
        "agency_code",
        "hold_no",
        "beneficiary_no",
        "reason_class",
        "note",
        "opened_on",
        "opened_by",
        "opened_event_no",
    ];
    if holds.is_empty() {
        return Ok(0);
    }
    let count = i64::try_from(holds.len()).unwrap_or(i64::MAX);
    let first_no = counter::take(tx, agency, "hold", count).await?;
    let rows = (first_no..).zip(holds).map(|(no, hold)| {
        values![agency, no, hold.beneficiary_no, hold.reason.code(), &hold.note, date_number(on), by, event_no]
    });
    tx.insert_rows("hold", &COLUMNS, rows).await?;
    Ok(first_no)
}

/// All open holds.
///
/// # Errors
/// The database's.
pub async fn open(tx: &mut Tx, agency: &str) -> Result<OpenHolds, StorageError> {
    let rows: Vec<Row> = tx.fetch_all(OPEN, values![agency]).await?;
    rows.into_iter()
        .map(|row| {
            let reason = hold_reason(&row.reason_class)?;
            let opened_on = date("hold", row.opened_on)?;
            let hold = Hold { no: row.hold_no, beneficiary_no: row.beneficiary_no, reason, note: row.note, opened_on };
            Ok((hold, row.opened_event_no))
        })
        .collect()
}

/// A hold with its end, as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredHold {
    /// Number within the agency.
    pub hold_no: i64,
    /// Stored class.
    pub reason_class: String,
    /// In words.
    pub note: String,
    /// Business date, yyyymmdd.
    pub opened_on: i64,
    /// By whom.
    pub opened_by: String,
    /// When cleared.
    pub cleared_on: Option<i64>,
    /// By whom.
    pub cleared_by: Option<String>,
    /// How.
    pub resolution: Option<String>,
}

/// All holds on a person, open and cleared.
///
/// # Errors
/// The database's.
pub async fn of_person(tx: &mut Tx, agency: &str, beneficiary_no: i64) -> Result<Vec<StoredHold>, StorageError> {
    tx.fetch_all(OF_PERSON, values![agency, beneficiary_no]).await
}

/// Open holds by person: the first of each, with the audit event that opened it.
///
/// # Errors
/// The database's.
pub async fn open_by_person(tx: &mut Tx, agency: &str) -> Result<HashMap<i64, (Hold, i64)>, StorageError> {
    let mut holds = open(tx, agency).await?;
    holds.reverse();
    Ok(holds.into_iter().map(|(hold, event)| (hold.beneficiary_no, (hold, event))).collect())
}

/// Who may not be paid.
///
/// # Errors
/// The database's.
pub async fn held(tx: &mut Tx, agency: &str) -> Result<HashSet<i64>, StorageError> {
    let rows: Vec<(i64,)> = tx.fetch_all(HELD, values![agency]).await?;
    Ok(rows.into_iter().map(|(beneficiary_no,)| beneficiary_no).collect())
}

/// Clears an open hold; false when it was not open.
///
/// # Errors
/// The database's.
pub async fn clear(
    tx: &mut Tx,
    agency: &str,
    hold_no: i64,
    by: &str,
    on: NaiveDate,
    event_no: i64,
    resolution: &str,
) -> Result<bool, StorageError> {
    Ok(tx.execute(CLEAR, values![agency, hold_no, date_number(on), by, event_no, resolution]).await? == 1)
}

/// When holds of a reason were last cleared, by person: the audit event.
///
/// # Errors
/// The database's.
pub async fn last_cleared(tx: &mut Tx, agency: &str, reason: HoldReason) -> Result<HashMap<i64, i64>, StorageError> {
    let rows: Vec<(i64, i64)> = tx.fetch_all(LAST_CLEARED, values![agency, reason.code()]).await?;
    Ok(rows.into_iter().collect())
}

/// A stored reason.
///
/// # Errors
/// When the word is unknown.
pub fn hold_reason(code: &str) -> Result<HoldReason, StorageError> {
    HoldReason::parse(code).ok_or_else(|| StorageError::inconsistent("hold", code, "没有这种原因"))
}
