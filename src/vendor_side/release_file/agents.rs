//! The section `agents`: versions of the agents, and the images they are made of.

use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::images::{ImageEntry, RawEntry};
use super::mistakes::{Located, Mistakes, cut, place};
use crate::domain::{Result, Timestamp, Uuid};

/// A version of the agents.
#[derive(Debug, Clone)]
pub struct AgentEntry {
    /// Its name; agents state it as `DistrAgentClient/<name>`.
    pub name: Located<String>,
    /// Its UUID; derived from the name when left out.
    pub id: Option<Uuid>,
    /// As the hub states it.
    pub created_at: Timestamp,
    /// Image of the docker agent.
    pub docker: Option<ImageEntry>,
    /// Image that restarts unhealthy containers beside the docker agent.
    pub autoheal: Option<ImageEntry>,
    /// Image of the kubernetes agent.
    pub kubernetes: Option<ImageEntry>,
}

impl AgentEntry {
    /// Returns its images.
    pub fn images(&self) -> impl Iterator<Item = &ImageEntry> {
        [&self.docker, &self.autoheal, &self.kubernetes].into_iter().flatten()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAgent {
    name: Spanned<String>,
    id: Option<Spanned<String>>,
    created_at: Option<Spanned<String>>,
    docker: Option<RawEntry>,
    autoheal: Option<RawEntry>,
    kubernetes: Option<RawEntry>,
}

impl Mistakes<'_> {
    pub(super) fn agents(&self, raw: &[RawAgent], base: &Path) -> Result<Vec<AgentEntry>> {
        let mut agents: Vec<AgentEntry> = Vec::new();
        for entry in raw {
            let image = |image: &Option<RawEntry>| image.as_ref().map(|image| self.image(image, base)).transpose();
            let agent = AgentEntry {
                name: Located {
                    value: entry.name.value.clone(),
                    place: place(&entry.name),
                },
                id: self.parse_some(entry.id.as_ref())?,
                created_at: self.parse_some(entry.created_at.as_ref())?.unwrap_or(Timestamp::EPOCH),
                docker: image(&entry.docker)?,
                autoheal: image(&entry.autoheal)?,
                kubernetes: image(&entry.kubernetes)?,
            };
            let fits = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
            if !(1..=128).contains(&agent.name.value.len()) || !agent.name.value.chars().all(fits) {
                return Err(self.value(
                    &entry.name,
                    format!("{:?} is no agent version", cut(&agent.name.value)),
                    "a version like 3.1.0",
                ));
            }
            if agent.docker.is_none() && agent.kubernetes.is_none() {
                return Err(self.missing_key(place(&entry.name), "docker or kubernetes", ": the version has no agent"));
            }
            if agent.docker.is_some() && agent.autoheal.is_none() {
                return Err(self.missing_key(
                    place(&entry.name),
                    "autoheal",
                    ", which the docker agent's manifest needs",
                ));
            }
            if agents.iter().any(|known| known.name.value == agent.name.value) {
                return Err(self.value(&entry.name, "this agent version is listed twice", "each version once"));
            }
            agents.push(agent);
        }
        Ok(agents)
    }
}
