//! Records: statuses, metrics, logs, gaps; found again by number, by deployment and by content.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, ToSql, Transaction, params};

use super::{Repeat, Source};
use crate::db::SqlResult as _;
use crate::domain::{AgentTime, Result, StatusKind, Timestamp, Uuid};

/// What a record is; the lower, the longer it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordClass {
    /// A status of another kind or revision than the one before.
    Transition,
    /// A status of the same kind and revision with another message.
    Detail,
    /// Measurements of a target.
    Metrics,
    /// A line of a container.
    Log,
    /// A line of the agent's own log.
    AgentLog,
    /// What is missing.
    Gap,
}

impl RecordClass {
    const ALL: [Self; 6] = [
        Self::Transition,
        Self::Detail,
        Self::Metrics,
        Self::Log,
        Self::AgentLog,
        Self::Gap,
    ];

    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transition => "transition",
            Self::Detail => "status",
            Self::Metrics => "metrics",
            Self::Log => "log",
            Self::AgentLog => "agent-log",
            Self::Gap => "gap",
        }
    }

    pub(super) fn to_number(self) -> i64 {
        match self {
            Self::Transition => 1,
            Self::Detail => 2,
            Self::Metrics => 3,
            Self::Log => 4,
            Self::AgentLog => 5,
            Self::Gap => 6,
        }
    }
}

impl ToSql for RecordClass {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_number().into())
    }
}

impl FromSql for RecordClass {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        Self::ALL
            .into_iter()
            .find(|class| class.to_number() == number)
            .ok_or(FromSqlError::OutOfRange(number))
    }
}

fn kind_number(kind: StatusKind) -> i64 {
    match kind {
        StatusKind::Error => 1,
        StatusKind::Progressing => 2,
        StatusKind::Running => 3,
        StatusKind::Healthy => 4,
    }
}

fn kind_of(number: i64) -> Option<StatusKind> {
    match number {
        1 => Some(StatusKind::Error),
        2 => Some(StatusKind::Progressing),
        3 => Some(StatusKind::Running),
        4 => Some(StatusKind::Healthy),
        _ => None,
    }
}

/// A record to be written.
#[derive(Debug, Clone, Copy)]
pub struct NewRecord<'a> {
    /// Its number.
    pub number: u64,
    /// What it is.
    pub class: RecordClass,
    /// Whose it is.
    pub source: i64,
    /// When it came.
    pub received: Timestamp,
    /// Bytes that count against quotas.
    pub size: u64,
    /// Of statuses and logs.
    pub revision: Option<Uuid>,
    /// Of statuses.
    pub kind: Option<StatusKind>,
    /// Of logs.
    pub at: Option<AgentTime>,
    /// Of logs.
    pub hash: Option<i64>,
    /// Of logs of containers.
    pub resource: Option<&'a str>,
    /// Of logs.
    pub severity: Option<&'a str>,
    /// Message, line, or measurements as JSON.
    pub text: &'a str,
}

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub number: u64,
    /// What it is.
    pub class: RecordClass,
    /// Whose it is; 0 for the appliance.
    pub source: i64,
    /// When it came first.
    pub received: Timestamp,
    /// Bytes that count against quotas.
    pub size: u64,
    /// Of statuses and logs.
    pub revision: Option<Uuid>,
    /// Of statuses.
    pub kind: Option<StatusKind>,
    /// Of logs.
    pub at: Option<AgentTime>,
    /// Of logs of containers.
    pub resource: Option<String>,
    /// Of logs.
    pub severity: Option<String>,
    /// Message, line, or measurements as JSON; empty for gaps.
    pub text: String,
}

/// A record with whose it is and how often it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The record.
    pub record: Record,
    /// Whose it is; none for the appliance.
    pub source: Option<Source>,
    /// How often it came as of the last fold, at most a minute ago, where that was more than once.
    pub repeat: Option<Repeat>,
}

const COLUMNS: &str = "number, class, source, received, size, revision, kind, at, nanos, resource, severity, text";

impl Record {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let kind: Option<i64> = row.get(6)?;
        let at: Option<i64> = row.get(7)?;
        Ok(Self {
            number: row.get(0)?,
            class: row.get(1)?,
            source: row.get(2)?,
            received: row.get(3)?,
            size: row.get(4)?,
            revision: row.get(5)?,
            kind: kind.and_then(kind_of),
            at: match at {
                Some(seconds) => Some(AgentTime::from_parts(seconds, row.get(8)?)),
                None => None,
            },
            resource: row.get(9)?,
            severity: row.get(10)?,
            text: row.get::<_, Option<String>>(11)?.unwrap_or_default(),
        })
    }
}

/// Writes a record.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn insert(transaction: &Transaction<'_>, record: &NewRecord<'_>) -> Result<()> {
    let at = record.at.map(AgentTime::parts);
    transaction
        .prepare_cached(
            "INSERT INTO record (number, class, source, received, size, revision, kind, at, nanos, hash, resource, severity, text) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                record.number,
                record.class,
                record.source,
                record.received,
                record.size,
                record.revision,
                record.kind.map(kind_number),
                at.map(|(seconds, _)| seconds),
                at.map(|(_, nanos)| nanos),
                record.hash,
                record.resource,
                record.severity,
                record.text,
            ])
        })
        .sql("record what an agent reports")?;
    Ok(())
}

