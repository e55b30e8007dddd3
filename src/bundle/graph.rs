//! The reference graph: every name, manifest, config and layer of a release, checked as one whole (SPEC section 7).
//!
//! The same check runs when a bundle is planned, verified and imported. Documents are parsed as they come and reduced to edges
//! of a few bytes, so that a release of 100,000 blobs is checked in a few MiB and nothing is read twice.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::head::DocumentEntry;
use super::index::{Index, TagLine};
use crate::domain::oci::{Descriptor, Document, Kind};
use crate::domain::{Class, Digest, Error, RepositoryName, Result, Tag, limits};

/// Edges of all documents, and pairs of repository and content, that one release may have.
const EDGES: usize = 4_000_000;
/// Bytes of annotations of referrers that are kept for serving.
const REFERRER_BYTES: usize = 16 << 20;

/// A checked graph: what can be fetched under which name.
#[derive(Debug)]
pub struct Graph {
    /// Tag lines with their names parsed.
    pub tags: Vec<TagLine>,
    /// Repositories, ascending.
    pub repositories: Vec<RepositoryName>,
    /// What each repository reaches.
    reached: Vec<Reached>,
    /// Manifests and indexes with a subject.
    pub referrers: Vec<Referrer>,
    /// Digest, size and media type by place.
    places: Vec<(Digest, u64, Option<&'static str>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Reached {
    repository: u32,
    place: u32,
}

/// Content that a repository reaches.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// The repository.
    pub repository: &'a RepositoryName,
    /// Digest of the content.
    pub digest: Digest,
    /// Size of the content.
    pub size: u64,
    /// Media type of manifests and indexes.
    pub media_type: Option<&'static str>,
}

/// A manifest that is about another one.
#[derive(Debug, Clone)]
pub struct Referrer {
    /// Repository that holds it.
    pub repository: RepositoryName,
    /// What it is about.
    pub subject: Digest,
    /// The referrer.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Its media type.
    pub media_type: &'static str,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Graph {
    /// Returns what each repository reaches.
    pub fn contents(&self) -> impl Iterator<Item = Content<'_>> {
        self.reached.iter().filter_map(|reached| {
            let (digest, size, media_type) = *self.places.get(reached.place as usize)?;
            let repository = self.repositories.get(reached.repository as usize)?;
            Some(Content {
                repository,
                digest,
                size,
                media_type,
            })
        })
    }
}

/// Where a digest stands in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Blob(u32),
    Need(u32),
    Absent(u32),
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    edges: Vec<Edge>,
    about: Option<Box<About>>,
}

#[derive(Debug, Clone, Copy)]
enum Edge {
    Config(u32),
    /// A layer that is carried.
    Layer(u32),
    /// A layer that the site must already hold.
    NeededLayer(u32),
    Child(u32),
    AbsentChild(u32),
}

#[derive(Debug)]
struct About {
    subject: Digest,
    artifact_type: Option<String>,
    annotations: BTreeMap<String, String>,
}

/// What a blob turned out to be used as.
#[derive(Debug, Clone, Copy, Default)]
struct Uses {
    early: bool,
    layer: bool,
}

/// Takes documents as they come and checks the whole at the end.
#[derive(Debug)]
pub(super) struct GraphBuilder<'a> {
    index: &'a Index,
    documents: &'a [DocumentEntry],
    early: usize,
    lookup: HashMap<Digest, Place>,
    nodes: BTreeMap<u32, Node>,
    edges: usize,
    referrer_bytes: usize,
}

impl<'a> GraphBuilder<'a> {
    /// Starts with an index.
    ///
    /// # Errors
    ///
    /// `E-CONTENT repeated-digest` when a digest stands in more than one line.
    pub(super) fn new(index: &'a Index, documents: &'a [DocumentEntry], early: u64) -> Result<Self> {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let blobs = index
            .blobs
            .iter()
            .enumerate()
            .map(|(n, blob)| (blob.digest, Place::Blob(number(n))));
        let needs = index
            .needs
            .iter()
            .enumerate()
            .map(|(n, need)| (need.digest, Place::Need(number(n))));
        let absent = index
            .absent
            .iter()
            .enumerate()
            .map(|(n, line)| (line.digest, Place::Absent(number(n))));
        let mut lookup = HashMap::with_capacity(index.blobs.len());
        for (digest, place) in blobs.chain(needs).chain(absent) {
            if lookup.insert(digest, place).is_some() {
                return Err(content(
                    "repeated-digest",
                    format!("{digest} stands in more than one line of the index"),
                ));
            }
        }
        Ok(Self {
            index,
            documents,
            early: usize::try_from(early).unwrap_or(usize::MAX),
            lookup,
            nodes: BTreeMap::new(),
            edges: 0,
            referrer_bytes: 0,
        })
    }

