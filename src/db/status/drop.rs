//! Dropping records: oldest first, each told with what a gap record needs to know of it.

use rusqlite::{Transaction, params};

use super::{RecordClass, StreamId};
use crate::db::SqlResult as _;
use crate::domain::{Result, Timestamp};

/// What was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// Whose it was.
    pub source: i64,
    /// Its row id.
    pub number: u64,
    /// The stream that it was in.
    pub stream: StreamId,
    /// Its number there.
    pub position: u64,
    /// Bytes that it counted.
    pub size: u64,
    /// When it came.
    pub received: Timestamp,
}

/// A run of numbers to look for things to drop in, and how many.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Lowest number.
    pub from: u64,
    /// At most so many records.
    pub limit: usize,
}

/// Drops a source's oldest log records, oldest by the agent's own clock.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn drop_text(transaction: &Transaction<'_>, class: RecordClass, source: i64, limit: usize) -> Result<Vec<Dropped>> {
    dropped(
        transaction,
        "DELETE FROM record WHERE number IN (SELECT number FROM record WHERE class IN (4, 5) AND class = ? AND source = ? \
         ORDER BY at, hash LIMIT ?) RETURNING source, number, stream, position, size, received",
        params![class, source, i64::try_from(limit).unwrap_or(i64::MAX)],
    )
}

/// Drops a deployment's oldest statuses that are no transitions, but never the one with the number `keep`.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn drop_details(transaction: &Transaction<'_>, source: i64, keep: u64, limit: usize) -> Result<Vec<Dropped>> {
    let dropped = dropped(
        transaction,
        "DELETE FROM record WHERE number IN (SELECT number FROM record WHERE class IN (1, 2, 7) AND class = 2 AND source = ? \
         AND number <> ? ORDER BY number LIMIT ?) RETURNING source, number, stream, position, size, received",
        params![source, keep, i64::try_from(limit).unwrap_or(i64::MAX)],
    )?;
    for one in &dropped {
        transaction
            .prepare_cached("DELETE FROM repeats WHERE number = ?")
            .and_then(|mut statement| statement.execute([one.number]))
            .sql("drop repeats")?;
    }
    Ok(dropped)
}

/// Drops the oldest records of a class, whoever's they are, from a number on.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn drop_class(transaction: &Transaction<'_>, class: RecordClass, span: Span) -> Result<Vec<Dropped>> {
    dropped(
        transaction,
        "DELETE FROM record WHERE number IN (SELECT number FROM record WHERE number >= ? AND +class = ? ORDER BY number LIMIT ?) \
         RETURNING source, number, stream, position, size, received",
        params![span.from, class, i64::try_from(span.limit).unwrap_or(i64::MAX)],
    )
}

fn dropped(transaction: &Transaction<'_>, sql: &str, arguments: impl rusqlite::Params) -> Result<Vec<Dropped>> {
    let mut statement = transaction.prepare_cached(sql).sql("drop the oldest records")?;
    let rows = statement
        .query_map(arguments, |row| {
            Ok(Dropped {
                source: row.get(0)?,
                number: row.get(1)?,
                stream: row.get(2)?,
                position: row.get(3)?,
                size: row.get(4)?,
                received: row.get(5)?,
            })
        })
        .sql("drop the oldest records")?;
    rows.collect::<rusqlite::Result<_>>().sql("drop the oldest records")
}
