//! What runs of a scope, over all sites, beside the releases that are looked for.

use rusqlite::{Connection, Row, params};

use crate::db::SqlResult as _;
use crate::domain::{Hash, Name, Result, SiteId, Timestamp, Uuid};

/// A deployment of a scope at a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeDeployment {
    /// The site.
    pub site: SiteId,
    /// The deployment.
    pub deployment: Uuid,
    /// Revision that runs.
    pub runs: Option<Uuid>,
    /// Why that is not known.
    pub doubt: Option<String>,
    /// The state.
    pub state: Option<String>,
    /// Since when it is so.
    pub first: Option<Timestamp>,
    /// When it was taken away there.
    pub removed: Option<Timestamp>,
    /// The package that says so.
    pub package: Hash,
    /// Whether one of the heads gave it the revision that runs.
    pub is_in: bool,
    /// Row id of the head that was recorded last of those, in any scope, that gave it the revision that runs.
    pub head: Option<u64>,
}

/// Returns the deployments of a scope that sites report, as releases state them for the site, and whether each runs a revision of one
/// of `heads` (row ids). Those of targets that were made at a site are not among them: their ids are derived.
///
/// A deployment that several scopes state belongs to those of them that are live at the site, where one is.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn scope_deployments(
    connection: &Connection,
    product: &Name,
    channel: &Name,
    heads: &[u64],
) -> Result<Vec<ScopeDeployment>> {
    let what = "read what runs of the product";
    let mut select = connection
        .prepare_cached(
            "SELECT d.site, d.deployment, d.runs, d.doubt, d.state, d.first, d.removed, d.package,
               d.runs IS NOT NULL AND EXISTS (SELECT 1 FROM signed_revision r WHERE r.revision = d.runs
                 AND r.deployment = d.deployment AND r.head IN (SELECT value FROM json_each(?3))),
               (SELECT max(r.head) FROM signed_revision r WHERE r.revision = d.runs AND r.deployment = d.deployment)
             FROM signed_deployment s CROSS JOIN deployment_now d ON d.deployment = s.deployment AND s.site IN ('', d.site)
             WHERE s.product = ?1 AND s.channel = ?2
               AND (d.site IN (SELECT k.site FROM held k WHERE k.product = ?1 AND k.channel = ?2 AND k.state = 'active')
                 OR NOT EXISTS (SELECT 1 FROM signed_deployment o JOIN held k ON k.site = d.site AND k.product = o.product
                   AND k.channel = o.channel AND k.state = 'active'
                   WHERE o.deployment = d.deployment AND o.site IN ('', d.site) AND (o.product <> ?1 OR o.channel <> ?2)))",
        )
        .sql(what)?;
    let heads = serde_json::json!(heads).to_string();
    let rows = select.query_map(params![product, channel, heads], read).sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ScopeDeployment> {
    Ok(ScopeDeployment {
        site: row.get(0)?,
        deployment: row.get(1)?,
        runs: row.get(2)?,
        doubt: row.get(3)?,
        state: row.get(4)?,
        first: row.get(5)?,
        removed: row.get(6)?,
        package: row.get(7)?,
        is_in: row.get(8)?,
        head: row.get(9)?,
    })
}
