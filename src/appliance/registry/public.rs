//! What everybody may read in every mode (D18 d, D19): agent and autoheal images that live desired states name, by repository and digest.
//!
//! Exactly the closure of those images: manifest, children of an index, configurations, layers. It is made once per generation;
//! nothing else of such a repository is public, and below another domain's home host nothing is. Where a manifest cannot be read,
//! the image is public by its own digest, and its closure is looked for again when somebody asks.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use serde::Deserialize;

use super::foreign_json::read;
use super::homes::Homes;
use crate::appliance::live::Generation;
use crate::bundle::desired::AgentVersion;
use crate::db::site::release::State;
use crate::domain::{Digest, RepositoryName, Result, Scope, limits};
use crate::store::Store;

/// Digests of one image: an index of some platforms has a few dozen.
const MEMBERS: usize = 1024;
/// Images of one release. An agent version has three.
const IMAGES: usize = 256;

/// The images, by repository.
#[derive(Debug, Default)]
pub(super) struct PublicImages(HashMap<RepositoryName, Vec<Arc<PublicImage>>>);

/// An image that a live desired state of a scope names.
#[derive(Debug)]
struct PublicImage {
    scope: Scope,
    digest: Digest,
    closure: OnceLock<HashSet<Digest>>,
}

/// What manifests and indexes refer to. They were checked when they were imported.
#[derive(Deserialize)]
struct References {
    #[serde(default)]
    config: Option<Reference>,
    #[serde(default)]
    layers: Vec<Reference>,
    #[serde(default)]
    manifests: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    digest: Digest,
}

impl PublicImages {
    /// Takes the images of the live desired states; closures that are known already are not made again.
    pub(super) fn of(generation: &Generation, homes: &Homes, before: Option<&Self>, store: &Store) -> Self {
        let mut images: HashMap<RepositoryName, Vec<Arc<PublicImage>>> = HashMap::new();
        for governing in &generation.governing {
            let (release, Ok(Some(document))) = (&governing.release, &governing.desired) else {
                continue;
            };
            if release.state != State::Active {
                continue;
            }
            let mut count = 0_usize;
            for image in document.state.agents.iter().flat_map(AgentVersion::images) {
                let foreign = homes
                    .owner(&image.repository)
                    .is_some_and(|owner| owner != release.scope.domain);
                let of_repository = images.entry(image.repository.clone()).or_default();
                let known = |known: &Arc<PublicImage>| known.digest == image.digest && known.scope == release.scope;
                if foreign || count >= IMAGES || of_repository.iter().any(known) {
                    continue;
                }
                count = count.saturating_add(1);
                let kept = before
                    .and_then(|before| before.0.get(&image.repository))
                    .and_then(|list| list.iter().find(|image| known(image)));
                let made = kept.cloned().unwrap_or_else(|| {
                    Arc::new(PublicImage {
                        scope: release.scope.clone(),
                        digest: image.digest,
                        closure: OnceLock::new(),
                    })
                });
                if let Err(error) = made.closure(store) {
                    tracing::warn!(%error, image = %image.digest, "an agent image cannot be read");
                }
                of_repository.push(made);
            }
        }
        images.retain(|_, list| !list.is_empty());
        Self(images)
    }

    /// Whether a repository has anything public.
    pub(super) fn has(&self, repository: &RepositoryName) -> bool {
        self.0.contains_key(repository)
    }

    /// Whether content of a repository is public, as far as that is known without looking at the disk.
    pub(super) fn holds(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        self.images(repository)
            .any(|image| image.digest == *digest || image.closure.get().is_some_and(|closure| closure.contains(digest)))
    }

    /// Makes the closures of a repository that could not be made before. Waits for the disk.
    pub(super) fn complete(&self, repository: &RepositoryName, store: &Store) {
        for image in self.images(repository) {
            if let Err(error) = image.closure(store) {
                tracing::warn!(%error, image = %image.digest, "an agent image cannot be read");
            }
        }
    }

    fn images(&self, repository: &RepositoryName) -> impl Iterator<Item = &Arc<PublicImage>> {
        self.0.get(repository).into_iter().flatten()
    }
}

impl PublicImage {
    fn closure(&self, store: &Store) -> Result<&HashSet<Digest>> {
        if let Some(closure) = self.closure.get() {
            return Ok(closure);
        }
        let mut found = HashSet::from([self.digest]);
        let mut waiting = vec![self.digest];
        while let Some(digest) = waiting.pop() {
            let bytes = store.read(&digest, limits::MANIFEST_BYTES)?;
            let Some(references) = read::<References>(&bytes) else {
                continue;
            };
            let blobs = references.config.into_iter().chain(references.layers);
            for blob in blobs.take(MEMBERS.saturating_sub(found.len())) {
                found.insert(blob.digest);
            }
            for child in references.manifests {
                if found.len() < MEMBERS && found.insert(child.digest) {
                    waiting.push(child.digest);
                }
            }
        }
        Ok(self.closure.get_or_init(|| found))
    }
}
