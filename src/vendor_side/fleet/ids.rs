//! UUIDs that follow from names, so that they stay the same over all releases without anybody writing them down.

use serde::Serialize;

use crate::bundle::desired::{Deployment, DockerDeployment, HelmDeployment, ImageName};
use crate::crypto::canonical;
use crate::domain::{Name, Scope, Uuid};

/// Derives UUIDs within a scope.
#[derive(Debug)]
pub(in super::super) struct Ids<'a> {
    pub(in super::super) scope: &'a Scope,
}

/// Everything that an agent must apply, and nothing else.
#[derive(Serialize)]
struct Applied<'a> {
    docker: Option<&'a DockerDeployment>,
    force_restart: bool,
    helm: Option<&'a HelmDeployment>,
    images: &'a [ImageName],
}

impl Ids<'_> {
    /// Returns the UUID of a target.
    pub(in super::super) fn target(&self, name: &str) -> Uuid {
        Uuid::of_target(self.scope, name)
    }

    /// Returns the UUID of an application on a target.
    pub(in super::super) fn deployment(target: Uuid, application: &Name) -> Uuid {
        Uuid::of_deployment(target, application)
    }

    /// Returns the UUID of an agent version: the same in every product.
    pub(in super::super) fn agent(name: &str) -> Uuid {
        Uuid::derived("agent-version", &[name])
    }

    /// Returns the revision of a deployment: another one exactly when something that agents apply is another one.
    pub(in super::super) fn revision(deployment: &Deployment) -> Uuid {
        let applied = canonical::to_vec(&Applied {
            docker: deployment.docker.as_ref(),
            force_restart: deployment.force_restart,
            helm: deployment.helm.as_ref(),
            images: &deployment.images,
        });
        Uuid::derived(
            "revision",
            &[&deployment.id.to_string(), &String::from_utf8_lossy(&applied)],
        )
    }
}
