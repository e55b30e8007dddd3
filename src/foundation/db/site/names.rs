//! What the registry asks: tags, content, referrers, lists.
//!
//! Every question carries who asks and which releases it may be answered from. Rows of a release never change and claims are only
//! added, later ones, so a caller that keeps its [`Moment`] stays inside one generation without holding a transaction.
//!
//! Who is answered what (D18 c): [`Candidate`] says for whom a name stands, and the SQL of [`owner_of_tag`] and
//! [`owner_of_subject`] which scope has it there.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use super::release::{ReleaseId, ScopeId};
use crate::db::SqlResult as _;
use crate::domain::{Digest, Hash, RepositoryName, Result, Scope, Tag};

/// Tags that a page of them may pass over because they are not answered.
const PASSED_OVER: usize = 2000;

/// One generation: what is live, what is readable, and whose hosts are, in the form that queries take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    generation: u64,
    live: String,
    readable: String,
    hosts: String,
}

/// A repository that a name may stand for, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The repository.
    pub repository: RepositoryName,
    /// Who answers.
    pub answers: Answers,
    /// Whose its host is: others have neither tags nor referrers below it.
    pub host_owner: Option<Hash>,
}

/// Which scopes may answer under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// The one that owns what is asked for.
    Owner,
    /// This one, where it owns what is asked for: it calls the host of the repository its home.
    OwnerIf(ScopeId),
    /// This one: it is its own that asks.
    Alone(ScopeId),
}

/// Repositories that a name may stand for, in the order in which they are asked, in the form that queries take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    json: String,
    count: usize,
}

/// Content under a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedContent {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// For manifests and indexes: as the release states it that answers.
    pub media_type: Option<String>,
    /// Bytes per piece, when the midstates at their ends are kept.
    pub piece_size: Option<u64>,
}

/// Some tags of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPage {
    /// In byte order.
    pub tags: Vec<Tag>,
    /// After which tag it goes on; nothing where this was the last page.
    pub next: Option<Tag>,
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

/// What part of a list of referrers is wanted.
#[derive(Debug, Clone, Copy)]
pub struct ReferrersPage<'a> {
    /// Only those of an artifact type.
    pub artifact_type: Option<&'a str>,
    /// Only those after this one.
    pub last: Option<&'a Digest>,
    /// Entries at most.
    pub entries: usize,
    /// Bytes of annotations at most, but that of a single entry.
    pub annotation_bytes: usize,
}

/// A tag that a live release states and nobody is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedTag {
    /// Where.
    pub repository: RepositoryName,
    /// Whose release states it.
    pub scope: Scope,
}

impl Moment {
    /// Takes the generation's number, its live releases, those whose digests may be read (the live ones among them), and whose hosts
    /// are.
    pub fn new(
        generation: u64,
        live: impl IntoIterator<Item = ReleaseId>,
        readable: impl IntoIterator<Item = ReleaseId>,
        hosts: &BTreeMap<String, Hash>,
    ) -> Self {
        let list = |ids: &mut dyn Iterator<Item = ReleaseId>| json!(ids.map(|id| id.0).collect::<Vec<_>>()).to_string();
        let hosts: BTreeMap<&String, String> = hosts.iter().map(|(host, owner)| (host, owner.to_hex())).collect();
        Self {
            generation,
            live: list(&mut live.into_iter()),
            readable: list(&mut readable.into_iter()),
            hosts: json!(hosts).to_string(),
        }
    }
}

impl<'a> FromIterator<&'a Candidate> for Candidates {
    fn from_iter<I: IntoIterator<Item = &'a Candidate>>(candidates: I) -> Self {
        let list: Vec<_> = candidates
            .into_iter()
            .map(|candidate| {
                let (scope, alone) = match candidate.answers {
                    Answers::Owner => (None, None),
                    Answers::OwnerIf(scope) => (Some(scope.0), None),
                    Answers::Alone(scope) => (Some(scope.0), Some(1)),
                };
                json!({
                    "name": candidate.repository, "scope": scope, "alone": alone,
                    "domain": candidate.host_owner.map(Hash::to_hex),
                })
            })
            .collect();
        Self {
            count: list.len(),
            json: json!(list).to_string(),
        }
    }
}

