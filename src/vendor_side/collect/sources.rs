//! All images of a release together, and the way back to the bytes of each config and layer.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::image_options::ImageOptions;
use super::layout::{Layout, LocalLayouts};
use super::made::{Made, MadeArtifact};
use super::origin::{Found, Origin};
use super::reference::{ImageReference, Platform, readable};
use super::registry::Registry;
use super::registry_auth::{REGISTRY_CREDENTIALS, TOKEN_REALM};
use super::registry_client::{Connections, REGISTRY, RegistryOptions, UNREACHED};
use super::source::{Pick, Source};
use super::walk::{Blob, Collected, Walk};
use crate::bundle::{BlobSource, BundleContent};
use crate::domain::{Class, Digest, DocumentType, Error, Hash, RepositoryName, Result, Tag};

/// An image to carry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageRequest {
    /// Where it comes from.
    pub source: Source,
    /// Repository and tag to store it under; what is missing follows from the source.
    pub name: Option<(RepositoryName, Option<Tag>)>,
    /// How it is carried.
    pub options: ImageOptions,
}

/// Opens configs and layers where the images came from.
///
/// Reading from a registry waits for the network on the calling thread, which must not belong to an async runtime.
pub struct Sources {
    origins: Vec<Box<dyn Origin>>,
    blobs: BTreeMap<Digest, Blob>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("origins", &self.origins.len())
            .field("blobs", &self.blobs.len())
            .finish()
    }
}

impl Sources {
    /// Whether a blob is on this machine, so that it may be read more than once.
    pub(crate) fn is_near(&self, digest: &Digest) -> bool {
        let origin = self.blobs.get(digest).and_then(|blob| self.origins.get(blob.origin));
        origin.is_none_or(|origin| origin.is_near())
    }
}

impl BlobSource for Sources {
    fn open(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>> {
        self.blobs
            .get(digest)
            .and_then(|blob| self.origins.get(blob.origin))
            .ok_or_else(|| Error::new(Class::Internal, "source", format!("{digest} has no source")))?
            .open(digest, size)
    }
}

/// Everything that images are made of.
#[derive(Debug)]
pub struct Collection {
    /// Names, manifests, what is absent; no documents.
    pub content: BundleContent,
    /// The way to the bytes of configs and layers.
    pub sources: Sources,
    /// What each request was stored as, in their order.
    pub stored: Vec<Stored>,
    /// What is carried because the release says so, and what that means at a site.
    pub warnings: Vec<String>,
}

/// What an image is called in the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its repository.
    pub repository: RepositoryName,
    /// Its tag, if it has one.
    pub tag: Option<Tag>,
    /// Its manifest or index.
    pub digest: Digest,
}

/// Finds everything that the images are made of. `progress` is told each image when its turn comes.
///
/// # Errors
///
/// Those of [`collect_all`].
pub fn collect(
    images: &[ImageRequest],
    platforms: &[Platform],
    documents: Vec<(DocumentType, Vec<u8>)>,
    options: &RegistryOptions,
    progress: impl FnMut(&str),
) -> Result<(BundleContent, Sources)> {
    let mut collection = collect_all(
        images,
        platforms,
        options,
        &LocalLayouts::anywhere(),
        &BTreeMap::new(),
        progress,
    )?;
    collection.content.documents = documents;
    Ok((collection.content, collection.sources))
}

