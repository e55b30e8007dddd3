//! What a site is now: what it holds, its targets and deployments, by the newest package of the instance that is shown.

use std::collections::BTreeMap;

use rusqlite::{Connection, Transaction, params};

use crate::db::SqlResult as _;
use crate::domain::{Counter, Digest, Hash, Name, Result, SiteId, Timestamp, Uuid};

/// A release that a site retains.
#[derive(Debug, Clone, Copy)]
pub struct HeldRow<'a> {
    /// Head digest.
    pub head: Hash,
    /// Product.
    pub product: &'a Name,
    /// Channel.
    pub channel: &'a Name,
    /// Its number.
    pub counter: Counter,
    /// Whether it is live, as its word.
    pub state: &'a str,
    /// When it was imported.
    pub imported_at: Timestamp,
    /// When it went live, or was retired.
    pub since: Option<Timestamp>,
    /// Whether its numbers and content are what was signed here; nothing for a head that is not known.
    pub agrees: Option<bool>,
}

/// A target.
#[derive(Debug, Clone, Copy)]
pub struct TargetRow<'a> {
    /// The target.
    pub target: Uuid,
    /// When its agent was heard last.
    pub seen: Option<Timestamp>,
    /// Since when it stands at the site.
    pub since: Option<Timestamp>,
    /// Version of its agent, quoted.
    pub agent: Option<&'a str>,
    /// Template of one that was made at the site.
    pub follows: Option<Uuid>,
    /// What the site calls it, quoted.
    pub name: Option<&'a str>,
    /// When the site took it away.
    pub removed: Option<Timestamp>,
    /// Newest sample, as it travelled.
    pub metrics: Option<&'a str>,
}

/// A deployment.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the members of a line of a package of the same names")]
pub struct DeploymentRow<'a> {
    pub deployment: Uuid,
    pub target: Uuid,
    pub wanted: Option<Uuid>,
    pub revision: Option<Uuid>,
    pub runs: Option<Uuid>,
    pub doubt: Option<&'a str>,
    pub state: Option<&'a str>,
    pub signal: Option<&'a str>,
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub count: Option<u64>,
    pub removed: Option<Timestamp>,
}

impl DeploymentRow<'_> {
    /// Whether it reports an error, or an apply that failed; one that was taken away does neither.
    pub fn fails(&self) -> bool {
        let failed = |signal| matches!(signal, "failed" | "rolled-back" | "untouched");
        self.removed.is_none() && (self.state == Some("error") || self.signal.is_some_and(failed))
    }
}

/// What a target's samples of one day come to.
#[derive(Debug, Clone, Copy)]
pub struct MetricsDayRow<'a> {
    /// The target.
    pub target: Uuid,
    /// Days since 1970, UTC.
    pub day: i64,
    /// How many samples.
    pub samples: u64,
    /// Least, mean and greatest, as they travelled.
    pub cpu: &'a str,
    /// The same of memory.
    pub memory: &'a str,
    /// Greatest part used of the fullest disk.
    pub disk: Option<u64>,
}

/// Forgets what a site was, before what it is now is written. Days of metrics stay.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn clear(transaction: &Transaction<'_>, site: &SiteId) -> Result<()> {
    for sql in [
        "DELETE FROM held WHERE site = ?",
        "DELETE FROM damaged WHERE site = ?",
        "DELETE FROM target_now WHERE site = ?",
        "DELETE FROM deployment_now WHERE site = ?",
    ] {
        transaction.execute(sql, [site]).sql("forget what the site was")?;
    }
    Ok(())
}

/// Records a release that a site retains, by a package.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_held(transaction: &Transaction<'_>, site: &SiteId, package: Hash, held: &HeldRow<'_>) -> Result<()> {
    // One head under two numbers is the site's invention; the last one is kept.
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO held (site, head, product, channel, epoch, sequence, state, imported_at, since, agrees, source)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                site,
                held.head,
                held.product,
                held.channel,
                held.counter.epoch,
                held.counter.sequence,
                held.state,
                held.imported_at,
                held.since,
                held.agrees,
                package
            ])
        })
        .map(|_| ())
        .sql("record what the site holds")
}

/// Records content that a site cannot serve.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_damaged(transaction: &Transaction<'_>, site: &SiteId, digest: Digest) -> Result<()> {
    transaction
        .prepare_cached("INSERT INTO damaged (site, digest) VALUES (?, ?)")
        .and_then(|mut insert| insert.execute(params![site, digest]))
        .map(|_| ())
        .sql("record what the site lacks")
}

