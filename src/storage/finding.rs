//! Findings of bank returns and statements, until someone explains them.

use chrono::NaiveDate;

use super::engine::Tx;
use super::error::StorageError;
use crate::domain::money::Money;
use crate::domain::period::date_number;
use crate::values;

statements! {
    LIST = "SELECT finding_no, code, period, run_no, file_no, line_no, entry_no, amount_fen, message, opened_on, explained_on, explained_by, explanation \
            FROM finding WHERE agency_code = $1 ORDER BY finding_no";
    EXPLAIN = "UPDATE finding SET explained_on = $3, explained_by = $4, explained_event_no = $5, explanation = $6 \
               WHERE agency_code = $1 AND finding_no = $2 AND explained_on IS NULL";
}

/// A finding as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredFinding {
    /// Number within the agency.
    pub finding_no: i64,
    /// Stable code: `RETURN_ROW_UNKNOWN`.
    pub code: String,
    /// Period of the run it concerns.
    pub period: Option<i64>,
    /// The run.
    pub run_no: Option<i64>,
    /// The file.
    pub file_no: Option<i64>,
    /// The payment.
    pub line_no: Option<i64>,
    /// Entry of a bank's statement.
    pub entry_no: Option<i64>,
    /// Money in question.
    pub amount_fen: i64,
    /// In words.
    pub message: String,
    /// When found.
    pub opened_on: i64,
    /// When explained.
    pub explained_on: Option<i64>,
    /// By whom.
    pub explained_by: Option<String>,
    /// How.
    pub explanation: Option<String>,
}

/// A finding to be stored.
#[derive(Debug, Clone)]
pub struct NewFinding {
    /// Stable code.
    pub code: &'static str,
    /// The payment, if one is concerned.
    pub line_no: Option<i64>,
    /// Money in question.
    pub amount: Money,
    /// In words.
    pub message: String,
}

/// Stores findings of one file, numbered from `first_no`.
///
/// # Errors
/// The database's.
#[expect(clippy::too_many_arguments, reason = "where a finding belongs is exactly these keys")]
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    period: i64,
    run_no: i64,
    file_no: i64,
    findings: &[NewFinding],
    on: NaiveDate,
    event_no: i64,
) -> Result<(), StorageError> {
    const COLUMNS: [&str; 11] = [
        "agency_code",
        "finding_no",
        "code",
        "period",
        "run_no",
        "file_no",
        "line_no",
        "amount_fen",
        "message",
        "opened_on",
        "opened_event_no",
    ];
    if findings.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(findings.len()).unwrap_or(i64::MAX);
    let first_no = super::counter::take(tx, agency, "finding", count).await?;
    let rows = (first_no..).zip(findings).map(|(no, f)| {
        values![
            agency,
            no,
            f.code,
            period,
            run_no,
            file_no,
            f.line_no,
            f.amount.fen(),
            &f.message,
            date_number(on),
            event_no
        ]
    });
    tx.insert_rows("finding", &COLUMNS, rows).await
}

/// Stores findings of entries of a statement: number of the entry and what was found.
///
/// # Errors
/// The database's.
pub async fn insert_of_entries(
    tx: &mut Tx,
    agency: &str,
    findings: &[(i64, NewFinding)],
    on: NaiveDate,
    event_no: i64,
) -> Result<(), StorageError> {
    const COLUMNS: [&str; 8] =
        ["agency_code", "finding_no", "code", "entry_no", "amount_fen", "message", "opened_on", "opened_event_no"];
    if findings.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(findings.len()).unwrap_or(i64::MAX);
    let first_no = super::counter::take(tx, agency, "finding", count).await?;
    let rows = (first_no..).zip(findings).map(|(no, (entry_no, f))| {
        values![agency, no, f.code, *entry_no, f.amount.fen(), &f.message, date_number(on), event_no]
    });
    tx.insert_rows("finding", &COLUMNS, rows).await
}

/// All findings.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, agency: &str) -> Result<Vec<StoredFinding>, StorageError> {
    tx.fetch_all(LIST, values![agency]).await
}

/// Records how a finding was explained; false when it is not open.
///
/// # Errors
/// The database's.
pub async fn explain(
    tx: &mut Tx,
    agency: &str,
    finding_no: i64,
    by: &str,
    on: NaiveDate,
    event_no: i64,
    explanation: &str,
) -> Result<bool, StorageError> {
    Ok(tx.execute(EXPLAIN, values![agency, finding_no, date_number(on), by, event_no, explanation]).await? == 1)
}
