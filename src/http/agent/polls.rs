//! `manifest` and `resources`: what an agent asks for.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::HeaderMap;

use super::app::{AgentApp, agent_version};
use super::reply::{self, Reply};
use crate::appliance::fleet::Identity;
use crate::appliance::status::owner_mark;

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
    let owner = owner_mark(&identity.scope);
    let asking = identity.clone();
    let answered = app
        .ask(move |hub| {
            let before = hub.advertised(&asking)?;
            let bytes = hub.resources(&asking)?;
            // Another generation may have come in between: then what was told is noted at the next look.
            let told = hub.advertised(&asking).ok().filter(|after| *after == before);
            Ok((bytes, told))
        })
        .await;
    // Before the agent has the answer: what it reports of it comes later.
    match &answered {
        Ok((_, Some(told))) => app
            .status
            .told(identity.target, owner, &identity.name, version.as_deref(), told),
        _ => app
            .status
            .contact(identity.target, owner, &identity.name, version.as_deref()),
    }
    match answered {
        Ok((bytes, _)) => reply::json(Bytes::from_owner(bytes)),
        Err(error) => app.failure(&error),
    }
}
