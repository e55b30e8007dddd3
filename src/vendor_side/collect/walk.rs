//! Follows an image down to everything it needs, and then, by [`relatives`](super::relatives), to what refers to it.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::image_options::ImageOptions;
use super::origin::{Found, Origin};
use super::plan::{Coverage, select};
use super::problem::Problems;
use super::reference::Platform;
use crate::bundle::{Feature, TagLine};
use crate::domain::oci::{DOCKER_INDEX, DOCKER_MANIFEST, Document, Kind, Layers, OCI_INDEX, OCI_MANIFEST};
use crate::domain::{Class, Digest, Error, Hash, RepositoryName, Result, Tag, limits};
use crate::stream::read_bounded;

/// Manifests of one release.
const MANIFESTS: usize = 100_000;
/// What to do about layers that not every registry has.
const ALLOW_LAYERS: &str = "rebuild the image without such layers; or carry them as they are, with allow_nondistributable_artifacts: true on the image";
/// Configs that say which platform an image is for.
const IMAGE_CONFIGS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// A config or layer: its size and which origin has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blob {
    pub(super) size: u64,
    pub(super) origin: usize,
    /// Whether it is a config of anything: those always travel.
    pub(super) is_config: bool,
}

/// What all images of a release came to.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) tags: BTreeSet<Line>,
    pub(super) manifests: BTreeMap<Digest, Vec<u8>>,
    pub(super) absent: BTreeMap<Digest, String>,
    pub(super) blobs: BTreeMap<Digest, Blob>,
    pub(super) problems: Problems,
    /// What readers of the bundle must take beyond version 1.
    pub(super) requires: BTreeSet<Feature>,
    /// What is carried because the release says so, and what that means at a site.
    pub(super) warnings: Vec<String>,
    /// Subjects that their sources lack, where that is allowed; another image of the release may bring one.
    pub(super) gone: BTreeMap<Digest, String>,
    pub(super) documents: BTreeMap<Digest, Arc<Document>>,
    /// What was already looked at for referrers, per repository.
    asked: BTreeSet<(RepositoryName, Digest)>,
}

/// A name and its digest, in the order of the index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) repository: RepositoryName,
    pub(super) tag: Option<Tag>,
    pub(super) digest: Digest,
}

/// Which children of indexes are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Children {
    /// Those for the wanted platforms.
    Wanted,
    /// All: what refers to an image knows no platforms.
    All,
}

/// One image on its way.
pub(super) struct Walk<'a> {
    pub(super) origin: &'a dyn Origin,
    pub(super) origin_number: usize,
    pub(super) repository: &'a RepositoryName,
    /// Those of the image, else those of the release.
    pub(super) platforms: &'a [Platform],
    pub(super) options: &'a ImageOptions,
    pub(super) collected: &'a mut Collected,
    /// The image as the release file has it, for messages.
    pub(super) image: &'a str,
    /// Documents of this repository whose referrers and subjects are still to be followed, with their depth.
    pub(super) queue: VecDeque<(Digest, usize)>,
    /// Documents already followed downwards: one that is named a thousand times is followed once.
    pub(super) followed: HashSet<(Digest, Children)>,
}

impl Collected {
    /// Settles, when everything is collected, which subjects are gone.
    pub(super) fn settle_subjects(&mut self) {
        let gone = std::mem::take(&mut self.gone).into_iter();
        let warnings: Vec<String> = gone
            .filter(|(subject, _)| !self.manifests.contains_key(subject))
            .map(|(_, warning)| warning)
            .collect();
        if !warnings.is_empty() {
            self.requires.insert(Feature::MissingSubjects);
        }
        self.warnings.extend(warnings);
    }

    /// Returns the tag lines.
    pub(super) fn lines(&self) -> Vec<TagLine> {
        self.tags
            .iter()
            .filter_map(|line| {
                Some(TagLine {
                    digest: line.digest,
                    media_type: self.documents.get(&line.digest)?.media_type.clone(),
                    repository: line.repository.clone(),
                    size: self.manifests.get(&line.digest)?.len() as u64,
                    tag: line.tag.clone(),
                })
            })
            .collect()
    }
}

