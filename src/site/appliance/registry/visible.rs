//! What a generation shows under a name: content, tags, lists and referrers. Lists and tags come from live releases, digests also from
//! those replaced less than a grace period ago. Who owns a name decides who answers (D18 c).

use std::sync::Arc;

use serde::Deserialize;

use super::charts::{is_chart, is_image};
use super::content::{Answer, Found, Missing};
use super::files::FileLayer;
use super::foreign_json::read;
use super::names::{Asked, Reference};
use super::public::References;
use super::resolve::candidates;
use super::service::Registry;
use super::snapshot::Snapshot;
use crate::appliance::hidden::HiddenTag;
use crate::db::Connection;
use crate::db::site::names::{self, Candidate, Candidates, NamedContent, Referrer, ReferrersPage, TagPage};
use crate::domain::oci::OCI_MANIFEST;
use crate::domain::{Digest, FILES_HOST, RepositoryName, Result, Scope, Tag, limits};

/// What manifests and indexes refer to. They were checked when they were imported.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
}

impl Registry {
    /// Looks content up in memory alone; nothing when the answer needs [`Registry::find`].
    pub fn find_cached(&self, snapshot: &Snapshot, asked: &Asked, reference: &Reference) -> Option<Found> {
        let repository = snapshot.repository(asked)?;
        match reference {
            Reference::Tag(tag) => repository.tag(tag),
            Reference::Digest(digest) => repository.content(digest),
        }
    }

