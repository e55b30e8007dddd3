//! How dockerd's older image store gets at images that are for everybody (D19; distribution's token specification).
//!
//! That store asks the base path once, before every pull, and takes what it is told there for the whole registry. Told of Basic, it gives
//! up without credentials, also where none are needed: the first pull of an agent's own image. So dockerd, and nobody else, is told of
//! this token service on that one path. Who shows an agent's token here gets the same token back; who shows nothing gets the
//! word that stands for no credentials. Every other client goes on with Basic, and what a request may read is decided in one place
//! ([`super::access`]) as before.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, header};

use super::access::Access;
use super::app::{App, json};
use super::credentials::{ANONYMOUS, password};
use super::oci_error::OciError;

/// Path of the service.
pub(super) const PATH: &str = "/v2/token";
/// Seconds after which engines ask again.
const SECONDS: u32 = 300;

/// Answers `GET /v2/token`.
pub(super) async fn answer(State(app): State<App>, request: Request) -> Response<Body> {
    token(&app, &request).unwrap_or_else(|error| error.response())
}

fn token(app: &App, request: &Request) -> Result<Response<Body>, OciError> {
    let access = app.access(request)?;
    if request.method() != Method::GET {
        return Err(OciError::UNSUPPORTED);
    }
    let token = match access {
        // The credential itself: once it is removed nobody holds anything that would still be good.
        Access::Agent(_) | Access::Reader(_) => password(request.headers()).ok_or(OciError::UNAUTHORIZED)?,
        Access::Everything | Access::Public => ANONYMOUS.to_owned(),
    };
    let mut response = json(serde_json::json!({"expires_in": SECONDS, "token": token}).to_string());
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The challenge for dockerd: its address comes from the configuration (R11).
pub(super) fn challenge(app: &App) -> Option<HeaderValue> {
    let base = app.hub.as_ref()?.site_view().base();
    HeaderValue::try_from(format!("Bearer realm=\"{base}{PATH}\",service=\"airlock\"")).ok()
}
