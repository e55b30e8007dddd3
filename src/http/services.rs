//! What a server answers from.

use std::sync::Arc;

use axum::Router;
use tokio_util::task::TaskTracker;

use super::router::{App, routes};
use super::settings::{AgentsAddress, Settings};
use super::tls::Certificates;
use crate::appliance::Authority;
use crate::appliance::registry::{Registry, Watcher};
use crate::domain::Result;

/// What a server answers from.
#[derive(Debug, Clone)]
pub struct Services {
    registry: Arc<Registry>,
    authority: Option<Arc<Authority>>,
}

/// What looks after the state beside the server; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Watchers {
    _registry: Watcher,
}

impl Services {
    /// A registry alone.
    pub fn registry(registry: &Arc<Registry>) -> Self {
        Self {
            registry: registry.clone(),
            authority: None,
        }
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

    /// Starts looking after the state.
    pub(super) fn watch(&self) -> Result<Watchers> {
        Ok(Watchers {
            _registry: Watcher::start(&self.registry)?,
        })
    }

    /// Makes the routes.
    pub(super) fn router(
        self,
        settings: &Settings,
        _agents: &AgentsAddress,
        certificates: Option<Arc<Certificates>>,
        _tracker: TaskTracker,
    ) -> Router {
        routes(App::new(self.registry, settings.read.clone(), certificates))
    }
}

impl From<&Arc<Registry>> for Services {
    fn from(registry: &Arc<Registry>) -> Self {
        Self::registry(registry)
    }
}
