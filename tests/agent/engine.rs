//! What runs the applications of a docker agent.

use std::path::Path;

use ::airlock::protocol::distr;
use serde_json::Value;

use super::Outcome;

/// A deployment as the hub states it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) revision: String,
    /// Name of the compose project or stack: what the compose file calls itself.
    pub(crate) project: String,
    pub(crate) compose: String,
    pub(crate) env: Option<Vec<u8>>,
    pub(crate) swarm: bool,
    pub(crate) force_restart: bool,
    pub(crate) image_cleanup: bool,
}

/// What an engine finds about a project: the status type and the message that agents post.
pub(crate) type Health = (&'static str, String);

/// Runs compose files.
pub(crate) trait Engine {
    /// Makes a project what its file says; `progress` is called while it takes longer than an interval. `config` is the folder
    /// with the registry's credentials, when the file names images of that registry.
    fn apply(
        &mut self,
        deployment: &Deployment,
        config: Option<&Path>,
        progress: &mut dyn FnMut(&str),
    ) -> Result<String, String>;

    /// What runs of a project.
    fn check(&mut self, deployment: &Deployment) -> Health;

    /// Ends a project and removes its volumes.
    fn down(&mut self, project: &str) -> Result<(), String>;

    /// Restarts what runs of a project.
    fn restart(&mut self, project: &str) -> Result<(), String>;

    /// Starts the agent that a manifest describes in place of this one.
    fn replace_agent(&mut self, manifest: &str) -> Result<(), String>;
}

impl Deployment {
    /// Reads one as docker agents do; nothing for what they skip with an error in their log.
    pub(crate) fn read(stated: &distr::Deployment) -> Outcome<Option<Self>> {
        use base64::Engine as _;
        let Some(mode) = stated.docker_type else {
            return Ok(None);
        };
        let decode = |text: &String| base64::engine::general_purpose::STANDARD.decode(text);
        let compose = String::from_utf8(decode(stated.compose_file.as_ref().ok_or("no compose file")?)?)?;
        let document: Value = serde_saphyr::from_str(&compose)?;
        let project = document["name"]
            .as_str()
            .ok_or("the compose file has no name")?
            .to_owned();
        Ok(Some(Self {
            id: stated.id.to_string(),
            revision: stated.revision_id.to_string(),
            project,
            compose,
            env: stated.env_file.as_ref().map(decode).transpose()?,
            swarm: mode == distr::DockerType::Swarm,
            force_restart: stated.force_restart,
            image_cleanup: stated.image_cleanup_enabled,
        }))
    }

    /// Whether agents give their own credentials to the pull: a service's image, as it is written, begins with the registry.
    pub(crate) fn names_registry(&self, registry: &str) -> bool {
        let Ok(document) = serde_saphyr::from_str::<Value>(&self.compose) else {
            return false;
        };
        let services = document["services"].as_object();
        services.is_some_and(|services| {
            let mut images = services.values().filter_map(|service| service["image"].as_str());
            images.any(|image| image.starts_with(registry))
        })
    }
}
