//! The registry: questions of clients, answered from one snapshot.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::blob::{BlobReader, Blobs};
use super::health::{Check, Health};
use super::manifests::Manifests;
use super::resolve::candidates;
use super::snapshot::{Answer, Asked, Repository, Snapshot};
use super::start;
use crate::appliance::{pins, state::open_database};
use crate::db::Db;
use crate::db::site::appliance;
use crate::db::site::names::{self, Referrer, RepositorySet};
use crate::domain::{Clock, Digest, RepositoryName, Result, Tag};

/// The appliance's registry over one state folder.
///
/// Opening it checks the trust chains and the signatures of what is live; the rest of the state is checked in the
/// background ([`super::Watcher`]).
#[derive(Debug)]
pub struct Registry {
    db: Db,
    blobs: Blobs,
    manifests: Manifests,
    clock: ClockHandle,
    grace_seconds: i64,
    roots: PathBuf,
    current: RwLock<Arc<Snapshot>>,
    health: Mutex<Health>,
}

/// What a request refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A tag.
    Tag(Tag),
    /// A digest.
    Digest(Digest),
}

/// Content that a client may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// For manifests and indexes.
    pub media_type: Option<Arc<str>>,
    /// Bytes per piece, where hashes of its pieces are kept.
    pub piece_size: Option<u64>,
}

/// Why there is no answer; none of them tells what other repositories hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The name follows no grammar.
    BadName,
    /// No such repository.
    Repository,
    /// No such content in it.
    Content,
}

struct ClockHandle(Arc<dyn Clock>);

impl Registry {
    /// Opens the registry of a state folder and checks what must hold before the first answer: the trust chains from their
    /// pinned roots, and the signature of every live release under the root it was accepted with. Takes milliseconds,
    /// whatever the number of blobs.
    ///
    /// `grace` is how long content of a replaced release stays readable by digest.
    ///
    /// # Errors
    ///
    /// `E-STATE` when the state is damaged, `E-IO`, `E-SPACE`.
    pub fn open(state: &Path, grace: Duration, clock: Arc<dyn Clock>) -> Result<Self> {
        let db = open_database(state)?;
        let roots = state.join("roots");
        let grace_seconds = i64::try_from(grace.as_secs()).unwrap_or(i64::MAX);
        let snapshot = start::take_snapshot(&db, &pins::read(&roots)?, None, clock.now(), grace_seconds)?;
        Ok(Self {
            db,
            blobs: Blobs::open(state)?,
            manifests: Manifests::default(),
            clock: ClockHandle(clock),
            grace_seconds,
            roots,
            current: RwLock::new(Arc::new(snapshot)),
            health: Mutex::new(Health::started()),
        })
    }

    /// Returns the present generation. Keep it for a whole request.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks whether another generation became live, or a grace period ended, and switches. Waits for the disk.
    ///
    /// # Errors
    ///
    /// As [`Registry::open`]; the generation before stays in use then.
    pub fn refresh(&self) -> Result<bool> {
        let now = self.clock.0.now();
        let current = self.snapshot();
        let generation = self.db.read(appliance::generation)?;
        let shrinks = current.shrinks_at.is_some_and(|at| at <= now);
        if generation == current.generation && !shrinks {
            return Ok(false);
        }
        // Another vendor may have been pinned since the last look.
        let pins = pins::read(&self.roots)?;
        let snapshot = start::take_snapshot(&self.db, &pins, Some(&current), now, self.grace_seconds)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Others look too: an older generation never takes the place of a newer one.
        if snapshot.generation >= current.generation {
            *current = Arc::new(snapshot);
        }
        Ok(true)
    }

    /// Returns the repositories that a request may mean in this generation; nothing when it names none.
    pub fn candidates(&self, snapshot: &Snapshot, asked: &Asked) -> Option<Vec<RepositoryName>> {
        candidates(&asked.name, asked.namespace.as_deref(), &snapshot.homes)
    }

    /// Looks content up in memory alone; nothing when the answer needs [`Registry::find`].
    pub fn find_cached(&self, snapshot: &Snapshot, asked: &Asked, reference: &Reference) -> Option<Found> {
        let repository = snapshot.repository(asked)?;
        match reference {
            Reference::Tag(tag) => repository.content(&repository.tag(tag)?),
            Reference::Digest(digest) => repository.content(digest),
        }
    }

