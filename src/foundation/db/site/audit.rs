//! The appliance's audit log: a [sealed log](crate::db::sealed_log) of everything that was done or refused here. What vendors may learn
//! of a row goes into their stream logs with it ([`stream_log`]).

use rusqlite::{Connection, OptionalExtension as _, Transaction};
use serde::Serialize;

use super::stream_log::{self, Told};
use crate::db::{SqlResult as _, sealed_log};
use crate::domain::{Hash, Result, Timestamp};

pub use crate::db::sealed_log::{Row, hash_of, list, newest, seal, verify};

/// Appends a row, and beside it what vendors learn of it; returns the seals of these, in their order.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn append(
    transaction: &Transaction<'_>,
    at: Timestamp,
    action: &str,
    detail: &impl Serialize,
    told: &[Told],
) -> Result<Vec<Hash>> {
    let number = sealed_log::append(transaction, at, action, detail)?;
    let streams = told
        .iter()
        .map(|told| stream_log::append(transaction, told, number, at, action));
    streams.collect()
}

/// Returns the public halves of the status keys that the log names as this appliance's own, oldest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn named_keys(connection: &Connection) -> Result<Vec<Hash>> {
    let mut select = connection
        .prepare_cached(
            "SELECT detail ->> 'public' FROM audit WHERE action IN ('init', 'status-key') AND detail ->> 'public' IS NOT NULL
             ORDER BY number",
        )
        .sql("read the audit log")?;
    let rows = select
        .query_map([], |row| row.get::<_, String>(0))
        .sql("read the audit log")?;
    let texts: Vec<String> = rows.collect::<rusqlite::Result<_>>().sql("read the audit log")?;
    Ok(texts.iter().filter_map(|text| text.parse().ok()).collect())
}

/// Returns the detail of the newest row of an action; reads the whole log where there is none.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_detail(connection: &Connection, action: &str) -> Result<Option<String>> {
    connection
        .prepare_cached("SELECT detail FROM audit WHERE action = ? ORDER BY number DESC LIMIT 1")
        .and_then(|mut select| select.query_row([action], |row| row.get(0)).optional())
        .sql("read the audit log")
}