/// The candidates of parameter 1 that exist here, as `k`.
const CANDIDATES: &str = "k AS MATERIALIZED (
    SELECT j.key AS place, r.id AS repository, j.value ->> 'scope' AS scope, j.value ->> 'alone' AS alone,
           j.value ->> 'domain' AS domain
    FROM json_each(?1) j CROSS JOIN repository r ON r.name = j.value ->> 'name')";

/// Whether a scope `s` counts under a candidate, before it is asked whether it owns anything there.
fn counts(k: &str) -> String {
    format!("({k}.domain IS NULL OR lower(hex(s.domain)) = {k}.domain) AND ({k}.alone IS NULL OR s.id = {k}.scope)")
}

/// Whether an owner is the one that may answer under a candidate.
fn fits(k: &str, owner: &str) -> String {
    format!("{owner} IS NOT NULL AND ({k}.scope IS NULL OR {k}.scope = {owner})")
}

/// The scope that owns a tag under a candidate, in the generation of parameter 3. A tag about an image (`sha256-<hex>`, with or
/// without a suffix: how signatures and referrers are found by tag) is of the scope that had the image live first.
fn owner_of_tag(k: &str, tag: &str) -> String {
    format!(
        "coalesce(
           (SELECT l.scope FROM blob b JOIN content o ON o.blob = b.id AND o.repository = {k}.repository
            JOIN release l ON l.id = o.release JOIN scope s ON s.id = l.scope
            WHERE {tag} LIKE 'sha256-%' AND b.digest = unhex(substr({tag}, 8, 64)) AND l.first_live <= ?3 AND {counts}
            ORDER BY l.first_live LIMIT 1),
           (SELECT c.scope FROM tag_claim c JOIN scope s ON s.id = c.scope
            WHERE c.repository = {k}.repository AND c.tag = {tag} AND c.since <= ?3 AND {counts} ORDER BY c.since LIMIT 1))",
        counts = counts(k)
    )
}

/// The scope that had a subject (parameter 4) live first under a candidate; where nobody had it, the first that refers to it.
fn owner_of_subject(k: &str) -> String {
    let first = |from: &str| {
        format!(
            "(SELECT l.scope FROM {from} JOIN release l ON l.id = o.release JOIN scope s ON s.id = l.scope
              WHERE o.repository = {k}.repository AND l.first_live <= ?3 AND {} ORDER BY l.first_live LIMIT 1)",
            counts(k)
        )
    };
    format!(
        "coalesce({}, {})",
        first("blob b JOIN content o ON b.digest = ?4 AND o.blob = b.id"),
        first(&format!(
            "referrer f CROSS JOIN content o ON f.subject = ?4 AND o.repository = {k}.repository AND o.blob = f.blob AND o.release = f.release"
        ))
    )
}

/// Returns what a tag stands for: in the live release of the scope that owns it, under the first candidate where that one answers.
/// Nothing where nobody owns it, and where the owner does not state it any more.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn tag(
    connection: &Connection,
    moment: &Moment,
    candidates: &Candidates,
    tag: &Tag,
) -> Result<Option<NamedContent>> {
    connection
        .prepare_cached(&format!(
            "WITH {CANDIDATES},
             o AS MATERIALIZED (SELECT k.place, k.repository, k.scope, {} AS owner FROM k),
             w AS MATERIALIZED (SELECT repository, owner FROM o WHERE {} ORDER BY place LIMIT 1)
             SELECT b.digest, b.size, c.media_type, b.piece_size
             FROM w CROSS JOIN release l ON l.scope = w.owner AND l.id IN (SELECT value FROM json_each(?2))
             CROSS JOIN tag t ON t.repository = w.repository AND t.tag = ?4 AND t.release = l.id
             CROSS JOIN blob b ON b.id = t.blob
             CROSS JOIN content c ON c.repository = t.repository AND c.blob = t.blob AND c.release = l.id",
            owner_of_tag("k", "?4"),
            fits("o", "o.owner"),
        ))
        .and_then(|mut select| {
            select
                .query_row(
                    params![candidates.json, moment.live, moment.generation, tag],
                    named_content,
                )
                .optional()
        })
        .sql("look up a tag")
}

