//! What goes from agents when a release becomes the live one of its scope, by name: what they delete, and whom nobody answers any more.

use std::sync::Arc;

use super::assignment::local_deployment;
use super::service::project;
use super::view::{DeploymentView, TargetView};
use crate::appliance::live::Live;
use crate::appliance::state::Appliance;
use crate::db::site::targets::TargetSet;
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

/// Returns every target that agents log in to now, with what it runs.
///
/// # Errors
///
/// Those of [`Live::load`].
pub fn targets_now(appliance: &Arc<Appliance>) -> Result<Vec<TargetView>> {
    let live = Live::load(appliance, std::time::Duration::ZERO)?;
    Ok(project(&live)?.get().views())
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

/// Returns what of these targets goes when a release of `scope` goes live that says `next`. Targets made here go with what they follow;
/// what was taken away here has gone already.
pub fn leaving(now: &[TargetView], scope: &Scope, next: &TargetSet) -> Vec<Leaving> {
    let mut leaving = Vec::new();
    for target in now.iter().filter(|target| target.scope == *scope) {
        let stated_as = target.template.unwrap_or(target.id);
        let Some(row) = next.targets.iter().find(|row| row.id == stated_as) else {
            leaving.push(Leaving::Target(target.clone()));
            continue;
        };
        if target.fault.is_some() {
            leaving.push(Leaving::Unknown(target.clone()));
            continue;
        }
        // An agent of another kind removes all that it has.
        let stays = |id: &Uuid| {
            let mut stated = next.deployments.iter().filter(|row| row.target == stated_as);
            row.kind == target.kind
                && stated.any(|row| match target.template {
                    None => row.id == *id,
                    Some(_) => local_deployment(&target.id, &row.id) == *id,
                })
        };
        let goes = target.deployments.iter().filter(|one| !one.removed && !stays(&one.id));
        leaving.extend(goes.map(|one| Leaving::Deployment(target.clone(), one.clone())));
    }
    leaving
}
