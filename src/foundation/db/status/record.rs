//! Records: statuses, metrics, logs, gaps; found again by number, by deployment and by content.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, ToSql, Transaction, params};

use super::{Repeat, Source, StreamId};
use crate::db::SqlResult as _;
use crate::domain::{AgentTime, Result, Signal, StatusKind, Timestamp, Uuid};

/// What a record is; the lower, the longer it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordClass {
    /// A status of another kind or revision than the one before.
    Transition,
    /// A status of the same kind and revision with another message.
    Detail,
    /// A status that goes on after its record was frozen.
    Continued,
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
    /// Every class.
    pub const ALL: [Self; 7] = [
        Self::Transition,
        Self::Detail,
        Self::Continued,
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
            Self::Continued => "continued",
            Self::Metrics => "metrics",
            Self::Log => "log",
            Self::AgentLog => "agent-log",
            Self::Gap => "gap",
        }
    }

    /// Whether it is the status of a deployment.
    pub fn is_status(self) -> bool {
        matches!(self, Self::Transition | Self::Detail | Self::Continued)
    }

    pub(super) fn to_number(self) -> i64 {
        match self {
            Self::Transition => 1,
            Self::Detail => 2,
            Self::Metrics => 3,
            Self::Log => 4,
            Self::AgentLog => 5,
            Self::Gap => 6,
            Self::Continued => 7,
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

fn signal_number(signal: Signal) -> i64 {
    let place = Signal::ALL.iter().position(|one| *one == signal).unwrap_or(0);
    i64::try_from(place).unwrap_or(0).saturating_add(1)
}

fn signal_of(number: i64) -> Option<Signal> {
    let place = usize::try_from(number.checked_sub(1)?).ok()?;
    Signal::ALL.get(place).copied()
}

/// A record to be written.
#[derive(Debug, Clone, Copy)]
pub struct NewRecord<'a> {
    /// Its row id.
    pub number: u64,
    /// The stream that it goes into.
    pub stream: StreamId,
    /// Its number there.
    pub position: u64,
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
    /// Of statuses: what it says of the apply.
    pub signal: Option<Signal>,
    /// Of what continued: position of the record in which this run of equal reports began.
    pub of: Option<u64>,
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
    /// Its row id.
    pub number: u64,
    /// The stream that it is in.
    pub stream: StreamId,
    /// Its number there.
    pub position: u64,
    /// What it is.
    pub class: RecordClass,
    /// Whose it is; [`StreamId::everybody`] for no target alone.
    pub source: i64,
    /// When it came first.
    pub received: Timestamp,
    /// Bytes that count against quotas.
    pub size: u64,
    /// Of statuses and logs.
    pub revision: Option<Uuid>,
    /// Of statuses.
    pub kind: Option<StatusKind>,
    /// Of statuses: what it says of the apply.
    pub signal: Option<Signal>,
    /// Of what continued: position of the record in which this run of equal reports began.
    pub of: Option<u64>,
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
    /// Whose it is; none where that is no target alone.
    pub source: Option<Source>,
    /// How often it came as of the last fold, at most a minute ago, where that was more than once.
    pub repeat: Option<Repeat>,
}

pub(super) const COLUMNS: &str = "r.number, r.stream, r.position, r.class, r.source, r.received, r.size, r.revision, r.kind, r.signal, \
    r.of, r.at, r.nanos, r.resource, r.severity, r.text";
/// How many those are.
pub(super) const COLUMN_COUNT: usize = 16;

impl Record {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let kind: Option<i64> = row.get(8)?;
        let signal: Option<i64> = row.get(9)?;
        let at: Option<i64> = row.get(11)?;
        Ok(Self {
            number: row.get(0)?,
            stream: row.get(1)?,
            position: row.get(2)?,
            class: row.get(3)?,
            source: row.get(4)?,
            received: row.get(5)?,
            size: row.get(6)?,
            revision: row.get(7)?,
            kind: kind.and_then(kind_of),
            signal: signal.and_then(signal_of),
            of: row.get(10)?,
            at: match at {
                Some(seconds) => Some(AgentTime::from_parts(seconds, row.get(12)?)),
                None => None,
            },
            resource: row.get(13)?,
            severity: row.get(14)?,
            text: row.get::<_, Option<String>>(15)?.unwrap_or_default(),
        })
    }
}

