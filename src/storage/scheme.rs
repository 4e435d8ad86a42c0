//! Versions of scheme files. The text is kept as loaded; `workflow::scheme` reads it.

use super::engine::Tx;
use super::error::StorageError;
use crate::values;

statements! {
    INSERT = "INSERT INTO scheme_version (agency_code, scheme_code, version, name, definition, digest, event_no) \
              VALUES ($1, $2, $3, $4, $5, $6, $7)";
    NEWEST = "SELECT version, name, definition, digest FROM scheme_version \
              WHERE agency_code = $1 AND scheme_code = $2 ORDER BY version DESC LIMIT 1";
    VERSION = "SELECT version, name, definition, digest FROM scheme_version \
               WHERE agency_code = $1 AND scheme_code = $2 AND version = $3";
    CODES = "SELECT DISTINCT scheme_code FROM scheme_version WHERE agency_code = $1 ORDER BY scheme_code";
}

/// One version of a scheme file.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SchemeVersion {
    /// 1, 2, 3 …
    pub version: i64,
    /// Full name.
    pub name: String,
    /// The TOML text.
    pub definition: String,
    /// Its SHA-256.
    pub digest: String,
}

/// Adds a version.
///
/// # Errors
/// The database's.
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    code: &str,
    version: &SchemeVersion,
    event_no: i64,
) -> Result<(), StorageError> {
    tx.execute(
        INSERT,
        values![agency, code, version.version, &version.name, &version.definition, &version.digest, event_no],
    )
    .await?;
    Ok(())
}

/// The version in force.
///
/// # Errors
/// The database's.
pub async fn newest(tx: &mut Tx, agency: &str, code: &str) -> Result<Option<SchemeVersion>, StorageError> {
    tx.fetch_optional(NEWEST, values![agency, code]).await
}

/// A given version.
///
/// # Errors
/// The database's.
pub async fn version(
    tx: &mut Tx,
    agency: &str,
    code: &str,
    version: i64,
) -> Result<Option<SchemeVersion>, StorageError> {
    tx.fetch_optional(VERSION, values![agency, code, version]).await
}

/// Codes of all schemes.
///
/// # Errors
/// The database's.
pub async fn codes(tx: &mut Tx, agency: &str) -> Result<Vec<String>, StorageError> {
    let rows: Vec<(String,)> = tx.fetch_all(CODES, values![agency]).await?;
    Ok(rows.into_iter().map(|(code,)| code).collect())
}
