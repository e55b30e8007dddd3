//! Targets as people see them in lists.

use super::targets::{Fleet, FleetTarget};
use crate::appliance::desired;
use crate::domain::{Counter, Scope, Timestamp, Uuid, natural};

/// A target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetView {
    /// Its UUID.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// `docker` or `kubernetes`.
    pub kind: &'static str,
    /// Whose releases it follows.
    pub scope: Scope,
    /// Number of the release that speaks for it.
    pub counter: Counter,
    /// Label of that release.
    pub release_version: String,
    /// For one made here: the target that it follows.
    pub template: Option<Uuid>,
    /// Name of the agent version that it shall run.
    pub agent: Option<String>,
    /// What lets its agent in.
    pub secret: SecretView,
    /// What it shall run, in the order of the document.
    pub deployments: Vec<DeploymentView>,
    /// Why nothing can be said of what it shall run.
    pub fault: Option<String>,
}

/// What lets an agent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretView {
    /// Nothing yet.
    None,
    /// A secret that was issued here.
    Issued(Timestamp),
    /// A secret of the hub's that was used here for the first time then.
    Adopted(Timestamp),
    /// A secret of the hub's that was not used here yet.
    Hub,
}

/// A deployment on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentView {
    /// Its UUID.
    pub id: Uuid,
    /// The application.
    pub application: String,
    /// Its version label.
    pub version: String,
    /// What must be applied, as everybody knows it.
    pub revision: Uuid,
    /// The same as its agent is told it, where values of this site go into it. Never listed.
    pub told: Uuid,
    /// Taken away here with `airlock target undeploy`.
    pub removed: bool,
    /// What runs it: `compose`, `swarm` or `helm`.
    pub engine: &'static str,
}

/// A target of a release that was taken away here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedTarget {
    /// The target.
    pub target: TargetView,
    /// It was let go: it is nobody's, and the next that states it has it.
    pub freed: bool,
}

impl Fleet {
    /// Returns every target, by scope and name.
    pub(super) fn views(&self) -> Vec<TargetView> {
        sorted(self.targets.values().map(|target| target.view()))
    }

    /// Returns the targets of releases that were taken away here.
    pub(super) fn removed_views(&self) -> Vec<TargetView> {
        sorted(self.removed.iter().map(|target| target.view()))
    }
}

fn sorted(views: impl Iterator<Item = TargetView>) -> Vec<TargetView> {
    let mut views: Vec<TargetView> = views.collect();
    views.sort_by(|a, b| {
        let by_name = || natural(&a.name, &b.name);
        a.scope.cmp(&b.scope).then_with(by_name).then_with(|| a.id.cmp(&b.id))
    });
    views
}

impl FleetTarget {
    pub(super) fn view(&self) -> TargetView {
        let assignment = self.assignment.as_ref().ok();
        let credential = &self.credential;
        let secret = match (credential.mac, credential.issued_at, &credential.verifier) {
            (Some(_), Some(at), _) if credential.issued_here => SecretView::Issued(at),
            (Some(_), Some(at), _) => SecretView::Adopted(at),
            (_, _, Some(_)) => SecretView::Hub,
            _ => SecretView::None,
        };
        let deployments = assignment.map_or_else(Vec::new, |assignment| {
            assignment
                .deployments
                .iter()
                .filter_map(|assigned| {
                    let deployment = assignment.deployment(assigned).ok()?;
                    Some(DeploymentView {
                        id: assigned.id,
                        application: deployment.application.to_string(),
                        version: deployment.version.clone(),
                        revision: assigned.stated,
                        told: assigned.revision,
                        removed: assigned.removed,
                        engine: desired::engine(deployment),
                    })
                })
                .collect()
        });
        TargetView {
            id: self.identity.target,
            name: self.identity.name.clone(),
            kind: desired::kind(self.kind),
            scope: self.identity.scope.clone(),
            counter: self.release.counter,
            release_version: self.release.version.clone(),
            template: self.template,
            agent: assignment
                .and_then(|assignment| assignment.agent().ok())
                .map(|agent| agent.name.clone()),
            secret,
            deployments,
            fault: self.assignment.as_ref().err().map(|fault| fault.found.clone()),
        }
    }
}
