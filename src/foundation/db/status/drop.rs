//! Dropping records: oldest first, each told with what a gap record needs to know of it.

use rusqlite::{Connection, Transaction, params};

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

/// Drops a source's oldest log records, oldest by the agent's own clock, of those up to a position.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn drop_text(
    transaction: &Transaction<'_>,
    class: RecordClass,
    source: i64,
    upto: u64,
    limit: usize,
) -> Result<Vec<Dropped>> {
    dropped(
        transaction,
        "DELETE FROM record WHERE number IN (SELECT number FROM record WHERE class IN (4, 5) AND class = ? AND source = ? \
         AND position <= ? ORDER BY at, hash LIMIT ?) RETURNING source, number, stream, position, size, received",
        params![class, source, upto, i64::try_from(limit).unwrap_or(i64::MAX)],
    )
}

/// Drops a deployment's oldest statuses that are no transitions, of those up to a position, but none of `keep`.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn drop_details(
    transaction: &Transaction<'_>,
    source: i64,
    keep: &[u64],
    upto: u64,
    limit: usize,
) -> Result<Vec<Dropped>> {
    let keep = serde_json::json!(keep).to_string();
    let dropped = dropped(
        transaction,
        "DELETE FROM record WHERE number IN (SELECT number FROM record WHERE class IN (1, 2, 7) AND class = 2 AND source = ? \
         AND position <= ? AND number NOT IN (SELECT value FROM json_each(?)) ORDER BY number LIMIT ?) \
         RETURNING source, number, stream, position, size, received",
        params![source, upto, keep, i64::try_from(limit).unwrap_or(i64::MAX)],
    )?;
    for one in &dropped {
        forget_repeats(transaction, one.number)?;
    }
    Ok(dropped)
}

fn forget_repeats(transaction: &Transaction<'_>, number: u64) -> Result<()> {
    transaction
        .prepare_cached("DELETE FROM repeats WHERE number = ?")
        .and_then(|mut statement| statement.execute([number]))
        .sql("drop repeats")?;
    Ok(())
}

/// A record that was acknowledged and is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its row id.
    pub number: u64,
    /// Its number in the stream.
    pub position: u64,
    /// What it is.
    pub class: RecordClass,
    /// Whose it is.
    pub source: i64,
    /// Bytes that it counts.
    pub size: u64,
    /// When it came.
    pub received: Timestamp,
    /// Of gap records: the highest position that it accounts for.
    pub gap_last: Option<u64>,
    /// Of statuses: there is none later of the same revision.
    pub newest: bool,
}

/// Returns records of a stream above one position and up to another, ascending, at most `limit`.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn held(connection: &Connection, stream: StreamId, above: u64, upto: u64, limit: usize) -> Result<Vec<Held>> {
    const WHAT: &str = "look for what was acknowledged";
    let mut statement = connection
        .prepare_cached(
            "SELECT r.number, r.position, r.class, r.source, r.size, r.received, g.last, r.class IN (1, 2, 7) AND NOT EXISTS \
             (SELECT 1 FROM record n WHERE n.class IN (1, 2, 7) AND n.source = r.source AND n.number > r.number \
             AND n.revision = r.revision) FROM record r LEFT JOIN gap g ON g.number = r.number \
             WHERE r.stream = ? AND r.position > ? AND r.position <= ? ORDER BY r.position LIMIT ?",
        )
        .sql(WHAT)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement
        .query_map(params![stream, above, upto, limit], |row| {
            Ok(Held {
                number: row.get(0)?,
                position: row.get(1)?,
                class: row.get(2)?,
                source: row.get(3)?,
                size: row.get(4)?,
                received: row.get(5)?,
                gap_last: row.get(6)?,
                newest: row.get(7)?,
            })
        })
        .sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Drops one record with everything that belongs to it.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn drop_one(transaction: &Transaction<'_>, number: u64) -> Result<()> {
    for sql in [
        "DELETE FROM record WHERE number = ?",
        "DELETE FROM gap WHERE number = ?",
    ] {
        transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([number]))
            .sql("drop what was acknowledged")?;
    }
    forget_repeats(transaction, number)
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
