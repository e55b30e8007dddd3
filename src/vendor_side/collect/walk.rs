//! Follows an image to everything it needs and everything that refers to it.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::origin::{Found, Origin};
use super::plan::{Coverage, select};
use super::problem::Problems;
use super::reference::Platform;
use crate::bundle::TagLine;
use crate::domain::oci::{DOCKER_INDEX, DOCKER_MANIFEST, Document, Kind, OCI_INDEX, OCI_MANIFEST};
use crate::domain::{Class, Digest, Error, Hash, RepositoryName, Result, Tag, limits};
use crate::stream::read_bounded;

/// How long a chain of referrers of referrers may be: signature, its attestation, and room.
const REFERRER_DEPTH: usize = 8;
/// Manifests of one release.
const MANIFESTS: usize = 100_000;
/// Endings of the tags by which cosign finds what belongs to a digest.
const COSIGN: [&str; 3] = [".sig", ".att", ".sbom"];
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
    documents: BTreeMap<Digest, Arc<Document>>,
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
    pub(super) platforms: &'a [Platform],
    pub(super) collected: &'a mut Collected,
    /// The image as the release file has it, for messages.
    pub(super) image: &'a str,
    /// Documents of this repository whose referrers and subjects are still to be followed, with their depth.
    pub(super) queue: VecDeque<(Digest, usize)>,
    /// Documents already followed downwards: one that is named a thousand times is followed once.
    pub(super) followed: HashSet<(Digest, Children)>,
}

impl Collected {
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
    fn name(
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
        match self.collected.documents.get(&digest) {
            Some(known) if known.media_type == media_type => Ok(Arc::clone(known)),
            Some(known) => Err(Error::new(
                Class::Content,
                "ambiguous",
                format!(
                    "{digest} is referred to as {media_type:?} and as {:?}",
                    known.media_type
                ),
            )),
            None => Document::parse(bytes, media_type).map(Arc::new).map_err(|error| {
                let found = format!("{digest}: {}", error.found());
                let named = Error::new(error.class(), error.code(), found);
                match error.expectation() {
                    Some(expected) => named.expected(expected),
                    None => named,
                }
            }),
        }
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

    /// Follows a document to its subject and to what refers to it.
    fn relatives(&mut self, digest: Digest, depth: usize) -> Result<()> {
        self.subject(digest, depth)?;
        if depth >= REFERRER_DEPTH {
            self.note(
                &Error::new(
                    Class::Limit,
                    "referrer-depth",
                    format!("{digest} is at the end of a chain of {depth} referrers"),
                )
                .expected(format!("fewer than {REFERRER_DEPTH}")),
            );
            return Ok(());
        }
        for referrer in self.origin.referrers(&digest)? {
            match self.origin.manifest(&referrer)? {
                Some(found) => {
                    self.name(
                        None,
                        referrer,
                        found,
                        None,
                        Children::All,
                        &mut Coverage::default(),
                        depth.saturating_add(1),
                    )?;
                }
                None => self.missing(format!("the referrer {referrer} is not there")),
            }
        }
        let base = format!("sha256-{}", digest.0);
        self.referrer_tag(&base, Some(digest), depth)?;
        for ending in COSIGN {
            self.referrer_tag(&format!("{base}{ending}"), None, depth)?;
        }
        Ok(())
    }

    /// Takes a tag made for what refers to a digest; the tag schema's own holds an index of its referrers and nothing else.
    fn referrer_tag(&mut self, text: &str, members_about: Option<Digest>, depth: usize) -> Result<()> {
        let tag: Tag = text.parse().expect("a digest and a short ending make a tag");
        let Some(found) = self.origin.tag(&tag)? else {
            return Ok(());
        };
        let digest = Digest(Hash(Sha256::digest(&found.bytes).into()));
        let taken = self.name(
            Some(tag.clone()),
            digest,
            found,
            None,
            Children::All,
            &mut Coverage::default(),
            depth.saturating_add(1),
        )?;
        let (Some(subject), true) = (members_about, taken) else {
            return Ok(());
        };
        let document = self.collected.documents.get(&digest).cloned();
        let members = document
            .as_ref()
            .filter(|document| document.kind == Kind::Index)
            .map(|document| {
                document.manifests.iter().all(|member| {
                    let about = self.collected.documents.get(&member.digest);
                    about.is_none_or(|about| about.subject.as_ref().is_some_and(|about| about.digest == subject))
                })
            });
        if members != Some(true) {
            self.note(
                &Error::new(
                    Class::Content,
                    "referrers-tag",
                    format!("the tag {tag} is not an index of manifests about {subject}"),
                )
                .expected("what the referrers tag schema says")
                .remedy("delete that tag in the source"),
            );
        }
        Ok(())
    }

    fn subject(&mut self, digest: Digest, depth: usize) -> Result<()> {
        let Some(subject) = self
            .collected
            .documents
            .get(&digest)
            .and_then(|known| known.subject.clone())
        else {
            return Ok(());
        };
        if let Some(held) = self.collected.manifests.get(&subject.digest) {
            if held.len() as u64 != subject.size {
                self.note(&Error::new(
                    Class::Content,
                    "size",
                    format!(
                        "{digest} says that its subject {} has {} bytes",
                        subject.digest, subject.size
                    ),
                ));
            }
            return Ok(());
        }
        let Some(found) = self.origin.manifest(&subject.digest)? else {
            self.missing(format!("the subject {} of {digest} is not there", subject.digest));
            return Ok(());
        };
        if found.bytes.len() as u64 != subject.size {
            self.note(&Error::new(
                Class::Content,
                "size",
                format!(
                    "{} has {} bytes instead of {}",
                    subject.digest,
                    found.bytes.len(),
                    subject.size
                ),
            ));
            return Ok(());
        }
        self.name(
            None,
            subject.digest,
            found,
            Some(&subject.media_type),
            Children::Wanted,
            &mut Coverage::default(),
            depth,
        )?;
        Ok(())
    }

    fn note(&mut self, error: &Error) {
        self.collected.problems.note(self.image, error);
    }

    fn missing(&mut self, what: String) {
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
