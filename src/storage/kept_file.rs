//! Files as they came or went, byte for byte, under their SHA-256.

use sha2::{Digest, Sha256};

use super::engine::Tx;
use super::error::StorageError;
use crate::domain::text::hex;
use crate::values;

statements! {
    KEEP = "INSERT INTO kept_file (agency_code, digest, name, byte_count, content, event_no) VALUES ($1, $2, $3, $4, $5, $6) \
            ON CONFLICT (agency_code, digest) DO NOTHING";
    CONTENT = "SELECT content FROM kept_file WHERE agency_code = $1 AND digest = $2";
    DIGESTS = "SELECT digest, name FROM kept_file WHERE agency_code = $1 ORDER BY event_no, digest";
}

/// The digest a file is kept under: what `sha256sum` prints.
pub fn digest_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Keeps a file; the same bytes are kept once.
///
/// # Errors
/// The database's.
pub async fn keep(
    tx: &mut Tx,
    agency: &str,
    name: &str,
    bytes: Vec<u8>,
    event_no: i64,
) -> Result<String, StorageError> {
    let digest = digest_of(&bytes);
    keep_under(tx, agency, &digest, name, bytes, event_no).await?;
    Ok(digest)
}

/// Keeps a file whose digest is known already.
///
/// # Errors
/// The database's.
pub async fn keep_under(
    tx: &mut Tx,
    agency: &str,
    digest: &str,
    name: &str,
    bytes: Vec<u8>,
    event_no: i64,
) -> Result<(), StorageError> {
    let count = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    tx.execute(KEEP, values![agency, digest, name, count, bytes, event_no]).await?;
    Ok(())
}

/// The bytes kept under a digest.
///
/// # Errors
/// The database's, and when there is no such file or its bytes have changed.
pub async fn content(tx: &mut Tx, agency: &str, digest: &str) -> Result<Vec<u8>, StorageError> {
    let found: Option<(Vec<u8>,)> = tx.fetch_optional(CONTENT, values![agency, digest]).await?;
    let (bytes,) = found.ok_or_else(|| StorageError::inconsistent("kept_file", digest, "文件不在库中"))?;
    if digest_of(&bytes) == digest {
        Ok(bytes)
    } else {
        Err(StorageError::inconsistent("kept_file", digest, "文件内容与摘要不符"))
    }
}

/// Digest and name of every kept file.
///
/// # Errors
/// The database's.
pub async fn digests(tx: &mut Tx, agency: &str) -> Result<Vec<(String, String)>, StorageError> {
    tx.fetch_all(DIGESTS, values![agency]).await
}
