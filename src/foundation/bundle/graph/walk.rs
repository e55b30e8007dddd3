//! The walk from the names down: grammar, reachability, nesting, and the tags by which tools find what refers to an image.
//!
//! What belongs to a document whoever names it (nesting, uses, subject) is found level by level over all names together, each document
//! once a level. What each repository reaches is found for each by itself, and counted.

use std::collections::{BTreeSet, HashSet};

use super::{Edge, GraphBuilder, Node, Place, Reached, Referrer, Uses, content, count_edges};
use crate::bundle::index::TagLine;
use crate::bundle::index_lines::RawTag;
use crate::domain::oci::Kind;
use crate::domain::{Class, Digest, Error, FILES_HOST, RepositoryName, Result, Scope, Tag, limits, may_be_named};

/// The walk from the names down.
pub(super) struct Walk<'a> {
    pub(super) builder: &'a GraphBuilder<'a>,
    scope: Scope,
    pub(super) tags: Vec<TagLine>,
    pub(super) repositories: Vec<RepositoryName>,
    /// Ascending: repositories come in order, and the places of each are sorted.
    pub(super) reached: Vec<Reached>,
    pub(super) referrers: Vec<Referrer>,
    /// By place in the index.
    uses: Vec<Uses>,
    used_needs: HashSet<u32>,
    used_absent: HashSet<u32>,
    /// References followed, over all repositories.
    followed: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(builder: &'a GraphBuilder<'a>) -> Self {
        Self {
            builder,
            scope: builder.head.scope(),
            tags: Vec::with_capacity(builder.index.tags.len()),
            repositories: Vec::new(),
            reached: Vec::new(),
            referrers: Vec::new(),
            uses: vec![Uses::default(); builder.index.blobs.len()],
            used_needs: HashSet::new(),
            used_absent: HashSet::new(),
            followed: 0,
        }
    }

    /// Says that a blob is used as a document, manifest or config.
    pub(super) fn use_early(&mut self, n: u32) {
        if let Some(uses) = self.uses.get_mut(n as usize) {
            uses.early = true;
        }
    }

    /// Parses names, and follows them down: all together, then repository by repository.
    pub(super) fn names(&mut self) -> Result<()> {
        let mut places = Vec::with_capacity(self.builder.index.tags.len());
        for raw in &self.builder.index.tags {
            let line = self.line(raw)?;
            places.push(self.target(&line)?);
            self.tags.push(line);
        }
        self.levels(places.iter().copied().collect())?;
        let tags = std::mem::take(&mut self.tags);
        let mut rest = places.as_slice();
        for of_one in tags.chunk_by(|a, b| a.repository == b.repository) {
            let (roots, more) = rest.split_at(of_one.len());
            rest = more;
            self.repository(of_one, roots)?;
        }
        self.tags = tags;
        Ok(())
    }

    fn line(&self, raw: &RawTag) -> Result<TagLine> {
        let name = |error: crate::domain::ParseNameError| content("name", error.to_string()).with_source(error);
        let repository: RepositoryName = raw.repository.parse().map_err(name)?;
        let tag: Option<Tag> = raw.tag.as_deref().map(str::parse).transpose().map_err(name)?;
        if !may_be_named(&self.scope, &repository) {
            let found = format!("{repository} is the name of a plain file of another product, channel or vendor");
            let own = format!(
                "{FILES_HOST}/{}/{}/ before the names of its files",
                self.scope.domain, self.scope
            );
            return Err(content("file-name", found).expected(own));
        }
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
        Ok(TagLine {
            digest: raw.digest,
            media_type: raw.media_type.clone(),
            repository,
            size: raw.size,
            tag,
        })
    }

    /// Finds the manifest that a name stands for.
    fn target(&self, line: &TagLine) -> Result<u32> {
        let blob = match self.builder.lookup.get(&line.digest) {
            Some(Place::Blob(n)) => self.builder.index.blobs.get(*n as usize).map(|blob| (*n, blob)),
            _ => None,
        };
        blob.filter(|(_, blob)| blob.size == line.size && blob.media_type == Some(line.media_type.as_str()))
            .map(|(n, _)| n)
            .ok_or_else(|| {
                content(
                    "name-target",
                    format!(
                        "{} names {}, which is not carried as the manifest it is said to be",
                        line.repository, line.digest
                    ),
                )
            })
    }

    /// Follows all names at once. A document may stand on several levels; only the deepest can break the limit.
    fn levels(&mut self, roots: BTreeSet<u32>) -> Result<()> {
        let mut seen: HashSet<u32> = HashSet::with_capacity(self.builder.nodes.len());
        let mut level = roots;
        for depth in 1_usize.. {
            let Some(first) = level.first() else { break };
            if depth > limits::MANIFEST_NESTING {
                let blob = self.builder.index.blobs.get(*first as usize);
                let which = blob.map_or_else(String::new, |blob| format!(", {} among them", blob.digest));
                return Err(Error::new(
                    Class::Limit,
                    "nesting",
                    format!("documents are nested deeper than {}{which}", limits::MANIFEST_NESTING),
                )
                .expected(format!("at most {} levels below a name", limits::MANIFEST_NESTING))
                .remedy("have the vendor name the inner indexes themselves"));
            }
            let mut next = BTreeSet::new();
            for n in level {
                let node = self.node(n)?;
                if seen.insert(n) {
                    self.visit(n, node);
                }
                next.extend(children(node));
            }
            level = next;
        }
        Ok(())
    }

    /// Takes note of what a document is, and of what it uses.
    fn visit(&mut self, n: u32, node: &Node) {
        self.use_early(n);
        let blob = self.builder.index.blobs.get(n as usize);
        if let (Some(about), Some(blob)) = (&node.about, blob)
            && let Some(media_type) = blob.media_type
        {
            self.referrers.push(Referrer {
                subject: about.subject,
                digest: blob.digest,
                size: blob.size,
                media_type,
                artifact_type: about.artifact_type.clone(),
                annotations: about.annotations.clone(),
            });
        }
        for edge in &node.edges {
            match edge {
                Edge::Config(n) => self.use_early(*n),
                Edge::Layer(n) => {
                    if let Some(uses) = self.uses.get_mut(*n as usize) {
                        uses.layer = true;
                    }
                }
                Edge::NeededLayer(n) => {
                    self.used_needs.insert(*n);
                }
                Edge::Child(_) => {}
                Edge::AbsentChild(n) => {
                    self.used_absent.insert(*n);
                }
            }
        }
    }

    /// Finds what a repository reaches.
    fn repository(&mut self, tags: &[TagLine], roots: &[u32]) -> Result<()> {
        let Some(repository) = tags.first().map(|tag| tag.repository.clone()) else {
            return Ok(());
        };
        let index = self.builder.index;
        let needs_start = u32::try_from(index.blobs.len()).unwrap_or(u32::MAX);
        let mut manifests: HashSet<Digest> = HashSet::new();
        let mut found: HashSet<u32> = HashSet::new();
        let mut stack = roots.to_vec();
        while let Some(n) = stack.pop() {
            if !found.insert(n) {
                continue;
            }
            let node = self.node(n)?;
            count_edges(&mut self.followed, node.edges.len().saturating_add(1))?;
            manifests.extend(index.blobs.get(n as usize).map(|blob| blob.digest));
            for edge in &node.edges {
                match edge {
                    Edge::Config(n) | Edge::Layer(n) => {
                        found.insert(*n);
                    }
                    Edge::NeededLayer(n) => {
                        found.insert(needs_start.saturating_add(*n));
                    }
                    Edge::Child(child) => stack.push(*child),
                    Edge::AbsentChild(n) => {
                        manifests.extend(index.absent.get(*n as usize).map(|absent| absent.digest));
                    }
                }
            }
            self.check_names(found.len())?;
        }
        self.check_conventions(tags, &manifests)?;
        let number = u32::try_from(self.repositories.len()).unwrap_or(u32::MAX);
        let mut places: Vec<u32> = found.into_iter().collect();
        places.sort_unstable();
        self.reached.extend(places.into_iter().map(|place| Reached {
            repository: number,
            place,
        }));
        self.repositories.push(repository);
        Ok(())
    }

    /// Bounds the pairs of repository and content by what the release carries.
    fn check_names(&self, more: usize) -> Result<()> {
        let index = self.builder.index;
        let lines = [index.tags.len(), index.needs.len(), index.blobs.len()]
            .into_iter()
            .fold(0, usize::saturating_add);
        let most = limits::NAMES.saturating_add(lines.saturating_mul(limits::NAMES_PER_LINE));
        let pairs = self.reached.len().saturating_add(more);
        if pairs > most {
            return Err(Error::new(
                Class::Limit,
                "names",
                format!("the release has {pairs} pairs of repository and content or more"),
            )
            .expected(format!(
                "at most {most} for the {lines} tags, needs and blobs of its index"
            ))
            .remedy("have the vendor name the same images in fewer repositories"));
        }
        Ok(())
    }

    fn node(&self, n: u32) -> Result<&'a Node> {
        let builder = self.builder;
        builder
            .nodes
            .get(&n)
            .ok_or_else(|| content("unlisted", "a manifest was not read".into()))
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

    /// Needs that no manifest refers to.
    pub(super) fn needs_of_no_manifest(&self) -> impl Iterator<Item = Digest> {
        let needs = (0_u32..).zip(&self.builder.index.needs);
        let unused = needs.filter(|(n, _)| !self.used_needs.contains(n));
        unused.map(|(_, need)| need.digest)
    }

    /// Every line is for something: what nothing refers to is no content of the release, but for what it is copied from.
    pub(super) fn everything_is_used(&self) -> Result<()> {
        let index = self.builder.index;
        for (n, blob) in (0_u32..).zip(&index.blobs) {
            let uses = self.uses.get(n as usize).copied().unwrap_or_default();
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
        let bases: HashSet<u32> = index.bases.needs().collect();
        let is_unused = |n: &u32| !self.used_needs.contains(n) && !bases.contains(n);
        if let Some((_, need)) = (0_u32..).zip(&index.needs).find(|(n, _)| is_unused(n)) {
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

/// Returns the documents that an index carries.
fn children(node: &Node) -> impl Iterator<Item = u32> {
    node.edges.iter().filter_map(|edge| match edge {
        Edge::Child(child) => Some(*child),
        _ => None,
    })
}
