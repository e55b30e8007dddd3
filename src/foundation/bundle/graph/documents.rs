//! Release documents against the graph: what the desired state names must travel with it (SPEC section 11).
//!
//! The appliance parses no compose file and unpacks no chart. It believes the signed document that lists their images, and makes
//! sure that every one of these is there: a site that activates the release has all of it, or refuses the bundle.

use std::collections::{BTreeMap, BTreeSet};

use super::walk::Walk;
use super::{Place, Reached};
use crate::bundle::desired::{AgentVersion, Deployment, DesiredState, HelmDeployment, ImageName, wrong};
use crate::bundle::feature::Feature;
use crate::bundle::head::{DocumentEntry, Head, unsaid_secrets};
use crate::bundle::index::Blob;
use crate::crypto::SealedSecrets;
use crate::domain::{Class, Digest, DocumentType, Error, Result, limits};

/// Most absent images, or large deployments, that an error names.
const NAMED: usize = 10;

/// The documents of a head, and the desired state once its bytes passed.
#[derive(Debug)]
pub(super) struct Documents<'a> {
    head: &'a Head,
    /// The entry that is the desired state.
    place: Option<&'a DocumentEntry>,
    desired: Option<DesiredState>,
}

impl<'a> Documents<'a> {
    /// Starts with the documents of a head.
    ///
    /// # Errors
    ///
    /// `E-CONTENT desired-state` when two of them are one.
    pub(super) fn new(head: &'a Head) -> Result<Self> {
        let mut desired = head
            .documents
            .iter()
            .filter(|entry| entry.kind == DocumentType::DesiredState);
        let place = desired.next();
        if desired.next().is_some() {
            return Err(wrong("the release has two desired states".into(), "at most one"));
        }
        Ok(Self {
            head,
            place,
            desired: None,
        })
    }

    /// Returns the documents of the head.
    pub(super) fn entries(&self) -> &'a [DocumentEntry] {
        &self.head.documents
    }

    /// Whether the bytes of a blob are needed to check the release. One of another size than the head states, which bounds it,
    /// is not asked for: it will be refused.
    pub(super) fn reads(&self, blob: &Blob) -> bool {
        self.entries().iter().any(|entry| is_read(entry, blob))
    }

    /// Takes the bytes of a document that [`Documents::reads`] asks for, whose digest was compared before.
    ///
    /// # Errors
    ///
    /// As [`DesiredState::parse`] and [`DesiredState::check_derived`]; `E-LIMIT rendered`; `E-CONTENT secrets`.
    pub(super) fn take(&mut self, blob: &Blob, bytes: &[u8]) -> Result<()> {
        for entry in self.entries().iter().filter(|entry| is_read(entry, blob)) {
            if entry.kind == DocumentType::Secrets {
                SealedSecrets::check_form(bytes)?;
            } else {
                self.take_desired(bytes)?;
            }
        }
        Ok(())
    }

    /// Whether sealed secrets are among them, or a deployment that was read uses secrets.
    pub(super) fn have_secrets(&self) -> bool {
        let uses = |desired: &DesiredState| desired.secrets().next().is_some();
        self.entries().iter().any(|entry| entry.kind == DocumentType::Secrets)
            || self.desired.as_ref().is_some_and(uses)
    }

    fn take_desired(&mut self, bytes: &[u8]) -> Result<()> {
        let desired = DesiredState::parse(bytes)?;
        desired.check_derived(&self.head.scope())?;
        self.check_rendered(&desired)?;
        self.desired = Some(desired);
        Ok(())
    }

    /// Bounds what agents are answered with: small documents named often make large answers.
    fn check_rendered(&self, desired: &DesiredState) -> Result<()> {
        let sizes: BTreeMap<(DocumentType, Digest), u64> = self
            .entries()
            .iter()
            .map(|entry| ((entry.kind, entry.digest), entry.size))
            .collect();
        let size_of = |deployment: &Deployment| {
            let sizes = deployment.documents().filter_map(|named| sizes.get(&named));
            sizes.fold(0, |sum: u64, size| sum.saturating_add(*size))
        };
        let (mut whole, mut over): (u64, Vec<Large<'_>>) = (0, Vec::new());
        for target in &desired.targets {
            let size = target
                .deployments
                .iter()
                .map(size_of)
                .fold(0, |sum: u64, size| sum.saturating_add(size));
            if size > limits::TARGET_RENDERED_BYTES {
                over.extend(target.deployments.iter().map(|deployment| Large {
                    size: size_of(deployment),
                    target: &target.name,
                    deployment,
                }));
            }
            whole = whole.saturating_add(size);
        }
        if !over.is_empty() {
            return Err(rendered(over, "one target", limits::TARGET_RENDERED_BYTES));
        }
        if whole > limits::RENDERED_BYTES {
            let all = desired.deployments().map(|(target, deployment)| Large {
                size: size_of(deployment),
                target: &target.name,
                deployment,
            });
            return Err(rendered(all.collect(), "all targets", limits::RENDERED_BYTES));
        }
        Ok(())
    }

    /// Checks that the desired state and the release name each other's documents, and that every image and chart is there.
    ///
    /// # Errors
    ///
    /// `E-CONTENT desired-state` or `image`; `E-FORMAT requires`.
    pub(super) fn check(&self, walk: &Walk<'_>) -> Result<()> {
        if self.place.is_some() && self.desired.is_none() {
            return Err(wrong(
                "the desired state was not carried as a document".into(),
                "it among the first blobs, with the size that the head states",
            ));
        }
        let nothing = DesiredState::default();
        let desired = self.desired.as_ref().unwrap_or(&nothing);
        self.same_documents(desired)?;
        if self.have_secrets() && !self.head.has(Feature::Secrets) {
            return Err(unsaid_secrets());
        }
        let mut absent: BTreeSet<&ImageName> = desired
            .agents
            .iter()
            .flat_map(AgentVersion::images)
            .filter(|image| !reaches(walk, image))
            .collect();
        for (_, deployment) in desired.deployments() {
            absent.extend(deployment.images.iter().filter(|image| !reaches(walk, image)));
            if let Some(helm) = &deployment.helm {
                let chart = chart(walk, helm)?;
                if !deployment.images.contains(&chart) {
                    return Err(image(format!(
                        "deployment {} does not list its chart {}@{} among its images",
                        deployment.id, chart.repository, chart.digest
                    )));
                }
            }
        }
        if absent.is_empty() {
            return Ok(());
        }
        let mut list: Vec<String> = absent
            .iter()
            .take(NAMED)
            .map(|image| format!("{}@{}", image.repository, image.digest))
            .collect();
        if let Some(more) = absent.len().checked_sub(NAMED).filter(|more| *more > 0) {
            list.push(format!("{more} more"));
        }
        Err(image(format!(
            "targets need images that the release does not carry: {}",
            list.join(", ")
        )))
    }

    /// Every compose file, environment file and values document is named, with its type, and every name is one of them.
    fn same_documents(&self, desired: &DesiredState) -> Result<()> {
        let named: BTreeSet<(DocumentType, Digest)> = desired
            .deployments()
            .flat_map(|(_, deployment)| deployment.documents())
            .collect();
        let carried: BTreeSet<(DocumentType, Digest)> = self
            .entries()
            .iter()
            .map(|entry| (entry.kind, entry.digest))
            .filter(|(kind, _)| matches!(kind, DocumentType::Compose | DocumentType::Env | DocumentType::Values))
            .collect();
        if let Some((kind, digest)) = named.difference(&carried).next() {
            return Err(wrong(
                format!("a deployment names {digest}, which is no document of type {kind} of this release"),
                "a document of that type for every one that is named",
            ));
        }
        if let Some((kind, digest)) = carried.difference(&named).next() {
            return Err(wrong(
                format!("no deployment names the {kind} document {digest}"),
                "only documents that deployments name",
            ));
        }
        Ok(())
    }

    /// Gives the desired state up.
    pub(super) fn into_desired(self) -> Option<DesiredState> {
        self.desired
    }
}

