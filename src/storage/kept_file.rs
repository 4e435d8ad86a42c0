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
    PIECE = "SELECT SUBSTR(content, CAST($3 AS INTEGER), CAST($4 AS INTEGER)) FROM kept_file WHERE agency_code = $1 AND digest = $2";
    DIGESTS = "SELECT digest, name, byte_count FROM kept_file WHERE agency_code = $1 ORDER BY event_no, digest";
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

/// Bytes of a file that are looked at together.
const PIECE_BYTES: i64 = 32 << 20;

/// A file that is kept: its digest, its name, and how many bytes it had.
pub type KeptFile = (String, String, i64);

/// Every kept file.
///
/// # Errors
/// The database's.
pub async fn all(tx: &mut Tx, agency: &str) -> Result<Vec<KeptFile>, StorageError> {
    tx.fetch_all(DIGESTS, values![agency]).await
}

/// Looks whether the bytes of a file are those that were kept, without holding a large one whole.
///
/// # Errors
/// The database's, and when its bytes have changed.
pub async fn verify(tx: &mut Tx, agency: &str, (digest, _, bytes): &KeptFile) -> Result<(), StorageError> {
    let (mut seen, mut count) = (Sha256::new(), 0_i64);
    loop {
        let before = count;
        let take = |piece: &[u8]| {
            count += i64::try_from(piece.len()).unwrap_or(i64::MAX);
            seen.update(piece);
        };
        if *bytes <= PIECE_BYTES {
            tx.fetch_bytes(CONTENT, values![agency, digest], take).await?;
            break;
        }
        tx.fetch_bytes(PIECE, values![agency, digest, before + 1, PIECE_BYTES], take).await?;
        if count - before < PIECE_BYTES {
            break;
        }
    }
    if hex(&seen.finalize()) == *digest && count == *bytes {
        Ok(())
    } else {
        Err(StorageError::inconsistent("kept_file", digest, "文件内容与摘要不符"))
    }
}
