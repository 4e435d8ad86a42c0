//! Registered users.

use super::engine::Tx;
use super::error::StorageError;
use crate::domain::actor::{Actor, Role};
use crate::values;

statements! {
    UPSERT = "INSERT INTO actor (agency_code, name, actor_no, role, event_no) VALUES ($1, $2, $3, $4, $5) \
              ON CONFLICT (agency_code, name) DO UPDATE SET role = excluded.role, event_no = excluded.event_no";
    FIND = "SELECT name, role FROM actor WHERE agency_code = $1 AND name = $2";
    LIST = "SELECT name, role FROM actor WHERE agency_code = $1 ORDER BY actor_no";
}

fn actor((name, role): (String, String)) -> Result<Actor, StorageError> {
    let role: Role = role.parse().map_err(|e| StorageError::inconsistent("actor", &name, e))?;
    Ok(Actor { name, role })
}

/// Registers a user or changes the role of one.
///
/// # Errors
/// The database's.
pub async fn upsert(
    tx: &mut Tx,
    agency: &str,
    actor: &Actor,
    actor_no: i64,
    event_no: i64,
) -> Result<(), StorageError> {
    tx.execute(UPSERT, values![agency, &actor.name, actor_no, actor.role.code(), event_no]).await?;
    Ok(())
}

/// The user of this name.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut Tx, agency: &str, name: &str) -> Result<Option<Actor>, StorageError> {
    tx.fetch_optional(FIND, values![agency, name]).await?.map(actor).transpose()
}

/// All users in order of registration; the first is the administrator that `init` made.
///
/// # Errors
/// The database's.
pub async fn list(tx: &mut Tx, agency: &str) -> Result<Vec<Actor>, StorageError> {
    tx.fetch_all(LIST, values![agency]).await?.into_iter().map(actor).collect()
}
