//! What is known as of the last fold: repeats, deployments, contacts, bytes.

use rusqlite::{Connection, Transaction, params};

use super::RecordClass;
use crate::db::SqlResult as _;
use crate::domain::{Result, Timestamp};

/// How often a status came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// In all.
    pub count: u64,
    /// Last time.
    pub last: Timestamp,
    /// How often the deployment came into this state.
    pub entered: u64,
    /// The last text as it came, where that is not the record's; none where it is, or to be written: where it did not change.
    pub text: Option<String>,
}

/// Returns how far the last fold went: records from this number on are not folded in.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn fold(connection: &Connection) -> Result<u64> {
    connection
        .prepare_cached("SELECT next FROM fold")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .sql("read how far the status was folded")
}

/// Records how far a fold went.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_fold(transaction: &Transaction<'_>, next: u64) -> Result<()> {
    transaction
        .prepare_cached("UPDATE fold SET next = ?")
        .and_then(|mut statement| statement.execute([next]))
        .sql("record a fold")?;
    Ok(())
}

/// Records how often a status came; a text that did not change stays.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_repeat(transaction: &Transaction<'_>, number: u64, repeat: &Repeat) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO repeats (number, count, last, entered, said) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
             count = excluded.count, last = excluded.last, entered = excluded.entered, said = coalesce(excluded.said, said)",
        )
        .and_then(|mut statement| {
            statement.execute(params![number, repeat.count, repeat.last, repeat.entered, repeat.text])
        })
        .sql("record repeats")?;
    Ok(())
}

/// Returns how often a status came, where that was more than once.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn repeat_of(connection: &Connection, number: u64) -> Result<Option<Repeat>> {
    let mut statement = connection
        .prepare_cached("SELECT count, last, entered, said FROM repeats WHERE number = ?")
        .sql("read the repeats")?;
    let mut rows = statement.query([number]).sql("read the repeats")?;
    match rows.next().sql("read the repeats")? {
        Some(row) => Ok(Some(Repeat {
            count: row.get(0).sql("read the repeats")?,
            last: row.get(1).sql("read the repeats")?,
            entered: row.get(2).sql("read the repeats")?,
            text: row.get(3).sql("read the repeats")?,
        })),
        None => Ok(None),
    }
}

/// Returns what is known of every deployment, as the text that [`put_latest`] was given.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn latest(connection: &Connection) -> Result<Vec<(i64, String)>> {
    pairs(
        connection,
        "SELECT source, state FROM latest ORDER BY source",
        "read the deployments",
    )
}

/// Records what is known of a deployment.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_latest(transaction: &Transaction<'_>, source: i64, state: &str) -> Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO latest (source, state) VALUES (?, ?)")
        .and_then(|mut statement| statement.execute(params![source, state]))
        .sql("record a deployment")?;
    Ok(())
}

/// The last contact of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    /// The target.
    pub source: i64,
    /// When.
    pub last: Timestamp,
    /// Row id of its newest measurements, also where these are folded by now.
    pub metrics: Option<u64>,
}

/// Returns the last contact of every target.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn contacts(connection: &Connection) -> Result<Vec<Contact>> {
    let mut statement = connection
        .prepare_cached("SELECT source, last, metrics FROM contact ORDER BY source")
        .sql("read the contacts")?;
    let rows = statement
        .query_map([], |row| {
            Ok(Contact {
                source: row.get(0)?,
                last: row.get(1)?,
                metrics: row.get(2)?,
            })
        })
        .sql("read the contacts")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the contacts")
}

/// Records the last contact of a target.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_contact(transaction: &Transaction<'_>, contact: &Contact) -> Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO contact (source, last, metrics) VALUES (?, ?, ?)")
        .and_then(|mut statement| statement.execute(params![contact.source, contact.last, contact.metrics]))
        .sql("record a contact")?;
    Ok(())
}

/// Returns the bytes held for every source and class.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn usage(connection: &Connection) -> Result<Vec<(i64, RecordClass, u64)>> {
    let mut statement = connection
        .prepare_cached("SELECT source, class, bytes FROM usage")
        .sql("read the bytes held")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .sql("read the bytes held")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the bytes held")
}

/// Records the bytes held for a source and class.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_usage(transaction: &Transaction<'_>, source: i64, class: RecordClass, bytes: u64) -> Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO usage (source, class, bytes) VALUES (?, ?, ?)")
        .and_then(|mut statement| statement.execute(params![source, class, bytes]))
        .sql("record the bytes held")?;
    Ok(())
}

/// Notes that records of a source and class were dropped, so that their bytes are counted again after a crash; source 0 for all.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_recount(transaction: &Transaction<'_>, source: i64, class: RecordClass) -> Result<()> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO recount (source, class) VALUES (?, ?)")
        .and_then(|mut statement| statement.execute(params![source, class]))
        .sql("note what must be counted again")?;
    Ok(())
}

/// Returns what [`put_recount`] noted.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn recounts(connection: &Connection) -> Result<Vec<(i64, RecordClass)>> {
    pairs(
        connection,
        "SELECT source, class FROM recount",
        "read what must be counted again",
    )
}

/// Forgets what [`put_recount`] noted: the right figures were folded in.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn clear_recounts(transaction: &Transaction<'_>) -> Result<()> {
    transaction
        .prepare_cached("DELETE FROM recount")
        .and_then(|mut statement| statement.execute([]))
        .sql("forget what was counted again")?;
    Ok(())
}

/// Counts the bytes of a class, of one source or, for 0, of each.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn count_bytes(connection: &Connection, source: i64, class: RecordClass) -> Result<Vec<(i64, u64)>> {
    // Each form as its partial index knows it.
    let sql = match class {
        RecordClass::Log | RecordClass::AgentLog => {
            "SELECT ?2, coalesce(sum(size), 0) FROM record WHERE class IN (4, 5) AND class = ?1 AND source = ?2"
        }
        RecordClass::Transition | RecordClass::Detail | RecordClass::Continued => {
            "SELECT ?2, coalesce(sum(size), 0) FROM record WHERE class IN (1, 2, 7) AND class = ?1 AND source = ?2"
        }
        RecordClass::Metrics | RecordClass::Gap => {
            "SELECT source, sum(size) FROM record WHERE class = ?1 AND ?2 = ?2 GROUP BY source"
        }
    };
    let mut statement = connection.prepare_cached(sql).sql("count bytes")?;
    let rows = statement
        .query_map(params![class, source], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql("count bytes")?;
    rows.collect::<rusqlite::Result<_>>().sql("count bytes")
}

fn pairs<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str, what: &'static str) -> Result<Vec<(i64, T)>> {
    let mut statement = connection.prepare_cached(sql).sql(what)?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}
