//! Whose names are (D18 c): tags of scopes, home hosts of trust domains, by who had them live first.
//!
//! Claims are written in the transaction of an activation and stay for as long as a release of the scope (for hosts: of the domain) is
//! retained, also while none of them states the name. Which hosts belong to nobody is for the site to say, so it counts where
//! claims are read, not where they are written.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::release::{ReleaseId, ReleaseRow, ScopeId};
use crate::db::SqlResult as _;
use crate::domain::oci::{DOCKER_INDEX, OCI_INDEX};
use crate::domain::{Digest, Hash, RepositoryName, Result, Scope, Tag};

/// A home host of a live release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeRow {
    /// Whose release states it.
    pub scope: ScopeId,
    /// The host.
    pub host: String,
}

/// The owner of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagOwner {
    /// The scope that had it live first.
    pub scope: Scope,
    /// What it stands for in the live release of that scope; nothing where that does not state it.
    pub digest: Option<Digest>,
}

/// Records what a release that goes live in this generation claims.
pub(super) fn record(transaction: &Transaction<'_>, release: &ReleaseRow, generation: u64) -> Result<()> {
    let (id, scope) = (release.id.0, release.scope_id.0);
    transaction
        .execute(
            "UPDATE release SET first_live = coalesce(first_live, ?) WHERE id = ?",
            params![generation, id],
        )
        .sql("record when the release was first live")?;
    transaction
        .execute(
            "INSERT INTO tag_claim (repository, tag, since, scope)
             SELECT t.repository, t.tag, ?1, ?2 FROM release_repository rr
             CROSS JOIN tag t ON t.repository = rr.repository AND t.release = rr.release
             WHERE rr.release = ?3 AND NOT EXISTS (
                 SELECT 1 FROM tag_claim c WHERE c.repository = t.repository AND c.tag = t.tag AND c.scope = ?2)",
            params![generation, scope, id],
        )
        .sql("record whose the tags are")?;
    transaction
        .execute(
            "INSERT INTO home_claim (scope, host, since) SELECT ?1, host, ?2 FROM home_host WHERE release = ?3
             ON CONFLICT DO NOTHING",
            params![scope, generation, id],
        )
        .sql("record the home hosts")?;
    transaction
        .execute(
            // A repository of another domain counts while a release that was live with it is retained, as the claim to its tags does. The
            // path of a repository begins after the slash, whose successor is the digit zero.
            "INSERT INTO host_owner (host, domain) SELECT h.host, ?1 FROM home_host h
             WHERE h.release = ?2 AND NOT EXISTS (
                 SELECT 1 FROM repository r JOIN release_repository rr ON rr.repository = r.id
                 JOIN release l ON l.id = rr.release JOIN scope s ON s.id = l.scope
                 WHERE r.name > h.host || '/' AND r.name < h.host || '0' AND l.first_live IS NOT NULL AND s.domain <> ?1)
             ON CONFLICT DO NOTHING",
            params![release.scope.domain, id],
        )
        .sql("record whose the home hosts are")?;
    Ok(())
}

/// Returns the home hosts of the live releases, in the order in which their scopes first had them live.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn homes(connection: &Connection) -> Result<Vec<HomeRow>> {
    let mut select = connection
        .prepare_cached(
            "SELECT r.scope, h.host FROM release r JOIN home_host h ON h.release = r.id
             JOIN home_claim c ON c.scope = r.scope AND c.host = h.host
             WHERE r.state = 'active' ORDER BY c.since, h.host",
        )
        .sql("read the home hosts")?;
    let rows = select
        .query_map([], |row| {
            Ok(HomeRow {
                scope: ScopeId(row.get(0)?),
                host: row.get(1)?,
            })
        })
        .sql("read the home hosts")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the home hosts")
}

/// Returns whose hosts are; those that belong to nobody for this site are among them.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn host_owners(connection: &Connection) -> Result<BTreeMap<String, Hash>> {
    let mut select = connection
        .prepare_cached("SELECT host, domain FROM host_owner")
        .sql("read whose the hosts are")?;
    let rows = select
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql("read whose the hosts are")?;
    rows.collect::<rusqlite::Result<_>>().sql("read whose the hosts are")
}

