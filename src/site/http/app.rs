//! What handlers share, and how they answer with JSON.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};

use super::agent::AgentApp;
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
}

/// Makes an answer of JSON.
pub(super) fn json(text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