    /// Looks content up. Waits for the disk.
    ///
    /// A tag is answered from the live releases, when all of them agree; a digest also from releases replaced less than
    /// the grace period ago.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn find(&self, snapshot: &Snapshot, asked: &Asked, reference: &Reference) -> Result<Answer> {
        let repository = match self.repository(snapshot, asked)? {
            Ok(repository) => repository,
            Err(missing) => return Ok(Err(missing)),
        };
        self.db.read(|connection| {
            let digest = match reference {
                Reference::Digest(digest) => *digest,
                Reference::Tag(tag) => {
                    match names::tag(connection, &snapshot.live, &repository.names, tag)?.as_slice() {
                        [digest] => *digest,
                        _ => return Ok(Err(Missing::Content)),
                    }
                }
            };
            let content = names::content(connection, &snapshot.readable, &repository.names, &digest)?;
            let Some(content) = content else {
                return Ok(Err(Missing::Content));
            };
            let found = Found {
                digest,
                size: content.size,
                media_type: content.media_type.map(Arc::from),
                piece_size: content.piece_size,
            };
            snapshot.keep_content(&repository, &found);
            if let Reference::Tag(tag) = reference {
                snapshot.keep_tag(&repository, tag, digest);
            }
            Ok(Ok(found))
        })
    }

    /// Lists tags of the live releases after `last`, in byte order: at most `limit`. Waits for the disk.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn tags(
        &self,
        snapshot: &Snapshot,
        asked: &Asked,
        last: &str,
        limit: usize,
    ) -> Result<std::result::Result<Vec<Tag>, Missing>> {
        let Some(repositories) = resolve(snapshot, asked) else {
            return Ok(Err(Missing::BadName));
        };
        self.db.read(|connection| {
            if !names::is_known(connection, &snapshot.live, &repositories)? {
                return Ok(Err(Missing::Repository));
            }
            names::tags(connection, &snapshot.live, &repositories, last, limit).map(Ok)
        })
    }

    /// Lists repositories of the live releases after `last`, with their hosts, in byte order: at most `limit`. Waits for
    /// the disk.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn catalogue(&self, snapshot: &Snapshot, last: &str, limit: usize) -> Result<Vec<RepositoryName>> {
        self.db
            .read(|connection| names::catalogue(connection, &snapshot.live, last, limit))
    }

    /// Lists what refers to a digest in the live releases, after the referrer `last`: at most `limit`. A repository or
    /// subject that is not here has none. Waits for the disk.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn referrers(
        &self,
        snapshot: &Snapshot,
        asked: &Asked,
        subject: &Digest,
        artifact_type: Option<&str>,
        last: Option<&Digest>,
        limit: usize,
    ) -> Result<std::result::Result<Vec<Referrer>, Missing>> {
        let Some(repositories) = resolve(snapshot, asked) else {
            return Ok(Err(Missing::BadName));
        };
        self.db
            .read(|connection| {
                names::referrers(
                    connection,
                    &snapshot.live,
                    &repositories,
                    subject,
                    artifact_type,
                    last,
                    limit,
                )
            })
            .map(Ok)
    }

    /// Returns a repository and tag of a live release, to show how to pull. Waits for the disk.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn example(&self, snapshot: &Snapshot) -> Result<Option<(RepositoryName, Tag)>> {
        self.db.read(|connection| names::example(connection, &snapshot.live))
    }

    /// Returns the bytes of a manifest, when they are in memory.
    pub fn manifest_cached(&self, found: &Found) -> Option<Arc<[u8]>> {
        self.manifests.get(&found.digest)
    }

    /// Returns the bytes of a manifest, checked against its digest. Waits for the disk.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-damaged` when the stored bytes are other ones: they were set aside then; `E-IO`.
    pub fn manifest(&self, found: &Found) -> Result<Arc<[u8]>> {
        if let Some(bytes) = self.manifests.get(&found.digest) {
            return Ok(bytes);
        }
        let bytes: Arc<[u8]> = self
            .blobs
            .read_whole(found)
            .map_err(|failure| self.report(found, failure))?
            .into();
        self.manifests.keep(found.digest, &bytes);
        Ok(bytes)
    }

    /// Opens a blob whose bytes were checked before and whose file has not moved since; nothing when
    /// [`Registry::open_blob`] must look. Touches the file's entry, never its content.
    pub fn open_blob_cached(&self, found: &Found) -> Option<BlobReader> {
        self.blobs.open_verified(found)
    }

    /// Opens a blob, and checks it as far as that must happen before anything is sent: wholly, or, where hashes of its
    /// pieces are kept, the piece that holds `offset`. Waits for the disk.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-damaged`: the file is gone, or was set aside now; `E-IO`, `E-SPACE`.
    pub fn open_blob(&self, found: &Found, offset: u64) -> Result<BlobReader> {
        self.blobs
            .open_checked(found, offset, |digest| {
                self.db.read(|connection| names::pieces(connection, digest))
            })
            .map_err(|failure| self.report(found, failure))
    }

    /// Checks the piece that holds `offset`. Waits for the disk.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-damaged`: the blob was set aside; `E-IO`.
    pub fn check_piece(&self, found: &Found, reader: &BlobReader, offset: u64) -> Result<()> {
        reader
            .check_piece(offset)
            .map_err(|failure| self.report(found, failure))
    }

    /// Returns how the appliance is.
    pub fn health(&self) -> Health {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner).clone();
        health.generation = self.snapshot().generation;
        health
    }

    pub(super) fn note(&self, check: impl FnOnce(&mut Health) -> &mut Check, state: Check) {
        *check(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner)) = state;
    }

    pub(super) fn db(&self) -> &Db {
        &self.db
    }

    pub(super) fn page_path(&self, digest: Digest) -> PathBuf {
        self.blobs.path(&digest)
    }

    /// Sets damaged content aside, with an audit row; other failures pass.
    fn report(&self, found: &Found, failure: super::blob::Failure) -> crate::domain::Error {
        self.blobs.set_aside(found, failure, &self.db, self.clock.0.now())
    }

    fn repository(&self, snapshot: &Snapshot, asked: &Asked) -> Result<std::result::Result<Arc<Repository>, Missing>> {
        if let Some(repository) = snapshot.repository(asked) {
            return Ok(Ok(repository));
        }
        let Some(repositories) = resolve(snapshot, asked) else {
            return Ok(Err(Missing::BadName));
        };
        let known = self
            .db
            .read(|connection| names::is_known(connection, &snapshot.readable, &repositories))?;
        Ok(if known {
            Ok(snapshot.keep_repository(asked, repositories))
        } else {
            Err(Missing::Repository)
        })
    }
}

fn resolve(snapshot: &Snapshot, asked: &Asked) -> Option<RepositorySet> {
    let candidates = candidates(&asked.name, asked.namespace.as_deref(), &snapshot.homes)?;
    Some(candidates.iter().collect())
}

impl std::fmt::Debug for ClockHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a clock")
    }
}
