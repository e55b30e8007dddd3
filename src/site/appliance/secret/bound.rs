//! What values make of the documents that agents get, before they count: what is too large for an agent is refused, or waits, while a person
//! can still give another value, and not when its agent asks.
//!
//! Of the address that stands in documents only serving knows how long it is: the longest one is counted here, so that what is taken here
//! is served.

use std::collections::BTreeMap;

use super::stated;
use super::uses::{Decided, NeededSecret, OfTarget, Place};
use super::vault::Vault;
use crate::appliance::state::Appliance;
use crate::bundle::desired::{Deployment, DesiredState, SecretSource, Target};
use crate::bundle::{Places, SecretForm};
use crate::db::site::kept_secrets;
use crate::db::site::release::{ReleaseRow, State};
use crate::domain::{Class, Digest, DocumentType, Error, Result, Scope, SecretValue, SiteId, Uuid, limits};

/// Longest address: a host name, a colon, a port.
const ADDRESS: usize = 253 + 1 + 5;
/// As long as the name of every project.
const PROJECT: usize = "distr-00000000".len();

/// What a target would get that its agent is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TooLarge {
    /// The target.
    pub(super) of: OfTarget,
    /// Bytes of all of it.
    pub(super) whole: u64,
    /// Bytes of its largest document.
    pub(super) document: u64,
    /// The secret whose value has the largest share of it.
    pub(super) most: NeededSecret,
}

/// How long a value is where it stands, in each form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    compose: u64,
    environment: u64,
    values: u64,
}

impl Written {
    pub(super) fn of(value: &SecretValue) -> Self {
        let bytes = |form: SecretForm| form.written_bytes(value.as_str()) as u64;
        Self {
            compose: bytes(SecretForm::Compose),
            environment: bytes(SecretForm::Environment),
            values: bytes(SecretForm::Values),
        }
    }

    /// As the vendor counts one that is not made yet.
    fn to_make(length: u64) -> Self {
        Self {
            compose: length,
            environment: length,
            values: length,
        }
    }

    fn bytes(self, kind: DocumentType) -> usize {
        let bytes = match kind {
            DocumentType::Compose => self.compose,
            DocumentType::Env => self.environment,
            _ => self.values,
        };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

/// What a release states for this site, and how its documents and values are had.
pub(super) struct Bound<'a> {
    pub(super) state: &'a DesiredState,
    pub(super) scope: &'a Scope,
    pub(super) site: &'a SiteId,
    pub(super) decided: &'a Decided,
    pub(super) vault: &'a Vault,
    /// A damaged document is told with its release; what of it cannot be read is not counted.
    pub(super) places: &'a dyn Fn(&Digest) -> Option<Places>,
}

impl Bound<'_> {
    /// Returns the targets that get more than they may with the values that are here, and with those that are made yet. A value that is
    /// missing, or cannot be read, is not counted.
    pub(super) fn too_large(&self) -> Vec<TooLarge> {
        self.too_large_with(&|_| true, &|_| None)
    }

