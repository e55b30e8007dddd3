//! Publishing a release (TX-A): everything that becomes true with an import becomes true in one transaction.
//!
//! Blobs and names come from iterators and go straight into prepared statements; of 100,000 blobs only their keys are kept, some 5 MiB.

use std::collections::HashMap;
use std::fmt;

use rusqlite::{OptionalExtension as _, Transaction, params};
use serde_json::{Value, json};

use super::owners::Held;
use super::receipts::{self, About, Act, ReceiptRow, Signer};
use super::release::{Activated, ReleaseId, activate};
use super::targets::{self, TargetSet, Undeploy};
use super::{owners, time_floor};
use crate::crypto::ReceiptResult;
use crate::db::SqlResult as _;
use crate::domain::{Class, Counter, Digest, Error, Hash, RepositoryName, Result, Scope, Step, Tag, Timestamp};

/// The audit action of an import.
pub(super) const ACTION: &str = "import";

/// A release to publish. Every byte it names is durable in the blob store.
pub struct Publication<'a> {
    /// Trust domain, product, channel.
    pub scope: Scope,
    /// Its number; it becomes the scope's mark.
    pub counter: Counter,
    /// Head digest.
    pub head: Hash,
    /// Entry 03.
    pub head_bytes: &'a [u8],
    /// Entry 01.
    pub signatures: &'a [u8],
    /// The root version under which it was accepted.
    pub root_version: u64,
    /// Label for people.
    pub version: &'a str,
    /// Start time of the import (X0).
    pub imported_at: Timestamp,
    /// Today's date as a person confirmed it for this import; the row of the audit log has it.
    pub confirmed_date: Option<Timestamp>,
    /// Registry hosts answered without a host in the name.
    pub home_hosts: &'a [String],
    /// Index pages, in order.
    pub pages: &'a [Page],
    /// What the release proves to be past; a time before its domain's floor changes nothing.
    pub time_floor: Timestamp,
    /// What it says of the targets of this site.
    pub targets: &'a TargetSet,
    /// Whether it goes live in the same transaction, unless another channel of its product has live what it states.
    pub activate: bool,
    /// Whether it goes live by itself later: as soon as no secret of it is missing.
    pub waits: bool,
    /// Every blob of the release: those it carries and those it needs.
    pub blobs: &'a mut dyn Iterator<Item = Result<BlobRow>>,
    /// Every name, after the blobs. Repeated rows are fine.
    pub names: &'a mut dyn Iterator<Item = Result<NameRow>>,
    /// Who signs its receipts.
    pub signer: &'a Signer,
}

/// An index page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Hash of its bytes, which are a file of the blob store.
    pub sha256: Hash,
    /// Its size.
    pub size: u64,
}

/// A blob of the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRow {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// For blobs above 4 MiB: bytes per piece, and the states of its SHA-256 at the end of each but the last (R05).
    pub pieces: Option<(u64, Vec<Hash>)>,
}

/// What a client may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameRow {
    /// Content that can be fetched by digest under a repository.
    Content {
        /// The repository.
        repository: RepositoryName,
        /// The blob.
        digest: Digest,
        /// For manifests and indexes.
        media_type: Option<String>,
    },
    /// A tag. Its manifest needs a [`NameRow::Content`] row too.
    Tag {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: Tag,
        /// Its manifest or index.
        digest: Digest,
    },
    /// A manifest that refers to another one. Those repositories list it that have a [`NameRow::Content`] row for it.
    Referrer {
        /// What it is about; that may be absent.
        subject: Digest,
        /// The manifest that refers.
        digest: Digest,
        /// Its artifact type.
        artifact_type: Option<String>,
        /// Its annotations as a JSON object.
        annotations: String,
    },
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedRows {
    /// Key of the release.
    pub id: ReleaseId,
    /// The receipt of the import.
    pub receipt: ReceiptRow,
    /// Whether it went live.
    pub activated: Option<Activated>,
    /// Why it cannot go live now.
    pub held: Option<Held>,
}

/// Publishes a release inside a transaction of the caller.
///
/// # Errors
///
/// `E-ROLLBACK` when the scope's mark is not below (the import has checked that before); `E-INTERNAL unknown-blob` for a name of
/// a blob that is not in `blobs`; `E-STATE blob-size` when the store knows a digest with another size; `E-POLICY` as
/// [`owners::judge`] and [`targets::check_undeploy`]; those of the iterators and of [`SqlResult::sql`](crate::db::SqlResult::sql).
pub fn publish(transaction: &Transaction<'_>, publication: Publication<'_>) -> Result<PublishedRows> {
    let release = insert_release(transaction, &publication)?;
    let mut names = Names::new(transaction, release);
    for blob in publication.blobs {
        names.blob(&blob?)?;
    }
    for name in publication.names {
        names.insert(&name?)?;
    }
    let claims = owners::judge(transaction, &publication.scope, publication.targets)?;
    owners::record(transaction, &publication.scope, &claims)?;
    targets::insert(transaction, release, publication.targets)?;
    let scope = &publication.scope;
    time_floor::raise(transaction, scope.domain, publication.time_floor)?;
    let at = publication.imported_at;
    let mut detail = json!({
        "channel": scope.channel, "domain": scope.domain, "epoch": publication.counter.epoch,
        "head": publication.head, "product": scope.product, "root_version": publication.root_version,
        "sequence": publication.counter.sequence, "version": publication.version,
    });
    claims.write_to(&mut detail);
    confirmed_date_to(&mut detail, publication.confirmed_date);
    let about = About {
        scope,
        counter: publication.counter,
        head: publication.head,
        root_version: publication.root_version,
        version: publication.version,
    };
    let act = Act {
        at,
        action: ACTION,
        result: ReceiptResult::Imported,
        refusal: None,
        detail,
        told: about.told(),
    };
    let receipt = receipts::issue(transaction, publication.signer, &about, act)?;
    let activated = if publication.activate && claims.held.is_none() {
        let signer = publication.signer;
        Some(activate(transaction, release, at, Undeploy::AsSigned, signer)?)
    } else {
        None
    };
    Ok(PublishedRows {
        id: release,
        receipt,
        activated,
        held: claims.held,
    })
}

