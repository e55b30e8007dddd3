//! How far the walk has come that hashes all content anew: kept, so that one that was stopped goes on.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Digest, Result, Timestamp};

/// A walk over all content, in the order of digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// When it began.
    pub begun_at: Timestamp,
    /// The last content that had its turn.
    pub after: Digest,
    /// How many had.
    pub checked: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them held something else and were set aside.
    pub damaged: u64,
    /// How many of them were not there.
    pub missing: u64,
}

/// Returns the walk that was stopped, if any was.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn stopped(connection: &Connection) -> Result<Option<Walk>> {
    connection
        .query_row(
            "SELECT begun_at, after, checked, bytes, damaged, missing FROM scrub",
            [],
            |row| {
                Ok(Walk {
                    begun_at: row.get(0)?,
                    after: row.get(1)?,
                    checked: row.get(2)?,
                    bytes: row.get(3)?,
                    damaged: row.get(4)?,
                    missing: row.get(5)?,
                })
            },
        )
        .optional()
        .sql("read how far the walk over all content is")
}

/// Keeps how far a walk is.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn keep(transaction: &Transaction<'_>, walk: &Walk) -> Result<()> {
    transaction
        .execute(
            "INSERT OR REPLACE INTO scrub (one, begun_at, after, checked, bytes, damaged, missing) VALUES (1, ?, ?, ?, ?, ?, ?)",
            params![
                walk.begun_at,
                walk.after,
                walk.checked,
                walk.bytes,
                walk.damaged,
                walk.missing
            ],
        )
        .sql("keep how far the walk over all content is")?;
    Ok(())
}

/// Forgets the walk: it came to its end, or another one begins.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn end(transaction: &Transaction<'_>) -> Result<()> {
    transaction
        .execute("DELETE FROM scrub", [])
        .sql("end the walk over all content")?;
    Ok(())
}
