//! What a generation shows under a name: content, tags, lists and referrers. Lists and tags come from live releases, digests also from
//! those replaced less than a grace period ago.

use std::sync::Arc;

use super::content::{Answer, Found, Missing};
use super::names::{Asked, Reference};
use super::resolve::candidates;
use super::service::Registry;
use super::snapshot::{Repository, Snapshot};
use crate::db::site::names::{self, Referrer, RepositorySet};
use crate::domain::{Digest, RepositoryName, Result, Tag};

impl Registry {
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
        self.db().read(|connection| {
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
        self.db().read(|connection| {
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
        self.db()
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
        self.db()
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
        self.db().read(|connection| names::example(connection, &snapshot.live))
    }

    fn repository(&self, snapshot: &Snapshot, asked: &Asked) -> Result<std::result::Result<Arc<Repository>, Missing>> {
        if let Some(repository) = snapshot.repository(asked) {
            return Ok(Ok(repository));
        }
        let Some(repositories) = resolve(snapshot, asked) else {
            return Ok(Err(Missing::BadName));
        };
        let known = self
            .db()
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
