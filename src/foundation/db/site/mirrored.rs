//! What live releases have under a repository, all of it: for a copy into another registry.

use rusqlite::{Connection, params};
use serde_json::json;

use super::release::ReleaseId;
use crate::db::SqlResult as _;
use crate::domain::{Digest, RepositoryName, Result};

/// Content of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroredContent {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// For manifests and indexes.
    pub media_type: Option<String>,
}

/// Returns everything that some releases have under a repository, ascending by digest.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn contents(
    connection: &Connection,
    releases: impl IntoIterator<Item = ReleaseId>,
    repository: &RepositoryName,
) -> Result<Vec<MirroredContent>> {
    const DOING: &str = "read what a repository has";
    let releases = json!(releases.into_iter().map(|id| id.0).collect::<Vec<_>>()).to_string();
    let mut select = connection
        .prepare_cached(
            "SELECT b.digest, b.size, max(c.media_type) FROM repository r JOIN content c ON c.repository = r.id JOIN blob b ON b.id = c.blob
             WHERE r.name = ?1 AND c.release IN (SELECT value FROM json_each(?2)) GROUP BY b.id ORDER BY b.digest",
        )
        .sql(DOING)?;
    let rows = select
        .query_map(params![repository, releases], |row| {
            Ok(MirroredContent {
                digest: row.get(0)?,
                size: row.get(1)?,
                media_type: row.get(2)?,
            })
        })
        .sql(DOING)?;
    rows.collect::<rusqlite::Result<_>>().sql(DOING)
}
