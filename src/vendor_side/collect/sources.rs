//! All images of a release together, and the way back to the bytes of each config and layer.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::archive::Archive;
use super::collect_event::CollectEvent;
use super::downloads::Downloads;
use super::engine::ENGINE;
use super::image_request::ImageRequest;
use super::kept_content::KeptContent;
use super::layout::LocalLayouts;
use super::made::Made;
use super::origin::{Found, Origin};
use super::origins::Origins;
use super::plain_file::PlainFile;
use super::reference::Platform;
use super::registry_error::{REGISTRY, UNREACHED, is_of_registry};
use super::registry_options::RegistryOptions;
use super::source::{Pick, Source};
use super::start::{Start, from_file, from_registry, of_artifact};
use super::walk::{Blob, Collected, Walk};
use crate::bundle::{BlobSource, BundleContent};
use crate::domain::{Class, Digest, DocumentType, Error, RepositoryName, Result, Tag};
use crate::stream::ordered_map;

/// Places that are asked at one time whether they hold what is needed.
const ASKED: usize = 4;

/// Opens configs and layers where the images came from.
///
/// Reading from a registry waits for the network on the calling thread, which must not belong to an async runtime.
pub struct Sources {
    origins: Vec<Arc<dyn Origin>>,
    blobs: BTreeMap<Digest, Blob>,
    /// What comes from far away, in the order in which it is read.
    downloads: Downloads,
    /// What earlier runs fetched, and whether this one adds to it.
    kept: Option<(KeptContent, bool)>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("origins", &self.origins.len())
            .field("blobs", &self.blobs.len())
            .finish_non_exhaustive()
    }
}

impl Sources {
    /// Whether a blob is on this machine, so that it may be read more than once.
    pub(crate) fn is_near(&self, digest: &Digest) -> bool {
        let origin = self.blobs.get(digest).and_then(|blob| self.origins.get(blob.origin));
        origin.is_none_or(|origin| origin.is_near())
    }

    /// Says in which order blobs will be read, so that those from far away are on their way before their turn comes; and whether what
    /// earlier runs fetched into the workspace is used, and what this one fetches is kept there.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE` of the workspace.
    pub(crate) fn expect(
        &mut self,
        order: impl Iterator<Item = (Digest, u64)>,
        workspace: &Path,
        cache: FetchedContent,
    ) -> Result<()> {
        let far: Vec<(Digest, u64, Arc<dyn Origin>)> = order
            .filter(|(digest, _)| !self.is_near(digest))
            .filter_map(|(digest, size)| Some((digest, size, self.origin_of(&digest)?)))
            .collect();
        self.kept = match cache {
            _ if far.is_empty() => None,
            FetchedContent::Fresh => None,
            FetchedContent::Used => Some((KeptContent::of(workspace)?, false)),
            FetchedContent::Kept => Some((KeptContent::of(workspace)?, true)),
        };
        self.downloads = Downloads::of(far);
        Ok(())
    }

    /// Returns the bytes that come from far away, without those that are `held` where the bundle goes; and how many of them earlier runs
    /// kept in the workspace, by their names and sizes alone.
    pub(crate) fn far_bytes(&self, held: &BTreeMap<Digest, u64>, workspace: Option<&Path>) -> (u64, u64) {
        let kept = workspace.map(KeptContent::at);
        let (mut far, mut here) = (0_u64, 0_u64);
        for (digest, blob) in &self.blobs {
            if self.is_near(digest) || (!blob.is_config && held.get(digest) == Some(&blob.size)) {
                continue;
            }
            far = far.saturating_add(blob.size);
            if kept.as_ref().is_some_and(|kept| kept.has(digest, blob.size)) {
                here = here.saturating_add(blob.size);
            }
        }
        (far, here)
    }

    fn origin_of(&self, digest: &Digest) -> Option<Arc<dyn Origin>> {
        let blob = self.blobs.get(digest)?;
        self.origins.get(blob.origin).cloned()
    }
}

/// What becomes of content from far away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchedContent {
    /// It is fetched again.
    Fresh,
    /// What an earlier run kept is used.
    Used,
    /// And what is fetched is kept.
    Kept,
}

