//! `/healthz`: the process answers. `/readyz`: what it serves holds.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode};

use super::app::{App, json};
use super::oci_error::OciError;
use crate::appliance::ReleaseDamage;

/// Says that the process answers; the same for everybody.
pub(super) async fn alive(request: Request) -> Response<Body> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        json(r#"{"status":"ok"}"#.to_owned())
    } else {
        OciError::UNSUPPORTED.response()
    }
}

/// Says how the appliance is: 200 while nothing is known to be broken, else 503. For those who may look.
pub(super) async fn ready(State(app): State<App>, request: Request) -> Response<Body> {
    if !app.may_look(&request) {
        return OciError::DENIED.response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return OciError::UNSUPPORTED.response();
    }
    let health = app.registry.live().health();
    let snapshot = app.registry.snapshot();
    let releases: Vec<_> = snapshot
        .active()
        .map(|release| {
            serde_json::json!({
                "channel": release.scope.channel, "domain": release.scope.domain, "epoch": release.counter.epoch,
                "head": release.head, "product": release.scope.product, "sequence": release.counter.sequence,
                "version": release.version,
            })
        })
        .collect();
    let certificate = app.certificates.as_ref().map(|certificates| certificates.health());
    let good = health.is_good() && certificate.is_none_or(|word| word == "ok");
    let mut checks = serde_json::json!({
        "releases": health.releases.as_str(), "database": health.database.as_str(), "index": health.index.as_str(),
        "content": health.content.as_str(),
    });
    if let (Some(word), Some(checks)) = (certificate, checks.as_object_mut()) {
        checks.insert("certificate".into(), word.into());
    }
    let status = app.agents.as_ref().map(|agents| agents.status_trouble());
    let good = good && status.as_ref().is_none_or(|(trouble, _)| trouble.is_none());
    if let (Some((trouble, set_aside)), Some(checks)) = (status, checks.as_object_mut()) {
        checks.insert("status".into(), trouble.unwrap_or_else(|| "ok".into()).into());
        // What was set aside is over: statuses are taken again, and a gap record says what is missing.
        checks.insert("status_set_aside".into(), set_aside.into());
    }
    let damage: Vec<_> = app
        .registry
        .live()
        .damage()
        .iter()
        .map(ReleaseDamage::to_json)
        .collect();
    let mut response = json(
        serde_json::json!({
            "status": if good { "ready" } else { "degraded" },
            "generation": snapshot.generation(),
            "checks": checks,
            "releases": releases,
            "damage": damage,
        })
        .to_string(),
    );
    if !good {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}