    /// Takes the bytes of a manifest or index, whose digest was compared before.
    ///
    /// # Errors
    ///
    /// `E-CONTENT` and `E-LIMIT`.
    pub(super) fn add(&mut self, blob: usize, media_type: &'static str, bytes: &[u8]) -> Result<()> {
        let document = Document::parse(bytes, media_type)?;
        let count = document
            .layers
            .len()
            .saturating_add(document.manifests.len())
            .saturating_add(1);
        self.edges = self.edges.saturating_add(count);
        if self.edges > EDGES {
            return Err(Error::new(Class::Limit, "edges", "the release has too many references")
                .expected(format!("at most {EDGES}")));
        }
        let mut edges = Vec::with_capacity(count);
        if let Some(config) = &document.config {
            edges.push(Edge::Config(self.plain_blob(config, "config")?));
        }
        for layer in &document.layers {
            edges.push(self.layer(layer)?);
        }
        for child in &document.manifests {
            edges.push(self.child(child)?);
        }
        if let Some(subject) = &document.subject {
            self.subject(subject)?;
        }
        let about = document.subject.map(|subject| About {
            subject: subject.digest,
            artifact_type: document.artifact_type,
            annotations: document.annotations,
        });
        if let Some(about) = &about {
            let bytes: usize = about
                .annotations
                .iter()
                .map(|(key, value)| key.len().saturating_add(value.len()))
                .sum();
            self.referrer_bytes = self.referrer_bytes.saturating_add(bytes);
            if self.referrer_bytes > REFERRER_BYTES {
                return Err(Error::new(
                    Class::Limit,
                    "annotations",
                    "the annotations of referrers are larger than 16 MiB",
                ));
            }
        }
        let blob = u32::try_from(blob).unwrap_or(u32::MAX);
        self.nodes.insert(
            blob,
            Node {
                kind: document.kind,
                edges,
                about: about.map(Box::new),
            },
        );
        Ok(())
    }

    fn place(&self, descriptor: &Descriptor, role: &str) -> Result<Place> {
        self.lookup.get(&descriptor.digest).copied().ok_or_else(|| {
            content(
                "unlisted",
                format!("the {role} {} is neither carried nor listed", descriptor.digest),
            )
            .remedy("have the vendor build the bundle again; it must carry everything it refers to")
        })
    }

    /// A config or carried layer: a blob that is no manifest, of the stated size.
    fn plain_blob(&self, descriptor: &Descriptor, role: &str) -> Result<u32> {
        match self.place(descriptor, role)? {
            Place::Blob(n) => {
                let blob = self
                    .index
                    .blobs
                    .get(n as usize)
                    .ok_or_else(|| content("unlisted", descriptor.digest.to_string()))?;
                check_size(descriptor, blob.size, role)?;
                if blob.media_type.is_some() {
                    return Err(content(
                        "ambiguous",
                        format!("{} is used both as a manifest and as a {role}", descriptor.digest),
                    ));
                }
                Ok(n)
            }
            Place::Need(_) | Place::Absent(_) => Err(content(
                "not-carried",
                format!(
                    "the {role} {} must travel in the bundle and does not",
                    descriptor.digest
                ),
            )),
        }
    }

    fn layer(&self, descriptor: &Descriptor) -> Result<Edge> {
        match self.place(descriptor, "layer")? {
            Place::Need(n) => {
                let need = self
                    .index
                    .needs
                    .get(n as usize)
                    .ok_or_else(|| content("unlisted", descriptor.digest.to_string()))?;
                check_size(descriptor, need.size, "layer")?;
                Ok(Edge::NeededLayer(n))
            }
            Place::Blob(_) | Place::Absent(_) => Ok(Edge::Layer(self.plain_blob(descriptor, "layer")?)),
        }
    }

