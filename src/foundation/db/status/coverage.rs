//! What became of every number of a range: a record of some class, missing with a reason, or missing without one (M-85).

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::{RecordClass, StreamId};
use crate::db::SqlResult as _;
use crate::domain::Result;

/// A range of positions of one stream; empty where `last` is below `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Whose positions.
    pub stream: StreamId,
    /// The first one.
    pub first: u64,
    /// The last one.
    pub last: u64,
}

/// The numbers of a range, by what became of them; together they are all of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// Records by class.
    pub records: BTreeMap<RecordClass, u64>,
    /// Without a record, and within what a gap says is missing.
    pub missing: u64,
    /// Without a record and within no gap: a fault.
    pub unexplained: u64,
}

impl Coverage {
    /// How many records there are of these classes.
    pub fn of(&self, classes: &[RecordClass]) -> u64 {
        let counts = classes.iter().filter_map(|class| self.records.get(class));
        counts.copied().fold(0, u64::saturating_add)
    }
}

/// Counts a range, in one walk over the stream's index. A gap counts wherever its own number lies.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn coverage(connection: &Connection, range: Range) -> Result<Coverage> {
    const WHAT: &str = "count the numbers of a stream";
    let mut gaps = Explained::read(connection, range)?;
    let mut found = Coverage::default();
    let mut statement = connection
        .prepare_cached(
            "SELECT position, class FROM record WHERE stream = ? AND position BETWEEN ? AND ? ORDER BY position",
        )
        .sql(WHAT)?;
    let mut rows = statement
        .query(params![range.stream, range.first, range.last])
        .sql(WHAT)?;
    let mut expected = range.first;
    while let Some(row) = rows.next().sql(WHAT)? {
        let (position, class): (u64, RecordClass) = (row.get(0).sql(WHAT)?, row.get(1).sql(WHAT)?);
        gaps.hole(expected, position, &mut found);
        expected = position.saturating_add(1);
        let count = found.records.entry(class).or_default();
        *count = count.saturating_add(1);
    }
    gaps.hole(expected, range.last.saturating_add(1), &mut found);
    Ok(found)
}

/// What gaps account for: runs of positions, ascending, none touching the next.
struct Explained {
    runs: Vec<(u64, u64)>,
    at: usize,
}

impl Explained {
    fn read(connection: &Connection, range: Range) -> Result<Self> {
        const WHAT: &str = "read what gaps account for";
        let mut statement = connection
            .prepare_cached(
                "SELECT first, last FROM gap WHERE stream = ? AND last >= ? AND first <= ? AND last > 0 ORDER BY first",
            )
            .sql(WHAT)?;
        let rows = statement
            .query_map(params![range.stream, range.first, range.last], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))
            })
            .sql(WHAT)?;
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for row in rows {
            let (first, last) = row.sql(WHAT)?;
            match runs.last_mut().filter(|run| first <= run.1.saturating_add(1)) {
                Some(run) => run.1 = run.1.max(last),
                None => runs.push((first, last)),
            }
        }
        Ok(Self { runs, at: 0 })
    }

    /// Sorts the positions from one up to, but not including, another one; holes come in ascending order.
    fn hole(&mut self, from: u64, until: u64, found: &mut Coverage) {
        let mut from = from;
        while from < until {
            let Some((first, last)) = self.runs.get(self.at).copied().filter(|(first, _)| *first < until) else {
                found.unexplained = found.unexplained.saturating_add(until.saturating_sub(from));
                return;
            };
            if last < from {
                self.at = self.at.saturating_add(1);
                continue;
            }
            found.unexplained = found.unexplained.saturating_add(first.saturating_sub(from));
            let (begin, end) = (from.max(first), last.saturating_add(1).min(until));
            found.missing = found.missing.saturating_add(end.saturating_sub(begin));
            from = end;
        }
    }
}
