//! Streams: what goes to one vendor, numbered by itself (M-81).
//!
//! Row ids are common to all; positions are a stream's own, and only they leave. A [`StreamId`] comes from this file alone, so that a
//! question about records of one vendor cannot be asked without saying whose.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Hash, Result, Timestamp};

/// Number of a stream in this file, from 1 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(i64);

impl StreamId {
    /// The source that stands for every target of the stream.
    pub fn everybody(self) -> i64 {
        self.0.saturating_neg()
    }
}

impl ToSql for StreamId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.into())
    }
}

impl FromSql for StreamId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        if number < 1 {
            return Err(FromSqlError::OutOfRange(number));
        }
        Ok(Self(number))
    }
}

/// How far a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// Its number in this file.
    pub id: StreamId,
    /// The vendor's trust domain.
    pub domain: Hash,
    /// Position that its next record gets; 0 while it was only asked for.
    pub next: u64,
    /// Row ids below this one were given when that was written.
    pub row: u64,
    /// Records and gaps up to this position change no more.
    pub frozen: u64,
    /// When that was said last.
    pub frozen_at: Option<Timestamp>,
    /// Records up to this position may go without a word.
    pub acknowledged: u64,
    /// Days of metrics that were over at this time may go too.
    pub covered_at: Option<Timestamp>,
    /// Somebody waits for it to be frozen.
    pub wanted: bool,
}

const COLUMNS: &str = "id, domain, next, row, frozen, frozen_at, acknowledged, covered_at, wanted";

impl Stream {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            domain: row.get(1)?,
            next: row.get(2)?,
            row: row.get(3)?,
            frozen: row.get(4)?,
            frozen_at: row.get(5)?,
            acknowledged: row.get(6)?,
            covered_at: row.get(7)?,
            wanted: row.get(8)?,
        })
    }

    /// The highest position so far; 0 before the first.
    pub fn last(&self) -> u64 {
        self.next.saturating_sub(1)
    }
}

/// Returns every stream.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn streams(connection: &Connection) -> Result<Vec<Stream>> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM stream ORDER BY id"))
        .sql("read the streams")?;
    let rows = statement.query_map([], Stream::read).sql("read the streams")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the streams")
}

/// Returns the stream of a trust domain; none before it was needed.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn stream_of(connection: &Connection, domain: &Hash) -> Result<Option<Stream>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM stream WHERE domain = ?"))
        .and_then(|mut statement| statement.query_row([domain], Stream::read).optional())
        .sql("read a stream")
}

/// Adds the stream of a trust domain where there is none; returns it.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn add_stream(transaction: &Transaction<'_>, domain: &Hash) -> Result<Stream> {
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO stream (domain, next, row, frozen, acknowledged, wanted) VALUES (?, 0, 0, 0, 0, 0)",
        )
        .and_then(|mut statement| statement.execute([domain]))
        .sql("add a stream")?;
    transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM stream WHERE domain = ?"))
        .and_then(|mut statement| statement.query_row([domain], Stream::read))
        .sql("read a stream")
}

/// Records which position the next record of a stream gets, and that row ids below `row` were given.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_next(transaction: &Transaction<'_>, stream: StreamId, next: u64, row: u64) -> Result<()> {
    transaction
        .prepare_cached("UPDATE stream SET next = ?, row = ? WHERE id = ?")
        .and_then(|mut statement| statement.execute(params![next, row, stream]))
        .sql("record how far a stream is")?;
    Ok(())
}

/// Freezes a stream: its records and gaps up to a position change no more. Nobody waits for that any longer.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_frozen(transaction: &Transaction<'_>, stream: StreamId, position: u64, at: Timestamp) -> Result<()> {
    transaction
        .prepare_cached("UPDATE stream SET frozen = ?, frozen_at = ?, wanted = 0 WHERE id = ?")
        .and_then(|mut statement| statement.execute(params![position, at, stream]))
        .sql("freeze a stream")?;
    Ok(())
}

/// Asks for a stream to be frozen by whoever writes this database; returns how it stands.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn want(transaction: &Transaction<'_>, domain: &Hash) -> Result<Stream> {
    let stream = add_stream(transaction, domain)?;
    transaction
        .prepare_cached("UPDATE stream SET wanted = 1 WHERE id = ?")
        .and_then(|mut statement| statement.execute([stream.id]))
        .sql("ask for a stream to be frozen")?;
    Ok(Stream { wanted: true, ..stream })
}

/// Records that a vendor has everything of its stream up to a position, and the days of metrics that were over at a time. Nothing that
/// is not frozen is acknowledged, and nothing is taken back.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_acknowledged(
    transaction: &Transaction<'_>,
    domain: &Hash,
    position: u64,
    covered_at: Timestamp,
) -> Result<Stream> {
    let stream = add_stream(transaction, domain)?;
    let acknowledged = position.min(stream.frozen).max(stream.acknowledged);
    let covered_at = stream.covered_at.map_or(covered_at, |before| before.max(covered_at));
    transaction
        .prepare_cached("UPDATE stream SET acknowledged = ?, covered_at = ? WHERE id = ?")
        .and_then(|mut statement| statement.execute(params![acknowledged, covered_at, stream.id]))
        .sql("record what was acknowledged")?;
    Ok(Stream {
        acknowledged,
        covered_at: Some(covered_at),
        ..stream
    })
}

/// Gives everything of a stream above a position other numbers, higher by as much: those that it has may stand for something else.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn shift(transaction: &Transaction<'_>, stream: StreamId, above: u64, by: u64) -> Result<()> {
    for sql in [
        "UPDATE record SET position = position + ?3, of = iif(of > ?2, of + ?3, of) WHERE stream = ?1 AND position > ?2",
        "UPDATE gap SET position = position + ?3, first = iif(first > ?2, first + ?3, first), \
         last = iif(last > ?2, last + ?3, last) WHERE stream = ?1 AND position > ?2",
    ] {
        transaction
            .execute(sql, params![stream, above, by])
            .sql("give records other numbers")?;
    }
    Ok(())
}
