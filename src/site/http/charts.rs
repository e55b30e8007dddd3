//! `/charts/<repository>/index.yaml` and the archives beside it: a classic chart repository, for charts that a live desired state
//! fetches from one.
//!
//! Agents fetch these without credentials, whatever they have (distr-protocol 2.9), so these charts are for everybody in every mode.
//! Only charts that a live desired state signs this way are here, each as the digest that it signs; all others are 404, and the same
//! 404 as what does not exist. An agent that shows its token gets its own where others sign the same version.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, header};

use super::access::Access;
use super::app::App;
use super::blobs;
use super::in_flight::Account;
use super::oci_error::OciError;
use crate::appliance::registry::ChartIndex;
use crate::domain::RepositoryName;

/// Longest path that is looked at.
const PATH_BYTES: usize = 512;

/// Answers `GET` and `HEAD`.
pub(super) async fn answer(State(app): State<App>, request: Request) -> Response<Body> {
    serve(app, request).await.unwrap_or_else(|error| error.response())
}

async fn serve(app: App, request: Request) -> Result<Response<Body>, OciError> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(OciError::UNSUPPORTED);
    }
    let path = request.uri().path();
    let (repository, file) = path
        .strip_prefix("/charts/")
        .filter(|path| path.len() <= PATH_BYTES)
        .and_then(|path| path.rsplit_once('/'))
        .ok_or(OciError::UNKNOWN)?;
    let repository: RepositoryName = repository.parse().map_err(|_| OciError::UNKNOWN)?;
    // A version may hold a plus sign, which some clients write in the other way.
    let file = file.replace("%2B", "+").replace("%2b", "+");
    if app.hub.is_none() {
        return Err(OciError::UNKNOWN);
    }
    let asker = match app.access(&request) {
        Ok(Access::Agent(identity)) => Some(identity.scope.clone()),
        _ => None,
    };
    let snapshot = app.registry.snapshot();
    let wants_text = file == "index.yaml" && *request.method() == Method::GET;
    let cached = app.registry.charts_cached(&snapshot, &repository, asker.as_ref());
    let index = if let Some(index) = cached.filter(|index| index.text.is_some() || !wants_text) {
        index
    } else {
        app.sending
            .charts(&app.registry, snapshot, repository, asker)
            .await?
            .ok_or(OciError::UNKNOWN)?
    };
    let (parts, _) = request.into_parts();
    if file == "index.yaml" {
        let account = app.sending.in_flight.account(&parts.extensions);
        return write_index(&index, parts.method == Method::HEAD, &account);
    }
    let archive = index.archives.get(&file).cloned().ok_or(OciError::UNKNOWN)?;
    let mut response = blobs::send(app, archive, &parts).await?;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    Ok(response)
}

fn write_index(index: &ChartIndex, head_only: bool, account: &Account) -> Result<Response<Body>, OciError> {
    let body = match &index.text {
        Some(text) if !head_only => Body::from(account.share(text)?),
        _ => Body::empty(),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/yaml"));
    headers.insert(header::CONTENT_LENGTH, index.length.into());
    Ok(response)
}
