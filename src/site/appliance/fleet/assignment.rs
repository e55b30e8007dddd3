//! What a target shall run: its part of the signed document, under the ids that its agent knows.

use std::sync::Arc;

use crate::appliance::live::DesiredDocument;
use crate::appliance::secret::RevisionKey;
use crate::bundle::desired::{AgentVersion, Deployment, SecretUse, Target};
use crate::db::site::owners::Owners;
use crate::domain::{Class, Error, Result, Scope, SecretName, SecretValue, Uuid};

/// What a target shall run.
#[derive(Debug, Clone)]
pub(in crate::appliance) struct Assignment {
    pub(in crate::appliance) document: Arc<DesiredDocument>,
    place: usize,
    /// In the order of the release.
    pub(in crate::appliance) deployments: Vec<AssignedDeployment>,
    /// What its agent is told to run: deployments with revisions.
    pub(in crate::appliance) stated: Arc<[(Uuid, Uuid)]>,
}

/// A deployment under the ids that the agent knows.
#[derive(Debug, Clone)]
pub(in crate::appliance) struct AssignedDeployment {
    place: usize,
    pub(in crate::appliance) id: Uuid,
    /// What its agent is told: another one than `stated` where values of this site go into it.
    pub(in crate::appliance) revision: Uuid,
    /// The signed revision; of a target made here the one that follows from it.
    pub(in crate::appliance) stated: Uuid,
    /// Values of the secrets that it uses, ascending by name.
    pub(in crate::appliance) values: Values,
    /// Taken away here.
    pub(in crate::appliance) removed: bool,
}

/// Values of secrets, by name. Nothing prints them.
#[derive(Clone, Default)]
pub(in crate::appliance) struct Values(Vec<(SecretName, Arc<SecretValue>)>);

impl Values {
    /// Returns each name with its value.
    pub(in crate::appliance) fn iter(&self) -> impl Iterator<Item = (&SecretName, &SecretValue)> {
        self.0.iter().map(|(name, value)| (name, &**value))
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Assignment {
    /// Takes the target at a place of the document; `owners` know what was taken away here, and what is another product's.
    pub(in crate::appliance) fn new(
        document: &Arc<DesiredDocument>,
        place: usize,
        target: &Target,
        scope: &Scope,
        owners: &Owners,
    ) -> Self {
        let deployments: Vec<_> = target
            .in_order()
            .map(|(place, deployment)| AssignedDeployment {
                place,
                id: deployment.id,
                revision: deployment.revision,
                stated: deployment.revision,
                values: Values::default(),
                removed: owners.removed_here(scope, &deployment.id) || !owners.admits(scope, &deployment.id),
            })
            .collect();
        Self {
            document: document.clone(),
            place,
            stated: stated(&deployments),
            deployments,
        }
    }

    /// Returns the same under the ids that a target made here knows, which follows this one.
    pub(in crate::appliance) fn for_local(&self, target: &Uuid, scope: &Scope, owners: &Owners) -> Self {
        let mut local = self.clone();
        for assigned in &mut local.deployments {
            assigned.id = local_deployment(target, &assigned.id);
            assigned.stated = local_revision(target, &assigned.stated);
            assigned.revision = assigned.stated;
            assigned.removed = owners.removed_here(scope, &assigned.id);
        }
        local.stated = stated(&local.deployments);
        local
    }

    /// Puts values into its deployments, and says what their agents are told then; none of this target's was put in before.
    ///
    /// # Errors
    ///
    /// Those of `find`.
    pub(super) fn fill(
        &mut self,
        mut find: impl FnMut(&SecretUse) -> Result<Arc<SecretValue>>,
        key: &RevisionKey,
    ) -> Result<()> {
        for place in 0..self.deployments.len() {
            let Some(assigned) = self.deployments.get(place).filter(|assigned| !assigned.removed) else {
                continue;
            };
            let uses = self.deployment(assigned)?.secrets();
            if uses.is_empty() {
                continue;
            }
            let found = uses.iter().map(|used| Ok((used.name.clone(), find(used)?)));
            let values = Values(found.collect::<Result<_>>()?);
            let revision = key.revision(&assigned.stated, &values.0);
            if let Some(assigned) = self.deployments.get_mut(place) {
                (assigned.values, assigned.revision) = (values, revision);
            }
        }
        self.stated = stated(&self.deployments);
        Ok(())
    }

    /// Whether anything that its agent is told holds a secret.
    pub(in crate::appliance) fn has_secrets(&self) -> bool {
        self.deployments.iter().any(|assigned| !assigned.values.0.is_empty())
    }

    /// Whether a deployment of it that is told uses secrets.
    pub(super) fn needs_secrets(&self) -> bool {
        let mut told = self.deployments.iter().filter(|assigned| !assigned.removed);
        told.any(|assigned| {
            self.deployment(assigned)
                .is_ok_and(|deployment| !deployment.secrets().is_empty())
        })
    }

    /// Returns the target as the document states it. For a local one that is the target that it follows.
    ///
    /// # Errors
    ///
    /// None in fact: the place was taken from this very document.
    pub(in crate::appliance) fn target(&self) -> Result<&Target> {
        self.document.state.targets.get(self.place).ok_or_else(out_of_place)
    }

    /// Returns a deployment as the document states it.
    ///
    /// # Errors
    ///
    /// None in fact, as above.
    pub(in crate::appliance) fn deployment(&self, assigned: &AssignedDeployment) -> Result<&Deployment> {
        self.target()?.deployments.get(assigned.place).ok_or_else(out_of_place)
    }

    /// Returns the version of the agent.
    ///
    /// # Errors
    ///
    /// None in fact: the document was checked.
    pub(in crate::appliance) fn agent(&self) -> Result<&AgentVersion> {
        let id = self.target()?.agent;
        let agent = self.document.state.agents.iter().find(|agent| agent.id == id);
        agent.ok_or_else(out_of_place)
    }
}

/// Returns the id under which a target made here knows a deployment of the one that it follows.
pub(in crate::appliance) fn local_deployment(target: &Uuid, template: &Uuid) -> Uuid {
    Uuid::of_local_deployment(*target, *template)
}

/// Returns the revision under which a target made here knows a revision of the one that it follows.
pub(in crate::appliance) fn local_revision(target: &Uuid, template: &Uuid) -> Uuid {
    Uuid::of_local_revision(*target, *template)
}

fn stated(deployments: &[AssignedDeployment]) -> Arc<[(Uuid, Uuid)]> {
    let here = deployments.iter().filter(|assigned| !assigned.removed);
    here.map(|assigned| (assigned.id, assigned.revision)).collect()
}

fn out_of_place() -> Error {
    Error::new(
        Class::Internal,
        "desired-state",
        "a target was looked for in another document",
    )
}