/// As [`collect`], and says what each image is stored as. Layers that are `held` where the bundle goes are not asked for: they need not
/// be in the source any more.
///
/// # Errors
///
/// One error that lists everything that cannot be carried (D10): of the problems' class when they agree, else
/// `E-CONTENT problems`; a registry that does not answer or lets nobody in is one of them. `E-INTEGRITY` for content that does not
/// match its digest. `E-IO` and `E-SPACE` when a local source cannot be read.
pub(crate) fn collect_all(
    images: &[ImageRequest],
    platforms: &[Platform],
    options: &RegistryOptions,
    local: &LocalLayouts,
    held: &BTreeMap<Digest, u64>,
    mut progress: impl FnMut(&str),
) -> Result<Collection> {
    let mut origins = Origins::new(options, local);
    let mut tags: BTreeMap<(usize, Tag), Option<Found>> = BTreeMap::new();
    let mut stored = Vec::new();
    let mut collected = Collected::default();
    let mut silent = Silent::default();
    for request in images {
        let label = request.source.to_string();
        if let Source::Registry(reference) = &request.source
            && silent.hosts.contains(&reference.host)
        {
            let error =
                Error::new(Class::Io, REGISTRY, format!("{} was not asked again", reference.host)).remedy(UNREACHED);
            collected.problems.note(&label, &error);
            continue;
        }
        progress(&label);
        let mut origin = None;
        let walked = (|| {
            let (number, start) = match &request.source {
                Source::Layout { path, pick } => {
                    let (number, layout) = origins.layout(path)?;
                    match from_layout(&layout, pick, request) {
                        Err(error) if error.class() != Class::Content => return Err(error),
                        start => (number, start),
                    }
                }
                Source::Registry(reference) => {
                    let number = origins.repository(reference)?;
                    origin = Some(number);
                    let origin = origins.get(number)?;
                    (number, from_registry(origin, number, reference, request, &mut tags)?)
                }
                Source::Made(artifact) => (
                    origins.add(Box::new(Made(Arc::clone(artifact)))),
                    from_made(artifact, request),
                ),
            };
            let start = match start {
                Ok(start) => start,
                Err(error) => {
                    collected.problems.note(&label, &error);
                    return Ok(());
                }
            };
            stored.push(Stored {
                repository: start.repository.clone(),
                tag: start.tag.clone(),
                digest: start.digest,
            });
            Walk {
                origin: origins.get(number)?,
                origin_number: number,
                repository: &start.repository,
                platforms: request.options.platforms.as_deref().unwrap_or(platforms),
                options: &request.options,
                collected: &mut collected,
                image: &label,
                queue: VecDeque::new(),
                followed: HashSet::new(),
            }
            .image(start.tag, start.digest, start.found, start.stated.as_deref())
        })();
        match (walked, &request.source) {
            (Ok(()), _) => {}
            // A registry that does not answer is one problem among others: the list shall be complete.
            (Err(error), Source::Registry(reference)) if is_of_registry(&error) => {
                silent.hosts.insert(reference.host.clone());
                silent.origins.extend(origin);
                collected.problems.note(&label, &error);
            }
            (Err(error), _) => return Err(error),
        }
    }
    check_blobs(&origins.list, &silent.origins, held, &mut collected)?;
    collected.settle_subjects();
    let tags = collected.lines();
    let mut absent = collected.absent;
    absent.retain(|digest, _| !collected.manifests.contains_key(digest));
    collected.problems.into_result()?;
    Ok(Collection {
        content: BundleContent {
            tags,
            manifests: collected.manifests,
            absent,
            documents: Vec::new(),
            requires: collected.requires,
        },
        sources: Sources {
            origins: origins.list,
            blobs: collected.blobs,
        },
        stored,
        warnings: collected.warnings,
    })
}

/// The places that images come from, each opened once for all its images.
struct Origins {
    local: LocalLayouts,
    connections: Connections,
    list: Vec<Box<dyn Origin>>,
    layouts: BTreeMap<PathBuf, (usize, Arc<Layout>)>,
    repositories: BTreeMap<(String, String), usize>,
}

impl Origins {
    fn new(options: &RegistryOptions, local: &LocalLayouts) -> Self {
        Self {
            local: local.clone(),
            connections: Connections::new(options.clone()),
            list: Vec::new(),
            layouts: BTreeMap::new(),
            repositories: BTreeMap::new(),
        }
    }

    fn get(&self, number: usize) -> Result<&dyn Origin> {
        self.list
            .get(number)
            .map(AsRef::as_ref)
            .ok_or_else(|| Error::new(Class::Internal, "origin", "an origin is gone"))
    }

    fn add(&mut self, origin: Box<dyn Origin>) -> usize {
        self.list.push(origin);
        self.list.len().saturating_sub(1)
    }

    fn layout(&mut self, path: &Path) -> Result<(usize, Arc<Layout>)> {
        if let Some((number, layout)) = self.layouts.get(path) {
            return Ok((*number, Arc::clone(layout)));
        }
        let layout = Arc::new(Layout::open(path, &self.local)?);
        let number = self.add(Box::new(Arc::clone(&layout)));
        self.layouts.insert(path.to_owned(), (number, Arc::clone(&layout)));
        Ok((number, layout))
    }

    fn repository(&mut self, reference: &ImageReference) -> Result<usize> {
        let place = (reference.host.clone(), reference.path.clone());
        if let Some(number) = self.repositories.get(&place) {
            return Ok(*number);
        }
        let registry = Registry::new(&mut self.connections, &reference.host, &reference.path)?;
        let number = self.add(Box::new(registry));
        self.repositories.insert(place, number);
        Ok(number)
    }
}

/// An image at the point where its walk begins.
struct Start {
    repository: RepositoryName,
    tag: Option<Tag>,
    digest: Digest,
    found: Found,
    stated: Option<String>,
}

