//! `/charts/<repository>/index.yaml` and the archives beside it: a classic chart repository, for charts that a live desired state
//! fetches from one.
//!
//! Agents fetch these without credentials, whatever they have (distr-protocol 2.9), so these charts are for everybody in every mode.
//! Only repositories that a desired state lists this way are here; all others are 404, and the same 404 as what does not exist.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, header};
use serde_json::{Map, Value, json};

use super::blobs;
use super::oci_error::OciError;
use super::router::{App, blocking};
use crate::appliance::registry::Chart;
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
    let listed = app.hub.as_ref().is_some_and(|hub| hub.is_classic_chart(&repository));
    if !listed {
        return Err(OciError::UNKNOWN);
    }
    let registry = app.registry.clone();
    let charts = blocking(move || registry.charts(&registry.snapshot(), &repository)).await?;
    let (parts, _) = request.into_parts();
    if file == "index.yaml" {
        return Ok(index(charts, parts.method == Method::HEAD));
    }
    let chart = charts
        .into_iter()
        .find(|chart| chart.file == file)
        .ok_or(OciError::UNKNOWN)?;
    let mut response = blobs::send(app, chart.archive, &parts).await?;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    Ok(response)
}

/// Writes the index. JSON is YAML too.
fn index(charts: Vec<Chart>, head_only: bool) -> Response<Body> {
    let mut entries: Map<String, Value> = Map::new();
    for chart in charts {
        let name = chart
            .entry
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        if let Value::Array(versions) = entries.entry(name).or_insert_with(|| json!([])) {
            versions.push(chart.entry);
        }
    }
    let text = json!({ "apiVersion": "v1", "entries": entries }).to_string();
    let length = text.len();
    let mut response = Response::new(if head_only { Body::empty() } else { Body::from(text) });
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/yaml"));
    headers.insert(header::CONTENT_LENGTH, length.into());
    response
}