/// Adds the date that a person confirmed to the detail of a row: who that was, the row says as every row does.
pub fn confirmed_date_to(detail: &mut Value, confirmed: Option<Timestamp>) {
    if let (Some(date), Some(members)) = (confirmed, detail.as_object_mut()) {
        members.insert("confirmed_date".into(), date.to_string().into());
    }
}

fn insert_release(transaction: &Transaction<'_>, publication: &Publication<'_>) -> Result<ReleaseId> {
    let Publication {
        scope, counter, head, ..
    } = publication;
    transaction
        .execute(
            "INSERT INTO scope (domain, product, channel) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            params![scope.domain, scope.product, scope.channel],
        )
        .sql("record the scope")?;
    let scope_id: i64 = transaction
        .query_row(
            "SELECT id FROM scope WHERE domain = ? AND product = ? AND channel = ?",
            params![scope.domain, scope.product, scope.channel],
            |row| row.get(0),
        )
        .sql("read the scope")?;
    let moved = transaction
        .execute(
            "INSERT INTO mark (scope, epoch, sequence, head) VALUES (?, ?, ?, ?)
             ON CONFLICT (scope) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence, head = excluded.head
             WHERE (excluded.epoch, excluded.sequence) > (mark.epoch, mark.sequence)
                OR (excluded.epoch, excluded.sequence, excluded.head) = (mark.epoch, mark.sequence, mark.head)",
            params![scope_id, counter.epoch, counter.sequence, head],
        )
        .sql("move the mark")?;
    if moved == 0 {
        return Err(Error::new(
            Class::Rollback,
            "older",
            format!("release {counter} of {scope} is not above what was imported before"),
        )
        .expected("a higher number")
        .at(Step::X14));
    }
    let id: i64 = transaction
        .query_row(
            "INSERT INTO release (scope, head, head_bytes, signatures, root_version, epoch, sequence, version, state, imported_at, waits)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'available', ?, ?) RETURNING id",
            params![
                scope_id,
                head,
                publication.head_bytes,
                publication.signatures,
                publication.root_version,
                counter.epoch,
                counter.sequence,
                publication.version,
                publication.imported_at,
                publication.waits
            ],
            |row| row.get(0),
        )
        .sql("record the release")?;
    let id = ReleaseId(id);
    insert_pages(transaction, id, publication.pages)?;
    insert_home_hosts(transaction, id, publication.home_hosts)?;
    Ok(id)
}

pub(super) fn insert_pages(transaction: &Transaction<'_>, release: ReleaseId, pages: &[Page]) -> Result<()> {
    for (number, page) in pages.iter().enumerate() {
        transaction
            .prepare_cached("INSERT INTO release_page (release, number, sha256, size) VALUES (?, ?, ?, ?)")
            .and_then(|mut insert| insert.execute(params![release.0, number.saturating_add(1), page.sha256, page.size]))
            .sql("record the index pages")?;
    }
    Ok(())
}

pub(super) fn insert_home_hosts(transaction: &Transaction<'_>, release: ReleaseId, hosts: &[String]) -> Result<()> {
    for host in hosts {
        transaction
            .prepare_cached("INSERT INTO home_host (release, host) VALUES (?, ?)")
            .and_then(|mut insert| insert.execute(params![release.0, host]))
            .sql("record the home hosts")?;
    }
    Ok(())
}

