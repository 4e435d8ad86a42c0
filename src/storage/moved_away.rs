//! Agencies that live in another database now: this one only shows what they were.

use super::engine::Tx;
use super::error::StorageError;
use crate::values;

statements! {
    INSERT = "INSERT INTO moved_away (agency_code, target, digest, moved_by, moved_on, moved_at) VALUES ($1, $2, $3, $4, $5, $6)";
    FIND = "SELECT target, digest, moved_by, moved_on, moved_at FROM moved_away WHERE agency_code = $1";
    FIRST = "SELECT target, digest, moved_by, moved_on, moved_at FROM moved_away ORDER BY agency_code LIMIT 1";
}

/// Where an agency went.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MovedAway {
    /// The other database, without a password.
    pub target: String,
    /// SHA-256 over everything that was copied.
    pub digest: String,
    /// Who moved it.
    pub moved_by: String,
    /// Business date, yyyymmdd.
    pub moved_on: i64,
    /// True instant, RFC 3339 UTC.
    pub moved_at: String,
}

/// Marks an agency: from the commit on it is only read here.
///
/// # Errors
/// The database's.
pub async fn mark(tx: &mut Tx, agency: &str, moved: &MovedAway) -> Result<(), StorageError> {
    let values = values![agency, &moved.target, &moved.digest, &moved.moved_by, moved.moved_on, &moved.moved_at];
    tx.execute(INSERT, values).await?;
    Ok(())
}

/// Where this agency went, if it did.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, agency: &str) -> Result<Option<MovedAway>, StorageError> {
    tx.fetch_optional(FIND, values![agency]).await
}

/// Where the agencies of this database went, if any did.
///
/// # Errors
/// The database's.
pub async fn first(tx: &mut Tx) -> Result<Option<MovedAway>, StorageError> {
    tx.fetch_optional(FIRST, values![]).await
}
