//! Releases: which there are, which are live, how far each scope has come.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde_json::json;

use super::receipts::{self, About, Act, Signer};
use super::targets::{self, Undeploy};
use super::{Page, name_claims, owners};
use crate::crypto::ReceiptResult;
use crate::db::SqlResult as _;
use crate::domain::{Class, Counter, Digest, Error, Hash, Result, Scope, Timestamp};

/// Key of a release inside this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseId(pub(super) i64);

/// Key of a scope inside this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(pub(super) i64);

/// Where a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Imported, and not reachable by any client.
    Available,
    /// The one live release of its scope.
    Active,
    /// Was live before; may be activated again.
    Retired,
}

/// A release, without its signed bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRow {
    /// Key inside this database.
    pub id: ReleaseId,
    /// Trust domain, product and channel.
    pub scope: Scope,
    /// Key of that.
    pub scope_id: ScopeId,
    /// Head digest: the bundle's identity.
    pub head: Hash,
    /// Its number.
    pub counter: Counter,
    /// The root version under which it was accepted; start-up checks use this one (threat model 2.5).
    pub root_version: u64,
    /// Label for people.
    pub version: String,
    /// Where it stands.
    pub state: State,
    /// When it was imported.
    pub imported_at: Timestamp,
    /// When it last went live.
    pub activated_at: Option<Timestamp>,
    /// When it was last replaced.
    pub retired_at: Option<Timestamp>,
    /// Whether it goes live by itself as soon as no secret of it is missing.
    pub waits: bool,
    /// The row of its domain's stream log that told that it shall go; no status package lists it since.
    pub leaving: Option<u64>,
}

/// The signed bytes of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Entry 03.
    pub head: Vec<u8>,
    /// Entry 01.
    pub signatures: Vec<u8>,
}

/// How far a scope has come: nothing lower is ever imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Number of the highest release.
    pub counter: Counter,
    /// Its head digest.
    pub head: Hash,
}

/// What an activation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activated {
    /// It was live already; nothing was written.
    Already,
    /// It is live now.
    Now {
        /// Head of the release that it replaced.
        previous: Option<Hash>,
        /// The new generation.
        generation: u64,
    },
}

const COLUMNS: &str = "SELECT r.id, s.domain, s.product, s.channel, r.head, r.epoch, r.sequence, r.root_version, r.version, \
     r.state, r.imported_at, r.activated_at, r.retired_at, s.id, r.waits, r.leaving FROM release r JOIN scope s ON s.id = r.scope";

/// Returns every release, by scope, newest first.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn list(connection: &Connection) -> Result<Vec<ReleaseRow>> {
    query(
        connection,
        "ORDER BY s.product, s.channel, s.domain, r.epoch DESC, r.sequence DESC",
        [],
    )
}

/// Returns the release with a head digest.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn find(connection: &Connection, head: Hash) -> Result<Option<ReleaseRow>> {
    Ok(query(connection, "WHERE r.head = ?", [head])?.pop())
}

/// Returns the active releases, in the order of their imports.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn active(connection: &Connection) -> Result<Vec<ReleaseRow>> {
    query(connection, "WHERE r.state = 'active' ORDER BY r.id", [])
}

/// Returns the active releases and those that were replaced after a moment: what digests may be read from (R03).
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn readable(connection: &Connection, retired_after: Timestamp) -> Result<Vec<ReleaseRow>> {
    query(
        connection,
        "WHERE r.state = 'active' OR (r.state = 'retired' AND r.retired_at > ?) ORDER BY r.id",
        [retired_after],
    )
}

fn query(connection: &Connection, rest: &str, parameters: impl rusqlite::Params) -> Result<Vec<ReleaseRow>> {
    let mut select = connection
        .prepare_cached(&format!("{COLUMNS} {rest}"))
        .sql("read the releases")?;
    let rows = select
        .query_map(parameters, |row| {
            Ok(ReleaseRow {
                id: ReleaseId(row.get(0)?),
                scope: Scope {
                    domain: row.get(1)?,
                    product: row.get(2)?,
                    channel: row.get(3)?,
                },
                scope_id: ScopeId(row.get(13)?),
                head: row.get(4)?,
                counter: Counter {
                    epoch: row.get(5)?,
                    sequence: row.get(6)?,
                },
                root_version: row.get(7)?,
                version: row.get(8)?,
                state: row.get(9)?,
                imported_at: row.get(10)?,
                activated_at: row.get(11)?,
                retired_at: row.get(12)?,
                waits: row.get(14)?,
                leaving: row.get(15)?,
            })
        })
        .sql("read the releases")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the releases")
}

