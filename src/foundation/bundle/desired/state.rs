//! The document as a whole, and what holds across its targets.

use serde::{Deserialize, Serialize};

use super::grammar::{ascending, exact, wrong};
use super::{AgentVersion, Deployment, SecretUse, Target, secret};
use crate::crypto::canonical;
use crate::domain::{Class, Error, Result, Uuid};

/// Stands for the appliance's registry in compose files, values and chart addresses (D9).
pub const PLACEHOLDER_HOST: &str = "registry.airlock.internal";
/// Stands for the deployment's own project or stack in compose files, so that many deployments share one document.
pub const PLACEHOLDER_PROJECT: &str = "project-airlock-internal";

/// Targets, deployments, and agent versions of one release; each list counts these.
const ITEMS: usize = 10_000;

/// What targets of a release shall run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredState {
    /// Agent versions, ascending by id.
    pub agents: Vec<AgentVersion>,
    /// Targets and deployments that earlier releases had and that shall go: the signed instruction to undeploy. Ascending.
    pub removed: Vec<Uuid>,
    /// Targets, ascending by id.
    #[serde(deserialize_with = "exact")]
    pub targets: Vec<Target>,
}

impl DesiredState {
    /// Parses the document and checks everything that holds within it.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`, `E-LIMIT` for the form; `E-CONTENT desired-state` or `verifier` for what is said.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        // Every type of it has its members in sorted order.
        let state: Self = canonical::from_sorted_slice(bytes, "the desired state")?;
        state.check()?;
        Ok(state)
    }

    /// Returns the document's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::to_vec(self)
    }

    /// Returns every deployment with its target.
    pub fn deployments(&self) -> impl Iterator<Item = (&Target, &Deployment)> {
        self.targets
            .iter()
            .flat_map(|target| target.deployments.iter().map(move |deployment| (target, deployment)))
    }

    /// Returns every secret that a deployment uses, with its target.
    pub fn secrets(&self) -> impl Iterator<Item = (&Target, &SecretUse)> {
        self.deployments()
            .flat_map(|(target, deployment)| deployment.secrets().iter().map(move |secret| (target, secret)))
    }

    /// Checks everything that holds within the document.
    ///
    /// # Errors
    ///
    /// `E-CONTENT desired-state` or `verifier`; `E-LIMIT items`.
    pub fn check(&self) -> Result<()> {
        let deployments = self.deployments().count();
        if self
            .agents
            .len()
            .max(self.targets.len())
            .max(deployments)
            .max(self.removed.len())
            > ITEMS
        {
            return Err(Error::new(Class::Limit, "items", "the desired state lists too much")
                .expected(format!(
                    "at most {ITEMS} targets, deployments, agent versions and removals each"
                ))
                .remedy("have the vendor make several products of it, or releases for fewer sites each"));
        }
        if !ascending(self.agents.iter().map(|agent| agent.id))
            || !ascending(self.targets.iter().map(|target| target.id))
            || !ascending(self.removed.iter().copied())
        {
            return Err(wrong(
                "agent versions, targets or removals are repeated or out of order".into(),
                "each list ascending by UUID",
            ));
        }
        let mut ids: Vec<Uuid> = self.targets.iter().map(|target| target.id).collect();
        ids.extend(self.deployments().map(|(_, deployment)| deployment.id));
        ids.extend(&self.removed);
        let mut names: Vec<&str> = self.targets.iter().map(|target| target.name.as_str()).collect();
        let mut revisions: Vec<Uuid> = self.deployments().map(|(_, deployment)| deployment.revision).collect();
        if repeated(&mut ids) || repeated(&mut names) || repeated(&mut revisions) {
            return Err(wrong(
                "two targets, deployments, removals or revisions share a UUID, or two targets a name".into(),
                "a UUID of its own for everything, and a name of its own for each target",
            ));
        }
        for agent in &self.agents {
            agent.check()?;
        }
        for target in &self.targets {
            target.check(self)?;
        }
        secret::check_agreement(self.secrets().map(|(target, secret)| (target.id, secret)))
    }
}

fn repeated<T: Ord>(items: &mut [T]) -> bool {
    items.sort_unstable();
    !items.is_sorted_by(|a, b| a < b)
}
