//! Summaries of packages: what a site told over the telephone or by codes, until the package itself comes (M-118).

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Counter, Hash, InstanceId, Name, Result, Scope, SiteId, Timestamp, Uuid};

/// Code of the finding that a summary is of an instance which no package told of.
pub const UNTOLD: &str = "summary-instance";

/// Hex digits of an instance that a summary says.
pub const INSTANCE_DIGITS: usize = 16;

/// Returns what a summary says of an instance.
pub fn beginning(instance: &InstanceId) -> String {
    instance.as_str().chars().take(INSTANCE_DIGITS).collect()
}

/// A package as far as a summary names it.
#[derive(Debug, Clone, Copy)]
pub struct NamedPackage<'a> {
    /// Of which site.
    pub site: &'a SiteId,
    /// The first [`INSTANCE_DIGITS`] of its instance.
    pub instance: &'a str,
    /// Its number.
    pub number: u64,
    /// The first 16 bytes of its head digest.
    pub head: [u8; 16],
}

/// A summary as it is kept.
#[derive(Debug, Clone)]
pub struct SummaryRow<'a> {
    /// SHA-256 of its bytes.
    pub digest: Hash,
    /// The site that signed it.
    pub site: &'a SiteId,
    /// What it says of its instance: the first 16 hex digits.
    pub instance: &'a str,
    /// Number of the package that it is of.
    pub number: u64,
    /// The first 16 bytes of its head digest.
    pub head: [u8; 16],
    /// By the site's clock.
    pub made_at: Timestamp,
    /// When it was taken in, by the clock here.
    pub taken_at: Timestamp,
    /// All of it.
    pub bytes: &'a [u8],
}

/// Keeps a summary; says whether it is new.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put(transaction: &Transaction<'_>, summary: &SummaryRow<'_>) -> Result<bool> {
    transaction
        .execute(
            "INSERT OR IGNORE INTO summary (digest, site, instance, number, head, made_at, taken_at, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                summary.digest,
                summary.site,
                summary.instance,
                summary.number,
                summary.head,
                summary.made_at,
                summary.taken_at,
                summary.bytes
            ],
        )
        .map(|rows| rows > 0)
        .sql("keep the summary")
}

/// Whether a summary that was kept names another package of the same instance and number.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn names_another(connection: &Connection, package: NamedPackage<'_>) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM summary WHERE site = ? AND instance = ? AND number = ? AND head <> ?)",
        )
        .and_then(|mut select| {
            let wanted = params![package.site, package.instance, package.number, package.head];
            select.query_row(wanted, |row| row.get(0))
        })
        .sql("read the summaries")
}

/// Returns the newest number of a summary of an instance that was kept; 0 where there is none.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_number(connection: &Connection, site: &SiteId, instance: &str) -> Result<u64> {
    connection
        .prepare_cached("SELECT ifnull(max(number), 0) FROM summary WHERE site = ? AND instance = ?")
        .and_then(|mut select| select.query_row(params![site, instance], |row| row.get(0)))
        .sql("read the summaries")
}

/// Returns the newest summary of an instance that is of a later package than this one.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn newest_behind(connection: &Connection, site: &SiteId, instance: &str, number: u64) -> Result<Option<Vec<u8>>> {
    connection
        .prepare_cached(
            "SELECT bytes FROM summary WHERE site = ? AND instance = ? AND number > ? ORDER BY number DESC, taken_at DESC LIMIT 1",
        )
        .and_then(|mut select| {
            select
                .query_row(params![site, instance, number], |row| row.get(0))
                .optional()
        })
        .sql("read the summaries")
}

/// A release that was signed here, by the first bytes of its head.
#[derive(Debug, Clone)]
pub struct SignedBeginning {
    /// Its whole head digest.
    pub head: Hash,
    /// Whose it is.
    pub scope: Scope,
    /// Its number.
    pub counter: Counter,
    /// What it tells targets of all sites; none where it says nothing.
    pub fleet: Option<Vec<u8>>,
}

