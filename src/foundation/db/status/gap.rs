//! What is missing and why: a record of its own, so that what is incomplete is visibly so (P21).

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, Transaction, params};

use super::{RecordClass, StreamId};
use crate::db::SqlResult as _;
use crate::domain::{Result, Timestamp};

/// Why something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its place was needed; the oldest text goes first.
    Quota,
    /// It came more often than it is kept.
    Rate,
    /// A deployment went to and fro more often than there is room for: counted at the states it came back to.
    Flapping,
    /// The file that held it is damaged and was set aside.
    Damaged,
    /// The file is an older copy of itself.
    Restored,
    /// Measurements that were folded into a row a day.
    Folded,
}

impl Reason {
    const ALL: [Self; 6] = [
        Self::Quota,
        Self::Rate,
        Self::Flapping,
        Self::Damaged,
        Self::Restored,
        Self::Folded,
    ];

    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Rate => "rate",
            Self::Flapping => "flapping",
            Self::Damaged => "damaged",
            Self::Restored => "restored",
            Self::Folded => "folded",
        }
    }
}

impl ToSql for Reason {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Reason {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// What is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Row id of the record that stands for it.
    pub number: u64,
    /// The stream that it is missing in.
    pub stream: StreamId,
    /// Number of that record in the stream.
    pub position: u64,
    /// The target's source; [`StreamId::everybody`] for all of the stream.
    pub source: i64,
    /// Why.
    pub reason: Reason,
    /// What; none for anything.
    pub class: Option<RecordClass>,
    /// How many.
    pub count: u64,
    /// Whether the count is exact, or an upper bound.
    pub exact: bool,
    /// How much, in bytes of the quota.
    pub bytes: u64,
    /// Lowest position that may be missing; 0 where nothing had one.
    pub first: u64,
    /// Highest one.
    pub last: u64,
    /// Received from this time on.
    pub since: Timestamp,
    /// Until then.
    pub until: Timestamp,
}

const COLUMNS: &str = "number, stream, position, source, reason, class, count, exact, bytes, first, last, since, until";

impl Gap {
    /// Reads what [`COLUMNS`] names.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let class: i64 = row.get(5)?;
        Ok(Self {
            number: row.get(0)?,
            stream: row.get(1)?,
            position: row.get(2)?,
            source: row.get(3)?,
            reason: row.get(4)?,
            class: if class == 0 { None } else { Some(row.get(5)?) },
            count: row.get(6)?,
            exact: row.get(7)?,
            bytes: row.get(8)?,
            first: row.get(9)?,
            last: row.get(10)?,
            since: row.get(11)?,
            until: row.get(12)?,
        })
    }
}

/// Records a gap together with the record that stands for it.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn insert_gap(transaction: &Transaction<'_>, gap: &Gap, now: Timestamp) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO record (number, stream, position, class, source, received, size) VALUES (?, ?, ?, ?, ?, ?, 0)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                gap.number,
                gap.stream,
                gap.position,
                RecordClass::Gap,
                gap.source,
                now
            ])
        })
        .sql("record a gap")?;
    put_gap(transaction, gap)
}

/// Records what a gap has become.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_gap(transaction: &Transaction<'_>, gap: &Gap) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO gap (number, stream, position, source, reason, class, count, exact, bytes, first, last, \
             since, until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                gap.number,
                gap.stream,
                gap.position,
                gap.source,
                gap.reason,
                gap.class.map_or(0, RecordClass::to_number),
                gap.count,
                gap.exact,
                gap.bytes,
                gap.first,
                gap.last,
                gap.since,
                gap.until,
            ])
        })
        .sql("record a gap")?;
    Ok(())
}

/// Returns every gap of every stream, in the order in which they came.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn gaps(connection: &Connection) -> Result<Vec<Gap>> {
    list(connection, &format!("SELECT {COLUMNS} FROM gap ORDER BY number"))
}

/// Returns the gaps that may still grow: those that stand above what is frozen of their stream.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn open_gaps(connection: &Connection) -> Result<Vec<Gap>> {
    list(
        connection,
        &format!(
            "SELECT {COLUMNS} FROM gap WHERE position > (SELECT frozen FROM stream WHERE id = gap.stream) ORDER BY number"
        ),
    )
}

/// Returns the gap that a record stands for.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub(super) fn gap_of(connection: &Connection, number: u64) -> Result<Option<Gap>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM gap WHERE number = ?"))
        .and_then(|mut statement| statement.query_row([number], Gap::read).optional())
        .sql("read a gap")
}

fn list(connection: &Connection, sql: &str) -> Result<Vec<Gap>> {
    let mut statement = connection.prepare_cached(sql).sql("read the gaps")?;
    let rows = statement.query_map([], Gap::read).sql("read the gaps")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the gaps")
}
