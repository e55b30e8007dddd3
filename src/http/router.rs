//! All routes, and what every request passes before it reaches one.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::routing::any;

use super::access::Access;
use super::agent::{self, AgentApp};
use super::oci_error::OciError;
use super::registry_route::{self, Route};
use super::settings::ReadPolicy;
use super::tls::Certificates;
use super::{blobs, charts, health, lists, manifests, query, token};
use crate::appliance::fleet::Hub;
use crate::appliance::registry::{Asked, Registry};

/// Longest address of a request (threat model 2.8).
pub(super) const URI_BYTES: usize = 4 << 10;

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
pub struct Peer(pub SocketAddr);

/// This end of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Local(pub(super) SocketAddr);

/// Makes the routes of a registry. A request without a known peer is refused as from nowhere.
pub fn router(registry: Arc<Registry>, read: ReadPolicy) -> Router {
    routes(App {
        registry,
        read: Arc::new(read),
        hub: None,
        agents: None,
        certificates: None,
    })
}

/// Makes all routes.
pub(super) fn routes(app: App) -> Router {
    let agents = app.agents.clone().map(agent::routes).unwrap_or_default();
    Router::new()
        .route("/healthz", any(health::alive))
        .route("/readyz", any(health::ready))
        .route("/v2", any(registry_api))
        .route("/v2/", any(registry_api))
        .route(token::PATH, any(token::answer))
        .route("/v2/{*path}", any(registry_api))
        .route("/charts/{*path}", any(charts::answer))
        .fallback(nothing)
        .with_state(app)
        .merge(agents)
}

impl App {
    /// Whether the peer of a request may see how the appliance is: whoever may read without credentials, this machine, and agents.
    pub(super) fn may_look(&self, request: &Request) -> bool {
        let local = request
            .extensions()
            .get::<Peer>()
            .is_some_and(|Peer(address)| address.ip().to_canonical().is_loopback());
        local || matches!(self.access(request), Ok(Access::Everything | Access::Agent(_)))
    }
}

async fn registry_api(State(app): State<App>, request: Request) -> Response<Body> {
    let head_only = request.method() == Method::HEAD;
    let dockerd_asks = matches!(request.uri().path(), "/v2" | "/v2/") && token::is_dockerd(request.headers());
    let for_dockerd = dockerd_asks.then(|| token::challenge(&app)).flatten();
    let mut response = answer(app, request).await.unwrap_or_else(|error| error.response());
    if let Some(challenge) = for_dockerd.filter(|_| response.status() == StatusCode::UNAUTHORIZED) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response.headers_mut().insert(
        "docker-distribution-api-version",
        HeaderValue::from_static("registry/2.0"),
    );
    if head_only { headers_only(response) } else { response }
}

async fn answer(app: App, request: Request) -> Result<Response<Body>, OciError> {
    let access = app.access(&request)?;
    if uri_bytes(request.uri()) > URI_BYTES {
        return Err(OciError::URI_TOO_LONG);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        // Who has shown nothing learns nothing of what could be done here.
        return Err(match access {
            Access::Public => OciError::UNAUTHORIZED,
            _ => OciError::UNSUPPORTED,
        });
    }
    if !request.body().is_end_stream() {
        return Err(OciError::BODY);
    }
    let (parts, _) = request.into_parts();
    let read = || {
        Ok::<_, OciError>((
            registry_route::parse(parts.uri.path())?,
            query::parse(parts.uri.query())?,
        ))
    };
    let (route, query) = match (read(), &access) {
        (Err(_), Access::Public) => return Err(OciError::UNAUTHORIZED),
        (read, _) => read?,
    };
    let asked = |name| Asked {
        name,
        namespace: query.namespace.clone(),
    };
    match route {
        Route::Base if matches!(access, Access::Public) => Err(OciError::UNAUTHORIZED),
        Route::Base => Ok(json("{}".to_owned())),
        Route::Catalogue => lists::catalogue(app.overview(&access)?, app, query).await,
        Route::Manifest(name, reference) => {
            let asked = asked(name);
            manifests::get(app.visible_content(&access, &asked)?, app, asked, reference, &parts).await
        }
        Route::Blob(name, digest) => {
            let asked = asked(name);
            blobs::get(app.visible_content(&access, &asked)?, app, asked, digest, &parts).await
        }
        Route::Tags(name) => lists::tags(app.overview(&access)?, app, asked(name), query).await,
        Route::Referrers(name, digest) => {
            lists::referrers(app.overview(&access)?, app, asked(name), digest, query).await
        }
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

/// Returns the length of an address.
pub(super) fn uri_bytes(uri: &Uri) -> usize {
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    authority.saturating_add(path)
}

async fn nothing() -> Response<Body> {
    let mut response = json(r#"{"errors":[{"code":"UNSUPPORTED","message":"no such endpoint"}]}"#.to_owned());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