/// Returns the releases signed here whose head digests begin with these bytes.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn signed_beginning(connection: &Connection, domain: Hash, beginning: [u8; 6]) -> Result<Vec<SignedBeginning>> {
    let what = "read the signed releases";
    let mut select = connection
        .prepare_cached(
            "SELECT r.head, r.product, r.channel, r.epoch, r.sequence, f.state FROM signed_release r
             LEFT JOIN signed_fleet f ON f.domain = r.domain AND f.product = r.product AND f.channel = r.channel AND f.epoch = r.epoch
               AND f.sequence = r.sequence
             WHERE r.domain = ? AND substr(r.head, 1, 6) = ?",
        )
        .sql(what)?;
    let read = |row: &rusqlite::Row<'_>| {
        let (product, channel): (Name, Name) = (row.get(1)?, row.get(2)?);
        Ok(SignedBeginning {
            head: row.get(0)?,
            scope: Scope {
                domain,
                product,
                channel,
            },
            counter: Counter {
                epoch: row.get(3)?,
                sequence: row.get(4)?,
            },
            fleet: row.get(5)?,
        })
    };
    let rows = select.query_map(params![domain, beginning], read).sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

/// Returns the highest number of a package of an instance that was taken in, and the head digest of the one with a number.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn packages_of(connection: &Connection, instance: u64, number: u64) -> Result<(u64, Option<Hash>)> {
    let what = "read the packages";
    let newest = connection
        .prepare_cached("SELECT ifnull(max(number), 0) FROM package WHERE instance = ?")
        .and_then(|mut select| select.query_row([instance], |row| row.get(0)))
        .sql(what)?;
    let head = connection
        .prepare_cached("SELECT head FROM package WHERE instance = ? AND number = ?")
        .and_then(|mut select| select.query_row(params![instance, number], |row| row.get(0)).optional())
        .sql(what)?;
    Ok((newest, head))
}

/// What a summary says of a release that a site holds.
#[derive(Debug, Clone)]
pub struct HeldBySummary<'a> {
    /// The release, as it was signed here.
    pub signed: &'a SignedBeginning,
    /// `active` or `available`.
    pub state: &'a str,
    /// Since then at the latest, by the site's clock.
    pub since: Timestamp,
}

/// Notes which releases are live and wait. What their content is only a package says: so nothing is built on what is new here, and what a
/// package said of it stays.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_held(transaction: &Transaction<'_>, site: &SiteId, summary: Hash, held: &[HeldBySummary<'_>]) -> Result<()> {
    let what = "record what the site holds";
    for release in held {
        let SignedBeginning {
            head, scope, counter, ..
        } = release.signed;
        transaction
            .prepare_cached(
                "INSERT INTO held (site, head, product, channel, epoch, sequence, state, since, source)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (site, head) DO UPDATE SET since = CASE state WHEN excluded.state THEN since ELSE excluded.since END,
                   state = excluded.state, source = excluded.source",
            )
            .and_then(|mut insert| {
                insert.execute(params![
                    site,
                    head,
                    scope.product,
                    scope.channel,
                    counter.epoch,
                    counter.sequence,
                    release.state,
                    release.since,
                    summary
                ])
            })
            .sql(what)?;
    }
    // What was live and is named no more is live no more; since when, a summary does not say.
    transaction
        .execute(
            "UPDATE held SET state = 'retired', since = NULL, source = ?2 WHERE site = ?1 AND state = 'active' AND source <> ?2",
            params![site, summary],
        )
        .map(|_| ())
        .sql(what)
}

/// Returns the deployments of targets made at a site, with the beginnings of their UUIDs, as the newest package listed them.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn made_there(
    connection: &Connection,
    site: &SiteId,
    beginning: [u8; 8],
) -> Result<Vec<(Uuid, Uuid, Option<Uuid>)>> {
    let what = "read the deployments";
    let mut select = connection
        .prepare_cached(
            "SELECT d.deployment, d.target, d.wanted FROM deployment_now d
             JOIN target_now t ON t.site = d.site AND t.target = d.target AND t.follows IS NOT NULL
             WHERE d.site = ? AND substr(d.deployment, 1, 8) = ?",
        )
        .sql(what)?;
    let rows = select
        .query_map(params![site, beginning], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}
