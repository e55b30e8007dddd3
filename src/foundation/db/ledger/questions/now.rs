//! What runs at sites, by the newest package of what is shown of each.

use rusqlite::{Connection, Row};

use crate::db::SqlResult as _;
use crate::domain::{Hash, Result, SiteId, Timestamp, Uuid};

const WHAT: &str = "read what runs";
const TARGET: &str = "site, target, seen, since, agent, follows, name, removed, metrics, package";
const DEPLOYMENT: &str =
    "site, deployment, target, wanted, revision, runs, doubt, state, signal, first, last, count, removed, package";

/// A target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetNow {
    /// The site.
    pub site: SiteId,
    /// The target.
    pub target: Uuid,
    /// When its agent was heard last.
    pub seen: Option<Timestamp>,
    /// Since when it stands there.
    pub since: Option<Timestamp>,
    /// Version of its agent, quoted.
    pub agent: Option<String>,
    /// Template, of one that was made there.
    pub follows: Option<Uuid>,
    /// What the site calls one that was made there, quoted.
    pub name: Option<String>,
    /// When it was taken away there.
    pub removed: Option<Timestamp>,
    /// Newest metrics: JSON, as it travelled.
    pub metrics: Option<String>,
    /// The package that says so.
    pub package: Hash,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentNow {
    /// The site.
    pub site: SiteId,
    /// The deployment.
    pub deployment: Uuid,
    /// Its target.
    pub target: Uuid,
    /// Revision that it shall run.
    pub wanted: Option<Uuid>,
    /// Revision that was reported last.
    pub revision: Option<Uuid>,
    /// Revision that runs.
    pub runs: Option<Uuid>,
    /// Why that is not known.
    pub doubt: Option<String>,
    /// The state.
    pub state: Option<String>,
    /// What the last status says of the apply.
    pub signal: Option<String>,
    /// Since when it is so.
    pub first: Option<Timestamp>,
    /// When it was said last.
    pub last: Option<Timestamp>,
    /// How often.
    pub count: Option<u64>,
    /// When it was taken away there.
    pub removed: Option<Timestamp>,
    /// The package that says so.
    pub package: Hash,
}

/// Returns the targets of a site.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn targets_now(connection: &Connection, site: &SiteId) -> Result<Vec<TargetNow>> {
    let sql = format!("SELECT {TARGET} FROM target_now WHERE site = ? ORDER BY target");
    let mut select = connection.prepare_cached(&sql).sql(WHAT)?;
    let rows = select.query_map([site], read_target).sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns the targets that were made at sites.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn targets_made_there(connection: &Connection) -> Result<Vec<TargetNow>> {
    let sql = format!(
        "SELECT {TARGET} FROM target_now INDEXED BY target_now_made_there WHERE follows IS NOT NULL ORDER BY site, target"
    );
    let mut select = connection.prepare_cached(&sql).sql(WHAT)?;
    let rows = select.query_map([], read_target).sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns the deployments of a site, by target.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn deployments_now(connection: &Connection, site: &SiteId) -> Result<Vec<DeploymentNow>> {
    let sql = format!("SELECT {DEPLOYMENT} FROM deployment_now WHERE site = ? ORDER BY target, deployment");
    let mut select = connection.prepare_cached(&sql).sql(WHAT)?;
    let rows = select.query_map([site], read_deployment).sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

/// Returns the deployments of all sites whose last status says that something failed.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn failing(connection: &Connection) -> Result<Vec<DeploymentNow>> {
    let sql = format!(
        "SELECT {DEPLOYMENT} FROM deployment_now INDEXED BY deployment_now_failing
         WHERE removed IS NULL AND (state = 'error' OR signal IN ('failed', 'rolled-back'))
         ORDER BY site, target, deployment"
    );
    let mut select = connection.prepare_cached(&sql).sql(WHAT)?;
    let rows = select.query_map([], read_deployment).sql(WHAT)?;
    rows.collect::<rusqlite::Result<_>>().sql(WHAT)
}

fn read_target(row: &Row<'_>) -> rusqlite::Result<TargetNow> {
    Ok(TargetNow {
        site: row.get(0)?,
        target: row.get(1)?,
        seen: row.get(2)?,
        since: row.get(3)?,
        agent: row.get(4)?,
        follows: row.get(5)?,
        name: row.get(6)?,
        removed: row.get(7)?,
        metrics: row.get(8)?,
        package: row.get(9)?,
    })
}

fn read_deployment(row: &Row<'_>) -> rusqlite::Result<DeploymentNow> {
    Ok(DeploymentNow {
        site: row.get(0)?,
        deployment: row.get(1)?,
        target: row.get(2)?,
        wanted: row.get(3)?,
        revision: row.get(4)?,
        runs: row.get(5)?,
        doubt: row.get(6)?,
        state: row.get(7)?,
        signal: row.get(8)?,
        first: row.get(9)?,
        last: row.get(10)?,
        count: row.get(11)?,
        removed: row.get(12)?,
        package: row.get(13)?,
    })
}