/// Returns content that a repository reaches, whoever has it there. Where scopes state different media types, that of the scope
/// counts that had it there first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn content(
    connection: &Connection,
    moment: &Moment,
    candidates: &Candidates,
    digest: &Digest,
) -> Result<Option<NamedContent>> {
    connection
        .prepare_cached(&format!(
            "WITH {CANDIDATES}
             SELECT b.digest, b.size, c.media_type, b.piece_size
             FROM blob b CROSS JOIN k
             CROSS JOIN content c ON c.repository = k.repository AND c.blob = b.id AND c.release IN (SELECT value FROM json_each(?2))
             CROSS JOIN release l ON l.id = c.release CROSS JOIN scope s ON s.id = l.scope
             WHERE b.digest = ?3 AND (k.alone IS NULL OR s.id = k.scope)
             ORDER BY c.media_type IS NULL, k.domain IS NOT NULL AND lower(hex(s.domain)) <> k.domain, k.place,
                 (SELECT min(f.first_live) FROM content o JOIN release f ON f.id = o.release
                  WHERE o.repository = c.repository AND o.blob = c.blob AND f.scope = l.scope),
                 c.release NOT IN (SELECT value FROM json_each(?4)), c.release DESC
             LIMIT 1"
        ))
        .and_then(|mut select| {
            select
                .query_row(
                    params![candidates.json, moment.readable, digest, moment.live],
                    named_content,
                )
                .optional()
        })
        .sql("look up content")
}

fn named_content(row: &rusqlite::Row<'_>) -> rusqlite::Result<NamedContent> {
    Ok(NamedContent {
        digest: row.get(0)?,
        size: row.get(1)?,
        media_type: row.get(2)?,
        piece_size: row.get(3)?,
    })
}

/// Returns the size of a blob's pieces and the states of its SHA-256 at the end of each but the last, where they are kept.
///
/// # Errors
///
/// `E-STATE database-damaged` when they are not whole hashes; those of [`SqlResult::sql`](crate::db::SqlResult::sql).
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
        .remedy("end airlock serve, then put a whole copy of the state folder in its place"));
    }
    Ok(Some((size, hashes.iter().copied().map(Hash).collect())))
}

/// Returns up to `limit` tags after `last`, in byte order: exactly those that [`tag`] answers.
///
/// A page looks at a bounded number of tags. What others state in vain, or stated once, therefore makes pages shorter and none slower:
/// one may be empty and still have a next.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn tags(
    connection: &Connection,
    moment: &Moment,
    candidates: &Candidates,
    last: &str,
    limit: usize,
) -> Result<TagPage> {
    // One candidate after another, each from tag to tag in the order of its index, whatever number of releases has a tag.
    let mut select = connection
        .prepare_cached(&format!(
            "WITH RECURSIVE {CANDIDATES},
             w (number, tag) AS (
                 SELECT 1, (SELECT min(t.tag) FROM tag t WHERE t.repository = k.repository AND t.tag > ?4) FROM k WHERE k.place = ?6
                 UNION ALL
                 SELECT w.number + 1, (SELECT min(t.tag) FROM tag t
                                       WHERE t.repository = (SELECT repository FROM k WHERE place = ?6) AND t.tag > w.tag)
                 FROM w WHERE w.tag IS NOT NULL AND w.number < ?5)
             SELECT w.tag, EXISTS (
                 SELECT 1 FROM release l CROSS JOIN tag t ON t.repository = k.repository AND t.tag = w.tag AND t.release = l.id
                 WHERE l.scope = {} AND l.id IN (SELECT value FROM json_each(?2)) AND (k.scope IS NULL OR k.scope = l.scope))
               AND NOT EXISTS (SELECT 1 FROM k q WHERE q.place < k.place AND {})
             FROM w CROSS JOIN k ON k.place = ?6 WHERE w.tag IS NOT NULL ORDER BY w.number",
            owner_of_tag("k", "w.tag"),
            fits("q", &owner_of_tag("q", "w.tag")),
        ))
        .sql("list tags")?;
    let looked_at = limit.saturating_add(PASSED_OVER);
    let (mut found, mut end): (BTreeSet<Tag>, Option<Tag>) = (BTreeSet::new(), None);
    for place in 0..candidates.count {
        let rows = select
            .query_map(
                params![candidates.json, moment.live, moment.generation, last, looked_at, place],
                |row| Ok((row.get::<_, Tag>(0)?, row.get::<_, bool>(1)?)),
            )
            .sql("list tags")?;
        let rows: Vec<(Tag, bool)> = rows.collect::<rusqlite::Result<_>>().sql("list tags")?;
        if rows.len() >= looked_at
            && let Some((tag, _)) = rows.last()
            && end.as_ref().is_none_or(|end| tag < end)
        {
            end = Some(tag.clone());
        }
        found.extend(rows.into_iter().filter(|(_, served)| *served).map(|(tag, _)| tag));
    }
    let mut tags: Vec<Tag> = found
        .into_iter()
        .filter(|tag| end.as_ref().is_none_or(|end| tag <= end))
        .collect();
    let next = if tags.len() > limit {
        tags.truncate(limit);
        tags.last().cloned()
    } else {
        end
    };
    Ok(TagPage { tags, next })
}