fn from_layout(layout: &Layout, pick: &Pick, request: &ImageRequest) -> Result<Start> {
    let picked = layout.pick(pick)?;
    let (repository, tag) = if let Some((repository, tag)) = &request.name {
        (repository.clone(), tag.clone().or(picked.tag))
    } else {
        let name = picked.name.ok_or_else(unnamed)?;
        let repository = name.repository().ok_or_else(unnamed)?;
        readable(&repository, &name.to_string())?;
        (repository, name.tag)
    };
    let found = layout.manifest(&picked.digest)?.ok_or_else(|| missing(picked.digest))?;
    Ok(Start {
        repository,
        tag,
        digest: picked.digest,
        found,
        stated: Some(picked.media_type),
    })
}

fn from_made(artifact: &MadeArtifact, request: &ImageRequest) -> Result<Start> {
    let (repository, tag) = request.name.clone().ok_or_else(unnamed)?;
    Ok(Start {
        repository,
        tag,
        digest: artifact.digest(),
        found: artifact.found(),
        stated: None,
    })
}

/// The outer error ends the collection, the inner one is this image's problem.
fn from_registry(
    origin: &dyn Origin,
    number: usize,
    reference: &ImageReference,
    request: &ImageRequest,
    tags: &mut BTreeMap<(usize, Tag), Option<Found>>,
) -> Result<Result<Start>> {
    let wanted = reference.clone().meant().tag;
    let name = match &request.name {
        Some((repository, tag)) => Some((repository.clone(), tag.clone().or_else(|| wanted.clone()))),
        None => reference.repository().map(|repository| (repository, wanted.clone())),
    };
    let Some((repository, tag)) = name else {
        return Ok(Err(unnamed()));
    };
    let found = match (&reference.digest, &wanted) {
        (Some(digest), _) => origin.manifest(digest)?,
        (None, Some(tag)) => {
            let key = (number, tag.clone());
            if !tags.contains_key(&key) {
                tags.insert(key.clone(), origin.tag(tag)?);
            }
            tags.get(&key).cloned().flatten()
        }
        (None, None) => None,
    };
    let Some(found) = found else {
        return Ok(Err(Error::new(
            Class::Content,
            "missing",
            "the registry has no such image",
        )));
    };
    let digest = reference.digest.unwrap_or_else(|| {
        use sha2::Digest as _;
        Digest(Hash(sha2::Sha256::digest(&found.bytes).into()))
    });
    Ok(Ok(Start {
        repository,
        tag,
        digest,
        found,
        stated: None,
    }))
}

/// Registries that did not answer.
#[derive(Default)]
struct Silent {
    hosts: BTreeSet<String>,
    origins: BTreeSet<usize>,
}

/// Whether an error says that a registry as a whole cannot be read.
pub(crate) fn is_of_registry(error: &Error) -> bool {
    error.is(REGISTRY) || error.is(REGISTRY_CREDENTIALS) || error.is(TOKEN_REALM)
}

fn check_blobs(
    origins: &[Box<dyn Origin>],
    silent: &BTreeSet<usize>,
    held: &BTreeMap<Digest, u64>,
    collected: &mut Collected,
) -> Result<()> {
    let is_held = |digest: &Digest, blob: &Blob| !blob.is_config && held.get(digest) == Some(&blob.size);
    let twice: Vec<Digest> = collected
        .blobs
        .keys()
        .filter(|digest| collected.manifests.contains_key(digest))
        .copied()
        .collect();
    for digest in twice {
        let error = Error::new(
            Class::Content,
            "ambiguous",
            format!("{digest} is used both as a manifest and as a config or layer"),
        );
        collected.problems.note("all images", &error);
    }
    for (number, origin) in origins
        .iter()
        .enumerate()
        .filter(|(number, _)| !silent.contains(number))
    {
        let blobs: Vec<(Digest, u64)> = collected
            .blobs
            .iter()
            .filter(|(digest, blob)| blob.origin == number && !is_held(digest, blob))
            .map(|(digest, blob)| (*digest, blob.size))
            .collect();
        for sentence in origin.missing(&blobs)? {
            collected.problems.missing(&origin.describe(), sentence);
        }
    }
    Ok(())
}

fn unnamed() -> Error {
    Error::new(
        Class::Content,
        "name",
        "the source does not say under which name the image is to be stored",
    )
    .remedy("add name: HOST/REPOSITORY:TAG to the image")
}

fn missing(digest: Digest) -> Error {
    Error::new(Class::Content, "missing", format!("the manifest {digest} is not there"))
}
