//! Roster files that took effect.

use super::engine::Tx;
use super::enrolment_event::ChangeMark;
use super::error::StorageError;
use super::kept_file;
use crate::domain::period::date_number;
use crate::values;

statements! {
    IMPORTED = "SELECT import_no, file_name, imported_by, imported_on FROM roster_import \
                WHERE agency_code = $1 AND scheme_code = $2 AND digest = $3";
    GIVEN_BACK = "SELECT rejects_digest FROM roster_import WHERE agency_code = $1 AND import_no = $2 AND rejects_digest IS NOT NULL";
    INSERT = "INSERT INTO roster_import (agency_code, import_no, scheme_code, file_name, digest, rejects_digest, row_count, new_count, changed_count, \
                     missing_count, imported_by, imported_on, event_no) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
}

/// An import that took effect: number, file name, who, business date.
pub type PastImport = (i64, String, String, i64);

/// The import of exactly these bytes into the scheme, if there was one.
///
/// # Errors
/// The database's.
pub async fn imported(
    tx: &mut Tx,
    agency: &str,
    scheme: &str,
    digest: &str,
) -> Result<Option<PastImport>, StorageError> {
    tx.fetch_optional(IMPORTED, values![agency, scheme, digest]).await
}

/// The rows that an import gave back with their reasons, if it gave back any.
///
/// # Errors
/// The database's.
pub async fn given_back(tx: &mut Tx, agency: &str, import_no: i64) -> Result<Option<Vec<u8>>, StorageError> {
    let found: Option<(String,)> = tx.fetch_optional(GIVEN_BACK, values![agency, import_no]).await?;
    match found {
        None => Ok(None),
        Some((digest,)) => kept_file::content(tx, agency, &digest).await.map(Some),
    }
}

/// Counts of an import.
#[derive(Debug, Clone, Copy, Default)]
pub struct ImportCounts {
    /// Rows of people in the file.
    pub rows: i64,
    /// Enrolled by it.
    pub new: i64,
    /// Changed by it.
    pub changed: i64,
    /// In force but not in it.
    pub missing: i64,
}

/// Records an import.
///
/// # Errors
/// The database's.
#[expect(clippy::too_many_arguments, reason = "an import is exactly these facts")]
pub async fn insert(
    tx: &mut Tx,
    agency: &str,
    import_no: i64,
    scheme: &str,
    file_name: &str,
    (digest, rejects_digest): (&str, Option<&str>),
    counts: ImportCounts,
    mark: ChangeMark<'_>,
) -> Result<(), StorageError> {
    tx.execute(
        INSERT,
        values![
            agency,
            import_no,
            scheme,
            file_name,
            digest,
            rejects_digest,
            counts.rows,
            counts.new,
            counts.changed,
            counts.missing,
            mark.by,
            date_number(mark.on),
            mark.event_no,
        ],
    )
    .await?;
    Ok(())
}
