//! Release documents against the graph: what the desired state names must travel with it (SPEC section 11).
//!
//! The appliance parses no compose file and unpacks no chart. It believes the signed document that lists their images, and makes
//! sure that every one of these is there: a site that activates the release has all of it, or refuses the bundle.

use std::collections::{BTreeMap, BTreeSet};

use super::walk::Walk;
use super::{Place, Reached};
use crate::bundle::desired::{AgentVersion, Deployment, DesiredState, HelmDeployment, ImageName};
use crate::bundle::head::{DocumentEntry, Head};
use crate::bundle::index::Blob;
use crate::domain::{Class, Digest, DocumentType, Error, Result, limits};

/// Most absent images that an error names.
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
            return Err(wrong("the release has two desired states".into()).expected("at most one"));
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
        self.place
            .is_some_and(|entry| entry.digest == blob.digest && entry.size == blob.size)
    }

    /// Takes the bytes of a document that [`Documents::reads`] asks for, whose digest was compared before.
    ///
    /// # Errors
    ///
    /// As [`DesiredState::parse`] and [`DesiredState::check_derived`]; `E-LIMIT rendered`.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<()> {
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
        let mut whole: u64 = 0;
        for target in &desired.targets {
            let size = target
                .deployments
                .iter()
                .flat_map(Deployment::documents)
                .filter_map(|named| sizes.get(&named))
                .fold(0, |sum: u64, size| sum.saturating_add(*size));
            if size > limits::TARGET_RENDERED_BYTES {
                return Err(rendered(
                    &format!("the deployments of target {:?} ({}) name", target.name, target.id),
                    size,
                    limits::TARGET_RENDERED_BYTES,
                ));
            }
            whole = whole.saturating_add(size);
        }
        if whole > limits::RENDERED_BYTES {
            return Err(rendered(
                "the deployments of all targets name",
                whole,
                limits::RENDERED_BYTES,
            ));
        }
        Ok(())
    }

    /// Checks that the desired state and the release name each other's documents, and that every image and chart is there.
    ///
    /// # Errors
    ///
    /// `E-CONTENT desired-state` or `image`.
    pub(super) fn check(&self, walk: &Walk<'_>) -> Result<()> {
        if self.place.is_some() && self.desired.is_none() {
            return Err(wrong("the desired state was not carried as a document".into()));
        }
        let nothing = DesiredState::default();
        let desired = self.desired.as_ref().unwrap_or(&nothing);
        self.same_documents(desired)?;
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
            return Err(wrong(format!(
                "a deployment names {digest}, which is no document of type {kind} of this release"
            )));
        }
        if let Some((kind, digest)) = carried.difference(&named).next() {
            return Err(wrong(format!("no deployment names the {kind} document {digest}")));
        }
        Ok(())
    }

    /// Gives the desired state up.
    pub(super) fn into_desired(self) -> Option<DesiredState> {
        self.desired
    }
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

fn rendered(whose: &str, size: u64, most: u64) -> Error {
    Error::new(
        Class::Limit,
        "rendered",
        format!("{whose} {size} bytes of documents, each counted as often as it is named"),
    )
    .expected(format!("at most {most}"))
    .remedy("have the vendor make these documents smaller, or share them out over more targets and releases")
}

fn wrong(found: String) -> Error {
    Error::new(Class::Content, "desired-state", found)
        .expected("a desired state and documents that name each other, each carried once")
        .remedy("correct it where the release is made; at a site, ask the vendor for a corrected bundle")
}

fn image(found: String) -> Error {
    Error::new(Class::Content, "image", found)
        .remedy("have the vendor build the bundle again; it must carry everything that its targets need")
}
