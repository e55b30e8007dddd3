//! What runs on a target: a compose file or a chart, and the images that it needs.

use serde::{Deserialize, Serialize};

use super::grammar::{exact, is_go_duration, is_label, is_text, wrong};
use super::{ImageName, SecretUse, TargetKind, secret};
use crate::domain::{Digest, DocumentType, Name, RepositoryName, Result, Tag, Timestamp, Uuid};

/// An application on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The application.
    pub application: Name,
    /// As the hub states it; orders the deployments of a target.
    pub created_at: Timestamp,
    /// On docker targets, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<DockerDeployment>,
    /// Restart after this revision was applied.
    pub force_restart: bool,
    /// On kubernetes targets, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm: Option<HelmDeployment>,
    /// Its UUID.
    pub id: Uuid,
    /// Every image and chart that it needs, ascending.
    #[serde(deserialize_with = "exact")]
    pub images: Vec<ImageName>,
    /// What must be applied: changes exactly when that changes.
    pub revision: Uuid,
    /// Secrets that its documents have places for, ascending by name; never an empty list. See [`Deployment::secrets`].
    #[serde(default, rename = "secrets", skip_serializing_if = "Option::is_none")]
    pub secret_uses: Option<Vec<SecretUse>>,
    /// Version label of the application, for people; 1 to 128 bytes.
    pub version: String,
}

/// How a compose application is deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DockerDeployment {
    /// Document of type `compose`.
    pub compose: Digest,
    /// Document of type `env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Digest>,
    /// Compose project or swarm stack.
    pub mode: DockerMode,
}

/// What runs a compose file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DockerMode {
    /// `docker compose up`.
    Compose,
    /// `docker stack deploy`.
    Swarm,
}

/// How a chart is deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelmDeployment {
    /// Repository of the release that holds the chart: what [`HelmDeployment::tag`] is a tag of.
    pub chart: RepositoryName,
    /// The chart's own name, as in `Chart.yaml`.
    pub chart_name: String,
    /// The chart's version, as in `Chart.yaml`.
    pub chart_version: String,
    /// Upgrade also when the cluster's revision is not the recorded one.
    pub ignore_revision_skew: bool,
    /// Options of helm; its defaults when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<HelmOptions>,
    /// Helm release.
    pub release_name: String,
    /// How agents fetch the chart.
    pub source: ChartSource,
    /// Tag of the chart in its repository: the version with `_` in place of `+`.
    pub tag: Tag,
    /// Document of type `values`.
    pub values: Digest,
}

/// How agents fetch a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChartSource {
    /// From the registry: `oci://PLACEHOLDER/<chart>`.
    Oci,
    /// From `https://PLACEHOLDER/charts/<chart>/index.yaml`, which agents read without credentials.
    Repository,
}

/// Options of helm, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelmOptions {
    /// Remove new resources of a failed upgrade.
    pub cleanup_on_failure: bool,
    /// Take over fields of other owners.
    pub force_conflicts: bool,
    /// Roll a failed upgrade back.
    pub rollback_on_failure: bool,
    /// A Go duration such as `5m0s`.
    pub timeout: String,
    /// How helm waits.
    pub wait_strategy: WaitStrategy,
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

impl Deployment {
    /// Returns the documents that it names, with the type each must have.
    pub fn documents(&self) -> impl Iterator<Item = (DocumentType, Digest)> {
        let docker = self.docker.as_ref();
        let compose = docker.map(|docker| (DocumentType::Compose, docker.compose));
        let env = docker.and_then(|docker| Some((DocumentType::Env, docker.env?)));
        let values = self.helm.as_ref().map(|helm| (DocumentType::Values, helm.values));
        [compose, env, values].into_iter().flatten()
    }

    /// Returns the secrets that it uses.
    pub fn secrets(&self) -> &[SecretUse] {
        self.secret_uses.as_deref().unwrap_or_default()
    }

    pub(super) fn check(&self, kind: TargetKind) -> Result<()> {
        let at = |what: &str, expected: &str| Err(wrong(format!("deployment {}: {what}", self.id), expected));
        if !is_text(&self.version) {
            return at(
                "its version label is empty, too long or not printable",
                "1 to 128 bytes without control characters",
            );
        }
        if self.docker.is_some() != (kind == TargetKind::Docker)
            || self.helm.is_some() != (kind == TargetKind::Kubernetes)
        {
            return at(
                "it is of another kind than its target",
                "compose files for docker targets, charts for kubernetes targets",
            );
        }
        if !self.images.is_sorted_by(|a, b| a < b) {
            return at(
                "its images are repeated or out of order",
                "each once, ascending by digest and repository",
            );
        }
        if let Some(secrets) = &self.secret_uses {
            secret::check(self.id, secrets)?;
        }
        if let Some(helm) = &self.helm {
            let version = |c: char| c.is_ascii_alphanumeric() || ".+-".contains(c);
            if !is_label(&helm.release_name) || helm.release_name.len() > 53 {
                return at(
                    "its helm release has no usable name",
                    "a label of RFC 1123 of at most 53 bytes",
                );
            }
            if !is_text(&helm.chart_name)
                || helm.chart.as_str().rsplit('/').next() != Some(helm.chart_name.as_str())
                || helm.chart_version.is_empty()
                || !helm.chart_version.chars().all(version)
                || helm.chart_version.replace('+', "_") != helm.tag.as_str()
            {
                return at(
                    "chart, name, version and tag do not fit together",
                    "the chart's last part as name, and the version with _ for + as tag",
                );
            }
            if helm
                .options
                .as_ref()
                .is_some_and(|options| !is_go_duration(&options.timeout))
            {
                return at(
                    "the timeout of helm is no duration",
                    "one like 5m0s, of at most 1,000 hours",
                );
            }
        }
        Ok(())
    }
}
