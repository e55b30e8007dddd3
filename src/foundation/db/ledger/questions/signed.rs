//! What was signed: releases, their revisions, what they fix, for whom they are.

use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use crate::db::SqlResult as _;
use crate::domain::{Counter, Digest, FixId, Hash, Name, Result, Timestamp, Uuid};

const WHAT: &str = "read what was signed";
const COLUMNS: &str = "h.id, p.head, p.product, p.channel, p.epoch, p.sequence, p.version, p.created_at";
const FROM: &str = "FROM signed_release p LEFT JOIN signed_head h ON h.head = p.head";

/// A release that was signed, here or in another workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHeadRow {
    /// Row id of its head, where it is known what it consists of.
    pub id: Option<u64>,
    /// Head digest.
    pub head: Hash,
    /// Product.
    pub product: Name,
    /// Channel.
    pub channel: Name,
    /// Its number.
    pub counter: Counter,
    /// Its label.
    pub version: String,
    /// When it was recorded here.
    pub created_at: Timestamp,
}

impl SignedHeadRow {
    /// Returns the number and the label: `9 (9.1)`.
    pub fn label(&self) -> String {
        label(self.counter, &self.version)
    }
}

/// Returns a release's number and label as they are written everywhere: `9 (9.1)`.
pub fn label(counter: Counter, version: &str) -> String {
    format!("{counter} ({version})")
}

/// The first release of a scope that has what is looked for.
pub type Bar = SignedHeadRow;

/// Returns every release, by scope, the newest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn releases(connection: &Connection) -> Result<Vec<SignedHeadRow>> {
    list(
        connection,
        "ORDER BY p.product, p.channel, p.epoch DESC, p.sequence DESC",
        [],
    )
}

/// Returns the releases of a scope, the newest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn heads_of_scope(connection: &Connection, product: &Name, channel: &Name) -> Result<Vec<SignedHeadRow>> {
    let filter = "WHERE p.product = ? AND p.channel = ? ORDER BY p.epoch DESC, p.sequence DESC";
    list(connection, filter, params![product, channel])
}

/// Returns the releases in which a deployment has a revision, the newest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn heads_of_revision(connection: &Connection, revision: Uuid, deployment: Uuid) -> Result<Vec<SignedHeadRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM signed_revision r JOIN signed_head h ON h.id = r.head JOIN signed_release p ON p.head = h.head
         WHERE r.revision = ? AND r.deployment = ? ORDER BY p.epoch DESC, p.sequence DESC"
    );
    let mut select = connection.prepare_cached(&sql).sql(WHAT)?;
    let rows = select.query_map(params![revision, deployment], read).sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns the revisions that releases gave a deployment.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn revisions_of(connection: &Connection, deployment: Uuid) -> Result<Vec<Uuid>> {
    let mut select = connection
        .prepare_cached("SELECT DISTINCT revision FROM signed_revision WHERE deployment = ?")
        .sql(WHAT)?;
    let rows = select.query_map([deployment], |row| row.get(0)).sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns, for each scope, the first release that fixes something, or has a label or a number (`EPOCH.SEQUENCE`).
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn bars(connection: &Connection, fix_or_release: &str) -> Result<Vec<Bar>> {
    let filter = "WHERE p.version = ?1 OR p.epoch || '.' || p.sequence = ?1
         OR p.head IN (SELECT s.head FROM signed_fix x JOIN signed_head s ON s.id = x.head WHERE x.id = ?1)
         ORDER BY p.product, p.channel, p.epoch, p.sequence";
    let mut found = list(connection, filter, params![fix_or_release])?;
    found.dedup_by(|later, first| (&later.product, &later.channel) == (&first.product, &first.channel));
    Ok(found)
}

/// Returns the release of a head.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn release_of_head(connection: &Connection, head: Hash) -> Result<Option<SignedHeadRow>> {
    let sql = format!("SELECT {COLUMNS} {FROM} WHERE p.head = ?");
    connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_row([head], read).optional())
        .sql(WHAT)
}

/// Returns the sites that releases of a scope are for; an empty word is every site.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn scope_sites(connection: &Connection, product: &Name, channel: &Name) -> Result<Vec<String>> {
    let mut select = connection
        .prepare_cached(
            "SELECT DISTINCT a.site FROM signed_release p JOIN signed_head h ON h.head = p.head
             JOIN signed_audience a ON a.head = h.id WHERE p.product = ?1 AND p.channel = ?2
             UNION SELECT site FROM held WHERE product = ?1 AND channel = ?2",
        )
        .sql(WHAT)?;
    let rows = select
        .query_map(params![product, channel], |row| row.get(0))
        .sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns the sites that a head is for; an empty word is every site.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn audience(connection: &Connection, head: u64) -> Result<Vec<String>> {
    let mut select = connection
        .prepare_cached("SELECT site FROM signed_audience WHERE head = ? ORDER BY site")
        .sql(WHAT)?;
    let rows = select.query_map([head], |row| row.get(0)).sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns what a head fixes.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn fixes(connection: &Connection, head: u64) -> Result<Vec<FixId>> {
    let mut select = connection
        .prepare_cached("SELECT id FROM signed_fix WHERE head = ? ORDER BY id")
        .sql(WHAT)?;
    let rows = select.query_map([head], |row| row.get(0)).sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns what a head names: repositories and digests, each pair once.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn names_of(connection: &Connection, head: u64) -> Result<Vec<(String, Digest)>> {
    let mut select = connection
        .prepare_cached("SELECT repository, digest FROM signed_name WHERE head = ? ORDER BY repository, digest")
        .sql(WHAT)?;
    let rows = select
        .query_map([head], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

fn list(connection: &Connection, filter: &str, values: impl Params) -> Result<Vec<SignedHeadRow>> {
    let sql = format!("SELECT {COLUMNS} {FROM} {filter}");
    let mut select = connection.prepare_cached(&sql).sql(WHAT)?;
    let rows = select.query_map(values, read).sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

fn read(row: &Row<'_>) -> rusqlite::Result<SignedHeadRow> {
    Ok(SignedHeadRow {
        id: row.get(0)?,
        head: row.get(1)?,
        product: row.get(2)?,
        channel: row.get(3)?,
        counter: Counter {
            epoch: row.get(4)?,
            sequence: row.get(5)?,
        },
        version: row.get(6)?,
        created_at: row.get(7)?,
    })
}