/// Returns the signed bytes of a release.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn signed(connection: &Connection, id: ReleaseId) -> Result<Signed> {
    connection
        .query_row(
            "SELECT head_bytes, signatures FROM release WHERE id = ?",
            [id.0],
            |row| {
                Ok(Signed {
                    head: row.get(0)?,
                    signatures: row.get(1)?,
                })
            },
        )
        .sql("read the signed head")
}

/// Returns the index pages of a release, in order; their bytes are in the blob store.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn pages(connection: &Connection, id: ReleaseId) -> Result<Vec<Page>> {
    let mut select = connection
        .prepare_cached("SELECT sha256, size FROM release_page WHERE release = ? ORDER BY number")
        .sql("read the index pages")?;
    let rows = select
        .query_map([id.0], |row| {
            Ok(Page {
                sha256: row.get(0)?,
                size: row.get(1)?,
            })
        })
        .sql("read the index pages")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the index pages")
}

/// Returns how many blobs a release has, and the sum of their sizes.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn totals(connection: &Connection, id: ReleaseId) -> Result<(u64, u64)> {
    connection
        .query_row(
            "SELECT count(*), coalesce(sum(b.size), 0) FROM release_blob rb JOIN blob b ON b.id = rb.blob
             WHERE rb.release = ?",
            [id.0],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .sql("count the blobs of the release")
}

/// Returns how far every scope has come.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn marks(connection: &Connection) -> Result<Vec<(Scope, Mark)>> {
    let mut select = connection
        .prepare_cached(
            "SELECT s.domain, s.product, s.channel, m.epoch, m.sequence, m.head FROM mark m JOIN scope s ON s.id = m.scope
             ORDER BY s.domain, s.product, s.channel",
        )
        .sql("read the marks")?;
    let rows = select
        .query_map([], |row| {
            let scope = Scope {
                domain: row.get(0)?,
                product: row.get(1)?,
                channel: row.get(2)?,
            };
            let counter = Counter {
                epoch: row.get(3)?,
                sequence: row.get(4)?,
            };
            Ok((
                scope,
                Mark {
                    counter,
                    head: row.get(5)?,
                },
            ))
        })
        .sql("read the marks")?;
    rows.collect::<rusqlite::Result<_>>().sql("read the marks")
}

/// Returns how far a scope has come; nothing when it was never imported from.
///
/// # Errors
///
/// `E-STATE mark-missing` when releases or audit rows show that there must be a mark (threat model 2.7: a missing mark is
/// never zero); those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn mark(connection: &Connection, scope: &Scope) -> Result<Option<Mark>> {
    let mark = connection
        .prepare_cached(
            "SELECT m.epoch, m.sequence, m.head FROM mark m JOIN scope s ON s.id = m.scope
             WHERE s.domain = ? AND s.product = ? AND s.channel = ?",
        )
        .and_then(|mut select| {
            select
                .query_row(params![scope.domain, scope.product, scope.channel], |row| {
                    Ok(Mark {
                        counter: Counter {
                            epoch: row.get(0)?,
                            sequence: row.get(1)?,
                        },
                        head: row.get(2)?,
                    })
                })
                .optional()
        })
        .sql("read the mark")?;
    if mark.is_some() {
        return Ok(mark);
    }
    let imported: bool = connection
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM release r JOIN scope s ON s.id = r.scope
                            WHERE s.domain = ?1 AND s.product = ?2 AND s.channel = ?3)
                 OR EXISTS (SELECT 1 FROM audit WHERE action = ?4 AND detail ->> 'domain' = ?5
                            AND detail ->> 'product' = ?2 AND detail ->> 'channel' = ?3)",
            params![
                scope.domain,
                scope.product,
                scope.channel,
                super::publish::ACTION,
                scope.domain.to_hex()
            ],
            |row| row.get(0),
        )
        .sql("look for earlier imports")?;
    if imported {
        return Err(Error::new(
            Class::State,
            "mark-missing",
            format!("{scope} was imported before, but its highest number is not known"),
        )
        .remedy("end airlock serve, then put a whole copy of the state folder in its place"));
    }
    Ok(None)
}

