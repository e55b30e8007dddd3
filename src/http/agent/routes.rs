//! Which path is what, and what every request of an agent passes before it gets there.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::routing::any;

use super::app::{AgentApp, unauthorized};
use super::enrol::{self, Enrolling};
use super::reply::{self, Reply};
use super::{logs, polls, reports};
use crate::appliance::hub::Identity;
use crate::http::router::{Local, Peer, URI_BYTES, uri_bytes};

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    Enrol(Enrolling),
    Login,
    Authenticated(Authenticated),
}

/// What only a token gets to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Authenticated {
    Manifest,
    Resources,
    Status,
    Metrics,
    Logs,
    AgentLogs,
}

fn route(path: &str) -> Option<(Route, Method)> {
    use Authenticated::{AgentLogs, Logs, Manifest, Metrics, Resources, Status};
    Some(match path.strip_prefix("/api/v1/")? {
        "connect" => (Route::Enrol(Enrolling::Connect), Method::GET),
        "pre-connect" => (Route::Enrol(Enrolling::PreConnect), Method::GET),
        "agent/login" => (Route::Login, Method::POST),
        "agent/manifest" => (Route::Authenticated(Manifest), Method::GET),
        "agent/resources" => (Route::Authenticated(Resources), Method::GET),
        "agent/status" => (Route::Authenticated(Status), Method::POST),
        "agent/metrics" => (Route::Authenticated(Metrics), Method::POST),
        "agent/logs" => (Route::Authenticated(Logs), Method::PUT),
        "agent/deployment-target-logs" => (Route::Authenticated(AgentLogs), Method::PUT),
        _ => return None,
    })
}

/// Makes the agents' routes.
pub(in crate::http) fn routes(app: Arc<AgentApp>) -> Router {
    Router::new().route("/api/v1/{*path}", any(answer)).with_state(app)
}

async fn answer(State(app): State<Arc<AgentApp>>, request: Request) -> Reply {
    let mut reply = dispatch(&app, request).await;
    let headers = reply.headers_mut();
    // Secrets stand in queries and bodies here (threat model A04).
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}

async fn dispatch(app: &Arc<AgentApp>, request: Request) -> Reply {
    if uri_bytes(request.uri()) > URI_BYTES {
        return reply::error(StatusCode::URI_TOO_LONG, "URI Too Long");
    }
    let local = request.extensions().get::<Local>().map(|Local(address)| address.ip());
    if !app.hosts.know(request.uri(), request.headers(), local) {
        return reply::error(StatusCode::MISDIRECTED_REQUEST, "Misdirected Request");
    }
    let Some((route, method)) = route(request.uri().path()) else {
        return reply::error(StatusCode::NOT_FOUND, "404 page not found");
    };
    if *request.method() != method {
        return reply::wrong_method(match method {
            Method::GET => "GET",
            Method::POST => "POST",
            _ => "PUT",
        });
    }
    // Without a peer the request did not come through a socket; such ones share what they may do.
    let peer = request.extensions().get::<Peer>().map(|Peer(address)| address.ip());
    let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0])).to_canonical();
    match route {
        Route::Enrol(what) => enrol::connect(app, what, request.uri().query(), peer).await,
        Route::Login => enrol::login(app, request.headers(), peer).await,
        Route::Authenticated(what) => match app.identify(request.headers()) {
            Some(identity) => authenticated(app, identity, what, request).await,
            None => unauthorized(),
        },
    }
}

async fn authenticated(app: &Arc<AgentApp>, identity: Arc<Identity>, what: Authenticated, request: Request) -> Reply {
    let logs = matches!(what, Authenticated::Logs | Authenticated::AgentLogs);
    let limiter = if logs { &app.logs } else { &app.requests };
    let allowance = limiter.take(identity.target);
    let reply = match what {
        Authenticated::Logs => logs::deployments(app, identity, request, allowance.passes).await,
        Authenticated::AgentLogs => logs::agent(app, identity, request, allowance.passes).await,
        _ if !allowance.passes => reply::too_many(),
        Authenticated::Manifest => polls::manifest(app, identity).await,
        Authenticated::Resources => polls::resources(app, identity, request.headers()).await,
        Authenticated::Status => reports::status(app, identity, request).await,
        Authenticated::Metrics => reports::metrics(app, identity, request).await,
    };
    app.limited(reply, allowance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_as_they_stand() {
        assert_eq!(
            route("/api/v1/agent/logs"),
            Some((Route::Authenticated(Authenticated::Logs), Method::PUT))
        );
        for path in [
            "/api/v1/",
            "/api/v1/agent",
            "/api/v1/agent/logs/",
            "/api/v1//agent/logs",
            "/api/v1/agent/../connect",
            "/api/v1/agent/%6cogs",
            "/api/v1/Connect",
            "/api/v2/connect",
        ] {
            assert_eq!(route(path), None, "{path}");
        }
    }
}