    /// As [`Self::too_large`], of the targets that use any of some secrets, and with another value of some: nothing keeps the one that is here.
    fn too_large_with(
        &self,
        concerns: &dyn Fn(&NeededSecret) -> bool,
        other: &dyn Fn(&NeededSecret) -> Option<Option<Written>>,
    ) -> Vec<TooLarge> {
        let mut counted = Counted {
            bound: self,
            other,
            documents: BTreeMap::new(),
            values: BTreeMap::new(),
        };
        let gone = |id: &_| self.decided.owners.removed_here(self.scope, id);
        let here = |target: &&Target| target.site.as_ref().is_none_or(|at| at == self.site) && !gone(&target.id);
        let mut found = Vec::new();
        for target in self.state.targets.iter().filter(here) {
            let signed = OfTarget {
                id: target.id,
                name: target.name.clone(),
                template: None,
            };
            let locals = self.decided.locals.iter();
            let made_here = locals
                .filter(|local| local.template == target.id && !gone(&local.id))
                .map(|local| OfTarget {
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
                let concerned = |deployment: &&Deployment| needed(deployment, &of).any(|needed| concerns(&needed));
                if deployments.iter().any(concerned) {
                    found.extend(counted.target(&deployments, of));
                }
            }
        }
        found
    }
}

/// Counts, and reads nothing twice.
struct Counted<'a, 'b> {
    bound: &'a Bound<'b>,
    other: &'a dyn Fn(&NeededSecret) -> Option<Option<Written>>,
    documents: BTreeMap<Digest, Option<Places>>,
    values: BTreeMap<Place, Option<Written>>,
}

impl Counted<'_, '_> {
    fn target(&mut self, deployments: &[&Deployment], of: OfTarget) -> Option<TooLarge> {
        let (mut whole, mut largest) = (0_u64, 0_u64);
        let mut shares: BTreeMap<Place, (u64, NeededSecret)> = BTreeMap::new();
        for deployment in deployments {
            let used: Vec<(NeededSecret, Written)> = needed(deployment, &of)
                .filter_map(|needed| Some((needed.clone(), self.value(&needed)?)))
                .collect();
            for (kind, digest) in deployment.documents() {
                let read = self.bound.places;
                let places = self.documents.entry(digest).or_insert_with(|| read(&digest));
                let Some(places) = places else { continue };
                let mut bytes = places.bytes(ADDRESS, PROJECT);
                for (needed, written) in &used {
                    let added = places.added(&needed.name, written.bytes(kind));
                    bytes = bytes.saturating_add(added);
                    let share = shares.entry(needed.place()).or_insert_with(|| (0, needed.clone()));
                    share.0 = share.0.saturating_add(added);
                }
                whole = whole.saturating_add(bytes);
                largest = largest.max(bytes);
            }
        }
        if largest <= limits::MANIFEST_BYTES && whole <= limits::TARGET_RENDERED_BYTES {
            return None;
        }
        // What no value of a secret makes larger no value makes smaller.
        let (share, most) = shares.into_values().max_by_key(|(share, _)| *share)?;
        (share > 0).then_some(TooLarge {
            of,
            whole,
            document: largest,
            most,
        })
    }

    fn value(&mut self, needed: &NeededSecret) -> Option<Written> {
        if let Some(other) = (self.other)(needed) {
            return other;
        }
        let vault = self.bound.vault;
        *self.values.entry(needed.place()).or_insert_with(|| {
            let declared = &needed.declared;
            if declared.source == SecretSource::Generate && !vault.has(needed) {
                return Some(Written::to_make(declared.length()));
            }
            // What cannot be read is not served either, and told where it is looked for.
            vault.value(needed).ok().flatten().map(|value| Written::of(&value))
        })
    }
}

/// Returns what a deployment of a target uses.
fn needed<'a>(deployment: &'a Deployment, of: &'a OfTarget) -> impl Iterator<Item = NeededSecret> + 'a {
    deployment.secrets().iter().map(|used| NeededSecret {
        name: used.name.clone(),
        target: used.per_target.then(|| of.clone()),
        declared: used.clone(),
        used_by: Vec::new(),
    })
}

/// A value that is to count, and for what.
pub(super) struct Offered<'a> {
    pub(super) scope: &'a Scope,
    pub(super) place: Place,
    pub(super) value: &'a SecretValue,
}

impl Offered<'_> {
    /// Checks what the live release of the scope, and the newest one where it waits, would tell agents of this site with the value. What is
    /// too large whatever this value is does not speak against it.
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
        let bound = Bound {
            state: &document.state,
            scope: self.scope,
            site: appliance.site(),
            decided: &decided,
            vault: &Vault::new(appliance.folder(), self.scope, &kept, sealed),
            places: &|digest| stated::places(appliance, digest),
        };
        let written = Written::of(self.value);
        let is_it = |needed: &NeededSecret| needed.place() == self.place;
        let with = bound.too_large_with(&is_it, &|needed| is_it(needed).then_some(Some(written)));
        if with.is_empty() {
            return Ok(());
        }
        let without = bound.too_large_with(&is_it, &|needed| is_it(needed).then_some(None));
        let made_so = |large: &&TooLarge| !without.iter().any(|other| other.of == large.of);
        let Some(large) = with.iter().find(made_so) else {
            return Ok(());
        };
        let command = appliance.secret_command("set --replace", self.scope, (&self.place.0, self.place.1))?;
        Err(Error::new(
            Class::Limit,
            "rendered",
            format!(
                "with this value of {} what target {:?} shall run has up to {} bytes, {} of them in one document",
                self.place.0, large.of.name, large.whole, large.document
            ),
        )
        .expected(bounds())
        .remedy(format!("nothing was changed: give a shorter value with `{command}`")))
    }
}

/// Says what an agent may be told.
pub(super) fn bounds() -> String {
    format!(
        "at most {} bytes a document, and {} a target",
        limits::MANIFEST_BYTES,
        limits::TARGET_RENDERED_BYTES
    )
}
