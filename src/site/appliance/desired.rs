//! What a release says of the targets of this site: its signed document, reduced to rows.

use crate::bundle::DocumentEntry;
use crate::bundle::desired::{Deployment, DesiredState, DockerMode, TargetKind};
use crate::db::site::targets::{DeploymentRow, TargetRow, TargetSet};
use crate::domain::{DocumentType, SiteId};

/// Returns the desired-state document among a release's documents.
pub(super) fn document(documents: &[DocumentEntry]) -> Option<&DocumentEntry> {
    documents
        .iter()
        .find(|document| document.kind == DocumentType::DesiredState)
}

/// Returns what a desired state says of one site: targets of other sites do not exist there.
pub(super) fn of_site(state: &DesiredState, site: &SiteId) -> TargetSet {
    let here = state
        .targets
        .iter()
        .filter(|target| target.site.as_ref().is_none_or(|at| at == site));
    TargetSet {
        targets: here
            .clone()
            .map(|target| TargetRow {
                id: target.id,
                name: target.name.clone(),
                kind: kind(target.kind).to_owned(),
            })
            .collect(),
        deployments: here
            .flat_map(|target| target.in_order().map(move |(_, deployment)| (target, deployment)))
            .map(|(target, deployment)| DeploymentRow {
                id: deployment.id,
                target: target.id,
                application: deployment.application.to_string(),
                version: deployment.version.clone(),
                revision: deployment.revision,
            })
            .collect(),
        removed: state.removed.clone(),
    }
}

/// Returns the stable word of a kind.
pub(super) fn kind(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Docker => "docker",
        TargetKind::Kubernetes => "kubernetes",
    }
}

/// Returns the stable word of what runs a deployment: `compose`, `swarm` or `helm`.
pub(super) fn engine(deployment: &Deployment) -> &'static str {
    match &deployment.docker {
        Some(docker) if docker.mode == DockerMode::Swarm => "swarm",
        Some(_) => "compose",
        None => "helm",
    }
}