/// Whether anybody has content in a repository that can be read by digest.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn is_known(connection: &Connection, moment: &Moment, candidates: &Candidates) -> Result<bool> {
    connection
        .prepare_cached(&format!(
            "WITH {CANDIDATES} SELECT EXISTS (
                 SELECT 1 FROM k JOIN release_repository rr ON rr.repository = k.repository
                 JOIN release l ON l.id = rr.release
                 WHERE rr.release IN (SELECT value FROM json_each(?2)) AND (k.alone IS NULL OR l.scope = k.scope))"
        ))
        .and_then(|mut select| select.query_row(params![candidates.json, moment.readable], |row| row.get(0)))
        .sql("look up a repository")
}

/// Whether those who may have tags in a repository have it live.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn is_listed(connection: &Connection, moment: &Moment, candidates: &Candidates) -> Result<bool> {
    connection
        .prepare_cached(&format!(
            "WITH {CANDIDATES} SELECT EXISTS (
                 SELECT 1 FROM k JOIN release_repository rr ON rr.repository = k.repository
                 JOIN release l ON l.id = rr.release JOIN scope s ON s.id = l.scope
                 WHERE rr.release IN (SELECT value FROM json_each(?2)) AND {} AND (k.scope IS NULL OR k.scope = s.id))",
            counts("k")
        ))
        .and_then(|mut select| select.query_row(params![candidates.json, moment.live], |row| row.get(0)))
        .sql("look up a repository")
}

/// Returns up to `limit` repositories after `last`, in byte order. Below a host that belongs to a domain, others have none.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn catalogue(connection: &Connection, moment: &Moment, last: &str, limit: usize) -> Result<Vec<RepositoryName>> {
    let mut select = connection
        .prepare_cached(
            "SELECT r.name FROM repository r WHERE r.name > ?1 AND EXISTS (
                 SELECT 1 FROM release_repository rr JOIN release l ON l.id = rr.release JOIN scope s ON s.id = l.scope
                 WHERE rr.repository = r.id AND rr.release IN (SELECT value FROM json_each(?2))
                   AND NOT EXISTS (SELECT 1 FROM json_each(?4) h WHERE h.key = substr(r.name, 1, instr(r.name, '/') - 1)
                                   AND h.value <> lower(hex(s.domain))))
             ORDER BY r.name LIMIT ?3",
        )
        .sql("list repositories")?;
    let rows = select
        .query_map(params![last, moment.live, limit, moment.hosts], |row| row.get(0))
        .sql("list repositories")?;
    rows.collect::<rusqlite::Result<_>>().sql("list repositories")
}

