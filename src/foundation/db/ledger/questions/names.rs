//! What the targets and deployments of a site are called: by a signed release that states them for it, and by nothing else (M-113).

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::db::SqlResult as _;
use crate::domain::{Name, Result, SiteId, Uuid};

const WHAT: &str = "read what was signed for the site";

/// What a release says of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedTarget {
    /// For people.
    pub name: String,
    /// Product.
    pub product: Name,
    /// Channel.
    pub channel: Name,
}

/// What a release says of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedDeployment {
    /// The deployment.
    pub deployment: Uuid,
    /// Its target.
    pub target: Uuid,
    /// The application.
    pub application: Name,
    /// Product.
    pub product: Name,
    /// Channel.
    pub channel: Name,
}

/// Where several scopes state one, the one counts that is live at the site, then the newest.
const FIRST: &str =
    "ORDER BY EXISTS (SELECT 1 FROM held k WHERE k.site = ?1 AND k.product = s.product AND k.channel = s.channel
  AND k.state = 'active') DESC, s.site DESC, s.epoch DESC, s.sequence DESC, s.product, s.channel";

/// Returns what a target of a site is called.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn named_target(connection: &Connection, site: &SiteId, target: Uuid) -> Result<Option<NamedTarget>> {
    let sql = format!(
        "SELECT s.name, s.product, s.channel FROM signed_target s WHERE s.target = ?2 AND s.site IN ('', ?1) {FIRST} LIMIT 1"
    );
    let read = |row: &Row<'_>| {
        Ok(NamedTarget {
            name: row.get(0)?,
            product: row.get(1)?,
            channel: row.get(2)?,
        })
    };
    connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_row(params![site, target], read).optional())
        .sql(WHAT)
}

/// Returns what a deployment of a site is.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn named_deployment(connection: &Connection, site: &SiteId, deployment: Uuid) -> Result<Option<NamedDeployment>> {
    let sql = format!(
        "SELECT s.deployment, s.target, s.application, s.product, s.channel FROM signed_deployment s
         WHERE s.deployment = ?2 AND s.site IN ('', ?1) {FIRST} LIMIT 1"
    );
    connection
        .prepare_cached(&sql)
        .and_then(|mut select| select.query_row(params![site, deployment], read).optional())
        .sql(WHAT)
}

/// Returns the deployments of a target, which targets that were made at the site follow.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn template_deployments(connection: &Connection, site: &SiteId, target: Uuid) -> Result<Vec<NamedDeployment>> {
    let mut select = connection
        .prepare_cached(
            "SELECT s.deployment, s.target, s.application, s.product, s.channel FROM signed_deployment s
             WHERE s.target = ?2 AND s.site IN ('', ?1) ORDER BY s.deployment, s.product, s.channel",
        )
        .sql(WHAT)?;
    let rows = select.query_map(params![site, target], read).sql(WHAT)?;
    let mut found: Vec<NamedDeployment> = rows.collect::<rusqlite::Result<_>>().sql(WHAT)?;
    found.dedup();
    Ok(found)
}

fn read(row: &Row<'_>) -> rusqlite::Result<NamedDeployment> {
    Ok(NamedDeployment {
        deployment: row.get(0)?,
        target: row.get(1)?,
        application: row.get(2)?,
        product: row.get(3)?,
        channel: row.get(4)?,
    })
}
