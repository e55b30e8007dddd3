//! What vendors have acknowledged: up to where both sides surely share a stream.

use rusqlite::{Connection, OptionalExtension as _};

use crate::db::SqlResult as _;
use crate::domain::{Hash, Result};

/// The last number of each kind that a vendor has acknowledged; 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reached {
    /// Number of the acknowledgement that says so.
    pub number: u64,
    /// Of records.
    pub records: u64,
    /// Of receipts.
    pub receipts: u64,
    /// Of rows of the stream log.
    pub audit: u64,
}

/// Returns how far the newest acknowledgement of a stream reaches.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn reached(connection: &Connection, domain: Hash) -> Result<Reached> {
    let newest = connection
        .prepare_cached(
            "SELECT number, records, receipts, audit FROM acknowledgement WHERE domain = ? ORDER BY number DESC LIMIT 1",
        )
        .and_then(|mut select| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok(Reached {
                    number: row.get(0)?,
                    records: row.get(1)?,
                    receipts: row.get(2)?,
                    audit: row.get(3)?,
                })
            };
            select.query_row([domain], read).optional()
        })
        .sql("read the acknowledgements")?;
    Ok(newest.unwrap_or_default())
}
