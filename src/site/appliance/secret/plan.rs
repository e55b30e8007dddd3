//! What a release changes of secrets when it goes live, beside the one that is live: said before it does.

use std::collections::BTreeMap;

use super::missing::MissingSecret;
use super::stated;
use super::uses::{Decided, NeededSecret, Place, uses};
use super::vault::Vault;
use crate::appliance::state::Appliance;
use crate::bundle::desired::SecretSource;
use crate::db::site::kept_secrets::KeptSecret;
use crate::db::site::release::{self, ReleaseRow};
use crate::domain::{Result, Scope};

/// What changes. Each is named as [`MissingSecret::label`] does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretPlan {
    /// Secrets that get another value, one that a vendor sealed or one that rested beside it.
    pub changed: Vec<String>,
    /// Secrets that the live release uses and this one does not.
    pub unused: Vec<String>,
    /// Secrets that are made, for nothing is here.
    pub made: Vec<String>,
    /// Those of them that the live release uses too: whoever knew the value of before does not know this one.
    pub made_anew: Vec<String>,
}

impl Appliance {
    /// Returns the live release of a scope.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(in crate::appliance) fn live_release(&self, scope: &Scope) -> Result<Option<ReleaseRow>> {
        let live = self.db.read(release::active)?;
        Ok(live.into_iter().find(|live| live.scope == *scope))
    }
}

/// Compares what a release uses with what the live one does. Of what cannot be read nothing is said here: that is damage, and told as such.
pub(super) fn compare(
    appliance: &Appliance,
    live: &ReleaseRow,
    (next, vault): (&[NeededSecret], &Vault),
    (decided, kept): (&Decided, &[KeptSecret]),
) -> SecretPlan {
    let mut plan = SecretPlan::default();
    let Ok(Some(document)) = stated::document(appliance, live) else {
        return plan;
    };
    let sealed = stated::sealed_for_site(appliance, live, &document).unwrap_or_default();
    let before = Vault::new(appliance.folder(), &live.scope, kept, sealed);
    let used = uses(&document.state, &live.scope, appliance.site(), decided);
    let mut used: BTreeMap<Place, NeededSecret> = used.into_iter().map(|used| (used.place(), used)).collect();
    for one in next {
        let Some(was) = used.remove(&one.place()) else { continue };
        if !vault.has(one) && one.declared.source == SecretSource::Generate {
            plan.made_anew.push(label(one));
        }
        // What is kept here is the same for both.
        let sources = [was.declared.source, one.declared.source];
        if !sources.contains(&SecretSource::Sealed) {
            continue;
        }
        if let (Ok(Some(was)), Ok(Some(is))) = (before.value(&was), vault.value(one))
            && was.as_str() != is.as_str()
        {
            plan.changed.push(label(one));
        }
    }
    plan.unused = used.values().map(label).collect();
    plan
}

fn label(used: &NeededSecret) -> String {
    MissingSecret::label_of(&used.name, used.target.as_ref().map(|target| target.name.as_str()))
}
