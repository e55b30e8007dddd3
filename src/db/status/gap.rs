//! What is missing and why: a record of its own, so that what is incomplete is visibly so (P21).

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, ToSql, Transaction, params};

use super::RecordClass;
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
}

impl Reason {
    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Rate => "rate",
            Self::Flapping => "flapping",
            Self::Damaged => "damaged",
            Self::Restored => "restored",
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
        [Self::Quota, Self::Rate, Self::Flapping, Self::Damaged, Self::Restored]
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or(FromSqlError::InvalidType)
    }
}

/// What is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Number of the record that stands for it.
    pub number: u64,
    /// The target's source; 0 for all.
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
    /// Lowest number that may be missing; 0 where nothing had a number.
    pub first: u64,
    /// Highest one.
    pub last: u64,
    /// Received from this time on.
    pub since: Timestamp,
    /// Until then.
    pub until: Timestamp,
}

const COLUMNS: &str = "number, source, reason, class, count, exact, bytes, first, last, since, until";

impl Gap {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let class: i64 = row.get(3)?;
        Ok(Self {
            number: row.get(0)?,
            source: row.get(1)?,
            reason: row.get(2)?,
            class: if class == 0 { None } else { Some(row.get(3)?) },
            count: row.get(4)?,
            exact: row.get(5)?,
            bytes: row.get(6)?,
            first: row.get(7)?,
            last: row.get(8)?,
            since: row.get(9)?,
            until: row.get(10)?,
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
        .prepare_cached("INSERT INTO record (number, class, source, received, size) VALUES (?, ?, ?, ?, 0)")
        .and_then(|mut statement| statement.execute(params![gap.number, RecordClass::Gap, gap.source, now]))
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
            "INSERT OR REPLACE INTO gap (number, source, reason, class, count, exact, bytes, first, last, since, until) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut statement| {
            statement.execute(params![
                gap.number,
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

/// Returns every gap.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn gaps(connection: &Connection) -> Result<Vec<Gap>> {
    open_gaps(connection, 0)
}

/// Returns the gaps whose records have a number above this one.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn open_gaps(connection: &Connection, above: u64) -> Result<Vec<Gap>> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM gap WHERE number > ? ORDER BY number"))
        .sql("read the gaps")?;
    let rows = statement.query_map([above], Gap::read).sql("read the gaps")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the gaps")
}

/// Returns how many numbers up to the highest one have no record, and how many of these no gap accounts for.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn numbers_missing(connection: &Connection) -> Result<(u64, u64)> {
    let next = super::highest_number(connection)?.saturating_add(1);
    let mut gaps: Vec<(u64, u64)> = gaps(connection)?
        .into_iter()
        .filter(|gap| gap.last > 0)
        .map(|gap| (gap.first, gap.last))
        .collect();
    gaps.sort_unstable();
    let mut statement = connection
        .prepare_cached("SELECT number FROM record ORDER BY number")
        .sql("read the numbers")?;
    let mut rows = statement.query([]).sql("read the numbers")?;
    let (mut missing, mut unexplained, mut expected) = (0_u64, 0_u64, 1_u64);
    loop {
        let number: Option<u64> = match rows.next().sql("read the numbers")? {
            Some(row) => Some(row.get(0).sql("read the numbers")?),
            None => None,
        };
        // The numbers between two records, less those that a gap covers.
        let until = number.unwrap_or(next);
        missing = missing.saturating_add(until.saturating_sub(expected));
        let mut at = expected;
        for (first, last) in &gaps {
            if at >= until {
                break;
            }
            if *last < at || *first >= until {
                continue;
            }
            unexplained = unexplained.saturating_add(first.saturating_sub(at));
            at = last.saturating_add(1).min(until);
        }
        unexplained = unexplained.saturating_add(until.saturating_sub(at));
        let Some(number) = number else {
            return Ok((missing, unexplained));
        };
        expected = number.saturating_add(1);
    }
}
