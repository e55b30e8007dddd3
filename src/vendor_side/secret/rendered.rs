//! What documents become once values are in them, as far as the vendor knows the values: agents of no site are told more than they may be.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use crate::bundle::desired::{Deployment, DesiredState, SecretSource, Target};
use crate::bundle::{Places, SecretForm};
use crate::crypto::SealedSecret;
use crate::domain::{Class, Digest, DocumentType, Error, Hash, Result, SecretName, SiteId, limits};

/// Deployments that one refusal names.
const NAMED: usize = 10;

/// The documents of a release, and how often each has a place for each secret.
pub(super) struct Rendered<'a> {
    desired: &'a DesiredState,
    documents: HashMap<Digest, Places>,
}

/// A value that is sealed, and how long it is in each form.
struct Known<'a> {
    secret: &'a SealedSecret,
    compose: usize,
    environment: usize,
    values: usize,
}

impl Known<'_> {
    fn is_for(&self, name: &SecretName, target: &Target) -> bool {
        let SealedSecret { name: own, targets, .. } = self.secret;
        own == name && (targets.is_empty() || targets.contains(&target.id))
    }
}

impl<'a> Rendered<'a> {
    /// Looks for the places that the documents of a release have.
    pub(super) fn new(desired: &'a DesiredState, documents: &[(DocumentType, Vec<u8>)]) -> Self {
        let has_secrets = desired.secrets().next().is_some();
        let found = documents
            .iter()
            .filter(|_| has_secrets)
            .map(|(_, bytes)| (Digest(Hash(Sha256::digest(bytes).into())), Places::of(bytes)));
        Self {
            desired,
            documents: found.collect(),
        }
    }

    /// Checks what the targets of a site get with the values that are sealed to it, and with generated ones of the stated length; of what
    /// is entered at the site nothing is known. Without a site: what every site gets.
    ///
    /// # Errors
    ///
    /// `E-LIMIT rendered`, with the deployments.
    pub(super) fn check(&self, site: Option<(&SiteId, &str)>, sealed: &[SealedSecret]) -> Result<()> {
        let known: Vec<Known<'_>> = sealed
            .iter()
            .map(|secret| {
                let bytes = |form: SecretForm| form.written_bytes(secret.value.as_str());
                Known {
                    secret,
                    compose: bytes(SecretForm::Compose),
                    environment: bytes(SecretForm::Environment),
                    values: bytes(SecretForm::Values),
                }
            })
            .collect();
        for target in &self.desired.targets {
            let stands_there = match (&target.site, site) {
                (Some(own), Some((site, _))) => own == site,
                (Some(_), None) => false,
                (None, _) => true,
            };
            if !stands_there
                || target
                    .deployments
                    .iter()
                    .all(|deployment| deployment.secrets().is_empty())
            {
                continue;
            }
            let mut sizes: Vec<(u64, &Deployment)> = Vec::new();
            let mut is_over = false;
            for deployment in &target.deployments {
                let mut sum = 0_u64;
                for (kind, digest) in deployment.documents() {
                    let bytes = self.bytes(kind, &digest, deployment, target, &known);
                    is_over |= bytes > limits::MANIFEST_BYTES;
                    sum = sum.saturating_add(bytes);
                }
                sizes.push((sum, deployment));
            }
            let whole = sizes.iter().map(|(size, _)| *size).fold(0, u64::saturating_add);
            if is_over || whole > limits::TARGET_RENDERED_BYTES {
                return Err(too_large(sizes, target, site.map(|(_, name)| name)));
            }
        }
        Ok(())
    }

    /// Counts as the appliance does before it answers: each place gets longer or stays as it is.
    fn bytes(
        &self,
        kind: DocumentType,
        digest: &Digest,
        deployment: &Deployment,
        target: &Target,
        known: &[Known<'_>],
    ) -> u64 {
        let Some(document) = self.documents.get(digest) else {
            return 0;
        };
        let mut bytes = document.bytes(0, 0);
        for secret in deployment.secrets() {
            let value = match secret.source {
                SecretSource::Ask => 0,
                SecretSource::Generate => usize::try_from(secret.length()).unwrap_or(usize::MAX),
                SecretSource::Sealed => {
                    known
                        .iter()
                        .find(|value| value.is_for(&secret.name, target))
                        .map_or(0, |value| match kind {
                            DocumentType::Compose => value.compose,
                            DocumentType::Env => value.environment,
                            _ => value.values,
                        })
                }
            };
            bytes = bytes.saturating_add(document.added(&secret.name, value));
        }
        bytes
    }
}

/// Lists the deployments of a target, the largest first.
fn too_large(mut sizes: Vec<(u64, &Deployment)>, target: &Target, site: Option<&str>) -> Error {
    sizes.sort_by_key(|(size, deployment)| (std::cmp::Reverse(*size), deployment.id));
    let mut list: Vec<String> = sizes
        .iter()
        .take(NAMED)
        .map(|(size, deployment)| format!("{} with {size} bytes", deployment.application))
        .collect();
    if let Some(more) = sizes.len().checked_sub(NAMED).filter(|more| *more > 0) {
        list.push(format!("{more} more"));
    }
    let at = site.map(|site| format!(" at the site {site}")).unwrap_or_default();
    Error::new(
        Class::Limit,
        "rendered",
        format!(
            "with the values of their secrets the documents of {:?}{at} are too much to answer its agent with: {}",
            target.name,
            list.join(", ")
        ),
    )
    .expected(format!(
        "at most {} bytes a document, and {} a target",
        limits::MANIFEST_BYTES,
        limits::TARGET_RENDERED_BYTES
    ))
    .remedy("make the values shorter, or name them in fewer places, or share the deployments out over more targets")
}
