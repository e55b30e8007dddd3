//! `manifest` and `resources`: what an agent asks for.

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;

use super::app::{AgentApp, agent_version};
use super::reply::{self, Reply};
use super::resources_body::ResourcesBody;
use crate::appliance::distr::Answer;
use crate::appliance::fleet::Identity;
use crate::appliance::status::Owner;
use crate::domain::Result;
use crate::http::in_flight::Account;
use crate::http::peer::Way;

/// Answers `manifest`: what an agent that updates itself applies.
pub(super) async fn manifest(app: &Arc<AgentApp>, identity: Arc<Identity>, account: &Account) -> Reply {
    match app.ask(move |hub| hub.agent_manifest(&identity)).await {
        Ok(text) => reply::yaml(text, account),
        Err(error) => app.failure(&error),
    }
}

/// Answers `resources`: what an agent shall run.
pub(super) async fn resources(
    app: &Arc<AgentApp>,
    identity: Arc<Identity>,
    headers: &HeaderMap,
    account: &Account,
    way: Way,
) -> Reply {
    let version = agent_version(headers);
    let owner = Owner::of(&identity.scope);
    let before = app.hub.advertised(&identity).ok();
    let answered = match app.hub.check_way(&identity, way == Way::Private) {
        Ok(()) => resources_body(app, identity.clone(), account).await,
        Err(error) => Err(error),
    };
    // Another generation may have come in between: then what was told is noted at the next look.
    let after = app.hub.advertised(&identity).ok();
    let told = after.filter(|after| answered.is_ok() && before.as_ref() == Some(after));
    // Before the agent has the answer: what it reports of it comes later.
    match &told {
        Some(told) => app
            .status
            .told(identity.target, owner, &identity.name, version.as_deref(), told),
        None => app
            .status
            .contact(identity.target, owner, &identity.name, version.as_deref()),
    }
    match answered {
        Ok(body) => reply::json(body),
        Err(error) => app.failure(&error),
    }
}

/// Short answers are one buffer for all who ask; a long one, or one for which there is no room at present, is made as it is sent.
async fn resources_body(app: &Arc<AgentApp>, identity: Arc<Identity>, account: &Account) -> Result<Body> {
    let asked = identity.clone();
    let mut short = app.ask(move |hub| hub.kept_resources(&asked)).await?;
    if short.is_none() {
        let asked = identity.clone();
        short = app.render(&identity, move |hub| hub.resources(&asked)).await?;
    }
    let held = short.and_then(|short| match short {
        Answer::Shared(bytes) => account.share(&bytes).ok(),
        Answer::Own(bytes) => account.take(bytes.len()).ok().map(|permit| permit.hold(bytes)),
    });
    if let Some(bytes) = held {
        return Ok(bytes.into());
    }
    let asked = identity.clone();
    let pieces = app
        .render_piece(&identity, move |hub| hub.resources_pieces(&asked))
        .await?;
    Ok(Body::new(ResourcesBody::new(
        app.clone(),
        identity,
        account.clone(),
        pieces,
    )))
}
