//! What a stream tells: its records in the order of their numbers, each with all that belongs to it.

use std::ops::ControlFlow;

use rusqlite::{Connection, params};

use super::gap::gap_of;
use super::record::{COLUMNS, JOINED, LISTED};
use super::{Gap, Listed, Range, RecordClass};
use crate::db::SqlResult as _;
use crate::domain::Result;

/// A record of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRecord {
    /// The record, whose it is, and how often it came: as of now where it is frozen, else as of the last fold.
    pub listed: Listed,
    /// Of gap records: what is missing.
    pub gap: Option<Gap>,
}

/// Calls `each` with the records of a range that are of certain classes, ascending, until it wants no more. One is in memory at a time.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql) and of `each`.
pub fn stream_records(
    connection: &Connection,
    range: Range,
    classes: &[RecordClass],
    mut each: impl FnMut(StreamRecord) -> Result<ControlFlow<()>>,
) -> Result<()> {
    const WHAT: &str = "read a stream";
    let classes: Vec<i64> = classes.iter().map(|class| class.to_number()).collect();
    let classes = serde_json::json!(classes).to_string();
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, {LISTED} FROM record r {JOINED} WHERE r.stream = ? AND r.position BETWEEN ? AND ? \
             AND +r.class IN (SELECT value FROM json_each(?)) ORDER BY r.position"
        ))
        .sql(WHAT)?;
    let mut rows = statement
        .query(params![range.stream, range.first, range.last, classes])
        .sql(WHAT)?;
    while let Some(row) = rows.next().sql(WHAT)? {
        let listed = Listed::read(row).sql(WHAT)?;
        let gap = match listed.record.class {
            RecordClass::Gap => gap_of(connection, listed.record.number)?,
            _ => None,
        };
        if each(StreamRecord { listed, gap })?.is_break() {
            break;
        }
    }
    Ok(())
}