impl Walk<'_> {
    /// Takes an image under its name. What it lacks is noted, not returned.
    ///
    /// # Errors
    ///
    /// Those of the origin: it cannot be reached, refuses, or fails.
    pub(super) fn image(&mut self, tag: Option<Tag>, digest: Digest, found: Found, stated: Option<&str>) -> Result<()> {
        let mut coverage = Coverage::default();
        if self.name(tag, digest, found, stated, Children::Wanted, &mut coverage, 0)? {
            let known = self.collected.documents.get(&digest);
            if let (Some(Kind::Index), Some(held)) = (known.map(|known| known.kind), coverage.without_image()) {
                self.note(
                    &Error::new(
                        Class::Content,
                        "no-image",
                        format!("the index {digest} holds no image that could run: {held}"),
                    )
                    .expected("an index with a manifest for a platform, such as linux/amd64")
                    .remedy("name a source that has the image itself; where a copy left it out, copy it again with all platforms"),
                );
            }
            let unmet: Vec<String> = coverage.unmet(self.platforms).iter().map(ToString::to_string).collect();
            if !unmet.is_empty() {
                let present: Vec<String> = coverage.present.into_iter().collect();
                self.note(
                    &Error::new(
                        Class::Content,
                        "platform",
                        format!("there is nothing for {}", unmet.join(", ")),
                    )
                    .expected(format!("platforms among {}", present.join(", "))),
                );
            }
        }
        while let Some((digest, depth)) = self.queue.pop_front() {
            self.relatives(digest, depth)?;
        }
        Ok(())
    }

    /// Adds a tag line and what it reaches; false when it cannot be carried.
    #[expect(clippy::too_many_arguments, reason = "one call per kind of name, all parts differ")]
    pub(super) fn name(
        &mut self,
        tag: Option<Tag>,
        digest: Digest,
        found: Found,
        stated: Option<&str>,
        children: Children,
        coverage: &mut Coverage,
        depth: usize,
    ) -> Result<bool> {
        let media_type = stated
            .map(str::to_owned)
            .or_else(|| media_type_of(&found.bytes, found.media_type.as_deref()))
            .unwrap_or_default();
        if !self.document(digest, found.bytes, &media_type, children, coverage, 1, depth)? {
            return Ok(false);
        }
        let line = Line {
            repository: self.repository.clone(),
            tag,
            digest,
        };
        let other = self
            .collected
            .tags
            .iter()
            .find(|known| {
                line.tag.is_some()
                    && known.repository == line.repository
                    && known.tag == line.tag
                    && known.digest != line.digest
            })
            .map(|known| known.digest);
        if let (Some(other), Some(tag)) = (other, &line.tag) {
            self.note(
                &Error::new(
                    Class::Content,
                    "tag-twice",
                    format!("{}:{tag} would name both {other} and {digest}", self.repository),
                )
                .remedy("give one of the images another name"),
            );
        }
        self.collected.tags.insert(line);
        Ok(true)
    }

    /// Takes a manifest and everything below it; false when it cannot be carried.
    #[expect(clippy::too_many_arguments, reason = "the state of one step down a graph")]
    fn document(
        &mut self,
        digest: Digest,
        bytes: Vec<u8>,
        media_type: &str,
        children: Children,
        coverage: &mut Coverage,
        level: usize,
        depth: usize,
    ) -> Result<bool> {
        let held = Digest(Hash(Sha256::digest(&bytes).into()));
        if held != digest {
            return Err(Error::new(
                Class::Integrity,
                "source",
                format!("{}: what is called {digest} has the digest {held}", self.image),
            )
            .expected("content that matches its digest")
            .remedy("check the source; it changed or is damaged"));
        }
        let document = match self.parse(digest, &bytes, media_type) {
            Ok(document) => document,
            Err(error) => {
                self.note(&error);
                return Ok(false);
            }
        };
        if level > limits::MANIFEST_NESTING {
            self.note(
                &Error::new(
                    Class::Limit,
                    "nesting",
                    format!("{digest} is nested {level} levels deep"),
                )
                .expected(format!("at most {}", limits::MANIFEST_NESTING)),
            );
            return Ok(false);
        }
        if self.collected.manifests.len() >= MANIFESTS {
            return Err(Error::new(
                Class::Limit,
                "manifests",
                format!("the release has more than {MANIFESTS} manifests"),
            ));
        }
        if document.nondistributable {
            self.carries_nondistributable(digest);
        }
        self.collected.manifests.insert(digest, bytes);
        self.collected.documents.entry(digest).or_insert_with(|| {
            // Layers are taken down once, below: a hundred thousand descriptors are not kept for a second look at the same bytes.
            Arc::new(Document {
                layers: Vec::new(),
                ..Document::clone(&document)
            })
        });
        if self.collected.asked.insert((self.repository.clone(), digest)) {
            self.queue.push_back((digest, depth));
        }
        if !self.followed.insert((digest, children)) {
            return Ok(true);
        }
        match document.kind {
            Kind::Manifest => self.leaves(&document, children, level)?,
            Kind::Index => self.children(&document, children, coverage, level, depth)?,
        }
        Ok(true)
    }

    fn parse(&self, digest: Digest, bytes: &[u8], media_type: &str) -> Result<Arc<Document>> {
        let known = self.collected.documents.get(&digest);
        if let Some(known) = known.filter(|known| known.media_type != media_type) {
            return Err(Error::new(
                Class::Content,
                "ambiguous",
                format!(
                    "{digest} is referred to as {media_type:?} and as {:?}",
                    known.media_type
                ),
            ));
        }
        // What only another image was allowed is judged again.
        let allowed = |known: &&Arc<Document>| !known.nondistributable || self.layers() == Layers::Any;
        if let Some(known) = known.filter(allowed) {
            return Ok(Arc::clone(known));
        }
        let refusal = match Document::parse_with(bytes, media_type, self.layers()) {
            Ok(document) => return Ok(Arc::new(document)),
            Err(refusal) => refusal,
        };
        let named = Error::new(
            refusal.class(),
            refusal.code(),
            format!("{digest}: {}", refusal.found()),
        );
        // What is taken with layers of any kind is refused for its layers.
        let for_layers = Document::parse_with(bytes, media_type, Layers::Any).is_ok();
        Err(match refusal.expectation() {
            _ if for_layers => named.remedy(ALLOW_LAYERS),
            Some(expected) => named.expected(expected),
            None => named,
        })
    }

    fn leaves(&mut self, document: &Document, children: Children, level: usize) -> Result<()> {
        let configs = document.config.iter().map(|config| (config, true));
        for (leaf, is_config) in configs.chain(document.layers.iter().map(|layer| (layer, false))) {
            let known = self.collected.blobs.entry(leaf.digest).or_insert(Blob {
                size: leaf.size,
                origin: self.origin_number,
                is_config,
            });
            known.is_config |= is_config;
            if known.size != leaf.size {
                let sizes = (known.size, leaf.size);
                self.note(&Error::new(
                    Class::Content,
                    "size",
                    format!("{} is said to have {} and {} bytes", leaf.digest, sizes.0, sizes.1),
                ));
            }
        }
        // Below an index its descriptor names the platform; alone, the config does.
        match &document.config {
            Some(config)
                if level == 1
                    && children == Children::Wanted
                    && !self.platforms.is_empty()
                    && IMAGE_CONFIGS.contains(&config.media_type.as_str()) =>
            {
                self.check_platform(config.digest, config.size)
            }
            _ => Ok(()),
        }
    }

    fn check_platform(&mut self, config: Digest, size: u64) -> Result<()> {
        #[derive(Deserialize)]
        struct Config {
            os: String,
            architecture: String,
            variant: Option<String>,
        }
        if size > limits::MANIFEST_BYTES || !self.origin.missing(&[(config, size)])?.is_empty() {
            // Reported with everything else that is missing.
            return Ok(());
        }
        let bytes = read_bounded(
            self.origin.open(&config, size)?,
            limits::MANIFEST_BYTES,
            "an image config",
        )?;
        #[expect(
            clippy::disallowed_methods,
            reason = "only looked at; the writer compares its digest"
        )]
        let parsed: Result<Config, _> = serde_json::from_slice(&bytes);
        let Ok(parsed) = parsed else { return Ok(()) };
        let mut platform = format!("{}/{}", parsed.os, parsed.architecture);
        if let Some(variant) = parsed.variant.filter(|variant| !variant.is_empty()) {
            platform += &format!("/{variant}");
        }
        if !self.platforms.iter().any(|wanted| wanted.wants(&platform)) {
            let wanted: Vec<String> = self.platforms.iter().map(ToString::to_string).collect();
            self.note(
                &Error::new(
                    Class::Content,
                    "platform",
                    format!("the image is for {platform:?} only"),
                )
                .expected(format!("an image for {}", wanted.join(", "))),
            );
        }
        Ok(())
    }

    fn children(
        &mut self,
        index: &Document,
        children: Children,
        coverage: &mut Coverage,
        level: usize,
        depth: usize,
    ) -> Result<()> {
        let wanted = match children {
            Children::Wanted => self.platforms,
            Children::All => &[],
        };
        let selection = select(index, wanted, coverage);
        for (digest, platform) in selection.left_out {
            self.collected.absent.entry(digest).or_insert(platform);
        }
        for child in selection.kept {
            let held = self.collected.manifests.get(&child.digest).cloned();
            let bytes = match held {
                Some(bytes) => Some(bytes),
                None => self.origin.manifest(&child.digest)?.map(|found| found.bytes),
            };
            let Some(bytes) = bytes else {
                coverage.not_seen();
                self.missing(format!("the manifest {} is not there", child.digest));
                continue;
            };
            if bytes.len() as u64 != child.size {
                self.note(&Error::new(
                    Class::Content,
                    "size",
                    format!("{} has {} bytes instead of {}", child.digest, bytes.len(), child.size),
                ));
                continue;
            }
            let below = level.saturating_add(1);
            self.document(child.digest, bytes, &child.media_type, children, coverage, below, depth)?;
        }
        Ok(())
    }

    fn layers(&self) -> Layers {
        if self.options.allow_nondistributable_artifacts {
            Layers::Any
        } else {
            Layers::Distributable
        }
    }

    /// Notes what an image was allowed, for those who read the bundle and for the person who builds it.
    fn carries_nondistributable(&mut self, digest: Digest) {
        self.collected.requires.insert(Feature::NondistributableLayers);
        let warning = format!(
            "{}: layers of {digest} are said to be found elsewhere, or not to be distributed: containerd and podman ask the addresses that it names first, and their pull may fail at a site that reaches none of them",
            self.image
        );
        if !self.collected.warnings.contains(&warning) {
            self.collected.warnings.push(warning);
        }
    }

    pub(super) fn note(&mut self, error: &Error) {
        self.collected.problems.note(self.image, error);
    }

    pub(super) fn missing(&mut self, what: String) {
        self.collected.problems.missing(self.image, what);
    }
}

/// Returns the media type of a document that no descriptor speaks of: its own statement, else what its origin says, else what
/// its shape allows.
pub(super) fn media_type_of(bytes: &[u8], said: Option<&str>) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Stated {
        media_type: Option<String>,
        manifests: Option<serde::de::IgnoredAny>,
        config: Option<serde::de::IgnoredAny>,
    }
    if bytes.len() as u64 > limits::MANIFEST_BYTES {
        return None;
    }
    #[expect(clippy::disallowed_methods, reason = "only the type; Document parses the whole")]
    let stated: Stated = serde_json::from_slice(bytes).ok()?;
    let said = said.filter(|said| [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX].contains(said));
    stated
        .media_type
        .or_else(|| said.map(str::to_owned))
        .or_else(|| match (stated.manifests, stated.config) {
            (Some(_), None) => Some(OCI_INDEX.to_owned()),
            (None, Some(_)) => Some(OCI_MANIFEST.to_owned()),
            _ => None,
        })
}
