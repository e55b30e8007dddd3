//! The reference graph: every name, manifest, config and layer of a release, checked as one whole (SPEC section 7).
//!
//! The same check runs when a bundle is planned, verified and imported. Documents are parsed as they come and reduced to distinct
//! edges of a few bytes, so that a release of 100,000 blobs is checked in a few MiB and nothing is read twice. What is kept, walked and
//! named is bounded: small documents that name each other often must not make much work or many rows (threat model J17).

mod documents;
mod walk;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use self::documents::Documents;
use self::walk::Walk;
use super::desired::DesiredState;
use super::feature::Feature;
use super::head::Head;
use super::index::{Blob, Index, TagLine};
use crate::domain::oci::{Descriptor, Document, Kind};
use crate::domain::{Class, Digest, Error, RepositoryName, Result, limits};

/// A checked graph: what can be fetched under which name.
#[derive(Debug)]
pub struct Graph {
    /// What targets shall run, when the release says so: every document and image that it names is in the release.
    pub desired: Option<DesiredState>,
    /// Tag lines with their names parsed.
    pub tags: Vec<TagLine>,
    /// Repositories, ascending.
    pub repositories: Vec<RepositoryName>,
    /// What each repository reaches.
    reached: Vec<Reached>,
    /// Needed blobs that content is copied from and no manifest refers to, ascending: no content of the release.
    pub bases_only: BTreeSet<Digest>,
    /// Manifests and indexes with a subject, each once, whatever number of repositories reaches it.
    pub referrers: Vec<Referrer>,
    /// Digest, size and media type by place.
    places: Vec<(Digest, u64, Option<&'static str>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Reached {
    repository: u32,
    place: u32,
}

/// A blob under a name: content that a repository reaches.
#[derive(Debug, Clone, Copy)]
pub struct NamedBlob<'a> {
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
    /// Its annotations as a JSON object.
    pub annotations: String,
}

impl Graph {
    /// Returns what each repository reaches.
    pub fn contents(&self) -> impl Iterator<Item = NamedBlob<'_>> {
        self.reached.iter().filter_map(|reached| {
            let (digest, size, media_type) = *self.places.get(reached.place as usize)?;
            let repository = self.repositories.get(reached.repository as usize)?;
            Some(NamedBlob {
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
    /// Each once, however often the document holds it.
    edges: Box<[Edge]>,
    about: Option<Box<About>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    annotations: String,
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
    documents: Documents<'a>,
    head: &'a Head,
    /// Features that something needed.
    used: BTreeSet<Feature>,
    early: usize,
    lookup: HashMap<Digest, Place>,
    nodes: BTreeMap<u32, Node>,
    edges: usize,
    annotation_bytes: usize,
}

impl<'a> GraphBuilder<'a> {
    /// Starts with an index and the head that it belongs to.
    ///
    /// # Errors
    ///
    /// `E-CONTENT repeated-digest` when a digest stands in more than one line; `desired-state` when there are two of them.
    pub(super) fn new(index: &'a Index, head: &'a Head) -> Result<Self> {
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
            documents: Documents::new(head)?,
            head,
            used: BTreeSet::new(),
            early: usize::try_from(head.totals.early_blobs).unwrap_or(usize::MAX),
            lookup,
            nodes: BTreeMap::new(),
            edges: 0,
            annotation_bytes: 0,
        })
    }

    /// Whether the check needs the bytes of a blob: manifests, indexes, the desired state and sealed secrets.
    pub(super) fn reads(&self, blob: &Blob) -> bool {
        blob.media_type.is_some() || self.documents.reads(blob)
    }

    /// Takes the bytes of a blob that [`GraphBuilder::reads`] asks for, whose digest was compared before.
    ///
    /// # Errors
    ///
    /// `E-CONTENT` and `E-LIMIT`; `E-FORMAT` for a desired state that is no canonical document.
    pub(super) fn add(&mut self, number: usize, blob: &Blob, bytes: &[u8]) -> Result<()> {
        if self.documents.reads(blob) {
            self.documents.take(blob, bytes)?;
            if self.documents.have_secrets() {
                self.used.insert(Feature::Secrets);
            }
        }
        match blob.media_type {
            Some(media_type) => self.manifest(number, media_type, bytes),
            None => Ok(()),
        }
    }

    fn manifest(&mut self, blob: usize, media_type: &'static str, bytes: &[u8]) -> Result<()> {
        let document = Document::parse_with(bytes, media_type, self.head.layers())?;
        if document.nondistributable {
            self.used.insert(Feature::NondistributableLayers);
        }
        let count = document
            .layers
            .len()
            .saturating_add(document.manifests.len())
            .saturating_add(1);
        count_edges(&mut self.edges, count)?;
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
        edges.sort_unstable();
        edges.dedup();
        if let Some(subject) = &document.subject {
            self.subject(subject)?;
        }
        let about = match document.subject {
            Some(subject) => Some(Box::new(About {
                subject: subject.digest,
                annotations: self.annotations(&document.annotations, document.artifact_type.as_deref())?,
                artifact_type: document.artifact_type,
            })),
            None => None,
        };
        let node = Node {
            kind: document.kind,
            edges: edges.into(),
            about,
        };
        self.nodes.insert(u32::try_from(blob).unwrap_or(u32::MAX), node);
        Ok(())
    }

    /// Writes annotations down as they are kept and listed, beside the artifact type.
    fn annotations(&mut self, annotations: &BTreeMap<String, String>, artifact_type: Option<&str>) -> Result<String> {
        let text = serde_json::to_string(annotations).expect("a map of strings has a JSON form");
        let bytes = text.len().saturating_add(artifact_type.map_or(0, str::len));
        self.annotation_bytes = self.annotation_bytes.saturating_add(bytes);
        if self.annotation_bytes > limits::ANNOTATIONS_BYTES {
            return Err(Error::new(
                Class::Limit,
                "annotations",
                format!(
                    "annotations and artifact types of what refers to images have {} bytes or more",
                    self.annotation_bytes
                ),
            )
            .expected(format!("at most {}", limits::ANNOTATIONS_BYTES))
            .remedy("have the vendor leave some of these documents out, or move what they say into their layers"));
        }
        Ok(text)
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
                let blob = line(&self.index.blobs, n)?;
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
                let need = line(&self.index.needs, n)?;
                check_size(descriptor, need.size, "layer")?;
                Ok(Edge::NeededLayer(n))
            }
            Place::Blob(_) | Place::Absent(_) => Ok(Edge::Layer(self.plain_blob(descriptor, "layer")?)),
        }
    }