    fn child(&self, descriptor: &Descriptor) -> Result<Edge> {
        match self.place(descriptor, "manifest")? {
            Place::Blob(n) => {
                let blob = self
                    .index
                    .blobs
                    .get(n as usize)
                    .ok_or_else(|| content("unlisted", descriptor.digest.to_string()))?;
                check_size(descriptor, blob.size, "manifest")?;
                if blob.media_type != Some(descriptor.media_type.as_str()) {
                    return Err(content(
                        "ambiguous",
                        format!(
                            "{} is referred to as {:?} but carried as something else",
                            descriptor.digest, descriptor.media_type
                        ),
                    ));
                }
                Ok(Edge::Child(n))
            }
            Place::Absent(n) => {
                let absent = self
                    .index
                    .absent
                    .get(n as usize)
                    .ok_or_else(|| content("unlisted", descriptor.digest.to_string()))?;
                if descriptor.platform.as_deref() != Some(absent.platform.as_str()) {
                    return Err(content(
                        "absent-platform",
                        format!(
                            "{} is listed as absent for {:?}, which is not its platform",
                            descriptor.digest, absent.platform
                        ),
                    ));
                }
                Ok(Edge::AbsentChild(n))
            }
            Place::Need(_) => Err(content(
                "not-carried",
                format!("the manifest {} must travel in the bundle", descriptor.digest),
            )),
        }
    }

    fn subject(&self, descriptor: &Descriptor) -> Result<()> {
        let is_manifest = match self.place(descriptor, "subject")? {
            Place::Blob(n) => self.index.blobs.get(n as usize).is_some_and(|blob| {
                blob.size == descriptor.size && blob.media_type == Some(descriptor.media_type.as_str())
            }),
            Place::Absent(_) | Place::Need(_) => false,
        };
        if is_manifest {
            Ok(())
        } else {
            Err(content(
                "subject",
                format!(
                    "the subject {} is not carried as the manifest it is said to be",
                    descriptor.digest
                ),
            ))
        }
    }

    /// Checks names, reachability, nesting, and that early and late blobs are exactly those that must be.
    ///
    /// # Errors
    ///
    /// `E-CONTENT` and `E-LIMIT`.
    pub(super) fn finish(self) -> Result<Graph> {
        let mut walk = Walk::new(&self);
        for document in self.documents {
            match self.lookup.get(&document.digest) {
                Some(Place::Blob(n))
                    if self
                        .index
                        .blobs
                        .get(*n as usize)
                        .is_some_and(|blob| blob.size == document.size) =>
                {
                    walk.uses.entry(*n).or_default().early = true;
                }
                _ => {
                    return Err(content(
                        "unlisted",
                        format!("the document {} is not carried", document.digest),
                    ));
                }
            }
        }
        walk.names()?;
        walk.everything_is_used()?;
        let blobs = self
            .index
            .blobs
            .iter()
            .map(|blob| (blob.digest, blob.size, blob.media_type));
        let needs = self.index.needs.iter().map(|need| (need.digest, need.size, None));
        Ok(Graph {
            tags: walk.tags,
            repositories: walk.repositories,
            reached: walk.reached,
            referrers: walk.referrers,
            places: blobs.chain(needs).collect(),
        })
    }
}

/// The walk from the names down.
struct Walk<'a> {
    builder: &'a GraphBuilder<'a>,
    tags: Vec<TagLine>,
    repositories: Vec<RepositoryName>,
    reached: Vec<Reached>,
    referrers: Vec<Referrer>,
    uses: HashMap<u32, Uses>,
    used_needs: HashSet<u32>,
    used_absent: HashSet<u32>,
}

impl<'a> Walk<'a> {
    fn new(builder: &'a GraphBuilder<'a>) -> Self {
        Self {
            builder,
            tags: Vec::with_capacity(builder.index.tags.len()),
            repositories: Vec::new(),
            reached: Vec::new(),
            referrers: Vec::new(),
            uses: HashMap::with_capacity(builder.index.blobs.len()),
            used_needs: HashSet::new(),
            used_absent: HashSet::new(),
        }
    }

