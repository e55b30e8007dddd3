//! What a server answers from.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::agent::AgentApp;
use super::app::App;
use super::sending::Sending;
use super::settings::Settings;
use super::tls::Certificates;
use crate::appliance::Authority;
use crate::appliance::fleet::Hub;
use crate::appliance::live::Watcher;
use crate::appliance::registry::Registry;
use crate::appliance::status::StatusBuffer;
use crate::domain::{Clock, Result};

/// What a server answers from.
#[derive(Clone)]
pub struct Services {
    registry: Arc<Registry>,
    agents: Option<Agents>,
    authority: Option<Arc<Authority>>,
}

#[derive(Clone)]
struct Agents {
    hub: Arc<Hub>,
    status: Arc<StatusBuffer>,
    clock: Arc<dyn Clock>,
}

impl Services {
    /// A registry alone.
    pub fn registry(registry: &Arc<Registry>) -> Self {
        Self {
            registry: registry.clone(),
            agents: None,
            authority: None,
        }
    }

    /// With agents: what they shall run, and where what they report is kept.
    #[must_use]
    pub fn with_agents(mut self, hub: &Arc<Hub>, status: &Arc<StatusBuffer>, clock: Arc<dyn Clock>) -> Self {
        self.agents = Some(Agents {
            hub: hub.clone(),
            status: status.clone(),
            clock,
        });
        self
    }

    /// With the appliance's certificate authority, which HTTPS needs.
    #[must_use]
    pub fn with_authority(mut self, authority: &Arc<Authority>) -> Self {
        self.authority = Some(authority.clone());
        self
    }

    pub(super) fn authority(&self) -> Option<Arc<Authority>> {
        self.authority.clone()
    }

    /// Starts looking after what is live; it ends when that is dropped.
    pub(super) fn watch(&self) -> Result<Watcher> {
        Watcher::start(self.registry.live())
    }

    /// Makes what handlers share.
    pub(super) fn app(self, settings: &Settings, certificates: Option<Arc<Certificates>>, tracker: TaskTracker) -> App {
        let sending = Arc::new(Sending::new(&settings.limits));
        let (hub, agents) = match self.agents {
            None => (None, None),
            Some(Agents { hub, status, clock }) => {
                let app = AgentApp::new(
                    hub.clone(),
                    status,
                    clock,
                    sending.clone(),
                    settings.limits.stall,
                    tracker,
                );
                (Some(hub), Some(Arc::new(app)))
            }
        };
        App {
            registry: self.registry,
            read: Arc::new(settings.read.clone()),
            sending,
            hub,
            agents,
            certificates,
            counters: Arc::default(),
        }
    }
}

impl From<&Arc<Registry>> for Services {
    fn from(registry: &Arc<Registry>) -> Self {
        Self::registry(registry)
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services")
            .field("registry", &self.registry)
            .field("agents", &self.agents.is_some())
            .field("authority", &self.authority)
            .finish()
    }
}