    fn child(&self, descriptor: &Descriptor) -> Result<Edge> {
        match self.place(descriptor, "manifest")? {
            Place::Blob(n) => {
                let blob = line(&self.index.blobs, n)?;
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
                let absent = line(&self.index.absent, n)?;
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

    fn subject(&mut self, descriptor: &Descriptor) -> Result<()> {
        if self.head.has(Feature::MissingSubjects) && !self.lookup.contains_key(&descriptor.digest) {
            self.used.insert(Feature::MissingSubjects);
            return Ok(());
        }
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

    /// What a head requires is what the release needs: one way to say it.
    fn features_are_used(&self) -> Result<()> {
        let idle = |feature: &Feature| self.head.has(*feature) && !self.used.contains(feature);
        match Feature::OF_CONTENT.into_iter().find(idle) {
            None => Ok(()),
            Some(feature) => Err(content(
                "requires",
                format!(
                    "the head requires {}, and nothing in the release needs it",
                    feature.name()
                ),
            )),
        }
    }

    /// Checks names, reachability, nesting, and that early and late blobs are exactly those that must be.
    ///
    /// # Errors
    ///
    /// `E-CONTENT` and `E-LIMIT`.
    pub(super) fn finish(self) -> Result<Graph> {
        let mut walk = Walk::new(&self);
        for document in self.documents.entries() {
            match self.lookup.get(&document.digest) {
                Some(Place::Blob(n))
                    if self
                        .index
                        .blobs
                        .get(*n as usize)
                        .is_some_and(|blob| blob.size == document.size) =>
                {
                    walk.use_early(*n);
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
        let bases_only = walk.needs_of_no_manifest().collect();
        self.features_are_used()?;
        self.documents.check(&walk)?;
        let blobs = self
            .index
            .blobs
            .iter()
            .map(|blob| (blob.digest, blob.size, blob.media_type));
        let needs = self.index.needs.iter().map(|need| (need.digest, need.size, None));
        let places = blobs.chain(needs).collect();
        let Walk {
            tags,
            repositories,
            reached,
            referrers,
            ..
        } = walk;
        Ok(Graph {
            desired: self.documents.into_desired(),
            tags,
            repositories,
            reached,
            bases_only,
            referrers,
            places,
        })
    }
}

/// Counts references that are kept or followed.
fn count_edges(edges: &mut usize, more: usize) -> Result<()> {
    *edges = edges.saturating_add(more);
    if *edges > limits::EDGES {
        return Err(Error::new(
            Class::Limit,
            "edges",
            format!("the release has {edges} references or more, each counted for every repository that leads to it"),
        )
        .expected(format!("at most {}", limits::EDGES))
        .remedy("have the vendor make several releases of it, or name its images in fewer repositories"));
    }
    Ok(())
}

/// A line of the index by a number from the lookup.
fn line<T>(lines: &[T], n: u32) -> Result<&T> {
    lines
        .get(n as usize)
        .ok_or_else(|| Error::new(Class::Internal, "lookup", "a place lies outside the index"))
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