/// Returns a page of the manifests that refer to a subject, and whether there are more. They are those of the scope that had the subject
/// live first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn referrers(
    connection: &Connection,
    moment: &Moment,
    candidates: &Candidates,
    subject: &Digest,
    page: &ReferrersPage<'_>,
) -> Result<(Vec<Referrer>, bool)> {
    // Keys first: sorting must not hold annotations, of which one may be as long as a manifest.
    let mut select = connection
        .prepare_cached(&format!(
            "WITH {CANDIDATES},
             o AS MATERIALIZED (SELECT k.place, k.repository, k.scope, {} AS owner FROM k),
             w AS MATERIALIZED (SELECT repository, owner FROM o WHERE {} ORDER BY place LIMIT 1)
             SELECT c.repository, f.blob, f.release
             FROM w CROSS JOIN release l ON l.scope = w.owner AND l.id IN (SELECT value FROM json_each(?2))
             CROSS JOIN referrer f ON f.subject = ?4 AND f.release = l.id
             CROSS JOIN content c ON c.repository = w.repository AND c.blob = f.blob AND c.release = l.id
             WHERE (?5 IS NULL OR f.artifact_type = ?5)
               AND f.blob > coalesce((SELECT id FROM blob WHERE digest = ?6), 0)
             ORDER BY f.blob LIMIT ?7",
            owner_of_subject("k"),
            fits("o", "o.owner"),
        ))
        .sql("list referrers")?;
    let wanted = page.entries.saturating_add(1);
    let keys: Vec<(i64, i64, i64)> = select
        .query_map(
            params![
                candidates.json,
                moment.live,
                moment.generation,
                subject,
                page.artifact_type,
                page.last,
                wanted
            ],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .sql("list referrers")?
        .collect::<rusqlite::Result<_>>()
        .sql("list referrers")?;
    let mut read = connection
        .prepare_cached(
            "SELECT b.digest, b.size, c.media_type, f.artifact_type, f.annotations
             FROM referrer f JOIN blob b ON b.id = f.blob
             JOIN content c ON c.repository = ?1 AND c.blob = f.blob AND c.release = f.release
             WHERE f.subject = ?2 AND f.blob = ?3 AND f.release = ?4",
        )
        .sql("read a referrer")?;
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    for (repository, blob, release) in &keys {
        if found.len() >= page.entries {
            return Ok((found, true));
        }
        let referrer = read
            .query_row(params![repository, subject, blob, release], |row| {
                Ok(Referrer {
                    digest: row.get(0)?,
                    size: row.get(1)?,
                    media_type: row.get(2)?,
                    artifact_type: row.get(3)?,
                    annotations: row.get(4)?,
                })
            })
            .sql("read a referrer")?;
        bytes = bytes.saturating_add(referrer.annotations.len());
        if bytes > page.annotation_bytes && !found.is_empty() {
            return Ok((found, true));
        }
        found.push(referrer);
    }
    Ok((found, false))
}

/// Returns the first live release, in the order of the candidates, that states a tag which [`tag`] does not answer.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn stated_tag(
    connection: &Connection,
    moment: &Moment,
    candidates: &Candidates,
    tag: &Tag,
) -> Result<Option<StatedTag>> {
    connection
        .prepare_cached(&format!(
            "WITH {CANDIDATES}
             SELECT r.name, s.domain, s.product, s.channel
             FROM k JOIN tag t ON t.repository = k.repository AND t.tag = ?3 JOIN repository r ON r.id = k.repository
             JOIN release l ON l.id = t.release JOIN scope s ON s.id = l.scope
             WHERE t.release IN (SELECT value FROM json_each(?2)) ORDER BY k.place, l.id LIMIT 1"
        ))
        .and_then(|mut select| {
            select
                .query_row(params![candidates.json, moment.live, tag], |row| {
                    Ok(StatedTag {
                        repository: row.get(0)?,
                        scope: Scope {
                            domain: row.get(1)?,
                            product: row.get(2)?,
                            channel: row.get(3)?,
                        },
                    })
                })
                .optional()
        })
        .sql("look for a hidden tag")
}

/// Returns repositories and tags that may be shown as an example, in byte order, of those that everybody is answered; at most 256.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn examples(connection: &Connection, moment: &Moment) -> Result<Vec<(RepositoryName, Tag, Digest)>> {
    connection
        .prepare_cached(
            "SELECT r.name, t.tag, b.digest FROM repository r JOIN tag t ON t.repository = r.id JOIN release l ON l.id = t.release
             JOIN blob b ON b.id = t.blob
             WHERE t.release IN (SELECT value FROM json_each(?1)) AND t.tag NOT LIKE 'sha256-%'
               AND l.scope = (SELECT c.scope FROM tag_claim c JOIN scope s ON s.id = c.scope
                              WHERE c.repository = r.id AND c.tag = t.tag
                                AND NOT EXISTS (SELECT 1 FROM json_each(?2) h
                                                WHERE h.key = substr(r.name, 1, instr(r.name, '/') - 1)
                                                  AND h.value <> lower(hex(s.domain)))
                              ORDER BY c.since LIMIT 1)
             ORDER BY r.name, t.tag LIMIT 256",
        )
        .and_then(|mut select| {
            select
                .query_map([&moment.live, &moment.hosts], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?
                .collect()
        })
        .sql("look for examples")
}
