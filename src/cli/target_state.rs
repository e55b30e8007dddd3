//! Targets with what their agents report: what the hub knows and what the status buffer holds, side by side.
//!
//! Texts of agents are hostile (threat model A08): everything that is made for people here is escaped.

use std::collections::BTreeMap;

use serde_json::json;

use super::ui::escape;
use crate::appliance::fleet::{DeploymentView, Hub, TargetView};
use crate::appliance::status::{DeploymentStatus, Dot, LatestStatus, Running, TargetStatus, overview};
use crate::domain::{Result, Timestamp, Uuid};

/// Characters of a message that a line has room for.
const MESSAGE: usize = 120;

/// A target and its deployments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TargetState {
    pub(super) view: TargetView,
    /// None when its agent never came.
    pub(super) status: Option<TargetStatus>,
    pub(super) deployments: Vec<DeploymentState>,
}

/// A deployment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DeploymentState {
    pub(super) view: DeploymentView,
    pub(super) dot: Dot,
    pub(super) latest: Option<LatestStatus>,
    /// The revision that really runs, where it is known.
    pub(super) runs: Option<Uuid>,
    /// The same for people; else why it is not known.
    pub(super) runs_text: String,
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
        .map(|deployment| (deployment.id, deployment.revision))
        .collect();
    let statuses = overview(appliance, now, &|deployment| desired.get(deployment).copied())?;
    let mut statuses: BTreeMap<Uuid, TargetStatus> =
        statuses.into_iter().map(|status| (status.target, status)).collect();
    let mut targets = Vec::with_capacity(views.len());
    for view in views {
        let status = statuses.remove(&view.id);
        let mut deployments = Vec::with_capacity(view.deployments.len());
        for deployment in &view.deployments {
            let known = status
                .iter()
                .flat_map(|status| &status.deployments)
                .find(|status| status.deployment == deployment.id);
            deployments.push(deployment_state(hub, &view, deployment, known)?);
        }
        targets.push(TargetState {
            view,
            status,
            deployments,
        });
    }
    Ok((now, targets))
}

fn deployment_state(
    hub: &Hub,
    target: &TargetView,
    view: &DeploymentView,
    known: Option<&DeploymentStatus>,
) -> Result<DeploymentState> {
    let (runs, runs_text) = match known.map(|known| known.runs) {
        None => (None, "nothing was reported yet".to_owned()),
        Some(Running::Unknown(doubt)) => (None, doubt.as_str().to_owned()),
        Some(Running::Revision(revision)) if revision == view.revision => (Some(revision), escape(&view.version)),
        Some(Running::Revision(revision)) => {
            let text = match hub.known_revision(&target.id, &revision)? {
                Some(known) => format!(
                    "{} of release {} ({})",
                    escape(&known.version),
                    known.counter,
                    escape(&known.release_version)
                ),
                None => format!("revision {revision}, which no release here had"),
            };
            (Some(revision), text)
        }
    };
    Ok(DeploymentState {
        view: view.clone(),
        dot: known.map_or(Dot::NoStatus, |known| known.dot),
        latest: known.and_then(|known| known.latest.clone()),
        runs,
        runs_text,
    })
}

impl TargetState {
    /// One word for all of it: the worst of its deployments.
    pub(super) fn word(&self) -> &'static str {
        if self.status.is_none() {
            return "not connected";
        }
        self.deployments
            .iter()
            .map(|deployment| deployment.dot)
            // An error says more than that another deployment said nothing.
            .min_by_key(|dot| (*dot != Dot::Error, *dot))
            .map_or("connected", Dot::as_str)
    }

    /// Time since the last contact, for people.
    pub(super) fn seen(&self, now: Timestamp) -> String {
        self.status
            .as_ref()
            .map_or_else(|| "-".to_owned(), |status| ago(now, status.last_contact))
    }

    /// The version that the agent states.
    pub(super) fn agent(&self) -> Option<&str> {
        self.status.as_ref().and_then(|status| status.agent.as_deref())
    }

    /// The members that say what its agent reports.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let deployments: Vec<_> = self
            .deployments
            .iter()
            .map(|deployment| {
                let latest = deployment.latest.as_ref().map(|latest| {
                    json!({
                        "number": latest.number, "revision": latest.revision, "type": latest.kind, "message": latest.message,
                        "first": latest.first, "last": latest.last, "count": latest.count,
                    })
                });
                json!({
                    "id": deployment.view.id, "application": deployment.view.application, "version": deployment.view.version,
                    "revision": deployment.view.revision, "state": deployment.dot.as_str(), "latest": latest,
                    "runs_revision": deployment.runs, "runs": deployment.runs_text,
                })
            })
            .collect();
        json!({
            "id": self.view.id, "name": self.view.name, "state": self.word(), "connected": self.status.is_some(),
            "agent_reported": self.agent(), "last_contact": self.status.as_ref().map(|status| status.last_contact),
            "deployments": deployments,
        })
    }
}

impl DeploymentState {
    /// What the agent says, on one line.
    pub(super) fn message(&self) -> String {
        let Some(latest) = &self.latest else {
            return String::new();
        };
        let line = escape(latest.message.trim_end());
        if line.chars().count() <= MESSAGE {
            line
        } else {
            line.chars().take(MESSAGE).chain(['…']).collect()
        }
    }

    /// What really runs, on one line.
    pub(super) fn running(&self) -> String {
        match self.runs {
            Some(_) => format!("runs {}", self.runs_text),
            None => format!("runs ? ({})", self.runs_text),
        }
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
