//! What goes from agents when a release becomes the live one of its scope, by name: what they delete, and whom nobody answers any more.

use std::sync::Arc;

use super::assignment::local_deployment;
use super::now::FleetNow;
use super::service::project;
use super::stated::StatedTarget;
use super::view::{DeploymentView, TargetView};
use crate::appliance::live::Live;
use crate::appliance::state::Appliance;
use crate::domain::{Result, Scope, Uuid};

/// Something that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaving {
    /// The agent of the target deletes the deployment.
    Deployment(TargetView, DeploymentView),
    /// The target goes: its agent is refused, and deletes nothing.
    Target(TargetView),
    /// What the target runs now is not known, so what goes is not either.
    Unknown(TargetView),
}

/// Records what agents are told from now on, so that what they report is known by what everybody knows: values of secrets may have changed
/// while nobody served.
///
/// # Errors
///
/// Those of [`Live::load`].
pub fn settle_revisions(appliance: &Arc<Appliance>) -> Result<()> {
    let live = Live::load(appliance, std::time::Duration::ZERO)?;
    project(&live).map(|_| ())
}

/// Returns what goes when a release of `scope` goes live that states `next`; `is_first` says that no release of the scope is live, so that
/// its targets run nothing of it. Targets made here go with what they follow; what was taken away here has gone already.
pub fn leaving(now: &FleetNow, scope: &Scope, next: &[StatedTarget], is_first: bool) -> Vec<Leaving> {
    let mut leaving = Vec::new();
    for target in now.targets.iter().filter(|target| target.scope == *scope) {
        let stated_as = target.template.unwrap_or(target.id);
        let Some(stated) = next.iter().find(|stated| stated.id == stated_as) else {
            leaving.push(Leaving::Target(target.clone()));
            continue;
        };
        if target.fault.is_some() {
            if !is_first {
                leaving.push(Leaving::Unknown(target.clone()));
            }
            continue;
        }
        // An agent of another kind removes all that it has.
        let stays = |id: &Uuid| {
            let mut deployments = stated.deployments.iter();
            stated.kind == target.kind
                && deployments.any(|one| match target.template {
                    None => one.id == *id,
                    Some(_) => local_deployment(&target.id, &one.id) == *id,
                })
        };
        let goes = target.deployments.iter().filter(|one| !one.removed && !stays(&one.id));
        leaving.extend(goes.map(|one| Leaving::Deployment(target.clone(), one.clone())));
    }
    leaving
}
