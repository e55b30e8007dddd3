//! What is live, repository by repository, in the order in which another registry takes it: blobs, manifests, indexes, tags.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::foreign_json::read;
use super::names::{Asked, Reference};
use super::service::Registry;
use super::snapshot::Snapshot;
use crate::db::site::mirrored;
use crate::domain::{Class, Digest, Error, RepositoryName, Result, Tag, limits};

/// Entries asked for at once.
const PAGE: usize = 1000;

/// A repository of live releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroredRepository {
    /// Its name here.
    pub name: RepositoryName,
    /// Blobs that are no manifests, with their sizes.
    pub blobs: Vec<(Digest, u64)>,
    /// Manifests and indexes, each behind those that it names.
    pub manifests: Vec<MirroredManifest>,
    /// Tags as everybody is answered.
    pub tags: Vec<(Tag, Digest)>,
}

/// A manifest or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroredManifest {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
    /// What it is about.
    pub subject: Option<Digest>,
    /// What kind of thing it is then.
    pub artifact_type: Option<String>,
    /// Its annotations, where it is about something.
    pub annotations: BTreeMap<String, String>,
    /// Children of an index that are not here: they were left out on purpose.
    pub left_out: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    subject: Option<Descriptor>,
    artifact_type: Option<String>,
    config: Option<Config>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    media_type: Option<String>,
}

impl Registry {
    /// Returns every repository of the live releases. Waits for the disk.
    ///
    /// # Errors
    ///
    /// `E-STATE` for what is damaged; those of the database.
    pub fn mirrored(&self, snapshot: &Snapshot) -> Result<Vec<MirroredRepository>> {
        let (mut all, mut last) = (Vec::new(), String::new());
        loop {
            let page = self.catalogue(snapshot, &last, PAGE)?;
            for name in &page {
                all.push(self.mirrored_repository(snapshot, name)?);
            }
            match page.last() {
                Some(name) if page.len() == PAGE => name.as_str().clone_into(&mut last),
                _ => return Ok(all),
            }
        }
    }

    /// Reads a manifest of a plan.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO`.
    pub fn mirrored_manifest(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.store().read(digest, limits::MANIFEST_BYTES)
    }

    /// Opens a blob of a plan; whoever takes it compares its digest.
    ///
    /// # Errors
    ///
    /// `E-STATE blob-missing`, `E-IO`.
    pub fn mirrored_blob(&self, digest: &Digest, size: u64) -> Result<std::fs::File> {
        self.store().open_found(digest, size)?.ok_or_else(|| {
            Error::new(Class::State, "blob-missing", format!("{digest} is not in the blob store"))
                .remedy("`airlock release list` names the release that is damaged; import its bundle again: `airlock import FILE`")
        })
    }

    fn mirrored_repository(&self, snapshot: &Snapshot, name: &RepositoryName) -> Result<MirroredRepository> {
        let live = snapshot.active().map(|release| release.id);
        let contents = self
            .db()
            .read(|connection| mirrored::contents(connection, live, name))?;
        let mut blobs = Vec::new();
        let mut waiting: BTreeMap<Digest, (MirroredManifest, BTreeSet<Digest>)> = BTreeMap::new();
        for content in contents {
            match content.media_type {
                None => blobs.push((content.digest, content.size)),
                Some(media_type) => {
                    let bytes = self.mirrored_manifest(&content.digest)?;
                    let document: Option<Document> = read(&bytes);
                    let children = document.iter().flat_map(|document| &document.manifests);
                    let children = children.map(|child| child.digest).collect();
                    let manifest = MirroredManifest::of(content.digest, content.size, media_type, document);
                    waiting.insert(content.digest, (manifest, children));
                }
            }
        }
        Ok(MirroredRepository {
            name: name.clone(),
            blobs,
            manifests: in_order(waiting),
            tags: self.mirrored_tags(snapshot, name)?,
        })
    }

    fn mirrored_tags(&self, snapshot: &Snapshot, name: &RepositoryName) -> Result<Vec<(Tag, Digest)>> {
        let asked = Asked {
            name: name.as_str().to_owned(),
            namespace: None,
        };
        let (mut tags, mut last) = (Vec::new(), String::new());
        // A repository may have digests alone.
        while let Ok(page) = self.tags(snapshot, &asked, &last, PAGE)? {
            for tag in page.tags {
                if let Ok(found) = self.find(snapshot, &asked, &Reference::Tag(tag.clone()))? {
                    tags.push((tag, found.digest));
                }
            }
            match page.next {
                Some(next) => next.as_str().clone_into(&mut last),
                None => break,
            }
        }
        Ok(tags)
    }
}

impl MirroredManifest {
    fn of(digest: Digest, size: u64, media_type: String, document: Option<Document>) -> Self {
        let Some(document) = document else {
            return Self {
                digest,
                size,
                media_type,
                subject: None,
                artifact_type: None,
                annotations: BTreeMap::new(),
                left_out: 0,
            };
        };
        let is_about = document.subject.is_some();
        Self {
            digest,
            size,
            media_type,
            subject: document.subject.map(|subject| subject.digest),
            artifact_type: document
                .artifact_type
                .or(document.config.and_then(|config| config.media_type)),
            annotations: if is_about {
                document.annotations
            } else {
                BTreeMap::new()
            },
            left_out: 0,
        }
    }
}

/// Puts each behind the children that are here.
fn in_order(mut waiting: BTreeMap<Digest, (MirroredManifest, BTreeSet<Digest>)>) -> Vec<MirroredManifest> {
    let here: BTreeSet<Digest> = waiting.keys().copied().collect();
    for (manifest, children) in waiting.values_mut() {
        manifest.left_out = children.iter().filter(|child| !here.contains(child)).count();
        children.retain(|child| here.contains(child));
    }
    let (mut ordered, mut done) = (Vec::with_capacity(here.len()), BTreeSet::new());
    while !waiting.is_empty() {
        let (ready, rest): (BTreeMap<_, _>, BTreeMap<_, _>) = waiting
            .into_iter()
            .partition(|(_, (_, children))| children.is_subset(&done));
        // No digest names itself, so there is always one that is ready.
        if ready.is_empty() {
            ordered.extend(rest.into_values().map(|(manifest, _)| manifest));
            break;
        }
        done.extend(ready.keys().copied());
        ordered.extend(ready.into_values().map(|(manifest, _)| manifest));
        waiting = rest;
    }
    ordered
}