/// Whether an entry is read to check the release, and a blob is what it names.
fn is_read(entry: &DocumentEntry, blob: &Blob) -> bool {
    matches!(entry.kind, DocumentType::DesiredState | DocumentType::Secrets)
        && entry.digest == blob.digest
        && entry.size == blob.size
}

/// Whether a repository of the release reaches an image: a manifest or an index.
fn reaches(walk: &Walk<'_>, image: &ImageName) -> bool {
    let builder = walk.builder;
    let Some(Place::Blob(place)) = builder.lookup.get(&image.digest).copied() else {
        return false;
    };
    let Ok(repository) = walk.repositories.binary_search(&image.repository) else {
        return false;
    };
    let reached = Reached {
        repository: u32::try_from(repository).unwrap_or(u32::MAX),
        place,
    };
    builder.nodes.contains_key(&place) && walk.reached.binary_search(&reached).is_ok()
}

/// Finds a chart by the tag under which agents ask for it.
fn chart(walk: &Walk<'_>, helm: &HelmDeployment) -> Result<ImageName> {
    let key = (&helm.chart, Some(&helm.tag));
    let at = walk
        .tags
        .partition_point(|line| (&line.repository, line.tag.as_ref()) < key);
    walk.tags
        .get(at)
        .filter(|line| (&line.repository, line.tag.as_ref()) == key)
        .map(|line| ImageName {
            digest: line.digest,
            repository: line.repository.clone(),
        })
        .ok_or_else(|| {
            image(format!(
                "the release does not carry the chart {}:{}",
                helm.chart, helm.tag
            ))
        })
}

/// A deployment among those whose documents are too large together.
struct Large<'a> {
    size: u64,
    target: &'a str,
    deployment: &'a Deployment,
}

/// Lists the deployments, those with the largest documents first.
fn rendered(mut over: Vec<Large<'_>>, whose: &str, most: u64) -> Error {
    over.sort_by_key(|large| (std::cmp::Reverse(large.size), large.deployment.id));
    let mut list: Vec<String> = over
        .iter()
        .take(NAMED)
        .map(|large| {
            let Deployment { application, id, .. } = large.deployment;
            format!("{application} on {:?} ({id}) with {} bytes", large.target, large.size)
        })
        .collect();
    if let Some(more) = over.len().checked_sub(NAMED).filter(|more| *more > 0) {
        list.push(format!("{more} more"));
    }
    Error::new(
        Class::Limit,
        "rendered",
        format!(
            "the documents of these deployments, each counted as often as it is named, are too much to answer agents with: {}",
            list.join(", ")
        ),
    )
    .expected(format!("at most {most} bytes for the deployments of {whose}"))
    .remedy("make these documents smaller, or share the deployments out over more targets and releases, at the vendor")
}

fn image(found: String) -> Error {
    Error::new(Class::Content, "image", found)
        .remedy("have the vendor build the bundle again; it must carry everything that its targets need")
}