/// Returns whose a tag is now; below a host that belongs to a domain, scopes of others do not count, and a tag about an image is of the
/// scope that had the image live first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn tag_owner(
    connection: &Connection,
    repository: &RepositoryName,
    tag: &Tag,
    host_owner: Option<Hash>,
) -> Result<Option<TagOwner>> {
    connection
        .prepare_cached(
            "WITH w AS MATERIALIZED (
                 SELECT r.id AS repository, coalesce(
                     (SELECT l.scope FROM blob b JOIN content o ON o.blob = b.id AND o.repository = r.id
                      JOIN release l ON l.id = o.release JOIN scope s ON s.id = l.scope
                      WHERE ?2 LIKE 'sha256-%' AND b.digest = unhex(substr(?2, 8, 64)) AND l.first_live IS NOT NULL
                        AND (?3 IS NULL OR s.domain = ?3) ORDER BY l.first_live LIMIT 1),
                     (SELECT c.scope FROM tag_claim c JOIN scope s ON s.id = c.scope
                      WHERE c.repository = r.id AND c.tag = ?2 AND (?3 IS NULL OR s.domain = ?3)
                      ORDER BY c.since LIMIT 1)) AS scope
                 FROM repository r WHERE r.name = ?1)
             SELECT s.domain, s.product, s.channel,
                    (SELECT b.digest FROM release l JOIN tag t ON t.repository = w.repository AND t.tag = ?2 AND t.release = l.id
                     JOIN blob b ON b.id = t.blob WHERE l.scope = w.scope AND l.state = 'active')
             FROM w JOIN scope s ON s.id = w.scope",
        )
        .and_then(|mut select| {
            select
                .query_row(params![repository, tag, host_owner], |row| {
                    Ok(TagOwner {
                        scope: Scope {
                            domain: row.get(0)?,
                            product: row.get(1)?,
                            channel: row.get(2)?,
                        },
                        digest: row.get(3)?,
                    })
                })
                .optional()
        })
        .sql("look up whose a tag is")
}

/// Returns the hosts that a release calls its home.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn homes_of(connection: &Connection, id: ReleaseId) -> Result<Vec<String>> {
    let mut select = connection
        .prepare_cached("SELECT host FROM home_host WHERE release = ? ORDER BY host")
        .sql("read the home hosts")?;
    let rows = select.query_map([id.0], |row| row.get(0)).sql("read the home hosts")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the home hosts")
}

/// Returns the tags of a release, by repository and tag.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn tags_of(connection: &Connection, id: ReleaseId) -> Result<Vec<(RepositoryName, Tag, Digest)>> {
    let mut select = connection
        .prepare_cached(
            "SELECT r.name, t.tag, b.digest FROM release_repository rr JOIN repository r ON r.id = rr.repository
             CROSS JOIN tag t ON t.repository = rr.repository AND t.release = rr.release JOIN blob b ON b.id = t.blob
             WHERE rr.release = ? ORDER BY r.name, t.tag",
        )
        .sql("read the tags of the release")?;
    let rows = select
        .query_map([id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .sql("read the tags of the release")?;
    rows.collect::<rusqlite::Result<_>>()
        .sql("read the tags of the release")
}

/// Returns the repositories that a release has something under.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn repositories_of(connection: &Connection, id: ReleaseId) -> Result<Vec<RepositoryName>> {
    let mut select = connection
        .prepare_cached(
            "SELECT r.name FROM release_repository rr JOIN repository r ON r.id = rr.repository
             WHERE rr.release = ? ORDER BY r.name",
        )
        .sql("read the repositories of the release")?;
    let rows = select
        .query_map([id.0], |row| row.get(0))
        .sql("read the repositories of the release")?;
    rows.collect::<rusqlite::Result<_>>()
        .sql("read the repositories of the release")
}

/// Returns the indexes of a release with the repositories that have them, index by index.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn indexes_of(connection: &Connection, id: ReleaseId) -> Result<Vec<(Digest, RepositoryName)>> {
    let mut select = connection
        .prepare_cached(
            "SELECT b.digest, r.name FROM release_repository rr
             JOIN content c ON c.repository = rr.repository AND c.release = rr.release
             JOIN blob b ON b.id = c.blob JOIN repository r ON r.id = rr.repository
             WHERE rr.release = ? AND c.media_type IN (?, ?) ORDER BY b.digest, r.name",
        )
        .sql("read the indexes of the release")?;
    let rows = select
        .query_map(params![id.0, OCI_INDEX, DOCKER_INDEX], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .sql("read the indexes of the release")?;
    rows.collect::<rusqlite::Result<_>>()
        .sql("read the indexes of the release")
}
