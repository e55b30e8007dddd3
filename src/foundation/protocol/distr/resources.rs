//! The answer to `GET resources`: what a target shall run. Members stand in the hub's order.
//!
//! Docker and kubernetes agents get the same members, with `null`, empty texts and `false` where one is for the other kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::{Timestamp, Uuid};

/// Body of the answer; whoever writes it piece by piece puts its own marks for the deployments.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "D: Deserialize<'de>"))]
pub struct Resources<D = Deployment> {
    /// The version that the agent shall have.
    pub version: AgentVersion,
    /// Kubernetes alone: where the agent works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Whether the agent sends metrics.
    pub metrics_enabled: bool,
    /// Whether the agent sends lines of containers.
    pub deployment_logs_enabled: bool,
    /// From when on it sends them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_logs_after: Option<Timestamp>,
    /// What to run. Without any the member is left out, and agents remove everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deployments: Vec<D>,
}

/// A version of the agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentVersion {
    /// An agent with another id replaces itself.
    pub id: Uuid,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its name, for people.
    pub name: String,
}

/// Something to run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the wire has them")]
pub struct Deployment {
    /// Its identity.
    pub id: Uuid,
    /// What changes with every change.
    pub revision_id: Uuid,
    /// Credentials of further registries, by host.
    pub registry_auth: Option<BTreeMap<String, RegistryCredentials>>,
    /// As [`Resources::deployment_logs_enabled`], for agents before 2026-04.
    pub logs_enabled: bool,
    /// Whether to restart it once it was applied.
    pub force_restart: bool,
    /// Docker: the compose file, in padded base64.
    pub compose_file: Option<String>,
    /// Docker: the environment file, in padded base64.
    pub env_file: Option<String>,
    /// Docker: how it is run. Without, a docker agent skips the deployment and reports nothing.
    pub docker_type: Option<DockerType>,
    /// Docker: whether images that are no longer used are removed.
    pub image_cleanup_enabled: bool,
    /// Kubernetes: name of the release.
    pub release_name: String,
    /// Kubernetes: `oci://` and the chart's repository, or the address of a classic repository.
    pub chart_url: String,
    /// Kubernetes: name of the chart in a classic repository.
    pub chart_name: String,
    /// Kubernetes: version of the chart.
    pub chart_version: String,
    /// Kubernetes: values of the chart, the bytes as they were written.
    pub values: Option<Box<RawValue>>,
    /// Kubernetes: whether a release that somebody else changed is upgraded all the same.
    pub ignore_revision_skew: bool,
    /// Kubernetes: how the release is made; all of it or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm_options: Option<HelmOptions>,
}

/// Credentials of a registry.
#[derive(Clone, Serialize, Deserialize)]
pub struct RegistryCredentials {
    /// Name of the user.
    pub username: String,
    /// Its password.
    pub password: String,
}

/// The password stays out of logs.
impl std::fmt::Debug for RegistryCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RegistryCredentials of {}", self.username)
    }
}

/// How a docker agent runs a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DockerType {
    /// As a compose project.
    Compose,
    /// As a stack of a swarm.
    Swarm,
}

/// How helm installs and upgrades.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HelmOptions {
    /// A Go duration.
    pub timeout: String,
    /// What helm waits for.
    pub wait_strategy: WaitStrategy,
    /// Whether a failed upgrade is taken back.
    pub rollback_on_failure: bool,
    /// Whether what a failed upgrade made is removed.
    pub cleanup_on_failure: bool,
    /// Whether fields that another manager owns are taken over.
    pub force_conflicts: bool,
}

/// How helm waits for what it deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "helm's own words")]
pub enum WaitStrategy {
    Watcher,
    Legacy,
    HookOnly,
}
