//! What a value would make of the documents that agents get, before it counts: what is too large for an agent is refused when a person
//! can still give another value, and not when its agent asks.
//!
//! Of the address that stands in documents only serving knows how long it is: the longest one is counted here, so that what is taken here
//! is served.

use std::sync::Arc;

use super::stated;
use super::uses::{Decided, NeededSecret, OfTarget, Place};
use super::vault::Vault;
use crate::appliance::state::Appliance;
use crate::bundle::desired::{Deployment, Target};
use crate::bundle::{SecretForm, Substitution};
use crate::db::site::kept_secrets;
use crate::db::site::release::{ReleaseRow, State};
use crate::domain::{Class, DocumentType, Error, Result, Scope, SecretName, SecretValue, Uuid, limits};

/// Longest address: a host name, a colon, a port.
const ADDRESS: usize = 253 + 1 + 5;
/// As long as the name of every project.
const PROJECT: &str = "distr-00000000";

/// A value that is to count, and for what.
pub(super) struct Offered<'a> {
    pub(super) scope: &'a Scope,
    pub(super) place: Place,
    pub(super) value: &'a SecretValue,
}

impl Offered<'_> {
    /// Checks what the live release of the scope, and the newest one where it waits, would tell agents of this site with the value. What
    /// lacks other values, or has some that cannot be read, is counted without them.
    ///
    /// # Errors
    ///
    /// `E-LIMIT rendered`, with the target and its deployments; `E-STATE` when what a release says cannot be read; those of the database.
    pub(super) fn check(&self, appliance: &Appliance) -> Result<()> {
        let own = appliance.releases()?.into_iter().filter(|one| one.scope == *self.scope);
        let told = |(place, release): &(usize, ReleaseRow)| {
            release.state == State::Active || (*place == 0 && release.state == State::Available && release.waits)
        };
        for (_, release) in own.enumerate().filter(told) {
            self.check_release(appliance, &release)?;
        }
        Ok(())
    }

    fn check_release(&self, appliance: &Appliance, release: &ReleaseRow) -> Result<()> {
        let Some(document) = stated::document(appliance, release)? else {
            return Ok(());
        };
        // What cannot be opened is not served either, and told where it is looked for.
        let sealed = stated::sealed_for_site(appliance, release, &document).unwrap_or_default();
        let (decided, kept) = appliance
            .db
            .read(|connection| Ok((Decided::read(connection)?, kept_secrets::list(connection)?)))?;
        let vault = Vault::new(appliance.folder(), self.scope, &kept, sealed);
        let gone = |id: &_| decided.owners.removed_here(self.scope, id);
        let here = |target: &&Target| target.site.as_ref().is_none_or(|at| at == appliance.site()) && !gone(&target.id);
        for target in document.state.targets.iter().filter(here) {
            let signed = OfTarget {
                id: target.id,
                name: target.name.clone(),
                template: None,
            };
            let locals = decided
                .locals
                .iter()
                .filter(|local| local.template == target.id && !gone(&local.id));
            let made_here = locals.map(|local| OfTarget {
                id: local.id,
                name: local.name.clone(),
                template: Some(local.template),
            });
            for of in std::iter::once(signed).chain(made_here) {
                let known_as = |id| match of.template {
                    Some(_) => Uuid::of_local_deployment(of.id, id),
                    None => id,
                };
                let deployments: Vec<&Deployment> = target
                    .deployments
                    .iter()
                    .filter(|deployment| !gone(&known_as(deployment.id)))
                    .collect();
                self.check_target(appliance, &deployments, &of, &vault)?;
            }
        }
        Ok(())
    }

    fn check_target(
        &self,
        appliance: &Appliance,
        deployments: &[&Deployment],
        of: &OfTarget,
        vault: &Vault,
    ) -> Result<()> {
        if !deployments.iter().any(|deployment| self.is_used(deployment, of)) {
            return Ok(());
        }
        let (mut whole, mut largest) = (0_u64, 0_u64);
        for deployment in deployments {
            let values = self.values(deployment, of, vault);
            for (kind, digest) in deployment.documents() {
                // A damaged one is not served either, and told with its release.
                let Ok(bytes) = appliance.store.read(&digest, limits::MANIFEST_BYTES) else {
                    continue;
                };
                let size = bytes.len().saturating_add(substitution(kind, &values).added(&bytes)) as u64;
                whole = whole.saturating_add(size);
                largest = largest.max(size);
            }
        }
        if largest <= limits::MANIFEST_BYTES && whole <= limits::TARGET_RENDERED_BYTES {
            return Ok(());
        }
        let command = appliance.secret_command("set --replace", self.scope, (&self.place.0, self.place.1))?;
        Err(Error::new(
            Class::Limit,
            "rendered",
            format!(
                "with this value of {} what target {:?} shall run has up to {whole} bytes, {largest} of them in one document",
                self.place.0, of.name
            ),
        )
        .expected(format!(
            "at most {} bytes a document, and {} a target",
            limits::MANIFEST_BYTES,
            limits::TARGET_RENDERED_BYTES
        ))
        .remedy(format!("nothing was changed: give a shorter value with `{command}`")))
    }

    fn is_used(&self, deployment: &Deployment, of: &OfTarget) -> bool {
        deployment.secrets().iter().any(|used| {
            let target = used.per_target.then_some(of.id);
            used.name == self.place.0 && target == self.place.1
        })
    }

    /// The values of a deployment, as far as they are here.
    fn values(&self, deployment: &Deployment, of: &OfTarget, vault: &Vault) -> Vec<(SecretName, Known<'_>)> {
        let known = |needed: &NeededSecret| {
            if needed.place() == self.place {
                return Some(Known::Offered(self.value));
            }
            vault.value(needed).ok().flatten().map(Known::Here)
        };
        let secrets = deployment.secrets().iter().map(|used| NeededSecret {
            name: used.name.clone(),
            target: used.per_target.then(|| of.clone()),
            declared: used.clone(),
            used_by: Vec::new(),
        });
        secrets
            .filter_map(|needed| Some((needed.name.clone(), known(&needed)?)))
            .collect()
    }
}

enum Known<'a> {
    Offered(&'a SecretValue),
    Here(Arc<SecretValue>),
}

impl Known<'_> {
    fn value(&self) -> &SecretValue {
        match self {
            Self::Offered(value) => value,
            Self::Here(value) => value,
        }
    }
}

fn substitution(kind: DocumentType, values: &[(SecretName, Known<'_>)]) -> Substitution {
    let address = "x".repeat(ADDRESS);
    let substitution = Substitution::new(&address, &format!("https://{address}"));
    let (substitution, form) = match kind {
        DocumentType::Compose => (substitution.with_project(PROJECT.to_owned()), SecretForm::Compose),
        DocumentType::Env => (substitution, SecretForm::Environment),
        _ => (substitution, SecretForm::Values),
    };
    substitution.with_secrets(form, values.iter().map(|(name, known)| (name, known.value())))
}