/// Returns the size of a blob that retained releases of a trust domain hold: what a bundle's `need` may rely on.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn retained_blob(connection: &Connection, domain: Hash, digest: &Digest) -> Result<Option<u64>> {
    connection
        .prepare_cached(RETAINED_BLOB)
        .and_then(|mut select| select.query_row(params![digest, domain], |row| row.get(0)).optional())
        .sql("look for needed content")
}

/// Returns digest and size of everything that retained releases of a trust domain hold.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn retained_blobs(connection: &Connection, domain: Hash) -> Result<BTreeMap<Digest, u64>> {
    let what = "read what releases hold";
    let mut select = connection
        .prepare(
            "SELECT DISTINCT b.digest, b.size FROM scope s JOIN release r ON r.scope = s.id
             JOIN release_blob rb ON rb.release = r.id JOIN blob b ON b.id = rb.blob WHERE s.domain = ?",
        )
        .sql(what)?;
    let rows = select
        .query_map([domain], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql(what)?;
    rows.collect::<rusqlite::Result<_>>().sql(what)
}

/// Asked for each blob of a refused bundle, so both parts look it up by an index.
pub(in crate::db) const IS_REFERENCED: &str =
    "SELECT EXISTS (SELECT 1 FROM blob b JOIN release_blob rb ON rb.blob = b.id WHERE b.digest = ?1)
         OR EXISTS (SELECT 1 FROM release_page WHERE sha256 = ?2)";

/// Asked for each thing that a bundle needs.
pub(in crate::db) const RETAINED_BLOB: &str = "SELECT b.size FROM blob b WHERE b.digest = ?1 AND EXISTS (
         SELECT 1 FROM scope s JOIN release r ON r.scope = s.id
         JOIN release_blob rb ON rb.release = r.id AND rb.blob = b.id WHERE s.domain = ?2)";

/// Whether any release refers to content: as a blob or as an index page.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn is_referenced(connection: &Connection, digest: &Digest) -> Result<bool> {
    connection
        .prepare_cached(IS_REFERENCED)
        .and_then(|mut select| select.query_row(params![digest, digest.0], |row| row.get(0)))
        .sql("look for references")
}

/// Returns digest and size of every blob of a release.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn blobs(connection: &Connection, id: ReleaseId) -> Result<Vec<(Digest, u64)>> {
    let mut select = connection
        .prepare_cached(
            "SELECT b.digest, b.size FROM release_blob rb JOIN blob b ON b.id = rb.blob WHERE rb.release = ?",
        )
        .sql("read the blobs of the release")?;
    let rows = select
        .query_map([id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .sql("read the blobs of the release")?;
    rows.collect::<rusqlite::Result<_>>()
        .sql("read the blobs of the release")
}

/// Calls `each` with digest and size of every blob of a release, by digest. One is in memory at a time.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql) and of `each`.
pub fn each_blob(
    connection: &Connection,
    id: ReleaseId,
    mut each: impl FnMut(Digest, u64) -> Result<()>,
) -> Result<()> {
    const WHAT: &str = "read the blobs of the release";
    let mut select = connection
        .prepare_cached(
            "SELECT b.digest, b.size FROM release_blob rb JOIN blob b ON b.id = rb.blob WHERE rb.release = ? ORDER BY b.digest",
        )
        .sql(WHAT)?;
    let mut rows = select.query([id.0]).sql(WHAT)?;
    while let Some(row) = rows.next().sql(WHAT)? {
        each(row.get(0).sql(WHAT)?, row.get(1).sql(WHAT)?)?;
    }
    Ok(())
}

/// Returns the tags of a release as `repository:tag`, with what each names.
///
/// # Errors
///
/// Those of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn names(connection: &Connection, id: ReleaseId) -> Result<Vec<(String, Digest)>> {
    let mut select = connection
        .prepare_cached(
            "SELECT r.name || ':' || t.tag, b.digest FROM tag t JOIN repository r ON r.id = t.repository JOIN blob b ON b.id = t.blob
             WHERE t.release = ? ORDER BY 1",
        )
        .sql("read the names of the release")?;
    let rows = select
        .query_map([id.0], |row| Ok((row.get(0)?, Digest(row.get(1)?))))
        .sql("read the names of the release")?;
    rows.collect::<rusqlite::Result<_>>()
        .sql("read the names of the release")
}

