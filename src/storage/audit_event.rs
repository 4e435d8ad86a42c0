//! The chain of evidence: append-only events, each holding the hash of the one before.

use sha2::{Digest, Sha256};

use super::engine::Tx;
use super::error::StorageError;
use crate::domain::text::hex;
use crate::values;

statements! {
    START = "INSERT INTO audit_head (agency_code, event_no, hash) VALUES ($1, 0, '') ON CONFLICT (agency_code) DO NOTHING";
    /// Takes the agency's write lock on every engine, and the next number.
    ADVANCE = "UPDATE audit_head SET event_no = event_no + 1 WHERE agency_code = $1 RETURNING event_no, hash";
    SET_HASH = "UPDATE audit_head SET hash = $2 WHERE agency_code = $1";
    INSERT = "INSERT INTO audit_event (agency_code, event_no, occurred_at, business_date, actor, action, subject, detail, previous_hash, hash) \
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    LIST = "SELECT event_no, occurred_at, business_date, actor, action, subject, detail, previous_hash, hash \
            FROM audit_event WHERE agency_code = $1 ORDER BY event_no";
    LAST = "SELECT event_no, occurred_at, business_date, actor, action, subject, detail, previous_hash, hash \
            FROM audit_event WHERE agency_code = $1 ORDER BY event_no DESC LIMIT 1";
    /// Takes every agency's write lock without writing anything down.
    LOCK_ALL = "UPDATE audit_head SET event_no = event_no";
    HEAD = "SELECT event_no, hash FROM audit_head WHERE agency_code = $1";
}

/// One event.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct AuditEvent {
    /// 1, 2, 3 … without gaps.
    pub event_no: i64,
    /// True instant, RFC 3339 UTC.
    pub occurred_at: String,
    /// 业务日期, yyyymmdd.
    pub business_date: i64,
    /// Who.
    pub actor: String,
    /// What: `run.approve`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// JSON.
    pub detail: String,
    /// Hash of the event before.
    pub previous_hash: String,
    /// Hash of this one.
    pub hash: String,
}

impl AuditEvent {
    /// SHA-256 over every field and the hash before, each field closed by a unit separator.
    pub fn computed_hash(&self, agency: &str) -> String {
        let mut digest = Sha256::new();
        for field in [
            &self.previous_hash,
            agency,
            &self.event_no.to_string(),
            &self.occurred_at,
            &self.business_date.to_string(),
            &self.actor,
            &self.action,
            &self.subject,
            &self.detail,
        ] {
            digest.update(field.as_bytes());
            digest.update([0x1F]);
        }
        hex(&digest.finalize())
    }
}

/// Makes the head row of a new agency.
///
/// # Errors
/// The database's.
pub async fn start(tx: &mut Tx, agency: &str) -> Result<(), StorageError> {
    tx.execute(START, values![agency]).await?;
    Ok(())
}

/// Locks the agency for writing until the transaction ends; the next event's number and the hash
/// before it. `None` when there is no such agency.
///
/// # Errors
/// The database's.
pub async fn advance(tx: &mut Tx, agency: &str) -> Result<Option<(i64, String)>, StorageError> {
    tx.fetch_optional(ADVANCE, values![agency]).await
}

/// Locks every agency of the database for writing until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock_all(tx: &mut Tx) -> Result<(), StorageError> {
    tx.execute(LOCK_ALL, values![]).await?;
    Ok(())
}

/// Appends the event and makes it the head.
///
/// # Errors
/// The database's.
pub async fn append(tx: &mut Tx, agency: &str, event: &AuditEvent) -> Result<(), StorageError> {
    tx.execute(
        INSERT,
        values![
            agency,
            event.event_no,
            &event.occurred_at,
            event.business_date,
            &event.actor,
            &event.action,
            &event.subject,
            &event.detail,
            &event.previous_hash,
            &event.hash,
        ],
    )
    .await?;
    tx.execute(SET_HASH, values![agency, &event.hash]).await?;
    Ok(())
}

/// All events in order.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, agency: &str) -> Result<Vec<AuditEvent>, StorageError> {
    tx.fetch_all(LIST, values![agency]).await
}

/// The last event, if there is any.
///
/// # Errors
/// The database's.
pub async fn last(tx: &mut Tx, agency: &str) -> Result<Option<AuditEvent>, StorageError> {
    tx.fetch_optional(LAST, values![agency]).await
}

/// Number and hash of the last event.
///
/// # Errors
/// The database's.
pub async fn head(tx: &mut Tx, agency: &str) -> Result<Option<(i64, String)>, StorageError> {
    tx.fetch_optional(HEAD, values![agency]).await
}
