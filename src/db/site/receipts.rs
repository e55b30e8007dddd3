//! Receipts of imports, numbered 1, 2, 3 … without gaps, each signed and kept in the transaction of its import.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Hash, Result, Timestamp};

/// A receipt as it stands in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRow {
    /// Its number.
    pub number: u64,
    /// When the import was published.
    pub at: Timestamp,
    /// Head digest of the bundle.
    pub head: Hash,
    /// The signed receipt.
    pub envelope: Vec<u8>,
}

/// Returns the number that the next receipt gets; who appends it holds the transaction meanwhile.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn next_number(connection: &Connection) -> Result<u64> {
    connection
        .query_row("SELECT coalesce(max(number), 0) + 1 FROM receipt", [], |row| row.get(0))
        .sql("number the receipt")
}

/// Keeps a receipt under the number that [`next_number`] gave.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn append(transaction: &Transaction<'_>, receipt: &ReceiptRow) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO receipt (number, at, head, envelope) VALUES (?, ?, ?, ?)",
            params![receipt.number, receipt.at, receipt.head, receipt.envelope],
        )
        .sql("keep the receipt")?;
    Ok(())
}

/// Returns the receipt of a release.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn of(connection: &Connection, head: Hash) -> Result<Option<ReceiptRow>> {
    connection
        .prepare_cached("SELECT number, at, head, envelope FROM receipt WHERE head = ? ORDER BY number DESC LIMIT 1")
        .and_then(|mut select| select.query_row([head], read).optional())
        .sql("read the receipts")
}

/// Returns up to `limit` receipts after a number, in order.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn list(connection: &Connection, after: u64, limit: usize) -> Result<Vec<ReceiptRow>> {
    let mut select = connection
        .prepare_cached("SELECT number, at, head, envelope FROM receipt WHERE number > ? ORDER BY number LIMIT ?")
        .sql("read the receipts")?;
    let rows = select.query_map(params![after, limit], read).sql("read the receipts")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the receipts")
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<ReceiptRow> {
    Ok(ReceiptRow {
        number: row.get(0)?,
        at: row.get(1)?,
        head: row.get(2)?,
        envelope: row.get(3)?,
    })
}
