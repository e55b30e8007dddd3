//! The pull log: a line for each request for content, at a level of its own: `AIRLOCK_LOG=info,airlock::pull=debug`.
//!
//! Members are a promise, as names of metrics are: `peer`, `who` (target or credential; `-` for who shows nothing), `method`, `path` (`-` for
//! who is turned away), `status`, `bytes` (of the body, where its length is known). An answer may end earlier than that: what was really
//! sent, `/metrics` counts.

use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::middleware::Next;

use super::access::Access;
use super::app::App;
use super::peer::Remote;

/// What the filter of the log calls it.
const PULL: &str = "airlock::pull";
/// Where content is.
const CONTENT: [&str; 3] = ["/v2/", "/charts/", "/files/"];

/// Writes a line for a request for content, where somebody wants lines.
pub(super) async fn note(State(app): State<App>, request: Request, next: Next) -> Response<Body> {
    if !tracing::enabled!(target: PULL, tracing::Level::DEBUG)
        || !CONTENT.iter().any(|begin| request.uri().path().starts_with(begin))
    {
        return next.run(request).await;
    }
    let who = app.access(&request).ok().and_then(name_of);
    let peer = request.extensions().get::<Remote>().map(|Remote(address)| *address);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    // Who is turned away may have sent anything, a secret in the wrong place among it.
    let is_turned_away = matches!(
        response.status(),
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    );
    let path = if is_turned_away { "-" } else { path.as_str() };
    tracing::debug!(
        target: PULL,
        peer = %peer.map_or_else(|| "-".to_owned(), |peer| peer.ip().to_string()),
        who = who.as_deref().unwrap_or("-"),
        %method,
        path,
        status = response.status().as_u16(),
        bytes = response.body().size_hint().exact(),
        "a request for content"
    );
    response
}

fn name_of(access: Access) -> Option<String> {
    match access {
        Access::Agent(identity) => Some(identity.name.clone()),
        Access::Reader(reader) => Some(reader.name.to_string()),
        Access::Everything | Access::Public => None,
    }
}
