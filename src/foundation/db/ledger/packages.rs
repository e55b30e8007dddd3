//! Packages that were taken in, each under its instance and number.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::site::REPLACE_KEYS;
use crate::db::SqlResult as _;
use crate::domain::{Hash, Result, SiteId, Timestamp};

/// Action of a row of the log: a package was taken in. Its detail has `site`, `head`, `instance` and `number`.
pub const INGEST: &str = "ingest";

/// A package that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageRow {
    /// Head digest.
    pub head: Hash,
    /// Row id of its instance.
    pub instance: u64,
    /// Its number within the instance.
    pub number: u64,
    /// Head digest of the package before.
    pub previous: Option<Hash>,
    /// When its numbers were frozen, by the site's clock.
    pub made_at: Timestamp,
    /// When it was taken in, by the clock here.
    pub ingested_at: Timestamp,
}

const COLUMNS: &str = "head, instance, number, previous, made_at, ingested_at";

/// Records a package with the bytes of its head.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn record_package(transaction: &Transaction<'_>, package: &PackageRow, bytes: &[u8]) -> Result<()> {
    transaction
        .execute(
            "INSERT INTO package (head, instance, number, previous, made_at, ingested_at, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![
                package.head,
                package.instance,
                package.number,
                package.previous,
                package.made_at,
                package.ingested_at,
                bytes
            ],
        )
        .map(|_| ())
        .sql("record the package")
}

/// Returns a package by its head digest.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn package_by_head(connection: &Connection, head: Hash) -> Result<Option<PackageRow>> {
    connection
        .query_row(&format!("SELECT {COLUMNS} FROM package WHERE head = ?"), [head], read)
        .optional()
        .sql("read the packages")
}

/// Returns a package of an instance by its number.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn package(connection: &Connection, instance: u64, number: u64) -> Result<Option<PackageRow>> {
    connection
        .query_row(
            &format!("SELECT {COLUMNS} FROM package WHERE instance = ? AND number = ?"),
            params![instance, number],
            read,
        )
        .optional()
        .sql("read the packages")
}

/// Returns the package of an instance with the highest number below one.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn package_before(connection: &Connection, instance: u64, number: u64) -> Result<Option<PackageRow>> {
    connection
        .query_row(
            &format!("SELECT {COLUMNS} FROM package WHERE instance = ? AND number < ? ORDER BY number DESC LIMIT 1"),
            params![instance, number],
            read,
        )
        .optional()
        .sql("read the packages")
}

/// Returns the highest number of an instance's packages; 0 where none was taken in.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn highest_package(connection: &Connection, instance: u64) -> Result<u64> {
    connection
        .query_row(
            "SELECT ifnull(max(number), 0) FROM package WHERE instance = ?",
            [instance],
            |row| row.get(0),
        )
        .sql("read the packages")
}

/// Whether a package of a site, below the highest of its instance, was never taken in.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn has_package_hole(connection: &Connection, site: &SiteId) -> Result<bool> {
    connection
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM package p JOIN instance i ON i.id = p.instance WHERE i.site = ?
             GROUP BY p.instance HAVING max(p.number) > count(*))",
            [site],
            |row| row.get(0),
        )
        .sql("read the packages")
}

/// Returns the heads of all packages of an instance, by number.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn package_heads(connection: &Connection, instance: u64) -> Result<Vec<Vec<u8>>> {
    let mut select = connection
        .prepare_cached("SELECT bytes FROM package WHERE instance = ? ORDER BY number")
        .sql("read the packages")?;
    let rows = select
        .query_map([instance], |row| row.get(0))
        .sql("read the packages")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the packages")
}

/// Returns the highest number of an acknowledgement that was issued for a site; 0 where there is none.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn issued_acknowledgement(connection: &Connection, site: &SiteId) -> Result<u64> {
    connection
        .query_row(
            "SELECT ifnull(max(number), 0) FROM acknowledgement WHERE site = ?",
            [site],
            |row| row.get(0),
        )
        .sql("read the acknowledgements")
}

/// Whether a site's keys were replaced and no package was taken in since.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn keys_are_fresh(connection: &Connection, site: &SiteId) -> Result<bool> {
    let newest: Option<String> = connection
        .query_row(
            "SELECT action FROM audit WHERE action IN ('replace-keys', 'ingest') AND detail ->> 'site' = ?
             ORDER BY number DESC LIMIT 1",
            [site],
            |row| row.get(0),
        )
        .optional()
        .sql("read the audit log")?;
    Ok(newest.as_deref() == Some(REPLACE_KEYS))
}

fn read(row: &Row<'_>) -> rusqlite::Result<PackageRow> {
    Ok(PackageRow {
        head: row.get(0)?,
        instance: row.get(1)?,
        number: row.get(2)?,
        previous: row.get(3)?,
        made_at: row.get(4)?,
        ingested_at: row.get(5)?,
    })
}