    /// Looks content up. Waits for the disk.
    ///
    /// A tag is answered from the live release of the scope that owns it; a digest from every live release and from those replaced
    /// less than the grace period ago.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn find(&self, snapshot: &Snapshot, asked: &Asked, reference: &Reference) -> Result<Answer> {
        let kept = snapshot.repository(asked);
        let candidates = candidates(&asked.name, asked.namespace.as_deref(), &snapshot.homes);
        let Some(candidates) = candidates else {
            return Ok(Err(Missing::BadName));
        };
        let names = match &kept {
            Some(repository) => repository.names.clone(),
            None => candidates.iter().collect(),
        };
        let moment = &snapshot.moment;
        let content = self.db().read(|connection| {
            let found = match reference {
                Reference::Digest(digest) => names::content(connection, moment, &names, digest)?,
                Reference::Tag(tag) => names::tag(connection, moment, &names, tag)?,
            };
            match found {
                Some(content) => Ok(Ok(content)),
                None => missing(connection, snapshot, &candidates, &names, reference).map(Err),
            }
        })?;
        let found = match (content, reference) {
            (Ok(content), _) => Found::from(content),
            (Err(Missing::Content), Reference::Digest(digest)) => {
                let left_out = self.left_out(snapshot, &candidates, digest);
                return Ok(Err(
                    left_out.map_or(Missing::Content, |platform| Missing::LeftOut { platform })
                ));
            }
            (Err(missing), _) => return Ok(Err(missing)),
        };
        let repository = kept.unwrap_or_else(|| snapshot.keep_repository(asked, names));
        match reference {
            Reference::Digest(_) => snapshot.keep_content(&repository, &found),
            Reference::Tag(tag) => snapshot.keep_tag(&repository, tag, &found),
        }
        Ok(Ok(found))
    }

    /// Whether everybody may ask here for something: whether a name may stand for a repository of agent images.
    pub fn may_be_public(&self, snapshot: &Snapshot, asked: &Asked) -> bool {
        repositories(snapshot, asked)
            .iter()
            .any(|repository| snapshot.public.has(repository))
    }

    /// Looks public content up in memory alone; nothing when the answer needs [`Registry::find_public`].
    pub fn find_public_cached(&self, snapshot: &Snapshot, asked: &Asked, reference: &Reference) -> Option<Found> {
        let Reference::Digest(digest) = reference else {
            return None;
        };
        let repositories = repositories(snapshot, asked);
        let (repository, scope) = repositories
            .iter()
            .find_map(|repository| Some((repository, snapshot.public.holder(repository, digest)?)))?;
        self.find_cached(&snapshot.view(scope), &exactly(repository), reference)
    }

    /// Looks up what everybody may read: agent images by digest, from what the scope that names them has itself; nothing else is
    /// anything. Waits for the disk.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn find_public(&self, snapshot: &Snapshot, asked: &Asked, reference: &Reference) -> Result<Option<Found>> {
        let Reference::Digest(digest) = reference else {
            return Ok(None);
        };
        for repository in repositories(snapshot, asked) {
            if !snapshot.public.has(&repository) {
                continue;
            }
            if snapshot.public.holder(&repository, digest).is_none() {
                let of_scope =
                    |scope: &Scope, manifest: &Digest| self.references(snapshot, scope, &repository, manifest);
                snapshot.public.complete(&repository, &of_scope);
            }
            if let Some(scope) = snapshot.public.holder(&repository, digest) {
                return Ok(self.find(&snapshot.view(scope), &exactly(&repository), reference)?.ok());
            }
        }
        Ok(None)
    }

    /// Returns what a manifest refers to, where a scope has it in a repository.
    fn references(
        &self,
        snapshot: &Snapshot,
        scope: &Scope,
        repository: &RepositoryName,
        manifest: &Digest,
    ) -> Result<Option<References>> {
        let reference = Reference::Digest(*manifest);
        let Ok(found) = self.find(&snapshot.view(scope), &exactly(repository), &reference)? else {
            return Ok(None);
        };
        if found.size > limits::MANIFEST_BYTES {
            return Ok(None);
        }
        let Some(document) = read::<Document>(&self.manifest(&found)?) else {
            return Ok(None);
        };
        let digests = |list: Vec<Descriptor>| list.into_iter().map(|descriptor| descriptor.digest).collect();
        let blobs = document.config.into_iter().chain(document.layers).collect();
        Ok(Some(References {
            blobs: digests(blobs),
            manifests: digests(document.manifests),
        }))
    }

    /// Lists tags of the live releases after `last`, in byte order: at most `limit`, and exactly those that are answered. A page may be
    /// short and still have a next. Waits for the disk.
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
    ) -> Result<std::result::Result<TagPage, Missing>> {
        let Some(names) = resolve(snapshot, asked) else {
            return Ok(Err(Missing::BadName));
        };
        self.db().read(|connection| {
            if !names::is_listed(connection, &snapshot.moment, &names)? {
                snapshot.check_signed(connection, &names)?;
                return Ok(Err(Missing::Repository));
            }
            names::tags(connection, &snapshot.moment, &names, last, limit).map(Ok)
        })
    }

    /// Lists repositories of the live releases after `last`, with their hosts, in byte order: at most `limit`. Waits for
    /// the disk.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn catalogue(&self, snapshot: &Snapshot, last: &str, limit: usize) -> Result<Vec<RepositoryName>> {
        let (mut found, mut last) = (Vec::new(), last.to_owned());
        self.db().read(|connection| {
            loop {
                let page = names::catalogue(connection, &snapshot.moment, &last, limit)?;
                let is_last = page.len() < limit;
                if let Some(repository) = page.last() {
                    repository.as_str().clone_into(&mut last);
                }
                found.extend(page.into_iter().filter(|repository| snapshot.homes.admits(repository)));
                if is_last || found.len() >= limit {
                    found.truncate(limit);
                    return Ok(std::mem::take(&mut found));
                }
            }
        })
    }

    /// Lists what refers to a digest in the live release of the scope that had it first: a page, and whether there is more. A repository
    /// or subject that is not here has none. Waits for the disk.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn referrers(
        &self,
        snapshot: &Snapshot,
        asked: &Asked,
        subject: &Digest,
        page: &ReferrersPage<'_>,
    ) -> Result<std::result::Result<(Vec<Referrer>, bool), Missing>> {
        let Some(names) = resolve(snapshot, asked) else {
            return Ok(Err(Missing::BadName));
        };
        let moment = &snapshot.moment;
        self.db()
            .read(|connection| {
                let found = names::referrers(connection, moment, &names, subject, page)?;
                if found.0.is_empty() {
                    snapshot.check_signed(connection, &names)?;
                }
                Ok(found)
            })
            .map(Ok)
    }

    /// Returns something of a live release, to show how to pull: an image, a chart where there is no image, or else a plain file. Waits for
    /// the disk.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn example(&self, snapshot: &Snapshot) -> Result<Option<Example>> {
        let found = self
            .db()
            .read(|connection| names::examples(connection, &snapshot.moment))?;
        let (mut chart, mut file) = (None, None);
        for (repository, tag, digest) in found {
            // What cannot be read now is told elsewhere.
            let bytes = self.store().read(&digest, limits::MANIFEST_BYTES).unwrap_or_default();
            if is_image(&bytes) {
                return Ok(Some(Example::Image(repository, tag)));
            }
            if is_chart(&bytes) {
                chart.get_or_insert(Example::Chart(repository, tag));
            } else if repository.host() == FILES_HOST && FileLayer::of_plain(&bytes, OCI_MANIFEST).is_ok() {
                file.get_or_insert(Example::File(repository, tag));
            }
        }
        Ok(chart.or(file))
    }
}

