//! What every request passes before anything else is asked of it: under which name it came, and whether it came by itself (threat model
//! R11, R15).

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode};
use axum::middleware::Next;

use super::agent;
use super::app::App;
use super::hosts::{BadHost, Hosts};
use super::oci_error::OciError;
use super::peer::{Forwarded, Local};
use crate::appliance::registry::Registry;
use crate::protocol::distr::API_PREFIX;

/// Headers that a proxy adds, beside everything that begins with `x-forwarded-`.
const FORWARDED: [&str; 3] = ["forwarded", "via", "x-real-ip"];

/// Lets a request through, or refuses it.
pub(super) async fn pass(State(hosts): State<Arc<Hosts>>, mut request: Request, next: Next) -> Response<Body> {
    let local: Option<IpAddr> = request.extensions().get::<Local>().map(|Local(address)| address.ip());
    if let Err(bad) = hosts.check(request.uri(), request.headers(), local) {
        return refuse(bad, request.uri().path());
    }
    if is_forwarded(request.headers()) {
        request.extensions_mut().insert(Forwarded);
    }
    next.run(request).await
}

/// Lets a request through while what is answered from is the state that stands in its place. Else nobody is given anything of it, nor
/// anything of what stands there now and was never opened: 503, which clients and agents repeat (design D11).
pub(super) async fn stands(State(registry): State<Arc<Registry>>, request: Request, next: Next) -> Response<Body> {
    match registry.live().appliance().check_place() {
        Ok(()) => next.run(request).await,
        Err(error) if request.uri().path().starts_with(API_PREFIX) => {
            let line = format!("{} {}", error.class(), error.code());
            agent::refused(StatusCode::SERVICE_UNAVAILABLE, &line)
        }
        Err(_) => OciError::REPLACED.response(),
    }
}

/// Lets a request through once everything is known that its answer needs. Content that everybody may read at an address needs nothing
/// beyond what the start has loaded; all else, who asks among it, needs the targets.
pub(super) async fn knows(State(app): State<App>, request: Request, next: Next) -> Response<Body> {
    if app.registry.live().is_whole() || app.reads_everything(&request) || app.registry.live().whole().await {
        return next.run(request).await;
    }
    if request.uri().path().starts_with(API_PREFIX) {
        return agent::refused(StatusCode::SERVICE_UNAVAILABLE, "E-STATE targets");
    }
    OciError::UNREAD.response()
}

/// Refuses in the form that the client of the path knows.
fn refuse(bad: BadHost, path: &str) -> Response<Body> {
    let error = match bad {
        BadHost::Malformed => OciError::BAD_HOST,
        BadHost::Unknown => OciError::UNKNOWN_HOST,
    };
    if path.starts_with(API_PREFIX) {
        let (status, line) = match bad {
            BadHost::Malformed => (StatusCode::BAD_REQUEST, "Bad Request"),
            BadHost::Unknown => (StatusCode::MISDIRECTED_REQUEST, "Misdirected Request"),
        };
        return agent::refused(status, line);
    }
    error.response()
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    let forwards = |name: &str| FORWARDED.contains(&name) || name.starts_with("x-forwarded-");
    headers.keys().any(|name| forwards(name.as_str()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn what_a_proxy_adds_is_noticed() {
        let has = |name: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("accept", HeaderValue::from_static("*/*"));
            headers.insert(name, HeaderValue::from_static(""));
            is_forwarded(&headers)
        };
        for name in [
            "forwarded",
            "via",
            "x-real-ip",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-anything",
        ] {
            assert!(has(name), "{name}");
        }
        for name in ["x-forward", "user-agent", "x-request-id", "viable"] {
            assert!(!has(name), "{name}");
        }
    }
}
