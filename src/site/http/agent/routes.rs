//! Which path is what, and what every request of an agent passes before it gets there.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::routing::any;

use super::app::{AgentApp, unauthorized};
use super::reply::{self, Reply};
use super::{connect, logs, polls, reports};
use crate::appliance::fleet::Identity;
use crate::http::in_flight::Account;
use crate::http::peer::{Remote, Way};
use crate::http::seats::Acquaintance;
use crate::http::uri::{URI_BYTES, uri_bytes};
use crate::protocol::distr::{API_PREFIX, Endpoint};

/// Makes the agents' routes.
pub(in crate::http) fn routes(app: Arc<AgentApp>) -> Router {
    Router::new()
        .route(&format!("{API_PREFIX}{{*path}}"), any(answer))
        .with_state(app)
}

async fn answer(State(app): State<Arc<AgentApp>>, request: Request) -> Reply {
    kept_nowhere(dispatch(&app, request).await)
}

/// Refuses a request before it is looked at.
pub(in crate::http) fn refused(status: StatusCode, line: &str) -> Reply {
    kept_nowhere(reply::error(status, line))
}

/// Secrets stand in queries and bodies here (threat model A04).
fn kept_nowhere(mut reply: Reply) -> Reply {
    let headers = reply.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}

async fn dispatch(app: &Arc<AgentApp>, request: Request) -> Reply {
    if uri_bytes(request.uri()) > URI_BYTES {
        return reply::error(StatusCode::URI_TOO_LONG, "URI Too Long");
    }
    let Some(endpoint) = Endpoint::of_path(request.uri().path()) else {
        return reply::error(StatusCode::NOT_FOUND, "404 page not found");
    };
    if request.method().as_str() != endpoint.method() {
        return reply::wrong_method(endpoint.method());
    }
    // Without a peer the request did not come through a socket; such ones share what they may do.
    let peer = request.extensions().get::<Remote>().map(|Remote(address)| address.ip());
    let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0])).to_canonical();
    let account = app.sending.in_flight.account(request.extensions());
    let acquaintance = request.extensions().get::<Acquaintance>().cloned();
    let (shown, reply) = match endpoint {
        Endpoint::Connect | Endpoint::PreConnect => {
            let reply = connect::connect(app, endpoint, request.uri().query(), peer, account).await;
            (reply.status().is_success(), reply)
        }
        Endpoint::Login => {
            let reply = connect::login(app, request.headers(), peer, &account).await;
            (reply.status().is_success(), reply)
        }
        _ => match app.identify(request.headers()) {
            Some(identity) => {
                // Before the answer: it may take long, and the next connection may need its seat now.
                acquaintance.iter().for_each(Acquaintance::note);
                return authenticated(app, identity, endpoint, request, &account).await;
            }
            None => (false, unauthorized()),
        },
    };
    if let Some(acquaintance) = acquaintance.filter(|_| shown) {
        acquaintance.note();
    }
    reply
}

async fn authenticated(
    app: &Arc<AgentApp>,
    identity: Arc<Identity>,
    endpoint: Endpoint,
    request: Request,
    account: &Account,
) -> Reply {
    let logs = matches!(endpoint, Endpoint::Logs | Endpoint::AgentLogs);
    let way = Way::of(request.extensions());
    let limiter = if logs { &app.logs } else { &app.requests };
    let allowance = limiter.take(identity.target);
    let reply = match endpoint {
        Endpoint::Logs => logs::deployments(app, identity, request, allowance.passes).await,
        Endpoint::AgentLogs => logs::agent(app, identity, request, allowance.passes).await,
        _ if !allowance.passes => reply::too_many(),
        Endpoint::Manifest => polls::manifest(app, identity, account).await,
        Endpoint::Resources => polls::resources(app, identity, request.headers(), account, way).await,
        Endpoint::Status => reports::status(app, identity, request).await,
        Endpoint::Metrics => reports::metrics(app, identity, request).await,
        // They need no token, and were answered before.
        Endpoint::Connect | Endpoint::PreConnect | Endpoint::Login => unauthorized(),
    };
    app.limited(reply, allowance)
}
