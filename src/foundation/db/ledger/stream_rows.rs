//! Rows of the logs of sites, as far as this vendor may know them.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::put::Put;
use crate::db::SqlResult as _;
use crate::domain::{Hash, Result, SiteId, Timestamp};

/// A row of a stream's log.
#[derive(Debug, Clone, Copy)]
pub struct StreamRow<'a> {
    /// Row id of the instance that the number belongs to.
    pub instance: u64,
    /// Its number.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub action: &'a str,
    /// The rest, as canonical JSON.
    pub detail: &'a str,
    /// Its seal.
    pub seal: Hash,
}

/// Writes a row down. One that is known must have the same seal, which is over everything up to it.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_stream_row(transaction: &Transaction<'_>, row: &StreamRow<'_>) -> Result<Put> {
    let new = transaction
        .prepare_cached(
            "INSERT INTO site_audit (instance, number, at, action, detail, seal) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .and_then(|mut insert| {
            insert.execute(params![row.instance, row.number, row.at, row.action, row.detail, row.seal])
        })
        .sql("record a row of the site's log")?;
    if new > 0 {
        return Ok(Put::New);
    }
    let known = seal_of(transaction, row.instance, row.number)?;
    Ok(if known == Some(row.seal) {
        Put::Known
    } else {
        Put::Differs
    })
}

/// Returns the seal of a row that is known.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn seal_of(connection: &Connection, instance: u64, number: u64) -> Result<Option<Hash>> {
    connection
        .prepare_cached("SELECT seal FROM site_audit WHERE instance = ? AND number = ?")
        .and_then(|mut select| select.query_row(params![instance, number], |row| row.get(0)).optional())
        .sql("read the site's log")
}

/// Whether a row of a site's log with this seal is known that names a receipt.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn has_receipt_row(connection: &Connection, site: &SiteId, seal: Hash, receipt: u64) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM site_audit a JOIN instance i ON i.id = a.instance
             WHERE a.seal = ? AND i.site = ? AND a.detail ->> 'receipt' = ?)",
        )
        .and_then(|mut select| select.query_row(params![seal, site, receipt], |row| row.get(0)))
        .sql("read the site's log")
}
