//! The walk from the names down: grammar, reachability, nesting, and the tags by which tools find what refers to an image.

use std::collections::{HashMap, HashSet};

use super::{EDGES, Edge, GraphBuilder, Node, Place, Reached, Referrer, Uses, content};
use crate::bundle::index::TagLine;
use crate::domain::oci::Kind;
use crate::domain::{Class, Digest, Error, RepositoryName, Result, Tag, limits};

/// The walk from the names down.
pub(super) struct Walk<'a> {
    pub(super) builder: &'a GraphBuilder<'a>,
    pub(super) tags: Vec<TagLine>,
    pub(super) repositories: Vec<RepositoryName>,
    /// Ascending: repositories come in order, and the places of each are sorted.
    pub(super) reached: Vec<Reached>,
    pub(super) referrers: Vec<Referrer>,
    pub(super) uses: HashMap<u32, Uses>,
    used_needs: HashSet<u32>,
    used_absent: HashSet<u32>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(builder: &'a GraphBuilder<'a>) -> Self {
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
    pub(super) fn names(&mut self) -> Result<()> {
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

    pub(super) fn everything_is_used(&self) -> Result<()> {
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
