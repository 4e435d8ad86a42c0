//! Changes, roster files and write-offs that wait for a second person, or had one.

use chrono::NaiveDate;

use super::engine::Tx;
use super::error::StorageError;
use crate::domain::period::date_number;
use crate::values;

statements! {
    INSERT = "INSERT INTO change_request (agency_code, request_no, kind, scheme_code, summary, item_count, content, made_by, made_on, \
              made_event_no, status) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'pending')";
    FIND = "SELECT request_no, kind, scheme_code, summary, item_count, content, made_by, made_on, status, decided_by, decided_on, decision \
            FROM change_request WHERE agency_code = $1 AND request_no = $2";
    PENDING = "SELECT request_no, kind, scheme_code, summary, item_count, content, made_by, made_on, status, decided_by, decided_on, decision \
               FROM change_request WHERE agency_code = $1 AND status = 'pending' ORDER BY request_no";
    DECIDE = "UPDATE change_request SET status = $3, decided_by = $4, decided_on = $5, decided_event_no = $6, decision = $7 \
              WHERE agency_code = $1 AND request_no = $2 AND status = 'pending'";
}

/// A request as stored.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredRequest {
    /// 1, 2, 3 …
    pub request_no: i64,
    /// `changes`, `roster` or `write_off`.
    pub kind: String,
    /// Scheme; of changes of several schemes the first.
    pub scheme_code: String,
    /// In words, numbers masked.
    pub summary: String,
    /// How many people it touches.
    pub item_count: i64,
    /// JSON: what is done when it is accepted.
    pub content: String,
    /// Who asked.
    pub made_by: String,
    /// Business date.
    pub made_on: i64,
    /// `pending`, `accepted` or `rejected`.
    pub status: String,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_on: Option<i64>,
    /// Why, when rejected.
    pub decision: Option<String>,
}

/// A request to be stored.
#[derive(Debug, Clone)]
pub struct NewRequest<'a> {
    /// Number within the agency.
    pub no: i64,
    /// `changes`, `roster` or `write_off`.
    pub kind: &'static str,
    /// Scheme.
    pub scheme_code: &'a str,
    /// In words, numbers masked.
    pub summary: &'a str,
    /// How many people it touches.
    pub items: i64,
    /// JSON: what is done when it is accepted.
    pub content: String,
}

/// Stores a request that waits.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    request: NewRequest<'_>,
    by: &str,
    on: NaiveDate,
    event_no: i64,
) -> Result<(), StorageError> {
    let NewRequest { no, kind, scheme_code, summary, items, content } = request;
    let values = values![agency, no, kind, scheme_code, summary, items, content, by, date_number(on), event_no];
    tx.execute(INSERT, values).await?;
    Ok(())
}

/// The request of this number.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, agency: &str, request_no: i64) -> Result<Option<StoredRequest>, StorageError> {
    tx.fetch_optional(FIND, values![agency, request_no]).await
}

/// All that wait, in order.
///
/// # Errors
/// The database's.
pub async fn pending(tx: &mut Tx, agency: &str) -> Result<Vec<StoredRequest>, StorageError> {
    tx.fetch_all(PENDING, values![agency]).await
}

/// Accepts (`why` empty) or rejects a request that waits; false when it does not.
///
/// # Errors
/// The database's.
#[expect(clippy::too_many_arguments, reason = "a decision is exactly these facts")]
pub async fn decide(
    tx: &mut Tx,
    agency: &str,
    request_no: i64,
    accepted: bool,
    by: &str,
    on: NaiveDate,
    event_no: i64,
    why: &str,
) -> Result<bool, StorageError> {
    let status = if accepted { "accepted" } else { "rejected" };
    Ok(tx.execute(DECIDE, values![agency, request_no, status, by, date_number(on), event_no, why]).await? == 1)
}
