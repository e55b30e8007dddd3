//! What the registry asks: tags, content, referrers, lists.
//!
//! Every question names the releases it may be answered from. Their rows never change, so a caller that keeps its list of
//! releases stays inside one generation without holding a transaction.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::release::ReleaseId;
use crate::db::SqlResult as _;
use crate::domain::{Digest, Hash, RepositoryName, Result, Tag};

/// Releases that a question may be answered from, in the form that queries take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseSet(String);

impl FromIterator<ReleaseId> for ReleaseSet {
    fn from_iter<I: IntoIterator<Item = ReleaseId>>(ids: I) -> Self {
        Self(json_list(ids.into_iter().map(|id| id.0.to_string())))
    }
}

/// Repositories that a name may stand for, in the form that queries take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositorySet(String);

impl<'a> FromIterator<&'a RepositoryName> for RepositorySet {
    fn from_iter<I: IntoIterator<Item = &'a RepositoryName>>(names: I) -> Self {
        // The grammar of names has no character that JSON escapes.
        Self(json_list(names.into_iter().map(|name| format!("\"{name}\""))))
    }
}

fn json_list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// Content under a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedContent {
    /// Its size.
    pub size: u64,
    /// For manifests and indexes.
    pub media_type: Option<String>,
    /// Bytes per piece, when hashes of its pieces are kept.
    pub piece_size: Option<u64>,
}

/// A manifest that refers to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// Its annotations as a JSON object.
    pub annotations: String,
}

/// Returns what a tag stands for: one digest, or several where releases or repositories disagree.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn tag(
    connection: &Connection,
    releases: &ReleaseSet,
    repositories: &RepositorySet,
    tag: &Tag,
) -> Result<Vec<Digest>> {
    let mut select = connection
        .prepare_cached(
            "SELECT DISTINCT b.digest FROM repository r JOIN tag t ON t.repository = r.id JOIN blob b ON b.id = t.blob
             WHERE r.name IN (SELECT value FROM json_each(?1)) AND t.tag = ?2
               AND t.release IN (SELECT value FROM json_each(?3)) LIMIT 2",
        )
        .sql("look up a tag")?;
    let rows = select
        .query_map(params![repositories.0, tag, releases.0], |row| row.get(0))
        .sql("look up a tag")?;
    rows.collect::<rusqlite::Result<_>>().sql("look up a tag")
}

/// Returns content that a repository reaches; where releases state different media types, the newest counts.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn content(
    connection: &Connection,
    releases: &ReleaseSet,
    repositories: &RepositorySet,
    digest: &Digest,
) -> Result<Option<NamedContent>> {
    connection
        .prepare_cached(
            "SELECT b.size, c.media_type, b.piece_size FROM blob b JOIN content c ON c.blob = b.id
             WHERE b.digest = ?2 AND c.repository IN
                   (SELECT id FROM repository WHERE name IN (SELECT value FROM json_each(?1)))
               AND c.release IN (SELECT value FROM json_each(?3))
             ORDER BY c.media_type IS NULL, c.release DESC LIMIT 1",
        )
        .and_then(|mut select| {
            select
                .query_row(params![repositories.0, digest, releases.0], |row| {
                    Ok(NamedContent {
                        size: row.get(0)?,
                        media_type: row.get(1)?,
                        piece_size: row.get(2)?,
                    })
                })
                .optional()
        })
        .sql("look up content")
}

