//! Targets with what their agents report: what the hub knows and what the status buffer holds, side by side.
//!
//! Texts of agents are hostile (threat model A08): everything that is made for people here is escaped.

use std::collections::BTreeMap;

use serde_json::json;

use super::deployment_state::{DeploymentState, Taken};
use super::ui::escape;
use crate::appliance::fleet::{DeploymentView, Hub, TargetView};
use crate::appliance::status::{DeploymentStatus, Owner, TargetStatus, overview};
use crate::domain::{Result, Timestamp, Uuid};

/// How long something that a release has no more is listed after its agent was done with it.
const FORMER_SECONDS: i64 = 86_400;

/// A target and its deployments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TargetState {
    pub(super) view: TargetView,
    /// None when its agent never came; what a former owner's agent said is not its own.
    pub(super) status: Option<TargetStatus>,
    /// In the order of the release; then what the release has no more.
    pub(super) deployments: Vec<DeploymentState>,
}

/// Reads every target of an appliance.
///
/// # Errors
///
/// `E-STATE` when the status database cannot be read; those of the hub.
pub(super) fn read(hub: &Hub) -> Result<(Timestamp, Vec<TargetState>)> {
    let appliance = hub.live().appliance();
    let now = appliance.clock.now();
    let views = hub.targets();
    let desired: BTreeMap<Uuid, Uuid> = views
        .iter()
        .flat_map(|target| &target.deployments)
        .filter(|deployment| !deployment.removed)
        .map(|deployment| (deployment.id, deployment.told))
        .collect();
    let revisions = hub.site_revisions()?;
    let known_values = appliance.known_values(None)?;
    let statuses = overview(appliance, now, &|deployment| desired.get(deployment).copied())?;
    let mut statuses: BTreeMap<Uuid, TargetStatus> =
        statuses.into_iter().map(|status| (status.target, status)).collect();
    let mut targets = Vec::with_capacity(views.len());
    for view in views {
        let status = statuses.remove(&view.id);
        let status = status.filter(|status| status.owner == Owner::of(&view.scope));
        let status = status.map(|status| {
            status
                .in_stated_revisions(&revisions)
                .without(&known_values, &view.scope)
        });
        let known = status.as_ref().map_or(&[][..], |status| &status.deployments);
        let mut deployments = Vec::with_capacity(view.deployments.len());
        for deployment in &view.deployments {
            let known = known.iter().find(|status| status.deployment == deployment.id);
            let taken = deployment.removed.then_some(Taken::Here);
            deployments.push(DeploymentState::new(hub, &view, deployment.clone(), known, taken)?);
        }
        // Of a target that nothing can be said of now, it is not known what is no more.
        for status in known.iter().filter(|_| view.fault.is_none()) {
            let listed = view.deployments.iter().any(|listed| listed.id == status.deployment);
            if !listed && let Some(former) = former(hub, &view, status, now)? {
                deployments.push(former);
            }
        }
        targets.push(TargetState {
            view,
            status,
            deployments,
        });
    }
    Ok((now, targets))
}

/// What the release of a target has no more, until its agent is done with it, and a day longer.
fn former(hub: &Hub, view: &TargetView, status: &DeploymentStatus, now: Timestamp) -> Result<Option<DeploymentState>> {
    let Some(told) = status.told else { return Ok(None) };
    let done = |at: Timestamp| now.unix().saturating_sub(at.unix()) > FORMER_SECONDS;
    let revision = told.revision.or(told.former);
    let Some(revision) = revision.filter(|_| !told.confirmed.is_some_and(done)) else {
        return Ok(None);
    };
    let Some(known) = hub.known_revision(&view.id, &revision)? else {
        return Ok(None);
    };
    let deployment = DeploymentView {
        id: status.deployment,
        application: known.application,
        version: known.version,
        revision,
        told: revision,
        removed: false,
        engine: if view.kind == "kubernetes" { "helm" } else { "docker" },
    };
    DeploymentState::new(hub, view, deployment, Some(status), Some(Taken::Release)).map(Some)
}

impl TargetState {
    /// Of what the hub knows alone, where the status cannot be read.
    pub(super) fn without_status(view: TargetView) -> Self {
        Self {
            view,
            status: None,
            deployments: Vec::new(),
        }
    }

    /// The worst of its deployments.
    fn worst(&self) -> Option<&DeploymentState> {
        self.deployments.iter().min_by_key(|deployment| deployment.rank())
    }

    /// One stable word for all of it.
    pub(super) fn word(&self) -> &'static str {
        match (&self.status, self.worst()) {
            (None, _) => "not connected",
            (Some(_), None) => "connected",
            (Some(_), Some(worst)) => worst.word(),
        }
    }

    /// The same for people.
    pub(super) fn phrase(&self) -> String {
        match (&self.status, self.worst()) {
            (Some(_), Some(worst)) => worst.phrase(),
            _ => self.word().to_owned(),
        }
    }

    /// Time since the last contact, for people.
    pub(super) fn seen(&self, now: Timestamp) -> String {
        self.status
            .as_ref()
            .map_or_else(|| "–".to_owned(), |status| ago(now, status.last_contact))
    }

    /// The version that the agent states.
    pub(super) fn agent(&self) -> Option<&str> {
        self.status.as_ref().and_then(|status| status.agent.as_deref())
    }

    /// The version that the agent states, and the one that it is told to run.
    pub(super) fn agents(&self) -> String {
        let reported = self.agent().map_or_else(|| "–".to_owned(), escape);
        let advertised = self.view.agent.as_deref().map_or_else(|| "–".to_owned(), escape);
        format!("agent {reported}, advertised {advertised}")
    }

    /// The members that say what its agent reports.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let deployments: Vec<_> = self.deployments.iter().map(DeploymentState::to_json).collect();
        json!({
            "id": self.view.id, "name": self.view.name, "state": self.word(), "state_text": self.phrase(),
            "connected": self.status.is_some(), "agent_reported": self.agent(), "agent_advertised": self.view.agent,
            "last_contact": self.status.as_ref().map(|status| status.last_contact), "deployments": deployments,
        })
    }
}

/// How long ago something was, for people.
pub(super) fn ago(now: Timestamp, then: Timestamp) -> String {
    match now.unix().saturating_sub(then.unix()) {
        ..0 => "in the future".to_owned(),
        seconds @ 0..120 => format!("{seconds} s ago"),
        seconds @ 120..7200 => format!("{} min ago", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} d ago", seconds / 86_400),
    }
}
