//! As of when a site is known: its shown line and the newest package of that.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::instances::Lineage;
use crate::db::SqlResult as _;
use crate::domain::{Hash, Result, SiteId, Timestamp, Uuid};

const WHAT: &str = "read the packages";

/// The newest package of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// Head digest.
    pub head: Hash,
    /// Number within the instance.
    pub number: u64,
    /// By the site's clock.
    pub made_at: Timestamp,
    /// By the clock of this workspace.
    pub ingested_at: Timestamp,
}

/// A package that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageWithHead {
    /// Row id of its instance.
    pub instance: u64,
    /// Which one it is.
    pub newest: Newest,
    /// Its head: entry 03.
    pub bytes: Vec<u8>,
}

/// Returns the newest package of an instance.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest(connection: &Connection, instance: u64) -> Result<Option<Newest>> {
    connection
        .prepare_cached(
            "SELECT head, number, made_at, ingested_at FROM package WHERE instance = ? ORDER BY number DESC LIMIT 1",
        )
        .and_then(|mut select| select.query_row([instance], |row| read_newest(row, 0)).optional())
        .sql(WHAT)
}

/// Returns the newest package of every instance, by its row id.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_of_all(connection: &Connection) -> Result<BTreeMap<u64, Newest>> {
    let mut select = connection
        .prepare_cached(
            "SELECT i.id, p.head, p.number, p.made_at, p.ingested_at FROM instance i
             CROSS JOIN package p ON p.instance = i.id AND p.number = (SELECT max(q.number) FROM package q WHERE q.instance = i.id)",
        )
        .sql(WHAT)?;
    let rows = select
        .query_map([], |row| Ok((row.get(0)?, read_newest(row, 1)?)))
        .sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns the packages of an instance, by number.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn packages(connection: &Connection, instance: u64) -> Result<Vec<PackageWithHead>> {
    let mut select = connection
        .prepare_cached(
            "SELECT head, number, made_at, ingested_at, bytes FROM package WHERE instance = ? ORDER BY number",
        )
        .sql(WHAT)?;
    let rows = select
        .query_map([instance], |row| {
            Ok(PackageWithHead {
                instance,
                newest: read_newest(row, 0)?,
                bytes: row.get(4)?,
            })
        })
        .sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns how many instances each site was seen to have.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn instance_counts(connection: &Connection) -> Result<BTreeMap<SiteId, u64>> {
    let what = "read the instances";
    let mut select = connection
        .prepare_cached("SELECT site, count(*) FROM instance GROUP BY site")
        .sql(what)?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

/// Returns how many packages of an instance are here.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn package_count(connection: &Connection, instance: u64) -> Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM package WHERE instance = ?")
        .and_then(|mut select| select.query_row([instance], |row| row.get(0)))
        .sql(WHAT)
}

/// Returns the number of the newest summary of an instance that was taken in, where it is above that of every package of it, and as of when
/// it says something.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_summary(connection: &Connection, site: &SiteId, line: &Lineage) -> Result<Option<(u64, Timestamp)>> {
    let instance = line.youngest();
    connection
        .prepare_cached(
            "SELECT number, min(made_at, taken_at) FROM summary WHERE site = ?1 AND instance = substr(?2, 1, 16)
             AND number > (SELECT ifnull(max(number), 0) FROM package WHERE instance = ?3) ORDER BY number DESC LIMIT 1",
        )
        .and_then(|mut select| {
            let of = params![site, instance.instance, instance.id];
            select.query_row(of, |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .sql("read the summaries")
}

/// Returns number and time, as [`newest_summary`] says them, of the newest summary of an instance that no package of the site told of.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn summary_apart(connection: &Connection, site: &SiteId) -> Result<Option<(u64, Timestamp)>> {
    connection
        .prepare_cached(
            "SELECT number, min(made_at, taken_at) FROM summary s WHERE site = ?1
             AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.site = s.site AND substr(i.instance, 1, 16) = s.instance)
             ORDER BY taken_at DESC, number DESC LIMIT 1",
        )
        .and_then(|mut select| {
            select
                .query_row([site], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .sql("read the summaries")
}

/// Returns as of when a summary says something, by its digest: when it was made, and never later than when it came.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn summary_time(connection: &Connection, digest: Hash) -> Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT min(made_at, taken_at) FROM summary WHERE digest = ?")
        .and_then(|mut select| select.query_row(params![digest], |row| row.get(0)).optional())
        .sql("read the summaries")
}

/// Returns as of when summaries tell what deployments run, for those of which a summary does.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn told_by_summaries(connection: &Connection) -> Result<BTreeMap<(SiteId, Uuid), Timestamp>> {
    let what = "read the summaries";
    let mut select = connection
        .prepare_cached(
            "SELECT d.site, d.deployment, min(s.made_at, s.taken_at) FROM summary s
             CROSS JOIN deployment_now d ON d.site = s.site AND d.package = s.digest",
        )
        .sql(what)?;
    let rows = select
        .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))
        .sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

fn read_newest(row: &Row<'_>, at: usize) -> rusqlite::Result<Newest> {
    Ok(Newest {
        head: row.get(at)?,
        number: row.get(at + 1)?,
        made_at: row.get(at + 2)?,
        ingested_at: row.get(at + 3)?,
    })
}
