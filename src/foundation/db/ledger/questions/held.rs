//! Which releases sites hold, and what of them is damaged.

use std::collections::BTreeMap;

use rusqlite::types::FromSql;
use rusqlite::{Connection, Row};

use crate::db::SqlResult as _;
use crate::domain::{Counter, Hash, Name, Result, SiteId, Timestamp};

const WHAT: &str = "read what the site holds";
const COLUMNS: &str =
    "k.site, k.head, k.product, k.channel, k.epoch, k.sequence, k.state, k.imported_at, k.since, k.agrees, p.version,
    min(s.made_at, s.taken_at), min(t.made_at, t.ingested_at)";

/// Where they are from: the release as it was signed, and what says so.
const FROM: &str =
    "FROM held k LEFT JOIN signed_release p ON p.head = k.head LEFT JOIN summary s ON s.digest = k.source
    LEFT JOIN package t ON t.head = k.source";

/// A release that a site holds, as its newest package or summary says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The site.
    pub site: SiteId,
    /// Head digest.
    pub head: Hash,
    /// Product.
    pub product: Name,
    /// Channel.
    pub channel: Name,
    /// Its number, as the site says.
    pub counter: Counter,
    /// `active`, `available` or `retired`.
    pub state: String,
    /// When it was imported.
    pub imported_at: Option<Timestamp>,
    /// When it went live, or was retired.
    pub since: Option<Timestamp>,
    /// Whether its numbers and content are what was signed here, as a package says; nothing where its head is not known, or where only a
    /// summary told of it.
    pub agrees: Option<bool>,
    /// As of when what is said of it is so.
    pub as_of: Option<Timestamp>,
    /// Whether a summary says so, and no package yet.
    pub by_summary: bool,
    /// Its label, where this head was signed here.
    pub version: Option<String>,
}

/// Returns the releases that a site holds, by scope and number.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn held(connection: &Connection, site: &SiteId) -> Result<Vec<Held>> {
    let sql = format!(
        "SELECT {COLUMNS} {FROM} WHERE k.site = ?
         ORDER BY k.product, k.channel, k.epoch, k.sequence, k.head"
    );
    let mut select = connection.prepare_cached(&sql).sql(WHAT)?;
    let rows = select
        .query_map([site], |row| read(row, row.get(10)?, (row.get(11)?, row.get(12)?)))
        .sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns the live releases of all sites, by site and scope. Thousands of rows are of few releases, and those of a site by one package:
/// these are looked up once each.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn live(connection: &Connection) -> Result<Vec<Held>> {
    let versions: BTreeMap<Hash, String> = looked_up(connection, "SELECT head, version FROM signed_release")?;
    let sources = "(SELECT DISTINCT source FROM held WHERE state = 'active')";
    let packages: BTreeMap<Hash, Timestamp> = looked_up(
        connection,
        &format!("SELECT head, min(made_at, ingested_at) FROM package WHERE head IN {sources}"),
    )?;
    let summaries: BTreeMap<Hash, Timestamp> = looked_up(
        connection,
        &format!("SELECT digest, min(made_at, taken_at) FROM summary WHERE digest IN {sources}"),
    )?;
    let mut select = connection
        .prepare_cached(
            "SELECT site, head, product, channel, epoch, sequence, state, imported_at, since, agrees, source FROM held
             WHERE state = 'active' ORDER BY site, product, channel, head",
        )
        .sql(WHAT)?;
    let rows = select
        .query_map([], |row| {
            let (head, source) = (row.get(1)?, row.get(10)?);
            let by = (summaries.get(&source).copied(), packages.get(&source).copied());
            read(row, versions.get(&head).cloned(), by)
        })
        .sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

fn looked_up<T: FromSql>(connection: &Connection, sql: &str) -> Result<BTreeMap<Hash, T>> {
    let mut select = connection.prepare_cached(sql).sql(WHAT)?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns the heads that are live at sites.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn live_heads(connection: &Connection) -> Result<BTreeMap<SiteId, Vec<Hash>>> {
    let mut select = connection
        .prepare_cached("SELECT site, head FROM held WHERE state = 'active' ORDER BY site, product, channel, head")
        .sql(WHAT)?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).sql(WHAT)?;
    let mut heads = BTreeMap::<SiteId, Vec<Hash>>::new();
    for row in rows {
        let (site, head) = row.sql(WHAT)?;
        heads.entry(site).or_default().push(head);
    }
    Ok(heads)
}

/// Returns at how many sites each head is, by its state there; those that were withdrawn are not counted.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn held_by_sites(connection: &Connection) -> Result<Vec<(Hash, String, u64)>> {
    let mut select = connection
        .prepare_cached(
            "SELECT k.head, k.state, count(*) FROM held k JOIN site s ON s.site = k.site AND s.withdrawn_at IS NULL
             GROUP BY k.head, k.state",
        )
        .sql(WHAT)?;
    let rows = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns how many pieces of content a site cannot serve.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn damaged(connection: &Connection, site: &SiteId) -> Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM damaged WHERE site = ?")
        .and_then(|mut select| select.query_row([site], |row| row.get(0)))
        .sql("read the damage")
}

/// Reads a row; `by` are the times of the summary and of the package that say so.
fn read(row: &Row<'_>, version: Option<String>, by: (Option<Timestamp>, Option<Timestamp>)) -> rusqlite::Result<Held> {
    let (summary, package) = by;
    Ok(Held {
        site: row.get(0)?,
        head: row.get(1)?,
        product: row.get(2)?,
        channel: row.get(3)?,
        counter: Counter {
            epoch: row.get(4)?,
            sequence: row.get(5)?,
        },
        state: row.get(6)?,
        imported_at: row.get(7)?,
        since: row.get(8)?,
        agrees: row.get(9)?,
        as_of: summary.or(package),
        by_summary: summary.is_some(),
        version,
    })
}