    /// Parses names and walks each repository's graph.
    fn names(&mut self) -> Result<()> {
        for raw in &self.builder.index.tags {
            let name = |error: crate::domain::ParseNameError| content("name", error.to_string()).with_source(error);
            let repository: RepositoryName = raw.repository.parse().map_err(name)?;
            let tag: Option<Tag> = raw.tag.as_deref().map(str::parse).transpose().map_err(name)?;
            if let Some(last) = self.tags.last()
                && tag.is_some()
                && (&last.repository, &last.tag) == (&repository, &tag)
            {
                return Err(content(
                    "tag-twice",
                    format!(
                        "{repository}:{} stands for two digests",
                        raw.tag.as_deref().unwrap_or("")
                    ),
                ));
            }
            self.tags.push(TagLine {
                digest: raw.digest,
                media_type: raw.media_type.clone(),
                repository,
                size: raw.size,
                tag,
            });
        }
        let tags = std::mem::take(&mut self.tags);
        for of_one in tags.chunk_by(|a, b| a.repository == b.repository) {
            self.repository(of_one)?;
        }
        self.tags = tags;
        Ok(())
    }

    fn repository(&mut self, tags: &[TagLine]) -> Result<()> {
        let Some(repository) = tags.first().map(|tag| tag.repository.clone()) else {
            return Ok(());
        };
        let number = u32::try_from(self.repositories.len()).unwrap_or(u32::MAX);
        let mut levels: HashMap<u32, usize> = HashMap::new();
        let mut manifests: HashSet<Digest> = HashSet::new();
        let mut found: HashSet<u32> = HashSet::new();
        for tag in tags {
            let blob = match self.builder.lookup.get(&tag.digest) {
                Some(Place::Blob(n)) => self.builder.index.blobs.get(*n as usize).map(|blob| (*n, blob)),
                _ => None,
            };
            let named =
                blob.filter(|(_, blob)| blob.size == tag.size && blob.media_type == Some(tag.media_type.as_str()));
            let Some((n, _)) = named else {
                return Err(content(
                    "name-target",
                    format!(
                        "{repository} names {}, which is not carried as the manifest it is said to be",
                        tag.digest
                    ),
                ));
            };
            let mut stack = vec![(n, 1)];
            while let Some((n, level)) = stack.pop() {
                if level > limits::MANIFEST_NESTING {
                    return Err(Error::new(
                        Class::Limit,
                        "nesting",
                        format!("{repository} nests documents deeper than {}", limits::MANIFEST_NESTING),
                    ));
                }
                // A document may be reached on several ways; only a deeper one can still break the limit.
                if levels.get(&n).is_some_and(|seen| *seen >= level) {
                    continue;
                }
                let first_visit = levels.insert(n, level).is_none();
                let node = self
                    .builder
                    .nodes
                    .get(&n)
                    .ok_or_else(|| content("unlisted", format!("a manifest of {repository} was not read")))?;
                if first_visit {
                    found.insert(n);
                    self.visit(n, node, &repository, &mut manifests, &mut found);
                }
                stack.extend(node.edges.iter().filter_map(|edge| match edge {
                    Edge::Child(child) => Some((*child, level.saturating_add(1))),
                    _ => None,
                }));
            }
        }
        self.check_conventions(tags, &manifests)?;
        if self.reached.len().saturating_add(found.len()) > EDGES {
            return Err(Error::new(
                Class::Limit,
                "names",
                "the release has too many pairs of repository and content",
            ));
        }
        let mut places: Vec<u32> = found.into_iter().collect();
        places.sort_unstable();
        self.reached.extend(places.into_iter().map(|place| Reached {
            repository: number,
            place,
        }));
        self.repositories.push(repository);
        Ok(())
    }

