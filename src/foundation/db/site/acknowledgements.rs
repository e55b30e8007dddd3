//! What vendors have acknowledged: up to where both sides surely share a stream, and what they found in what came.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Hash, Result, Timestamp};

/// Action of a row of the log: an acknowledgement was applied.
pub const ACKNOWLEDGE: &str = "acknowledge";
/// Action of a row of the log: one was refused.
pub const REFUSE: &str = "ack-refuse";

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

/// An acknowledgement that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcknowledgementRow {
    /// As it came.
    pub envelope: Vec<u8>,
    /// Its number, and how far everything is with its vendor since.
    pub reached: Reached,
    /// Head digest of the last package that it, or one before it, names.
    pub package: Option<Hash>,
}

/// What of a stream may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    /// Whose stream.
    pub domain: Hash,
    /// Records up to here.
    pub records: u64,
    /// Days of metrics that were over then: when the last package that its vendor has was frozen.
    pub covered_at: Timestamp,
    /// Row number of the instance that made that package.
    pub instance: u64,
    /// Its number there.
    pub package: u64,
}

/// A row of the audit log about an acknowledgement, applied or refused, or about the beginning of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardRow {
    /// Number of the row.
    pub row: u64,
    /// When.
    pub at: Timestamp,
    /// `acknowledge`, `ack-refuse` or `instance`.
    pub action: String,
    /// Canonical JSON.
    pub detail: String,
}

/// Returns how far the newest acknowledgement of a stream reaches.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn reached(connection: &Connection, domain: Hash) -> Result<Reached> {
    Ok(newest(connection, domain)?.map(|row| row.reached).unwrap_or_default())
}

/// Returns the newest acknowledgement of a stream that was applied.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest(connection: &Connection, domain: Hash) -> Result<Option<AcknowledgementRow>> {
    connection
        .prepare_cached(&format!("{COLUMNS} WHERE domain = ? ORDER BY number DESC LIMIT 1"))
        .and_then(|mut select| select.query_row([domain], read).optional())
        .sql("read the acknowledgements")
}

/// Returns the acknowledgement of a number that was applied.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn find(connection: &Connection, domain: Hash, number: u64) -> Result<Option<AcknowledgementRow>> {
    connection
        .prepare_cached(&format!("{COLUMNS} WHERE domain = ? AND number = ?"))
        .and_then(|mut select| select.query_row(params![domain, number], read).optional())
        .sql("read the acknowledgements")
}

/// Keeps an acknowledgement that is applied now.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn keep(transaction: &Transaction<'_>, domain: Hash, row: &AcknowledgementRow, at: Timestamp) -> Result<()> {
    let AcknowledgementRow {
        envelope,
        reached,
        package,
    } = row;
    transaction
        .prepare_cached(
            "INSERT INTO acknowledgement (domain, number, envelope, records, receipts, audit, package, at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                domain,
                reached.number,
                envelope,
                reached.records,
                reached.receipts,
                reached.audit,
                package,
                at
            ])
        })
        .sql("keep the acknowledgement")?;
    Ok(())
}

/// Returns what may go of each stream, by its newest acknowledgement.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn freed(connection: &Connection) -> Result<Vec<Freed>> {
    let mut select = connection
        .prepare_cached(
            "SELECT a.domain, a.records, p.made_at, p.instance, p.number FROM acknowledgement a JOIN package p ON p.head = a.package
             WHERE a.number = (SELECT max(number) FROM acknowledgement n WHERE n.domain = a.domain) ORDER BY a.domain",
        )
        .sql("read the acknowledgements")?;
    let read = |row: &Row<'_>| {
        Ok(Freed {
            domain: row.get(0)?,
            records: row.get(1)?,
            covered_at: row.get(2)?,
            instance: row.get(3)?,
            package: row.get(4)?,
        })
    };
    let rows = select.query_map([], read).sql("read the acknowledgements")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the acknowledgements")
}

/// Returns the packages whose files need not stay for what a vendor has: those up to the last one that it acknowledged, and of earlier
/// instances, but for the newest `kept` of the instance.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn freed_packages(connection: &Connection, freed: &Freed, kept: u64) -> Result<Vec<Hash>> {
    let mut select = connection
        .prepare_cached(
            "SELECT head FROM package WHERE domain = ?1 AND state <> 'draft' AND (instance < ?2 OR (instance = ?2 AND number <= ?3
               AND number <= (SELECT max(number) FROM package WHERE domain = ?1 AND instance = ?2 AND state <> 'draft') - ?4))
             ORDER BY instance, number",
        )
        .sql("read the packages")?;
    let rows = select
        .query_map(params![freed.domain, freed.instance, freed.package, kept], |row| {
            row.get(0)
        })
        .sql("read the packages")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the packages")
}

/// Returns the rows of the audit log about acknowledgements and instances, oldest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn heard(connection: &Connection) -> Result<Vec<HeardRow>> {
    let mut select = connection
        .prepare_cached(
            "SELECT number, at, action, detail FROM audit WHERE action IN ('acknowledge', 'ack-refuse', 'instance') ORDER BY number",
        )
        .sql("read the audit log")?;
    let read = |row: &Row<'_>| {
        Ok(HeardRow {
            row: row.get(0)?,
            at: row.get(1)?,
            action: row.get(2)?,
            detail: row.get(3)?,
        })
    };
    let rows = select.query_map([], read).sql("read the audit log")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the audit log")
}

const COLUMNS: &str = "SELECT number, envelope, records, receipts, audit, package FROM acknowledgement";

fn read(row: &Row<'_>) -> rusqlite::Result<AcknowledgementRow> {
    Ok(AcknowledgementRow {
        envelope: row.get(1)?,
        reached: Reached {
            number: row.get(0)?,
            records: row.get(2)?,
            receipts: row.get(3)?,
            audit: row.get(4)?,
        },
        package: row.get(5)?,
    })
}
