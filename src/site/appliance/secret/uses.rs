//! Which secrets a release needs at this site, and who uses them.

use std::collections::BTreeMap;

use crate::bundle::desired::{DesiredState, SecretUse, Target};
use crate::db::Connection;
use crate::db::site::local_targets::{self, LocalTarget};
use crate::db::site::owners::Owners;
use crate::domain::{Result, Scope, SecretName, SiteId, Uuid};

/// What a value is for: a name, and one target or the whole site.
pub(in crate::appliance) type Place = (SecretName, Option<Uuid>);

/// A target that has a value of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfTarget {
    /// The target.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// For one made here: what it follows, whose sealed values count for it.
    pub template: Option<Uuid>,
}

/// A secret that a release needs at this site: one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededSecret {
    /// Its name.
    pub name: SecretName,
    /// The one target that the value is for; none for the whole site.
    pub target: Option<OfTarget>,
    /// What the release says of it.
    pub declared: SecretUse,
    /// Who uses it, as `web on press-1`, in the order of the release.
    pub used_by: Vec<String>,
}

impl NeededSecret {
    /// Returns what the value is for.
    pub(in crate::appliance) fn place(&self) -> Place {
        (self.name.clone(), self.target.as_ref().map(|target| target.id))
    }
}

/// What this site decided about targets, as far as secrets are concerned.
#[derive(Debug, Default)]
pub(in crate::appliance) struct Decided {
    pub(in crate::appliance) owners: Owners,
    pub(in crate::appliance) locals: Vec<LocalTarget>,
}

impl Decided {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) fn read(connection: &Connection) -> Result<Self> {
        Ok(Self {
            owners: Owners::read(connection)?,
            locals: local_targets::list(connection)?,
        })
    }
}

/// Returns what a release of a scope needs at a site, ascending by name and target. What was taken away here needs nothing.
pub(in crate::appliance) fn uses(
    state: &DesiredState,
    scope: &Scope,
    site: &SiteId,
    decided: &Decided,
) -> Vec<NeededSecret> {
    let mut all: BTreeMap<Place, NeededSecret> = BTreeMap::new();
    let gone = |id: &Uuid| decided.owners.removed_here(scope, id);
    let mut add = |target: &Target, on: &OfTarget, known_as: &dyn Fn(&Uuid) -> Uuid| {
        for (_, deployment) in target
            .in_order()
            .filter(|(_, deployment)| !gone(&known_as(&deployment.id)))
        {
            for declared in deployment.secrets() {
                let own = declared.per_target.then(|| on.clone());
                let place = (declared.name.clone(), own.as_ref().map(|own| own.id));
                let entry = all.entry(place).or_insert_with(|| NeededSecret {
                    name: declared.name.clone(),
                    target: own,
                    declared: declared.clone(),
                    used_by: Vec::new(),
                });
                entry.used_by.push(format!("{} on {}", deployment.application, on.name));
            }
        }
    };
    let here = |target: &&Target| target.site.as_ref().is_none_or(|at| at == site) && !gone(&target.id);
    for target in state.targets.iter().filter(here) {
        let of = OfTarget {
            id: target.id,
            name: target.name.clone(),
            template: None,
        };
        add(target, &of, &|id| *id);
        let follows = |local: &&LocalTarget| local.template == target.id && !gone(&local.id);
        for local in decided.locals.iter().filter(follows) {
            let of = OfTarget {
                id: local.id,
                name: local.name.clone(),
                template: Some(local.template),
            };
            add(target, &of, &|id| Uuid::of_local_deployment(local.id, *id));
        }
    }
    all.into_values().collect()
}
