//! What handlers share, and how they answer with JSON and wait for a disk.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};

use super::agent::AgentApp;
use super::oci_error::OciError;
use super::settings::ReadPolicy;
use super::tls::Certificates;
use crate::appliance::fleet::Hub;
use crate::appliance::registry::Registry;
use crate::panics;

/// What handlers share.
#[derive(Debug, Clone)]
pub(super) struct App {
    pub(super) registry: Arc<Registry>,
    pub(super) read: Arc<ReadPolicy>,
    pub(super) hub: Option<Arc<Hub>>,
    pub(super) agents: Option<Arc<AgentApp>>,
    pub(super) certificates: Option<Arc<Certificates>>,
}

/// The other end of the connection, put into the extensions of every request by the server.
#[derive(Debug, Clone, Copy)]
pub struct Remote(pub SocketAddr);

/// This end of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Local(pub(super) SocketAddr);

/// Makes an answer of JSON text.
pub(super) fn json(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Runs work that waits for a disk beside the runtime's threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> crate::domain::Result<T> + Send + 'static,
) -> Result<T, OciError> {
    let worked = tokio::task::spawn_blocking(|| {
        panics::point("disk");
        work()
    });
    Ok(worked.await.unwrap_or_else(|_| Err(panics::note("disk")))?)
}
