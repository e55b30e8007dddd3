//! What handlers share, and how they answer with JSON.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::agent::AgentApp;
use super::metrics::Counters;
use super::sending::Sending;
use super::settings::ReadPolicy;
use super::tls::Certificates;
use crate::appliance::fleet::Hub;
use crate::appliance::registry::Registry;

/// What handlers share.
#[derive(Debug, Clone)]
pub(super) struct App {
    pub(super) registry: Arc<Registry>,
    pub(super) read: Arc<ReadPolicy>,
    pub(super) sending: Arc<Sending>,
    pub(super) hub: Option<Arc<Hub>>,
    pub(super) agents: Option<Arc<AgentApp>>,
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) counters: Arc<Counters>,
}

/// Makes an answer of JSON.
pub(super) fn json(text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Keeps the head of an answer, with the length that its body would have.
pub(super) fn headers_only(mut response: Response<Body>) -> Response<Body> {
    if !response.headers().contains_key(header::CONTENT_LENGTH)
        && response.status() != StatusCode::NOT_MODIFIED
        && let Some(length) = response.body().size_hint().exact()
    {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    *response.body_mut() = Body::empty();
    response
}
