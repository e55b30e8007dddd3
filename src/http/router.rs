//! All routes, and what every request passes before it reaches one.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::routing::any;

use super::oci_error::OciError;
use super::registry_route::{self, Route};
use super::settings::ReadPolicy;
use super::tls::Certificates;
use super::{blobs, health, lists, manifests, query};
use crate::appliance::registry::{Asked, Registry};

/// Longest address of a request (threat model 2.8).
const URI_BYTES: usize = 4 << 10;

/// What handlers share.
#[derive(Debug, Clone)]
pub(super) struct App {
    pub(super) registry: Arc<Registry>,
    read: Arc<ReadPolicy>,
    pub(super) certificates: Option<Arc<Certificates>>,
}

/// The other end of the connection, put into the extensions of every request by the server.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Makes the routes of a registry. A request without a known peer is refused as from nowhere.
pub fn router(registry: Arc<Registry>, read: ReadPolicy) -> Router {
    routes(App::new(registry, read, None))
}

/// Makes all routes.
pub(super) fn routes(app: App) -> Router {
    Router::new()
        .route("/healthz", any(health::alive))
        .route("/readyz", any(health::ready))
        .route("/v2", any(registry_api))
        .route("/v2/", any(registry_api))
        .route("/v2/{*path}", any(registry_api))
        .fallback(nothing)
        .with_state(app)
}

impl App {
    pub(super) fn new(registry: Arc<Registry>, read: ReadPolicy, certificates: Option<Arc<Certificates>>) -> Self {
        Self {
            registry,
            read: Arc::new(read),
            certificates,
        }
    }

    /// Whether the peer of a request may read (D19).
    pub(super) fn may_read(&self, request: &Request) -> bool {
        request
            .extensions()
            .get::<Peer>()
            .is_some_and(|Peer(address)| self.read.allows(address.ip()))
    }
}

async fn registry_api(State(app): State<App>, request: Request) -> Response<Body> {
    let head_only = request.method() == Method::HEAD;
    let mut response = answer(app, request).await.unwrap_or_else(|error| error.response());
    response.headers_mut().insert(
        "docker-distribution-api-version",
        HeaderValue::from_static("registry/2.0"),
    );
    if head_only { headers_only(response) } else { response }
}

async fn answer(app: App, request: Request) -> Result<Response<Body>, OciError> {
    if !app.may_read(&request) {
        return Err(OciError::DENIED);
    }
    if uri_bytes(request.uri()) > URI_BYTES {
        return Err(OciError::URI_TOO_LONG);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(OciError::UNSUPPORTED);
    }
    if !request.body().is_end_stream() {
        return Err(OciError::BODY);
    }
    let (parts, _) = request.into_parts();
    let route = registry_route::parse(parts.uri.path())?;
    let query = query::parse(parts.uri.query())?;
    let asked = |name| Asked {
        name,
        namespace: query.namespace.clone(),
    };
    match route {
        Route::Base => Ok(json("{}".to_owned())),
        Route::Catalogue => lists::catalogue(app, query).await,
        Route::Manifest(name, reference) => manifests::get(app, asked(name), reference, &parts).await,
        Route::Blob(name, digest) => blobs::get(app, asked(name), digest, &parts).await,
        Route::Tags(name) => lists::tags(app, asked(name), query).await,
        Route::Referrers(name, digest) => lists::referrers(app, asked(name), digest, query).await,
    }
}

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
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(failure) => Err(crate::domain::Error::new(
            crate::domain::Class::Internal,
            "panic",
            format!("a request ended by a panic: {failure}"),
        )
        .into()),
    }
}

/// Keeps the head of an answer, with the length that its body would have.
fn headers_only(mut response: Response<Body>) -> Response<Body> {
    if !response.headers().contains_key(header::CONTENT_LENGTH)
        && response.status() != StatusCode::NOT_MODIFIED
        && let Some(length) = response.body().size_hint().exact()
    {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    *response.body_mut() = Body::empty();
    response
}

fn uri_bytes(uri: &Uri) -> usize {
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    authority.saturating_add(path)
}

async fn nothing() -> Response<Body> {
    let mut response = json(r#"{"errors":[{"code":"UNSUPPORTED","message":"no such endpoint"}]}"#.to_owned());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
