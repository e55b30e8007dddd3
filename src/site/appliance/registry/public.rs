//! What everybody may read in every mode (D18 d, D19): agent and autoheal images that live desired states name, by scope, repository and
//! digest.
//!
//! Exactly the closure of those images: manifest, children of an index, configurations, layers, as far as the release that names the
//! image has them itself under that repository; what it merely refers to is somebody else's. Nothing else of such a repository is
//! public, and below another domain's home host nothing is. A closure is made when somebody first asks for more than the image's own
//! digest, and looked for again a while later where something of it could not be read.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::homes::Homes;
use crate::appliance::live::Generation;
use crate::bundle::desired::AgentVersion;
use crate::db::site::release::{ReleaseId, State};
use crate::domain::{Digest, RepositoryName, Scope};

/// Digests of one image: an index of some platforms has a few dozen.
const MEMBERS: usize = 1024;
/// Images of one release. An agent version has three.
const IMAGES: usize = 256;
/// Manifests that are read for the images of one repository.
const MANIFESTS: usize = 4096;
/// How long what could not be read is not looked at again.
const PAUSE: Duration = Duration::from_secs(30);

/// The images, by repository.
#[derive(Debug, Default)]
pub(super) struct PublicImages(HashMap<RepositoryName, PublicRepository>);

/// The images of one repository.
#[derive(Debug, Default)]
struct PublicRepository {
    images: Vec<Arc<PublicImage>>,
    /// Held while closures are made, so that they are made once.
    making: Mutex<()>,
}

/// An image that a live desired state of a scope names.
#[derive(Debug)]
struct PublicImage {
    scope: Scope,
    /// The next release of the scope may have more of the image, or less.
    release: ReleaseId,
    digest: Digest,
    closure: Mutex<Closure>,
}

/// What belongs to an image.
#[derive(Debug, Default)]
struct Closure {
    members: HashSet<Digest>,
    /// When it was last made, unless it is whole.
    tried: Option<Instant>,
    whole: bool,
}

/// What a manifest or index refers to.
#[derive(Debug, Clone, Default)]
pub(super) struct References {
    /// Configurations and layers.
    pub(super) blobs: Vec<Digest>,
    /// Manifests of an index.
    pub(super) manifests: Vec<Digest>,
}

impl PublicImages {
    /// Takes the images of the live desired states; closures that are known already are not made again.
    pub(super) fn of(generation: &Generation, homes: &Homes, before: Option<&Self>) -> Self {
        let mut repositories: HashMap<RepositoryName, PublicRepository> = HashMap::new();
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
                let known = |known: &&Arc<PublicImage>| known.digest == image.digest && known.release == release.id;
                let here = repositories.get(&image.repository);
                if foreign || count >= IMAGES || here.is_some_and(|list| list.images.iter().any(|image| known(&image)))
                {
                    continue;
                }
                count = count.saturating_add(1);
                let kept = before
                    .and_then(|before| before.0.get(&image.repository))
                    .and_then(|list| list.images.iter().find(known));
                let made = kept.cloned().unwrap_or_else(|| {
                    Arc::new(PublicImage {
                        scope: release.scope.clone(),
                        release: release.id,
                        digest: image.digest,
                        closure: Mutex::default(),
                    })
                });
                repositories
                    .entry(image.repository.clone())
                    .or_default()
                    .images
                    .push(made);
            }
        }
        Self(repositories)
    }

    /// Whether a repository has anything public.
    pub(super) fn has(&self, repository: &RepositoryName) -> bool {
        self.0.contains_key(repository)
    }

    /// Returns the scope whose image holds content of a repository, as far as that is known without looking at the disk.
    pub(super) fn holder(&self, repository: &RepositoryName, digest: &Digest) -> Option<&Scope> {
        let images = &self.0.get(repository)?.images;
        let image = images.iter().find(|image| image.holds(digest))?;
        Some(&image.scope)
    }

    /// Makes the closures of a repository that were not made yet. `read` returns what a manifest refers to that a scope has in it, or
    /// nothing where it has no such manifest; an error leaves the closure unfinished.
    pub(super) fn complete(
        &self,
        repository: &RepositoryName,
        read: &dyn Fn(&Scope, &Digest) -> crate::domain::Result<Option<References>>,
    ) {
        let Some(list) = self.0.get(repository) else { return };
        let _making = list.making.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known: HashMap<(&Scope, Digest), Option<References>> = HashMap::new();
        for image in list.images.iter().filter(|image| image.is_due()) {
            let (mut members, mut waiting, mut whole) = (HashSet::from([image.digest]), vec![image.digest], true);
            while let Some(digest) = waiting.pop() {
                let key = (&image.scope, digest);
                if !known.contains_key(&key) {
                    if known.len() >= MANIFESTS {
                        break;
                    }
                    match read(&image.scope, &digest) {
                        Ok(references) => {
                            known.insert(key, references);
                        }
                        Err(error) => {
                            tracing::warn!(%error, image = %image.digest, "an agent image cannot be read");
                            known.insert(key, None);
                            whole = false;
                        }
                    }
                }
                let Some(references) = known.get(&key).and_then(Option::as_ref) else {
                    continue;
                };
                for blob in &references.blobs {
                    if members.len() < MEMBERS {
                        members.insert(*blob);
                    }
                }
                for child in &references.manifests {
                    if members.len() < MEMBERS && members.insert(*child) {
                        waiting.push(*child);
                    }
                }
            }
            *image.closure.lock().unwrap_or_else(PoisonError::into_inner) = Closure {
                members,
                tried: Some(Instant::now()),
                whole,
            };
        }
    }
}

impl PublicImage {
    fn holds(&self, digest: &Digest) -> bool {
        let closure = || self.closure.lock().unwrap_or_else(PoisonError::into_inner);
        self.digest == *digest || closure().members.contains(digest)
    }

    fn is_due(&self) -> bool {
        let closure = self.closure.lock().unwrap_or_else(PoisonError::into_inner);
        !closure.whole && closure.tried.is_none_or(|tried| tried.elapsed() >= PAUSE)
    }
}
