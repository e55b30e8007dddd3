//! The state folder, or a part of it, replaced under a running server: nothing is answered or accepted any more, and `/readyz` says what to do.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::follow::copy;
use super::logged::Logged;
use super::server::{ask, report, token, with_targets};
use crate::support::appliance::wait_for;
use crate::support::client::get;

/// Status and body of `/readyz`.
pub(super) fn ready(serving: &Logged) -> (u16, Value) {
    let reply = get(serving.address, "/readyz");
    (reply.status, reply.json())
}

/// Waits for a problem of the state with an error, and returns it.
pub(super) fn problem(serving: &Logged, error: &str) -> Value {
    let mut found = None;
    wait_for(error, || {
        let (status, ready) = ready(serving);
        let problems = ready["problems"].as_array().unwrap();
        found = problems.iter().find(|problem| problem["error"] == error).cloned();
        assert_eq!(status, if problems.is_empty() { 200 } else { 503 });
        found.is_some()
    });
    found.unwrap()
}

/// Records of a status database.
fn records(state: &Path) -> i64 {
    let connection = rusqlite::Connection::open(state.join("status.db")).unwrap();
    connection
        .query_row("SELECT count(*) FROM record", [], |row| row.get(0))
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "an operator's mv")]
fn mv(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}

#[test]
fn a_state_folder_that_was_replaced_is_served_once_the_server_is_started_again() {
    let operator = with_targets();
    let state = operator.state();
    let (kept, old) = (state.with_extension("kept"), state.with_extension("old"));
    let serving = Logged::start(&operator);
    let agent = token(&operator, &serving, "edge-0");
    assert_eq!(report(&serving, &agent), 200);
    copy(&state, &kept);
    mv(&state, &old);
    copy(&kept, &state);
    // From the first report on, whoever has noticed it yet: nothing is accepted that would be lost.
    let before = (records(&old), records(&state));
    for _ in 0..3 {
        assert_eq!(report(&serving, &agent), 503);
    }
    let problem = problem(&serving, "E-STATE state-replaced");
    assert_eq!(problem["part"], "state");
    // Nobody is given anything of either.
    for path in ["/v2/", "/v2/_catalog", "/charts/x/index.yaml"] {
        assert_eq!(get(serving.address, path).status, 503, "{path}");
    }
    assert_eq!(ask(&serving, &agent, "GET", "resources", "").status, 503);
    assert_eq!(ask(&serving, &agent, "POST", "login", "").status, 503);
    assert_eq!(get(serving.address, "/healthz").status, 200);
    assert_eq!((records(&old), records(&state)), before);
    let remedy = problem["remedy"].as_str().unwrap();
    assert_eq!(
        remedy,
        "end airlock serve, see that the whole state folder stands in its place, and start it again"
    );
    drop(serving);
    let serving = Logged::start(&operator);
    assert_eq!(ready(&serving).0, 200);
    // The agent that kept its report hands it in now.
    assert_eq!(report(&serving, &agent), 200);
    assert_eq!(get(serving.address, "/v2/").status, 200);
}

#[test]
fn a_part_that_is_gone_under_a_server_is_told_and_nothing_is_accepted() {
    let operator = with_targets();
    let state = operator.state();
    let kept = state.with_extension("kept");
    let serving = Logged::start(&operator);
    let agent = token(&operator, &serving, "edge-0");
    drop(serving);
    copy(&state, &kept);
    for part in ["airlock.db", "status.db", "identity", "blobs"] {
        let serving = Logged::start(&operator);
        assert_eq!((ready(&serving).0, report(&serving, &agent)), (200, 200), "{part}");
        mv(&state.join(part), &state.with_extension("away"));
        assert_eq!(report(&serving, &agent), 503, "{part}");
        let problem = problem(&serving, "E-STATE state-replaced");
        assert!(problem["what"].as_str().unwrap().contains(part), "{problem}");
        // It does not come right by itself: what is put there may be another one, or half of it.
        mv(&state.with_extension("away"), &state.join(part));
        assert_eq!((ready(&serving).0, report(&serving, &agent)), (503, 503), "{part}");
        drop(serving);
        fs::remove_dir_all(&state).unwrap();
        copy(&kept, &state);
    }
}
