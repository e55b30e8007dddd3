//! Versions of the agents, and how the document names images.

use serde::{Deserialize, Serialize};

use super::TargetKind;
use super::grammar::{TEXT_BYTES, wrong};
use crate::domain::{Digest, RepositoryName, Result, Timestamp, Uuid};

/// A version of the agents, as `version` of the hub's answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentVersion {
    /// Image that restarts unhealthy containers beside the docker agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoheal: Option<ImageName>,
    /// As the hub states it.
    pub created_at: Timestamp,
    /// Image of the docker agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<ImageName>,
    /// Its UUID.
    pub id: Uuid,
    /// Image of the kubernetes agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<ImageName>,
    /// Its name, for example `3.1.0`: agents state it as `DistrAgentClient/<name>`.
    pub name: String,
}

/// An image, or a chart in a registry, that the bundle carries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageName {
    /// Manifest or index.
    pub digest: Digest,
    /// A repository of the release that reaches it.
    pub repository: RepositoryName,
}

impl AgentVersion {
    pub(super) fn check(&self) -> Result<()> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        if !(1..=TEXT_BYTES).contains(&self.name.len()) || !self.name.chars().all(fits) {
            return Err(wrong(
                format!("the agent version {} has no usable name", self.id),
                "1 to 128 ASCII letters, digits and . _ + -",
            ));
        }
        Ok(())
    }

    /// Returns the image that agents of a kind run.
    pub fn image(&self, kind: TargetKind) -> Option<&ImageName> {
        match kind {
            TargetKind::Docker => self.docker.as_ref(),
            TargetKind::Kubernetes => self.kubernetes.as_ref(),
        }
    }

    /// Returns every image of this version.
    pub fn images(&self) -> impl Iterator<Item = &ImageName> {
        [&self.autoheal, &self.docker, &self.kubernetes].into_iter().flatten()
    }
}
