//! `/healthz`: the process answers. `/readyz`: what it serves holds, and what to do where it does not.
//!
//! ```json
//! {"status": "degraded", "generation": 7, "releases": [], "waiting": [],
//!  "checks": {"releases": "ok", "database": "running", "status": "E-SPACE disk-full"},
//!  "problems": [{"part": "status", "error": "E-SPACE disk-full", "what": "one sentence", "remedy": "another one"}],
//!  "panics": [{"part": "status", "count": 1, "remedy": "report it"}]}
//! ```
//!
//! `problems` are what holds at present; `panics` were survived, and are counted from the start of the process. A part that can have a
//! problem returns it as a [`Problem`] to [`look`], and needs nothing else to be seen.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode};
use serde_json::{Map, Value};

use super::access::turned_away;
use super::app::{App, json};
use super::oci_error::OciError;
use crate::appliance::ReleaseDamage;
use crate::appliance::secret::WaitingRelease;
use crate::domain::Problem;
use crate::panics;

/// How long `/readyz` waits for what a server that has just started still opens.
const PATIENCE: Duration = Duration::from_secs(1);

/// Says that the process answers; the same for everybody.
pub(super) async fn alive(request: Request) -> Response<Body> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        json(r#"{"status":"ok"}"#.to_owned())
    } else {
        OciError::UNSUPPORTED.response()
    }
}

/// Says how the appliance is: 200 while nothing is known to be broken, else 503 and a list of problems, each with its remedy. For those
/// who may look.
pub(super) async fn ready(State(app): State<App>, request: Request) -> Response<Body> {
    if !app.may_look(&request) {
        return turned_away(&request).response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return OciError::UNSUPPORTED.response();
    }
    if let Some(agents) = &app.agents {
        // Whoever asks right after the start is told how it is, and not that this is not known yet.
        tokio::time::timeout(PATIENCE, agents.status_tried()).await.ok();
    }
    let snapshot = app.registry.snapshot();
    let releases: Vec<_> = snapshot
        .active()
        .map(|release| {
            serde_json::json!({
                "channel": release.scope.channel, "domain": release.scope.domain, "epoch": release.counter.epoch,
                "head": release.head, "product": release.scope.product, "sequence": release.counter.sequence,
                "version": release.version,
            })
        })
        .collect();
    let damage: Vec<_> = app
        .registry
        .live()
        .damage()
        .iter()
        .map(ReleaseDamage::to_json)
        .collect();
    let (checks, problems) = look(&app);
    let asking = app.registry.clone();
    // Nothing of it is broken: what is live goes on.
    let waiting = tokio::task::spawn_blocking(move || asking.live().appliance().waiting_releases());
    let waiting = waiting.await.ok().and_then(Result::ok).unwrap_or_default();
    let mut response = json(
        serde_json::json!({
            "status": if problems.is_empty() { "ready" } else { "degraded" },
            "generation": snapshot.generation(),
            "checks": checks,
            "problems": problems.iter().map(problem).collect::<Vec<_>>(),
            "panics": panics::count_by_part().iter().map(panic).collect::<Vec<_>>(),
            "releases": releases,
            "damage": damage,
            "waiting": waiting.iter().map(waits).collect::<Vec<_>>(),
        })
        .to_string(),
    );
    if !problems.is_empty() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// Asks every part: a word for each check, and what is wrong at present.
pub(super) fn look(app: &App) -> (Map<String, Value>, Vec<Problem>) {
    let health = app.registry.live().health();
    let mut checks: Map<String, Value> = health
        .checks()
        .into_iter()
        .map(|(part, check)| (part.to_owned(), check.as_str().into()))
        .collect();
    let mut problems: Vec<Problem> = health.problems().cloned().collect();
    if let Some(certificates) = &app.certificates {
        checks.insert("certificate".into(), certificates.health().into());
        problems.extend(certificates.problem());
    }
    if let Some(agents) = &app.agents {
        let status = agents.status_health();
        checks.insert("status".into(), status.trouble.unwrap_or_else(|| "ok".into()).into());
        // What was set aside is over: statuses are taken again, and a gap record says what is missing.
        checks.insert("status_set_aside".into(), status.set_aside.into());
        problems.extend(status.problems);
        let of_targets = agents.target_problems();
        let word = of_targets.first().map_or("ok", |problem| problem.error.as_str());
        checks.insert("targets".into(), word.into());
        problems.extend(of_targets);
    }
    (checks, problems)
}

fn problem(problem: &Problem) -> Value {
    let Problem {
        part,
        error,
        what,
        remedy,
    } = problem;
    serde_json::json!({"part": part, "error": error, "what": what, "remedy": remedy})
}

/// A release that is here and goes live once its secrets are entered.
fn waits(waiting: &WaitingRelease) -> Value {
    let release = &waiting.release;
    let secrets: Vec<String> = waiting.missing.iter().map(ToString::to_string).collect();
    serde_json::json!({
        "channel": release.scope.channel, "domain": release.scope.domain, "epoch": release.counter.epoch,
        "head": release.head, "product": release.scope.product, "secrets": secrets, "sequence": release.counter.sequence,
        "version": release.version,
    })
}

/// A panic that is over is no problem any more, but a bug that somebody should hear of.
fn panic((part, count): (&&'static str, &u64)) -> Value {
    serde_json::json!({"part": part, "count": count, "remedy": "report it with the log; the part goes on by itself unless it is among the problems"})
}
