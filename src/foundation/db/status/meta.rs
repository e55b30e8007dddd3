//! What is said of the file as a whole: whose it is, how new it is, where streams begin in it, and how often its mark was raised.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::journal::unpack;
use crate::db::SqlResult as _;
use crate::domain::{Result, SiteId, Timestamp};

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

/// Returns the newest time that is known by the appliance's clock: of the last contacts, of the record and of the repeats that came last.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql), and `E-STATE database-damaged`.
pub fn newest_time(connection: &Connection) -> Result<Option<Timestamp>> {
    let of_rows: Option<Timestamp> = connection
        .query_row(
            "SELECT max(at) FROM (SELECT max(last) AS at FROM contact
             UNION ALL SELECT received FROM record WHERE number = (SELECT max(number) FROM record))",
            [],
            |row| row.get(0),
        )
        .sql("read the newest time")?;
    let repeats: Option<Vec<u8>> = connection
        .query_row("SELECT body FROM journal ORDER BY id DESC LIMIT 1", [], |row| {
            row.get(0)
        })
        .optional()
        .sql("read the newest time")?;
    let of_repeats = repeats.map(|body| unpack(&body)).transpose()?.map(|row| row.time);
    Ok(of_rows.max(of_repeats))
}