/// Checks that a release may become the live one of its scope.
///
/// # Errors
///
/// As [`activate`].
pub fn check_activation(connection: &Connection, release: &ReleaseRow, undeploy: Undeploy) -> Result<()> {
    let set = targets::of_release(connection, release.id)?;
    owners::check_activation(connection, release.id, &release.scope, &set)?;
    targets::check_undeploy(connection, &release.scope, &set, undeploy)
}

/// Makes a release the live one of its scope (TX-B), with a receipt; the one before is retired. Works for every retained release.
///
/// # Errors
///
/// `E-POLICY foreign-target` when it states what is not its product's any more, or what another channel has live; those of
/// [`targets::check_undeploy`] and of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn activate(
    transaction: &Transaction<'_>,
    id: ReleaseId,
    at: Timestamp,
    undeploy: Undeploy,
    signer: &Signer,
) -> Result<Activated> {
    let release = query(transaction, "WHERE r.id = ?", [id.0])?
        .pop()
        .ok_or(rusqlite::Error::QueryReturnedNoRows)
        .sql("find the release to activate")?;
    if release.state == State::Active {
        return Ok(Activated::Already);
    }
    check_activation(transaction, &release, undeploy)?;
    let previous: Option<(i64, Hash)> = transaction
        .query_row(
            "SELECT id, head FROM release WHERE state = 'active' AND scope = (SELECT scope FROM release WHERE id = ?)",
            [id.0],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .sql("read the active release")?;
    if let Some((previous, _)) = previous {
        transaction
            .execute(
                "UPDATE release SET state = 'retired', retired_at = ? WHERE id = ?",
                params![at, previous],
            )
            .sql("retire the release before")?;
    }
    transaction
        .execute(
            "UPDATE release SET state = 'active', activated_at = ?, retired_at = NULL, leaving = NULL WHERE id = ?",
            params![at, id.0],
        )
        .sql("activate the release")?;
    let generation: u64 = transaction
        .query_row(
            "UPDATE appliance SET generation = generation + 1 RETURNING generation",
            [],
            |row| row.get(0),
        )
        .sql("raise the generation")?;
    name_claims::record(transaction, &release, generation)?;
    let before = previous.map(|(id, _)| ReleaseId(id));
    owners::go_live(transaction, id, &release.scope)?;
    let changes = targets::go_live(transaction, id, before, at)?;
    let previous = previous.map(|(_, head)| head);
    let mut detail = json!({
        "channel": release.scope.channel, "domain": release.scope.domain, "epoch": release.counter.epoch,
        "generation": generation, "head": release.head, "product": release.scope.product,
        "sequence": release.counter.sequence, "version": release.version,
    });
    let about = About {
        scope: &release.scope,
        counter: release.counter,
        head: release.head,
        root_version: release.root_version,
        version: &release.version,
    };
    let mut told = about.told();
    for detail in [&mut detail, &mut told] {
        if let (Some(previous), Some(members)) = (previous, detail.as_object_mut()) {
            members.insert("previous".into(), previous.to_hex().into());
        }
    }
    if undeploy == Undeploy::Everything
        && let Some(members) = detail.as_object_mut()
    {
        members.insert("undeploy".into(), true.into());
    }
    changes.write_to(&mut detail);
    let act = Act {
        at,
        action: "activate",
        result: ReceiptResult::Activated,
        refusal: None,
        detail,
        told,
    };
    receipts::issue(transaction, signer, &about, act)?;
    Ok(Activated::Now { previous, generation })
}

impl State {
    /// Returns the stable word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "available" => Ok(Self::Available),
            "active" => Ok(Self::Active),
            "retired" => Ok(Self::Retired),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}