/// What [`Listed`] has beside the record `r`.
pub(super) const LISTED: &str = "s.id, s.stream, s.target, s.owner, s.deployment, s.name, s.agent, s.since, p.count, p.last, \
    p.entered, p.said";
/// Where that comes from.
pub(super) const JOINED: &str = "LEFT JOIN source s ON s.id = r.source LEFT JOIN repeats p ON p.number = r.number";

impl Listed {
    /// Reads what [`COLUMNS`] and [`LISTED`] name.
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let at = |place: usize| COLUMN_COUNT.saturating_add(place);
        let source = match row.get::<_, Option<i64>>(at(0))? {
            Some(id) => Some(Source {
                id,
                stream: row.get(at(1))?,
                target: row.get(at(2))?,
                owner: row.get(at(3))?,
                deployment: row.get(at(4))?,
                name: row.get(at(5))?,
                agent: row.get(at(6))?,
                since: row.get(at(7))?,
            }),
            None => None,
        };
        let repeat = match row.get::<_, Option<u64>>(at(8))? {
            Some(count) => Some(Repeat {
                count,
                last: row.get(at(9))?,
                entered: row.get(at(10))?,
                text: row.get(at(11))?,
            }),
            None => None,
        };
        Ok(Self {
            record: Record::read(row)?,
            source,
            repeat,
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
            "INSERT INTO record (number, stream, position, class, source, received, size, revision, kind, signal, of, at, nanos, hash, \
             resource, severity, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                record.number,
                record.stream,
                record.position,
                record.class,
                record.source,
                record.received,
                record.size,
                record.revision,
                record.kind.map(kind_number),
                record.signal.map(signal_number),
                record.of,
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

/// What [`last_of`] does not look behind.
#[derive(Debug, Clone, Copy)]
pub struct After {
    /// Rows from this one on.
    pub row: u64,
    /// Positions above this one.
    pub frozen: u64,
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

/// Returns the row id of the newest transition of a deployment with this revision and kind, if it came after both bounds.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn last_of(
    connection: &Connection,
    source: i64,
    revision: &Uuid,
    kind: StatusKind,
    after: After,
) -> Result<Option<u64>> {
    connection
        .prepare_cached(
            "SELECT max(number) FROM record WHERE class IN (1, 2, 7) AND class = 1 AND source = ? AND number >= ? AND position > ? \
             AND revision = ? AND kind = ?",
        )
        .and_then(|mut statement| {
            let parameters = params![source, after.row, after.frozen, revision, kind_number(kind)];
            statement.query_row(parameters, |row| row.get(0))
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
        .prepare_cached(&format!("SELECT {COLUMNS} FROM record r WHERE r.number = ?"))
        .sql("read a record")?;
    let mut rows = statement.query([number]).sql("read a record")?;
    match rows.next().sql("read a record")? {
        Some(row) => Ok(Some(Record::read(row).sql("read a record")?)),
        None => Ok(None),
    }
}

/// Returns the highest row id.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn highest_number(connection: &Connection) -> Result<u64> {
    connection
        .query_row("SELECT coalesce(max(number), 0) FROM record", [], |row| row.get(0))
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
            "SELECT number, stream, position, class, source, received, size, revision, kind, signal, of, at, nanos, NULL, NULL, \
             CASE WHEN class IN (1, 2, 7) THEN text END FROM record WHERE number >= ? ORDER BY number",
        )
        .sql("read the newest records")?;
    let mut rows = statement.query([from]).sql("read the newest records")?;
    while let Some(row) = rows.next().sql("read the newest records")? {
        each(Record::read(row).sql("read the newest records")?)?;
    }
    Ok(())
}

/// Returns up to `limit` records above a row id, ascending, whoever's they are, each with its source and how often it came as of the
/// last fold.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn tail(connection: &Connection, above: u64, limit: usize) -> Result<Vec<Listed>> {
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, {LISTED} FROM (SELECT * FROM record WHERE number > ? ORDER BY number LIMIT ?) r {JOINED} ORDER BY r.number"
        ))
        .sql("read records")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement
        .query_map(params![above, limit], Listed::read)
        .sql("read records")?;
    rows.collect::<rusqlite::Result<_>>().sql("read records")
}
