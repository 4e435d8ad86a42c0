//! Agencies (经办机构).

use super::engine::Tx;
use super::error::StorageError;
use crate::values;

statements! {
    INSERT = "INSERT INTO agency (agency_code, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (agency_code) DO NOTHING";
    LIST = "SELECT agency_code, name FROM agency ORDER BY agency_code";
}

/// Registers an agency; false if it was there already.
///
/// # Errors
/// The database's.
pub async fn insert(tx: &mut Tx, code: &str, name: &str, at: &str) -> Result<bool, StorageError> {
    Ok(tx.execute(INSERT, values![code, name, at]).await? == 1)
}

/// Code and name of every agency.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx) -> Result<Vec<(String, String)>, StorageError> {
    tx.fetch_all(LIST, values![]).await
}
