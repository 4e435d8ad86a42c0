//! Files as they came or went, byte for byte, under their SHA-256.

use sha2::{Digest, Sha256};

use super::engine::Tx;
use super::error::StorageError;
use crate::domain::text::hex;
use crate::values;

/// Bytes of a piece: small enough that nobody, neither we nor an engine, minds a copy of one.
const PIECE_BYTES: usize = 256 << 10;

/// Pieces read at once; engines read further ahead than they are asked for.
const PIECES_AT_ONCE: i64 = 16;

statements! {
    KEEP = "INSERT INTO kept_file (agency_code, digest, name, byte_count, content, event_no) VALUES ($1, $2, $3, $4, $5, $6) \
            ON CONFLICT (agency_code, digest) DO NOTHING";
    KEEP_PIECE = "INSERT INTO kept_piece (agency_code, digest, piece_no, content) VALUES ($1, $2, $3, $4)";
    FIRST = "SELECT byte_count, content FROM kept_file WHERE agency_code = $1 AND digest = $2";
    PIECES = "SELECT content FROM kept_piece WHERE agency_code = $1 AND digest = $2 AND piece_no BETWEEN $3 AND $4 ORDER BY piece_no";
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
pub async fn keep(tx: &mut Tx, agency: &str, name: &str, bytes: &[u8], event_no: i64) -> Result<String, StorageError> {
    let digest = digest_of(bytes);
    keep_under(tx, agency, &digest, name, bytes, event_no).await?;
    Ok(digest)
}

/// Keeps a file whose digest is known already. It is stored piece by piece: of a long file no second copy is made.
///
/// # Errors
/// The database's.
pub async fn keep_under(
    tx: &mut Tx,
    agency: &str,
    digest: &str,
    name: &str,
    bytes: &[u8],
    event_no: i64,
) -> Result<(), StorageError> {
    let count = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let (first, rest) = bytes.split_at(bytes.len().min(PIECE_BYTES));
    let is_new = tx.execute(KEEP, values![agency, digest, name, count, first.to_vec(), event_no]).await? > 0;
    if is_new {
        for (piece_no, piece) in (2_i64..).zip(rest.chunks(PIECE_BYTES)) {
            tx.execute(KEEP_PIECE, values![agency, digest, piece_no, piece.to_vec()]).await?;
        }
    }
    Ok(())
}

/// The bytes kept under a digest.
///
/// # Errors
/// The database's, and when there is no such file or its bytes have changed.
pub async fn content(tx: &mut Tx, agency: &str, digest: &str) -> Result<Vec<u8>, StorageError> {
    let mut bytes = Vec::new();
    let take = |piece: &[u8], whole| {
        if bytes.is_empty() {
            // One that is not true reserves nothing, and is found out in the end.
            let _ = bytes.try_reserve_exact(whole);
        }
        bytes.extend_from_slice(piece);
    };
    read(tx, agency, digest, take).await?;
    Ok(bytes)
}

/// A file that is kept: its digest, its name, and how many bytes it had.
pub type KeptFile = (String, String, i64);

/// Every kept file.
///
/// # Errors
/// The database's.
pub async fn all(tx: &mut Tx, agency: &str) -> Result<Vec<KeptFile>, StorageError> {
    tx.fetch_all(DIGESTS, values![agency]).await
}

/// Looks whether the bytes of a file are those that were kept, without holding a long one whole.
///
/// # Errors
/// The database's, and when its bytes have changed.
pub async fn verify(tx: &mut Tx, agency: &str, (digest, ..): &KeptFile) -> Result<(), StorageError> {
    read(tx, agency, digest, |_, _| ()).await
}

/// Calls `take` with one piece of a file after another, and with how many bytes the whole file shall have.
///
/// # Errors
/// The database's, and when there is no such file or its bytes have changed: what was taken is worth nothing then.
async fn read(tx: &mut Tx, agency: &str, digest: &str, mut take: impl FnMut(&[u8], usize)) -> Result<(), StorageError> {
    let found: Option<(i64, Vec<u8>)> = tx.fetch_optional(FIRST, values![agency, digest]).await?;
    let (whole, first) = found.ok_or_else(|| StorageError::inconsistent("kept_file", digest, "文件不在库中"))?;
    let whole = usize::try_from(whole).unwrap_or_default();
    let (mut seen, mut count) = (Sha256::new(), 0);
    let mut see = |piece: &[u8]| {
        count += piece.len();
        seen.update(piece);
        take(piece, whole);
    };
    see(&first);
    let mut first_no = if first.len() < whole { 2 } else { i64::MAX };
    while first_no < i64::MAX {
        let (mut pieces, last_no) = (0, first_no + PIECES_AT_ONCE - 1);
        let see_one = |piece: &[u8]| {
            pieces += 1;
            see(piece);
        };
        tx.fetch_bytes(PIECES, values![agency, digest, first_no, last_no], see_one).await?;
        first_no = if pieces == PIECES_AT_ONCE { last_no + 1 } else { i64::MAX };
    }
    if hex(&seen.finalize()) == digest && count == whole {
        Ok(())
    } else {
        Err(StorageError::inconsistent("kept_file", digest, "文件内容与摘要不符"))
    }
}