impl BlobSource for Sources {
    fn open(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>> {
        let origin = self
            .origin_of(digest)
            .ok_or_else(|| Error::new(Class::Internal, "source", format!("{digest} has no source")))?;
        if origin.is_near() {
            return origin.open(digest, size);
        }
        if let Some((kept, _)) = &self.kept
            && let Some(file) = kept.open(digest, size)
        {
            return Ok(Box::new(file));
        }
        let here = |digest: &Digest, size| self.kept.as_ref().is_some_and(|(kept, _)| kept.has(digest, size));
        let reader = match self.downloads.open(digest, &here)? {
            Some(reader) => reader,
            None => origin.open(digest, size)?,
        };
        Ok(match &self.kept {
            Some((kept, true)) => kept.keeping(digest, size, reader),
            _ => reader,
        })
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

/// What an image is called in the bundle; where its source has several names for it, the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its repository.
    pub repository: RepositoryName,
    /// Its tag, if it has one.
    pub tag: Option<Tag>,
    /// Its manifest or index.
    pub digest: Digest,
}

/// Finds everything that the images are made of.
///
/// # Errors
///
/// Those of [`collect_all`].
pub fn collect(
    images: &[ImageRequest],
    platforms: &[Platform],
    documents: Vec<(DocumentType, Vec<u8>)>,
    options: &RegistryOptions,
    progress: impl FnMut(CollectEvent<'_>),
) -> Result<(BundleContent, Sources)> {
    let mut collection = collect_all(
        images,
        platforms,
        Origins::new(options, &LocalLayouts::anywhere()),
        &BTreeMap::new(),
        &|_| None,
        progress,
    )?;
    collection.content.documents = documents;
    Ok((collection.content, collection.sources))
}

/// As [`collect`], and says what each image is stored as. Layers that are `held` where the bundle goes are not asked for: they need not
/// be in the source any more. `place` says where the release names an image, for messages.
///
/// # Errors
///
/// One error that lists everything that cannot be carried (D10): of the problems' class when they agree, else
/// `E-CONTENT problems`; a registry that does not answer or lets nobody in is one of them, and so is a local source that cannot be read.
/// `E-INTEGRITY` for content that does not match its digest. `E-SPACE` when there is none to expand a source in.
pub(crate) fn collect_all(
    images: &[ImageRequest],
    platforms: &[Platform],
    mut origins: Origins,
    held: &BTreeMap<Digest, u64>,
    place: &dyn Fn(&ImageRequest) -> Option<String>,
    mut progress: impl FnMut(CollectEvent<'_>),
) -> Result<Collection> {
    let mut tags: BTreeMap<(usize, Tag), Option<Found>> = BTreeMap::new();
    let mut stored = Vec::new();
    let mut collected = Collected::default();
    let mut silent = Silent::default();
    origins.look_ahead(images, platforms, &mut progress);
    for request in images {
        let label = request.source.to_string();
        let placed = place(request).map_or_else(|| label.clone(), |place| format!("{place}: {label}"));
        if let Source::Registry(reference) = &request.source
            && let Some(advice) = silent.hosts.get(&reference.host)
        {
            let error = Error::new(Class::Io, REGISTRY, format!("{} was not asked again", reference.host));
            collected.problems.note(&placed, &error.remedy(advice));
            continue;
        }
        progress(CollectEvent::Image(&label));
        let mut origin = None;
        let walked = (|| {
            let (number, start) = match &request.source {
                Source::Layout { path, pick } => {
                    let (number, layout) = origins.layout(path)?;
                    origin = Some(number);
                    let picked = layout.pick(pick);
                    (number, from_file(origins.get(number)?, picked, request)?)
                }
                Source::Archive { path, pick } => {
                    let (number, archive) = origins.archive(path)?;
                    origin = Some(number);
                    let start = from_file(origins.get(number)?, archive.pick(pick), request)?;
                    (number, warned(&archive, start, &label, &mut collected.warnings))
                }
                Source::Engine(image) => {
                    let (number, archive) = origins.engine(image, &mut progress)?;
                    let picked = archive.pick(&Pick::Only).map(|picked| image.named(picked));
                    let start = from_file(origins.get(number)?, picked, request)?;
                    (number, warned(&archive, start, &label, &mut collected.warnings))
                }
                Source::Registry(reference) => {
                    let (number, _) = origins.repository(reference)?;
                    origin = Some(number);
                    let origin = origins.get(number)?;
                    (number, from_registry(origin, number, reference, request, &mut tags)?)
                }
                Source::File(file) => {
                    let mut told = |done, total| progress(CollectEvent::Reading(done, total));
                    let file = PlainFile::read(file, &origins.local.folder, &mut told)?;
                    let start = of_artifact(file.digest(), file.found(), request);
                    (origins.add(Box::new(file)), start)
                }
                Source::Made(artifact) => (
                    origins.add(Box::new(Made(Arc::clone(artifact)))),
                    of_artifact(artifact.digest(), artifact.found(), request),
                ),
            };
            let start = match start {
                Ok(start) => start,
                Err(error) => {
                    collected.problems.note(&placed, &error);
                    return Ok(());
                }
            };
            let Start {
                digest, found, stated, ..
            } = start;
            let left_out = start.left_out.iter().map(|sentence| format!("{label}: {sentence}"));
            collected.warnings.extend(left_out);
            let (repository, tag) = start.name.clone();
            stored.push(Stored {
                repository,
                tag,
                digest,
            });
            for (repository, tag) in std::iter::once(start.name).chain(start.further) {
                Walk {
                    origin: origins.get(number)?,
                    origin_number: number,
                    repository: &repository,
                    platforms: request.options.platforms.as_deref().unwrap_or(platforms),
                    options: &request.options,
                    collected: &mut collected,
                    image: &label,
                    queue: VecDeque::new(),
                    followed: HashSet::new(),
                }
                .image(tag, digest, found.clone(), stated.as_deref())?;
            }
            Ok(())
        })();
        match (walked, &request.source) {
            (Ok(()), _) => {}
            // A registry that does not answer is one problem among others: the list shall be complete.
            (Err(error), Source::Registry(reference)) if is_of_registry(&error) => {
                let advice = error.advice().unwrap_or(UNREACHED).to_owned();
                silent.hosts.insert(reference.host.clone(), advice);
                silent.origins.extend(origin);
                collected.problems.note(&placed, &error);
            }
            (Err(error), Source::Engine(_)) if error.is(ENGINE) || error.class() == Class::Content => {
                collected.problems.note(&placed, &error);
            }
            // So is a file that is not there, or not what it is said to be.
            (Err(error), Source::Layout { .. } | Source::Archive { .. } | Source::File(_)) if is_of_source(&error) => {
                silent.origins.extend(origin);
                collected.problems.note(&placed, &error);
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
            downloads: Downloads::default(),
            kept: None,
        },
        stored,
        warnings: collected.warnings,
    })
}

/// Says of what came without a manifest that it has one now, and whose.
fn warned(archive: &Archive, start: Result<Start>, label: &str, warnings: &mut Vec<String>) -> Result<Start> {
    if let Ok(start) = &start {
        let said = archive.made_here(&start.digest).map(|said| format!("{label}: {said}"));
        // An image that an application calls by another of its names is asked for again.
        warnings.extend(said.filter(|said| !warnings.contains(said)));
    }
    start
}

/// Whether an error is about one local source: another one may be read all the same.
pub(crate) fn is_of_source(error: &Error) -> bool {
    matches!(
        error.class(),
        Class::Content | Class::Format | Class::Io | Class::Limit | Class::Usage
    )
}

/// What is not asked further.
#[derive(Default)]
struct Silent {
    /// Registries that did not answer, and what to do about each.
    hosts: BTreeMap<String, String>,
    /// Places whose faults were told.
    origins: BTreeSet<usize>,
}

fn check_blobs(
    origins: &[Arc<dyn Origin>],
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
    let mut wanted: BTreeMap<usize, Vec<(Digest, u64)>> = BTreeMap::new();
    for (digest, blob) in &collected.blobs {
        if !silent.contains(&blob.origin) && !is_held(digest, blob) {
            wanted.entry(blob.origin).or_default().push((*digest, blob.size));
        }
    }
    let mut asked = wanted
        .into_iter()
        .filter_map(|(number, blobs)| Some((origins.get(number)?, blobs)));
    // Repositories are asked side by side: a registry answers many as soon as one.
    ordered_map(
        ASKED,
        ASKED,
        || asked.next(),
        || |(origin, blobs): (&Arc<dyn Origin>, Vec<_>)| (origin, origin.missing(&blobs)),
        |(origin, missing)| {
            for sentence in missing? {
                collected.problems.missing(&origin.describe(), sentence);
            }
            Ok(())
        },
    )
}
