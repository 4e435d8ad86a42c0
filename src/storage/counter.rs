//! Numbers given by us, per agency and kind of thing: no sequence, no random value.

use super::engine::Tx;
use super::error::StorageError;
use crate::values;

statements! {
    TAKE = "INSERT INTO counter (agency_code, name, value) VALUES ($1, $2, $3) \
            ON CONFLICT (agency_code, name) DO UPDATE SET value = counter.value + excluded.value RETURNING value";
}

/// Takes `count` numbers and returns the first of them. Given back if the transaction is.
///
/// # Errors
/// The database's.
pub async fn take(tx: &mut Tx, agency: &str, name: &str, count: i64) -> Result<i64, StorageError> {
    let (last,): (i64,) = tx.fetch_one(TAKE, values![agency, name, count]).await?;
    Ok(last - count + 1)
}
