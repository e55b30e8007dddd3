//! What is counted while requests are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode};
use axum::middleware::Next;

use super::text::Numbers;
use crate::protocol::distr::{API_PREFIX, Endpoint};

/// What was asked for: first parts of paths, and nothing that a client chooses.
const ROUTES: [&str; 6] = ["registry", "charts", "files", "agents", "health", "other"];
/// Classes of answers.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];
/// What is pulled.
const PULLS: [&str; 4] = ["manifest", "blob", "chart", "file"];

/// Counts from the start of a server.
#[derive(Debug, Default)]
pub(in crate::http) struct Counters {
    answers: [[AtomicU64; CLASSES.len()]; ROUTES.len()],
    pulls: [AtomicU64; PULLS.len()],
    body_bytes: AtomicU64,
    logins_refused: AtomicU64,
}

/// Counts an answer.
pub(in crate::http) async fn count(
    State(counters): State<Arc<Counters>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let path = request.uri().path();
    let (route, is_get) = (route(path), *request.method() == Method::GET);
    let (pull, is_login) = (pull(path), Endpoint::of_path(path) == Some(Endpoint::Login));
    let response = next.run(request).await;
    let status = response.status();
    counters.answer(route, status);
    if let Some(pull) = pull.filter(|_| is_get && status.is_success()) {
        add(counters.pulls.get(pull), 1);
    }
    if is_login
        && matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        )
    {
        add(Some(&counters.logins_refused), 1);
    }
    response
}

impl Counters {
    fn answer(&self, route: usize, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(2);
        add(self.answers.get(route).and_then(|classes| classes.get(class)), 1);
    }

    /// Counts bytes of a body that were handed on to be sent.
    pub(in crate::http) fn sent(&self, bytes: usize) {
        add(Some(&self.body_bytes), bytes as u64);
    }

    /// Writes all counts down, those that are 0 too: what begins later does not jump.
    pub(super) fn tell(&self, numbers: &mut Numbers) {
        for (route, classes) in ROUTES.iter().zip(&self.answers) {
            for (class, count) in CLASSES.iter().zip(classes) {
                numbers.add_with(
                    "airlock_answers_total",
                    &[("route", *route), ("class", *class)],
                    read(count),
                );
            }
        }
        for (pull, count) in PULLS.iter().zip(&self.pulls) {
            numbers.add_with("airlock_pulls_total", &[("kind", *pull)], read(count));
        }
        numbers.add("airlock_body_bytes_total", read(&self.body_bytes));
        numbers.add("airlock_logins_refused_total", read(&self.logins_refused));
    }
}

fn add(counter: Option<&AtomicU64>, count: u64) {
    if let Some(counter) = counter {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Place of a path among [`ROUTES`].
fn route(path: &str) -> usize {
    let of = |prefix: &str| path.starts_with(prefix);
    match path {
        _ if path == "/v2" || of("/v2/") => 0,
        _ if of("/charts/") => 1,
        _ if of("/files/") => 2,
        _ if of(API_PREFIX) => 3,
        "/healthz" | "/readyz" => 4,
        _ => 5,
    }
}

/// Place of what a path pulls among [`PULLS`].
fn pull(path: &str) -> Option<usize> {
    match route(path) {
        0 if path.contains("/manifests/") => Some(0),
        0 if path.contains("/blobs/") => Some(1),
        1 => Some(2),
        2 => Some(3),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart_by_words_of_ours_alone() {
        for (path, name, pulled) in [
            ("/v2", "registry", None),
            ("/v2/", "registry", None),
            ("/v2/a/b/manifests/1", "registry", Some("manifest")),
            ("/v2/a/blobs/sha256:00", "registry", Some("blob")),
            ("/v2x", "other", None),
            ("/charts/a/index.yaml", "charts", Some("chart")),
            ("/files/a", "files", Some("file")),
            ("/api/v1/agent/login", "agents", None),
            ("/readyz", "health", None),
            ("/healthz", "health", None),
            ("/readyz/x", "other", None),
            ("/", "other", None),
        ] {
            assert_eq!(
                (ROUTES[route(path)], pull(path).map(|at| PULLS[at])),
                (name, pulled),
                "{path}"
            );
        }
    }

    #[test]
    fn every_status_has_a_class_or_none() {
        let counters = Counters::default();
        for status in [100, 200, 206, 304, 404, 503, 599, 600, 999] {
            counters.answer(0, StatusCode::from_u16(status).unwrap());
        }
        let counts: Vec<u64> = counters.answers[0].iter().map(read).collect();
        // What is less than 200 counts as good: it is no answer yet.
        assert_eq!(counts, [3, 1, 1, 2]);
    }
}