/// Something to pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Example {
    /// An image.
    Image(RepositoryName, Tag),
    /// A chart, which is no image to an engine.
    Chart(RepositoryName, Tag),
    /// A plain file.
    File(RepositoryName, Tag),
}

impl From<NamedContent> for Found {
    fn from(content: NamedContent) -> Self {
        Self {
            digest: content.digest,
            size: content.size,
            media_type: content.media_type.map(Arc::from),
            piece_size: content.piece_size,
        }
    }
}

fn repositories(snapshot: &Snapshot, asked: &Asked) -> Vec<RepositoryName> {
    let candidates = candidates(&asked.name, asked.namespace.as_deref(), &snapshot.homes).unwrap_or_default();
    candidates.into_iter().map(|candidate| candidate.repository).collect()
}

/// Asks for a repository with its host.
fn exactly(repository: &RepositoryName) -> Asked {
    Asked {
        name: repository.as_str().to_owned(),
        namespace: None,
    }
}

fn resolve(snapshot: &Snapshot, asked: &Asked) -> Option<Candidates> {
    let candidates = candidates(&asked.name, asked.namespace.as_deref(), &snapshot.homes)?;
    Some(candidates.iter().collect())
}

/// Finds out why there is nothing.
fn missing(
    connection: &Connection,
    snapshot: &Snapshot,
    candidates: &[Candidate],
    names: &Candidates,
    reference: &Reference,
) -> Result<Missing> {
    let moment = &snapshot.moment;
    snapshot.check_signed(connection, names)?;
    let Reference::Tag(tag) = reference else {
        return Ok(if names::is_known(connection, moment, names)? {
            Missing::Content
        } else {
            Missing::Repository
        });
    };
    let listed = names::is_listed(connection, moment, names)?;
    let hidden = if snapshot.is_whole() {
        hidden(connection, snapshot, candidates, names, tag)?
    } else {
        None
    };
    Ok(match hidden {
        Some(tag) => Missing::Hidden {
            listed,
            tag: Box::new(tag),
        },
        None if listed => Missing::Content,
        None => Missing::Repository,
    })
}

/// Finds a release that states the tag for nobody but its own clients.
fn hidden(
    connection: &Connection,
    snapshot: &Snapshot,
    candidates: &[Candidate],
    names: &Candidates,
    tag: &Tag,
) -> Result<Option<HiddenTag>> {
    let Some(stated) = names::stated_tag(connection, &snapshot.moment, names, tag)? else {
        return Ok(None);
    };
    let candidate = candidates
        .iter()
        .find(|candidate| candidate.repository == stated.repository);
    let host_owner = candidate.and_then(|candidate| candidate.host_owner);
    HiddenTag::find(connection, &stated.scope, (&stated.repository, tag, None), host_owner)
}
