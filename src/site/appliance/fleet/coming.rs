//! What comes to agents when a release becomes the live one of its scope, by name: which targets are new, what starts on them, and what is
//! updated in place. What goes stands in [`super::leaving`].

use std::collections::BTreeSet;

use super::assignment::{local_deployment, local_revision};
use super::now::FleetNow;
use super::stated::{StatedDeployment, StatedTarget};
use super::view::TargetView;
use crate::db::site::Owner;
use crate::db::site::local_targets::LocalTarget;
use crate::domain::{Scope, Uuid};

/// A target of which something changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetChange {
    /// Its UUID.
    pub id: Uuid,
    /// Its name from then on.
    pub name: String,
    /// `docker` or `kubernetes`.
    pub kind: &'static str,
    /// How it stands to what is here now.
    pub change: Change,
    /// Its name now, where that is another one.
    pub renamed_from: Option<String>,
    /// The version of its agent from and to which that updates itself, where it is another one.
    pub agent: Option<(Option<String>, String)>,
    /// Deployments that start or get another revision, in the order of the document.
    pub deployments: Vec<DeploymentChange>,
}

/// How a target stands to what is here now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is new: its agent needs a secret of this site, or has one of the hub's.
    Added,
    /// It is here.
    Changed,
    /// It is here, and what it runs now cannot be told, for this reason.
    Unknown(String),
}

/// A deployment that starts or is updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentChange {
    /// Its UUID.
    pub id: Uuid,
    /// The application.
    pub application: String,
    /// What runs it: `compose`, `swarm` or `helm`.
    pub engine: &'static str,
    /// The version label that runs now; nothing where it starts.
    pub from: Option<String>,
    /// The version label that shall run.
    pub to: String,
}

/// What comes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coming {
    /// Targets of which something changes.
    pub targets: Vec<TargetChange>,
    /// How many more the release states of which nothing does.
    pub unchanged: usize,
    /// How many it states that were taken away here: they stay away.
    pub stay_away: usize,
}

/// Returns what comes when a release of `scope` goes live that states `next`; `is_first` says that no release of the scope is live, so that
/// its targets run nothing of it. Targets made here come with what they follow.
pub fn coming(now: &FleetNow, scope: &Scope, next: &[StatedTarget], is_first: bool) -> Coming {
    let removed = now.removals.clone().of(&Owner::of(scope));
    let compare = Compare {
        now,
        removed: &removed,
        is_first,
    };
    let mut coming = Coming::default();
    for stated in next {
        if removed.contains(&stated.id) {
            coming.stay_away = coming.stay_away.saturating_add(1);
            continue;
        }
        compare.add(&mut coming, stated, None);
        for local in now.locals.iter().filter(|local| local.template == stated.id) {
            if !removed.contains(&local.id) {
                compare.add(&mut coming, stated, Some(local));
            }
        }
    }
    coming
}

/// What stated targets are compared with.
struct Compare<'a> {
    now: &'a FleetNow,
    /// What of their product was taken away here.
    removed: &'a BTreeSet<Uuid>,
    is_first: bool,
}

impl Compare<'_> {
    fn add(&self, coming: &mut Coming, stated: &StatedTarget, local: Option<&LocalTarget>) {
        let (id, name) = local.map_or((stated.id, &stated.name), |local| (local.id, &local.name));
        let now = self.now.targets.iter().find(|target| target.id == id);
        // Nothing of it was ever live here: whatever is not known of it, it runs nothing.
        let now = now.filter(|now| now.fault.is_none() || !self.is_first);
        // An agent of another kind removes all that it has, and begins anew.
        let alike = now.filter(|now| now.kind == stated.kind);
        let deployments = stated.deployments.iter();
        let changed = deployments.filter_map(|one| deployment(alike, one, local.map(|_| id), self.removed));
        let mut change = TargetChange {
            id,
            name: name.clone(),
            kind: stated.kind,
            change: Change::Added,
            renamed_from: None,
            agent: None,
            deployments: changed.collect(),
        };
        if let Some(now) = now {
            change.renamed_from = (now.name != *name).then(|| now.name.clone());
            if let Some(fault) = &now.fault {
                change.change = Change::Unknown(fault.clone());
                change.deployments.clear();
            } else {
                change.change = Change::Changed;
                let next = stated.agent.clone().filter(|next| now.agent.as_ref() != Some(next));
                change.agent = next.map(|next| (now.agent.clone(), next));
                if change.renamed_from.is_none() && change.agent.is_none() && change.deployments.is_empty() {
                    coming.unchanged = coming.unchanged.saturating_add(1);
                    return;
                }
            }
        }
        coming.targets.push(change);
    }
}

/// Compares a deployment with what its target runs; `local` is the target made here that follows the stated one.
fn deployment(
    now: Option<&TargetView>,
    stated: &StatedDeployment,
    local: Option<Uuid>,
    removed: &BTreeSet<Uuid>,
) -> Option<DeploymentChange> {
    let (id, revision) = local.map_or((stated.id, stated.revision), |local| {
        (
            local_deployment(&local, &stated.id),
            local_revision(&local, &stated.revision),
        )
    });
    if removed.contains(&id) {
        return None;
    }
    let runs = now.and_then(|now| now.deployments.iter().find(|one| one.id == id && !one.removed));
    if runs.is_some_and(|runs| runs.revision == revision) {
        return None;
    }
    Some(DeploymentChange {
        id,
        application: stated.application.clone(),
        engine: stated.engine,
        from: runs.map(|runs| runs.version.clone()),
        to: stated.version.clone(),
    })
}