/// Returns the hashes of a blob's pieces and their size, where they are kept.
///
/// # Errors
///
/// `E-STATE database-damaged` when they are not whole hashes; those of [`SqlResult::sql`].
pub fn pieces(connection: &Connection, digest: &Digest) -> Result<Option<(u64, Vec<Hash>)>> {
    let row: Option<(Option<u64>, Option<Vec<u8>>)> = connection
        .prepare_cached("SELECT piece_size, pieces FROM blob WHERE digest = ?")
        .and_then(|mut select| {
            select
                .query_row([digest], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .sql("read the hashes of a blob")?;
    let Some((Some(size), Some(bytes))) = row else {
        return Ok(None);
    };
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || size == 0 {
        return Err(crate::domain::Error::new(
            crate::domain::Class::State,
            "database-damaged",
            format!("the kept hashes of {digest} are damaged"),
        )
        .remedy("restore the state folder"));
    }
    Ok(Some((size, hashes.iter().copied().map(Hash).collect())))
}

/// Returns up to `limit` tags after `last`, in byte order. Tags that stand for several digests are left out (D18).
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn tags(
    connection: &Connection,
    releases: &ReleaseSet,
    repositories: &RepositorySet,
    last: &str,
    limit: usize,
) -> Result<Vec<Tag>> {
    let mut select = connection
        .prepare_cached(
            "SELECT t.tag FROM tag t
             WHERE t.repository IN (SELECT id FROM repository WHERE name IN (SELECT value FROM json_each(?1)))
               AND t.tag > ?2 AND t.release IN (SELECT value FROM json_each(?3))
             GROUP BY t.tag HAVING min(t.blob) = max(t.blob) ORDER BY t.tag LIMIT ?4",
        )
        .sql("list tags")?;
    let rows = select
        .query_map(params![repositories.0, last, releases.0, limit], |row| row.get(0))
        .sql("list tags")?;
    rows.collect::<rusqlite::Result<_>>().sql("list tags")
}

/// Whether a repository has any content.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn is_known(connection: &Connection, releases: &ReleaseSet, repositories: &RepositorySet) -> Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM repository r JOIN content c ON c.repository = r.id
             WHERE r.name IN (SELECT value FROM json_each(?1)) AND c.release IN (SELECT value FROM json_each(?2)))",
        )
        .and_then(|mut select| select.query_row(params![repositories.0, releases.0], |row| row.get(0)))
        .sql("look up a repository")
}

/// Returns up to `limit` repositories after `last`, in byte order.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn catalogue(
    connection: &Connection,
    releases: &ReleaseSet,
    last: &str,
    limit: usize,
) -> Result<Vec<RepositoryName>> {
    let mut select = connection
        .prepare_cached(
            "SELECT r.name FROM repository r WHERE r.name > ?1 AND EXISTS (SELECT 1 FROM content c
             WHERE c.repository = r.id AND c.release IN (SELECT value FROM json_each(?2)))
             ORDER BY r.name LIMIT ?3",
        )
        .sql("list repositories")?;
    let rows = select
        .query_map(params![last, releases.0, limit], |row| row.get(0))
        .sql("list repositories")?;
    rows.collect::<rusqlite::Result<_>>().sql("list repositories")
}

/// Returns up to `limit` manifests that refer to a subject, after the one with digest `last`; only those of an artifact
/// type, where one is given.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn referrers(
    connection: &Connection,
    releases: &ReleaseSet,
    repositories: &RepositorySet,
    subject: &Digest,
    artifact_type: Option<&str>,
    last: Option<&Digest>,
    limit: usize,
) -> Result<Vec<Referrer>> {
    let mut select = connection
        .prepare_cached(
            "SELECT b.digest, b.size, f.media_type, f.artifact_type, f.annotations, max(f.release)
             FROM referrer f JOIN blob b ON b.id = f.blob
             WHERE f.repository IN (SELECT id FROM repository WHERE name IN (SELECT value FROM json_each(?1)))
               AND f.subject = ?2 AND f.release IN (SELECT value FROM json_each(?3))
               AND (?4 IS NULL OR f.artifact_type = ?4)
               AND f.blob > coalesce((SELECT id FROM blob WHERE digest = ?5), 0)
             GROUP BY f.blob ORDER BY f.blob LIMIT ?6",
        )
        .sql("list referrers")?;
    let rows = select
        .query_map(
            params![repositories.0, subject, releases.0, artifact_type, last, limit],
            |row| {
                Ok(Referrer {
                    digest: row.get(0)?,
                    size: row.get(1)?,
                    media_type: row.get(2)?,
                    artifact_type: row.get(3)?,
                    annotations: row.get(4)?,
                })
            },
        )
        .sql("list referrers")?;
    rows.collect::<rusqlite::Result<_>>().sql("list referrers")
}

/// Returns a repository and tag to show as an example, the first in byte order.
///
/// # Errors
///
/// Those of [`SqlResult::sql`].
pub fn example(connection: &Connection, releases: &ReleaseSet) -> Result<Option<(RepositoryName, Tag)>> {
    connection
        .prepare_cached(
            "SELECT r.name, t.tag FROM repository r JOIN tag t ON t.repository = r.id
             WHERE t.release IN (SELECT value FROM json_each(?1)) AND t.tag NOT LIKE 'sha256-%'
             ORDER BY r.name, t.tag LIMIT 1",
        )
        .and_then(|mut select| {
            select
                .query_row([&releases.0], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })
        .sql("look for an example")
}
