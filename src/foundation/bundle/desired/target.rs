//! Deployment targets: a docker host or a place in a cluster.

use serde::{Deserialize, Serialize};

use super::grammar::{TEXT_BYTES, ascending, exact, is_label, is_text, wrong};
use super::{Deployment, DesiredState, Verifier};
use crate::domain::{Result, SiteId, Timestamp, Uuid};

/// What agents run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A docker engine, alone or as a swarm.
    Docker,
    /// A kubernetes cluster or namespace.
    Kubernetes,
}

/// A deployment target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the hub's switches of a target")]
pub struct Target {
    /// Agent version it shall run: an id of [`DesiredState::agents`].
    pub agent: Uuid,
    /// docker: every unhealthy container is restarted, not only the agent's own.
    pub autoheal_all: bool,
    /// As the hub states it.
    pub created_at: Timestamp,
    /// What it shall run, ascending by id.
    #[serde(deserialize_with = "exact")]
    pub deployments: Vec<Deployment>,
    /// docker: path of the engine's socket on the host, when it is not `/var/run/docker.sock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_socket: Option<String>,
    /// Its UUID.
    pub id: Uuid,
    /// docker: images of replaced containers are removed.
    pub image_cleanup: bool,
    /// What agents run on.
    pub kind: TargetKind,
    /// kubernetes only, and always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
    /// Logs of containers are collected.
    pub logs: bool,
    /// No logs from before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs_after: Option<Timestamp>,
    /// Metrics are collected.
    pub metrics: bool,
    /// For people; 1 to 128 bytes, unique within the release.
    pub name: String,
    /// The only site that it stands at; every site of the audience when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteId>,
    /// Checks the secret that the hub issued, so that an enrolled agent keeps it (D12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<Verifier>,
}

/// Where in a cluster an agent lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubernetes {
    /// Namespace of the agent and of everything it deploys: an RFC 1123 label.
    pub namespace: String,
    /// Resources of the agent's container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// What the agent may reach.
    pub scope: KubernetesScope,
}

/// What a kubernetes agent may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KubernetesScope {
    /// The cluster.
    Cluster,
    /// Its namespace.
    Namespace,
}

/// Resources of a container, as kubernetes quantities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the hub's fields of the same names")]
pub struct Resources {
    pub cpu_limit: String,
    pub cpu_request: String,
    pub memory_limit: String,
    pub memory_request: String,
}

impl Target {
    /// Returns its deployments, each with its place in [`Target::deployments`], in the order that the release gives them: by their
    /// times of creation.
    pub fn in_order(&self) -> impl Iterator<Item = (usize, &Deployment)> {
        let mut ordered: Vec<(usize, &Deployment)> = self.deployments.iter().enumerate().collect();
        ordered.sort_by_key(|(_, deployment)| (deployment.created_at, deployment.id));
        ordered.into_iter()
    }

    pub(super) fn check(&self, state: &DesiredState) -> Result<()> {
        let at = |what: &str, expected: &str| Err(wrong(format!("target {}: {what}", self.id), expected));
        if !is_text(&self.name) {
            return at(
                "its name is empty, too long or not printable",
                "1 to 128 bytes without control characters",
            );
        }
        // They are in order by now.
        let agent = state.agents.binary_search_by_key(&self.agent, |agent| agent.id);
        let Some(agent) = agent.ok().and_then(|at| state.agents.get(at)) else {
            return at("its agent version is not listed", "the id of one of the agent versions");
        };
        if agent.image(self.kind).is_none() || (self.kind == TargetKind::Docker && agent.autoheal.is_none()) {
            return at(
                "its agent version has no image for it",
                "the image of its kind, and for docker that of autoheal",
            );
        }
        if self.kubernetes.is_some() != (self.kind == TargetKind::Kubernetes) {
            return at(
                "the member kubernetes is missing, or stands at a docker target",
                "it at kubernetes targets, at all of them and at no other",
            );
        }
        if let Some(kubernetes) = &self.kubernetes {
            let quantity = |text: &String| {
                (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
            };
            if !is_label(&kubernetes.namespace)
                || kubernetes.resources.as_ref().is_some_and(|resources| {
                    ![
                        &resources.cpu_limit,
                        &resources.cpu_request,
                        &resources.memory_limit,
                        &resources.memory_request,
                    ]
                    .into_iter()
                    .all(quantity)
                })
            {
                return at(
                    "its namespace or its agent's resources follow no grammar",
                    "a label of RFC 1123, and quantities of 1 to 32 letters, digits and points",
                );
            }
        }
        if let Some(socket) = &self.docker_socket {
            let fits = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            if self.kind != TargetKind::Docker
                || !(2..=TEXT_BYTES).contains(&socket.len())
                || !socket.starts_with('/')
                || !socket.chars().all(fits)
            {
                return at(
                    "its docker socket is no plain absolute path, or it is no docker target",
                    "at docker targets an absolute path of 2 to 128 letters, digits and / . _ -",
                );
            }
        }
        if let Some(verifier) = &self.verifier {
            verifier.check(self.id)?;
        }
        if !ascending(self.deployments.iter().map(|deployment| deployment.id)) {
            return at("its deployments are out of order", "each once, ascending by UUID");
        }
        for deployment in &self.deployments {
            deployment.check(self.kind)?;
        }
        Ok(())
    }
}
