//! An engine that runs nothing and notes what it is told.

use std::collections::BTreeMap;
use std::path::Path;

use crate::agent::engine::{Deployment, Engine, Health};

/// What was asked of it, and what runs in its books.
#[derive(Debug, Default)]
pub(super) struct SpyEngine {
    /// `apply REVISION`, `restart PROJECT`, `down PROJECT`, `replace`.
    pub(super) told: Vec<String>,
    /// Compose file by project.
    pub(super) projects: BTreeMap<String, String>,
    /// Manifests of agents that were to replace this one.
    pub(super) manifests: Vec<String>,
}

impl Engine for SpyEngine {
    fn apply(
        &mut self,
        deployment: &Deployment,
        _config: Option<&Path>,
        progress: &mut dyn FnMut(&str),
    ) -> Result<String, String> {
        self.told.push(format!("apply {}", deployment.revision));
        progress("Pulling: 1/1");
        self.projects
            .insert(deployment.project.clone(), deployment.compose.clone());
        Ok("compose command executed successfully".into())
    }

    fn check(&mut self, deployment: &Deployment) -> Health {
        if self.projects.contains_key(&deployment.project) {
            (
                "running",
                "status check results: 1 running (healthchecks missing)".into(),
            )
        } else {
            ("error", "no containers found".into())
        }
    }

    fn down(&mut self, project: &str) -> Result<(), String> {
        self.told.push(format!("down {project}"));
        self.projects.remove(project);
        Ok(())
    }

    fn restart(&mut self, project: &str) -> Result<(), String> {
        self.told.push(format!("restart {project}"));
        Ok(())
    }

    fn replace_agent(&mut self, manifest: &str) -> Result<(), String> {
        self.told.push("replace".into());
        self.manifests.push(manifest.to_owned());
        Ok(())
    }
}