fn insert_blob(transaction: &Transaction<'_>, release: ReleaseId, blob: &BlobRow) -> Result<i64> {
    let (piece_size, pieces) = match &blob.pieces {
        Some((size, hashes)) => (
            Some(*size),
            Some(hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>()),
        ),
        None => (None, None),
    };
    // One statement for a new blob, the ordinary case; what is known already is looked at.
    let fresh = transaction
        .prepare_cached(
            "INSERT INTO blob (digest, size, piece_size, pieces) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
        )
        .and_then(|mut insert| {
            insert
                .query_row(params![blob.digest, blob.size, piece_size, pieces], |row| row.get(0))
                .optional()
        })
        .sql("record the blob")?;
    let id: i64 = match fresh {
        Some(id) => id,
        None => known_blob(transaction, blob, piece_size, pieces.as_deref())?,
    };
    transaction
        .prepare_cached("INSERT INTO release_blob (release, blob) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .and_then(|mut insert| insert.execute([release.0, id]))
        .sql("record the release's blob")?;
    Ok(id)
}

fn known_blob(
    transaction: &Transaction<'_>,
    blob: &BlobRow,
    piece_size: Option<u64>,
    pieces: Option<&[u8]>,
) -> Result<i64> {
    let (id, size, without_pieces): (i64, u64, bool) = transaction
        .prepare_cached("SELECT id, size, pieces IS NULL FROM blob WHERE digest = ?")
        .and_then(|mut select| select.query_row([&blob.digest], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))))
        .sql("look for the blob")?;
    if size != blob.size {
        return Err(Error::new(
            Class::State,
            "blob-size",
            format!(
                "{} is known with {size} bytes and comes with {}",
                blob.digest, blob.size
            ),
        ));
    }
    if without_pieces && pieces.is_some() {
        transaction
            .prepare_cached("UPDATE blob SET piece_size = ?, pieces = ? WHERE id = ?")
            .and_then(|mut update| update.execute(params![piece_size, pieces, id]))
            .sql("record the blob's pieces")?;
    }
    Ok(id)
}

/// Inserts the blobs of a release and what they are named. A name stands for a blob of this very release: what the store happens to hold
/// beside it is not named by it.
pub(super) struct Names<'a> {
    transaction: &'a Transaction<'a>,
    release: ReleaseId,
    /// Keys by digest: a look-up in the database for each name was a sixth of the import of 10,000 blobs.
    blobs: HashMap<Digest, i64>,
    repositories: HashMap<RepositoryName, i64>,
}

impl<'a> Names<'a> {
    pub(super) fn new(transaction: &'a Transaction<'a>, release: ReleaseId) -> Self {
        Self {
            transaction,
            release,
            blobs: HashMap::new(),
            repositories: HashMap::new(),
        }
    }

    /// Inserts a blob, before the names that stand for it.
    pub(super) fn blob(&mut self, blob: &BlobRow) -> Result<()> {
        let id = insert_blob(self.transaction, self.release, blob)?;
        self.blobs.insert(blob.digest, id);
        Ok(())
    }

    pub(super) fn insert(&mut self, name: &NameRow) -> Result<()> {
        match name {
            NameRow::Content {
                repository,
                digest,
                media_type,
            } => {
                let (repository, blob) = (self.repository(repository)?, self.id_of(digest)?);
                self.transaction
                    .prepare_cached(
                        "INSERT INTO content (repository, blob, release, media_type) VALUES (?, ?, ?, ?)
                         ON CONFLICT DO UPDATE SET media_type = coalesce(content.media_type, excluded.media_type)",
                    )
                    .and_then(|mut insert| insert.execute(params![repository, blob, self.release.0, media_type]))
                    .sql("record content")?;
            }
            NameRow::Tag {
                repository,
                tag,
                digest,
            } => {
                let (repository, blob) = (self.repository(repository)?, self.id_of(digest)?);
                self.transaction
                    .prepare_cached("INSERT INTO tag (repository, tag, release, blob) VALUES (?, ?, ?, ?)")
                    .and_then(|mut insert| insert.execute(params![repository, tag, self.release.0, blob]))
                    .sql("record a tag")?;
            }
            NameRow::Referrer {
                subject,
                digest,
                artifact_type,
                annotations,
            } => {
                let blob = self.id_of(digest)?;
                self.transaction
                    .prepare_cached(
                        "INSERT INTO referrer (subject, release, blob, artifact_type, annotations)
                         VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    )
                    .and_then(|mut insert| {
                        insert.execute(params![subject, self.release.0, blob, artifact_type, annotations])
                    })
                    .sql("record a referrer")?;
            }
        }
        Ok(())
    }

    fn repository(&mut self, name: &RepositoryName) -> Result<i64> {
        if let Some(id) = self.repositories.get(name) {
            return Ok(*id);
        }
        self.transaction
            .execute(
                "INSERT INTO repository (name) VALUES (?) ON CONFLICT DO NOTHING",
                [name],
            )
            .sql("record a repository")?;
        let id: i64 = self
            .transaction
            .query_row("SELECT id FROM repository WHERE name = ?", [name], |row| row.get(0))
            .sql("read a repository")?;
        self.transaction
            .execute(
                "INSERT INTO release_repository (repository, release) VALUES (?, ?)",
                params![id, self.release.0],
            )
            .sql("record a repository of the release")?;
        self.repositories.insert(name.clone(), id);
        Ok(id)
    }

    fn id_of(&self, digest: &Digest) -> Result<i64> {
        self.blobs.get(digest).copied().ok_or_else(|| {
            Error::new(
                Class::Internal,
                "unknown-blob",
                format!("a name stands for {digest}, which is no blob of the release"),
            )
        })
    }
}

impl fmt::Debug for Publication<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication")
            .field("scope", &self.scope)
            .field("counter", &self.counter)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}
