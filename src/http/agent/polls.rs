//! `manifest` and `resources`: what an agent asks for.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::HeaderMap;

use super::app::{AgentApp, agent_version};
use super::reply::{self, Reply};
use crate::appliance::fleet::Identity;

/// Answers `manifest`: what an agent that updates itself applies.
pub(super) async fn manifest(app: &Arc<AgentApp>, identity: Arc<Identity>) -> Reply {
    match app.ask(move |hub| hub.agent_manifest(&identity)).await {
        Ok(text) => reply::yaml(text),
        Err(error) => app.failure(&error),
    }
}

/// Answers `resources`: what an agent shall run.
pub(super) async fn resources(app: &Arc<AgentApp>, identity: Arc<Identity>, headers: &HeaderMap) -> Reply {
    let version = agent_version(headers);
    app.status.contact(identity.target, &identity.name, version.as_deref());
    match app.ask(move |hub| hub.resources(&identity)).await {
        Ok(bytes) => reply::json(Bytes::from_owner(bytes)),
        Err(error) => app.failure(&error),
    }
}