/// Records a target, by a package.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_target(transaction: &Transaction<'_>, site: &SiteId, package: Hash, target: &TargetRow<'_>) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO target_now (site, target, seen, since, agent, follows, name, removed, metrics, package)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                site,
                target.target,
                target.seen,
                target.since,
                target.agent,
                target.follows,
                target.name,
                target.removed,
                target.metrics,
                package
            ])
        })
        .map(|_| ())
        .sql("record a target")
}

/// Records a deployment, by a package.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_deployment(
    transaction: &Transaction<'_>,
    site: &SiteId,
    package: Hash,
    deployment: &DeploymentRow<'_>,
) -> Result<()> {
    // A deployment on two targets is the site's invention; the last one is kept.
    let sql = format!(
        "INSERT OR REPLACE INTO deployment_now
           (site, deployment, target, wanted, revision, runs, doubt, state, signal, first, last, count, removed, package, newest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, {})",
        newest_head("?1", "?2", "?6")
    );
    transaction
        .prepare_cached(&sql)
        .and_then(|mut insert| {
            insert.execute(params![
                site,
                deployment.deployment,
                deployment.target,
                deployment.wanted,
                deployment.revision,
                deployment.runs,
                deployment.doubt,
                deployment.state,
                deployment.signal,
                deployment.first,
                deployment.last,
                deployment.count,
                deployment.removed,
                package
            ])
        })
        .map(|_| ())
        .sql("record a deployment")
}

/// The newest head that gave a deployment a revision, as an expression; none where none did, or where not one scope alone states the
/// deployment for the site.
fn newest_head(site: &str, deployment: &str, revision: &str) -> String {
    let stated = format!("FROM signed_deployment s WHERE s.deployment = {deployment} AND s.site IN ('', {site})");
    format!(
        "(SELECT r.head FROM signed_revision r JOIN signed_head h ON h.id = r.head JOIN signed_release p ON p.head = h.head
          WHERE r.deployment = {deployment} AND r.revision = {revision}
            AND EXISTS (SELECT 1 {stated} AND (s.product, s.channel) = (p.product, p.channel))
            AND NOT EXISTS (SELECT 1 {stated} AND (s.product, s.channel) <> (p.product, p.channel))
          ORDER BY p.epoch DESC, p.sequence DESC LIMIT 1)"
    )
}

/// Looks again which head is the newest that gave a deployment what it runs, at every site: a release was recorded that states it.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub(super) fn look_again(transaction: &Transaction<'_>, deployment: Uuid) -> Result<()> {
    let sql = format!(
        "UPDATE deployment_now SET newest = {} WHERE deployment = ?1",
        newest_head("site", "?1", "runs")
    );
    transaction
        .prepare_cached(&sql)
        .and_then(|mut update| update.execute(params![deployment]))
        .map(|_| ())
        .sql("record what runs")
}

/// Records a day of metrics; of two, that with more samples stays.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn put_metrics_day(transaction: &Transaction<'_>, site: &SiteId, day: &MetricsDayRow<'_>) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO metrics_day (site, target, day, samples, cpu, memory, disk) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (site, target, day) DO UPDATE SET samples = excluded.samples, cpu = excluded.cpu, memory = excluded.memory,
               disk = excluded.disk WHERE excluded.samples > samples",
        )
        .and_then(|mut insert| {
            insert.execute(params![
                site,
                day.target,
                day.day,
                day.samples,
                day.cpu,
                day.memory,
                day.disk
            ])
        })
        .map(|_| ())
        .sql("record a day of metrics")
}

/// Returns the heads of what a site holds, each with whether it [agrees](HeldRow::agrees).
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn held_heads(connection: &Connection, site: &SiteId) -> Result<BTreeMap<Hash, Option<bool>>> {
    let what = "read what the site holds";
    let mut select = connection
        .prepare_cached("SELECT head, agrees FROM held WHERE site = ?")
        .sql(what)?;
    let rows = select
        .query_map([site], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

/// Returns the deployments of a site that [fail](DeploymentRow::fails), ascending.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn failed_deployments(connection: &Connection, site: &SiteId) -> Result<Vec<Uuid>> {
    let what = "read the deployments";
    let mut select = connection
        .prepare_cached(
            "SELECT deployment FROM deployment_now WHERE site = ? AND removed IS NULL
             AND (state = 'error' OR signal IN ('failed', 'rolled-back', 'untouched')) ORDER BY deployment",
        )
        .sql(what)?;
    let rows = select.query_map([site], |row| row.get(0)).sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}
