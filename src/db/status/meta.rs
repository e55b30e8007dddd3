//! What is said of the file as a whole: whose it is, where streams begin in it, and how often its mark was raised.

use rusqlite::{Connection, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Result, SiteId};

/// Returns whose status this is.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn site(connection: &Connection) -> Result<SiteId> {
    connection
        .query_row("SELECT site FROM meta", [], |row| row.get(0))
        .sql("read whose status this is")
}

/// Returns the first position of streams that begin in this file: 1, but where an earlier file was lost and nobody knows its streams.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn start(connection: &Connection) -> Result<u64> {
    connection
        .query_row("SELECT start FROM meta", [], |row| row.get(0))
        .sql("read where streams begin")
}

/// Records what [`start`] returns.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_start(transaction: &Transaction<'_>, start: u64) -> Result<()> {
    transaction
        .execute("UPDATE meta SET start = ?", params![start])
        .sql("record where streams begin")?;
    Ok(())
}

/// Returns how often the mark file was raised as this file knows.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn raises(connection: &Connection) -> Result<u64> {
    connection
        .query_row("SELECT raises FROM meta", [], |row| row.get(0))
        .sql("read how often the mark was raised")
}

/// Records what [`raises`] returns.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_raises(transaction: &Transaction<'_>, raises: u64) -> Result<()> {
    transaction
        .execute("UPDATE meta SET raises = ?", params![raises])
        .sql("record how often the mark was raised")?;
    Ok(())
}