    fn visit(
        &mut self,
        n: u32,
        node: &Node,
        repository: &RepositoryName,
        manifests: &mut HashSet<Digest>,
        found: &mut HashSet<u32>,
    ) {
        self.uses.entry(n).or_default().early = true;
        let blobs = &self.builder.index.blobs;
        let needs_start = u32::try_from(blobs.len()).unwrap_or(u32::MAX);
        if let Some(blob) = blobs.get(n as usize) {
            manifests.insert(blob.digest);
            if let (Some(about), Some(media_type)) = (&node.about, blob.media_type) {
                self.referrers.push(Referrer {
                    repository: repository.clone(),
                    subject: about.subject,
                    digest: blob.digest,
                    size: blob.size,
                    media_type,
                    artifact_type: about.artifact_type.clone(),
                    annotations: about.annotations.clone(),
                });
            }
        }
        for edge in &node.edges {
            match edge {
                Edge::Config(n) => {
                    self.uses.entry(*n).or_default().early = true;
                    found.insert(*n);
                }
                Edge::Layer(n) => {
                    self.uses.entry(*n).or_default().layer = true;
                    found.insert(*n);
                }
                Edge::NeededLayer(n) => {
                    self.used_needs.insert(*n);
                    found.insert(needs_start.saturating_add(*n));
                }
                Edge::Child(_) => {}
                Edge::AbsentChild(n) => {
                    self.used_absent.insert(*n);
                    if let Some(absent) = self.builder.index.absent.get(*n as usize) {
                        manifests.insert(absent.digest);
                    }
                }
            }
        }
    }

    /// Tags by which tools find what refers to an image must really do so: nothing else may hide behind them.
    fn check_conventions(&self, tags: &[TagLine], manifests: &HashSet<Digest>) -> Result<()> {
        for tag in tags {
            let Some((hex, suffix)) = tag.tag.as_ref().and_then(|tag| {
                let rest = tag.as_str().strip_prefix("sha256-")?;
                rest.split_at_checked(64)
            }) else {
                continue;
            };
            let Ok(subject) = format!("sha256:{hex}").parse::<Digest>() else {
                continue;
            };
            let fits = match suffix {
                "" => self.is_referrers_index(tag.digest, subject),
                ".sig" | ".att" | ".sbom" => manifests.contains(&subject),
                _ => true,
            };
            if !fits {
                return Err(content(
                    "referrer-tag",
                    format!(
                        "the tag sha256-{hex}{suffix} of {} does not keep what its name says",
                        tag.repository
                    ),
                ));
            }
        }
        Ok(())
    }

    fn is_referrers_index(&self, index: Digest, subject: Digest) -> bool {
        let node = match self.builder.lookup.get(&index) {
            Some(Place::Blob(n)) => self.builder.nodes.get(n),
            _ => None,
        };
        node.is_some_and(|node| {
            node.kind == Kind::Index
                && node.edges.iter().all(|edge| match edge {
                    Edge::Child(child) => self
                        .builder
                        .nodes
                        .get(child)
                        .and_then(|child| child.about.as_ref())
                        .is_some_and(|about| about.subject == subject),
                    _ => false,
                })
        })
    }

    fn everything_is_used(&self) -> Result<()> {
        let index = self.builder.index;
        for (n, blob) in (0_u32..).zip(&index.blobs) {
            let uses = self.uses.get(&n).copied().unwrap_or_default();
            if !uses.early && !uses.layer {
                return Err(content(
                    "unreachable",
                    format!("{} is carried but nothing refers to it", blob.digest),
                ));
            }
            if uses.early != ((n as usize) < self.builder.early) {
                return Err(content(
                    "early",
                    format!("{} stands in the wrong part of the payload", blob.digest),
                )
                .expected("documents, manifests, indexes and configs first, and only these"));
            }
        }
        let unused_need = (0_u32..).zip(&index.needs).find(|(n, _)| !self.used_needs.contains(n));
        if let Some((_, need)) = unused_need {
            return Err(content("unreachable", format!("{} is needed by nothing", need.digest)));
        }
        let unused_absent = (0_u32..)
            .zip(&index.absent)
            .find(|(n, _)| !self.used_absent.contains(n));
        if let Some((_, absent)) = unused_absent {
            return Err(content(
                "unreachable",
                format!(
                    "{} is listed as absent but no carried index refers to it",
                    absent.digest
                ),
            ));
        }
        Ok(())
    }
}

fn check_size(descriptor: &Descriptor, size: u64, role: &str) -> Result<()> {
    if descriptor.size == size {
        Ok(())
    } else {
        Err(content(
            "size",
            format!(
                "the {role} {} has {size} bytes but is referred to with {}",
                descriptor.digest, descriptor.size
            ),
        ))
    }
}

fn content(code: &'static str, found: String) -> Error {
    Error::new(Class::Content, code, found)
}
