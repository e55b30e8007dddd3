//! All routes, and what every request passes before it reaches one.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::routing::any;

use super::access::Access;
use super::agent;
use super::app::{App, headers_only, json};
use super::hosts::Hosts;
use super::oci_error::OciError;
use super::registry_route::{self, Route};
use super::sending::Sending;
use super::settings::{Limits, ReadPolicy, Settings};
use super::uri::{URI_BYTES, uri_bytes};
use super::{blobs, charts, credentials, files, gate, health, lists, manifests, metrics, pull_log, query, token};
use crate::appliance::registry::{Asked, Registry};

/// Makes the routes of a registry, which answers under the names of the default settings. A request without a known peer is refused as
/// from nowhere.
pub fn router(registry: Arc<Registry>, read: ReadPolicy) -> Router {
    let settings = Settings::default();
    let hosts = Hosts::new(&settings, &settings.agents_address(&settings.listen, &[]));
    let app = App {
        registry,
        read: Arc::new(read),
        sending: Arc::new(Sending::new(&Limits::default())),
        hub: None,
        agents: None,
        certificates: None,
        counters: Arc::default(),
    };
    routes(app, hosts)
}

/// Makes all routes; nothing reaches one but through the gate.
pub(super) fn routes(app: App, hosts: Hosts) -> Router {
    let agents = app.agents.clone().map(agent::routes).unwrap_or_default();
    let answers = Router::new()
        .route("/v2", any(registry_api))
        .route("/v2/", any(registry_api))
        .route(token::PATH, any(token::answer))
        .route("/v2/{*path}", any(registry_api))
        .route("/charts/{*path}", any(charts::answer))
        .route("/files/{*path}", any(files::answer))
        .with_state(app.clone())
        .layer(from_fn_with_state(app.clone(), pull_log::note))
        .merge(agents)
        .layer(from_fn_with_state(app.clone(), gate::knows))
        .layer(from_fn_with_state(app.registry.clone(), gate::stands));
    let counters = app.counters.clone();
    Router::new()
        .route("/healthz", any(health::alive))
        .route("/readyz", any(health::ready))
        .fallback(nothing)
        .with_state(app)
        .merge(answers)
        .layer(from_fn_with_state(Arc::new(hosts), gate::pass))
        .layer(from_fn_with_state(counters, metrics::count))
}

async fn registry_api(State(app): State<App>, request: Request) -> Response<Body> {
    let head_only = request.method() == Method::HEAD;
    let dockerd_asks = matches!(request.uri().path(), "/v2" | "/v2/") && credentials::is_dockerd(request.headers());
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
    let account = app.sending.in_flight.account(&parts.extensions);
    match route {
        Route::Base if matches!(access, Access::Public) => Err(OciError::UNAUTHORIZED),
        Route::Base => Ok(json("{}".to_owned())),
        Route::Catalogue => lists::catalogue(app.overview(&access)?, app, &account, query).await,
        Route::Manifest(name, reference) => {
            let asked = asked(name);
            manifests::get(app.visible_content(&access, &asked)?, app, asked, reference, &parts).await
        }
        Route::Blob(name, digest) => {
            let asked = asked(name);
            blobs::get(app.visible_content(&access, &asked)?, app, asked, digest, &parts).await
        }
        Route::Tags(name) => lists::tags(app.overview(&access)?, app, &account, asked(name), query).await,
        Route::Referrers(name, digest) => {
            lists::referrers(app.overview(&access)?, app, &account, asked(name), digest, query).await
        }
    }
}

async fn nothing() -> Response<Body> {
    let mut response = json(r#"{"errors":[{"code":"UNSUPPORTED","message":"no such endpoint"}]}"#.to_owned());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
