//! What a release states for this site, as far as it is compared with what runs: targets, their agents, their deployments.

use crate::appliance::desired;
use crate::appliance::live::desired_of;
use crate::appliance::state::Appliance;
use crate::bundle::desired::{DesiredState, Target};
use crate::db::site::release::ReleaseRow;
use crate::domain::{Result, SiteId, Uuid, natural};

/// A target that a release states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedTarget {
    /// Its UUID.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// `docker` or `kubernetes`.
    pub kind: &'static str,
    /// Name of the agent version that it shall run.
    pub agent: Option<String>,
    /// What it shall run, in the order of the document.
    pub deployments: Vec<StatedDeployment>,
}

/// A deployment that a release states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedDeployment {
    /// Its UUID.
    pub id: Uuid,
    /// The application.
    pub application: String,
    /// Its version label.
    pub version: String,
    /// What must be applied.
    pub revision: Uuid,
    /// What runs it: `compose`, `swarm` or `helm`.
    pub engine: &'static str,
}

/// Returns what a desired state says of one site, by the names of targets; targets of other sites do not exist there.
pub(in crate::appliance) fn stated(state: &DesiredState, site: &SiteId) -> Vec<StatedTarget> {
    let here = |target: &&Target| target.site.as_ref().is_none_or(|at| at == site);
    let mut stated: Vec<StatedTarget> = state
        .targets
        .iter()
        .filter(here)
        .map(|target| StatedTarget {
            id: target.id,
            name: target.name.clone(),
            kind: desired::kind(target.kind),
            agent: state
                .agents
                .iter()
                .find(|agent| agent.id == target.agent)
                .map(|agent| agent.name.clone()),
            deployments: target
                .in_order()
                .map(|(_, deployment)| StatedDeployment {
                    id: deployment.id,
                    application: deployment.application.to_string(),
                    version: deployment.version.clone(),
                    revision: deployment.revision,
                    engine: desired::engine(deployment),
                })
                .collect(),
        })
        .collect();
    stated.sort_by(|a, b| natural(&a.name, &b.name).then_with(|| a.id.cmp(&b.id)));
    stated
}

/// Returns what a release that is here states for this site.
///
/// # Errors
///
/// `E-STATE` when its head or its document is not what was signed; `E-IO`.
pub(in crate::appliance) fn stated_by(appliance: &Appliance, release: &ReleaseRow) -> Result<Vec<StatedTarget>> {
    let pins = appliance.good_pins()?;
    let document = appliance
        .db
        .read(|connection| desired_of(connection, &pins, release, &appliance.store))?;
    Ok(document.map_or_else(Vec::new, |document| stated(&document.state, appliance.site())))
}