/// Whether a log record of the same content is there.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn is_known(connection: &Connection, class: RecordClass, source: i64, at: AgentTime, hash: i64) -> Result<bool> {
    // The constant list is what lets SQLite use the partial index.
    connection
        .prepare_cached(
            "SELECT 1 FROM record WHERE class IN (4, 5) AND class = ? AND source = ? AND at = ? AND hash = ?",
        )
        .and_then(|mut statement| statement.exists(params![class, source, at.parts().0, hash]))
        .sql("look for a log record")
}

/// Returns the newest transition of a deployment with this revision and kind: number and message.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn last_of(
    connection: &Connection,
    source: i64,
    revision: &Uuid,
    kind: StatusKind,
    above: u64,
) -> Result<Option<u64>> {
    connection
        .prepare_cached(
            "SELECT max(number) FROM record WHERE class <= 2 AND class = 1 AND source = ? AND number > ? AND revision = ? AND kind = ?",
        )
        .and_then(|mut statement| {
            statement.query_row(params![source, above, revision, kind_number(kind)], |row| row.get(0))
        })
        .sql("look for an earlier status")
}

/// Returns a record.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn get(connection: &Connection, number: u64) -> Result<Option<Record>> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM record WHERE number = ?"))
        .sql("read a record")?;
    let mut rows = statement.query([number]).sql("read a record")?;
    match rows.next().sql("read a record")? {
        Some(row) => Ok(Some(Record::read(row).sql("read a record")?)),
        None => Ok(None),
    }
}

/// Returns the highest number that was ever given in this file.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn highest_number(connection: &Connection) -> Result<u64> {
    connection
        .query_row(
            "SELECT max(coalesce((SELECT max(number) FROM record), 0), coalesce((SELECT max(last) FROM gap), 0))",
            [],
            |row| row.get(0),
        )
        .sql("read the highest number")
}

/// Calls `each` with every record from a number on, ascending; text only of statuses.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql) and of `each`.
pub fn since_fold(connection: &Connection, from: u64, mut each: impl FnMut(Record) -> Result<()>) -> Result<()> {
    let mut statement = connection
        .prepare_cached(
            "SELECT number, class, source, received, size, revision, kind, at, nanos, NULL, NULL, \
             CASE WHEN class <= 2 THEN text END FROM record WHERE number >= ? ORDER BY number",
        )
        .sql("read the newest records")?;
    let mut rows = statement.query([from]).sql("read the newest records")?;
    while let Some(row) = rows.next().sql("read the newest records")? {
        each(Record::read(row).sql("read the newest records")?)?;
    }
    Ok(())
}

/// Returns up to `limit` records above a number, ascending, each with its source and how often it came as of the last fold.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn tail(connection: &Connection, above: u64, limit: usize) -> Result<Vec<Listed>> {
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, s.id, s.target, s.owner, s.deployment, s.name, s.agent, s.since, p.count, p.last, p.entered, p.said \
             FROM (SELECT * FROM record WHERE number > ? ORDER BY number LIMIT ?) r \
             LEFT JOIN source s ON s.id = r.source LEFT JOIN repeats p USING (number) ORDER BY number"
        ))
        .sql("read records")?;
    let rows = statement
        .query_map(params![above, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            let source = match row.get::<_, Option<i64>>(12)? {
                Some(id) => Some(Source {
                    id,
                    target: row.get(13)?,
                    owner: row.get(14)?,
                    deployment: row.get(15)?,
                    name: row.get(16)?,
                    agent: row.get(17)?,
                    since: row.get(18)?,
                }),
                None => None,
            };
            let repeat = match row.get::<_, Option<u64>>(19)? {
                Some(count) => Some(Repeat {
                    count,
                    last: row.get(20)?,
                    entered: row.get(21)?,
                    text: row.get(22)?,
                }),
                None => None,
            };
            Ok(Listed {
                record: Record::read(row)?,
                source,
                repeat,
            })
        })
        .sql("read records")?;
    rows.collect::<rusqlite::Result<_>>().sql("read records")
}

/// What was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// Whose it was.
    pub source: i64,
    /// Its number.
    pub number: u64,
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
         ORDER BY at, hash LIMIT ?) RETURNING source, number, size, received",
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
        "DELETE FROM record WHERE number IN (SELECT number FROM record WHERE class <= 2 AND class = 2 AND source = ? \
         AND number <> ? ORDER BY number LIMIT ?) RETURNING source, number, size, received",
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
         RETURNING source, number, size, received",
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
                size: row.get(2)?,
                received: row.get(3)?,
            })
        })
        .sql("drop the oldest records")?;
    rows.collect::<rusqlite::Result<_>>().sql("drop the oldest records")
}
