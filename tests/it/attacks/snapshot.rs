//! An appliance under attack: a server with agents, and everything that must not change about it.

use airlock::appliance::status::{Gap, Listed};
use airlock::domain::Uuid;
use airlock::http::Settings;
use serde_json::Value;

use crate::support::agents::{Serving, basic, credentials};
use crate::support::client::Reply;
use crate::support::desired::{deployment_id, revision_id, target_id};
use crate::support::state_fingerprint::StateFingerprint;

/// The world fingerprint with the status queue: what a refused request leaves as it was, audit log included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    world: StateFingerprint,
    records: Vec<Listed>,
    gaps: Vec<Gap>,
}

impl Snapshot {
    pub(crate) fn of(serving: &Serving) -> Self {
        Self {
            world: StateFingerprint::of(&serving.instance.state()),
            records: records(serving),
            gaps: serving.status.gaps().unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn assert_same(&self, serving: &Serving) {
        let now = Self::of(serving);
        assert_eq!(self.records, now.records, "reports");
        assert_eq!(self.gaps, now.gaps, "gaps");
        assert!(self.world == now.world, "rows or files changed");
    }
}

/// Everything that was reported.
pub(crate) fn records(serving: &Serving) -> Vec<Listed> {
    serving.status.tail(0, 1_000_000).unwrap()
}

/// What was reported by a target.
pub(crate) fn records_of(serving: &Serving, name: &str) -> Vec<Listed> {
    let id = target_id(name);
    let mut found = records(serving);
    found.retain(|listed| listed.source.as_ref().is_some_and(|source| source.target == id));
    found
}

/// A status of a target's deployment.
pub(crate) fn status(name: &str, kind: &str, message: &str) -> String {
    let message = Value::from(message);
    format!(
        r#"{{"revisionId":"{}","type":"{kind}","message":{message}}}"#,
        revision_id(name, "a")
    )
}

/// A line of a container of a target.
pub(crate) fn line(deployment: Uuid, revision: Uuid, body: &str) -> String {
    let body = Value::from(body);
    format!(
        r#"{{"deploymentId":"{deployment}","deploymentRevisionId":"{revision}","resource":"web-1","timestamp":"2026-11-21T10:00:00Z","severity":"Log","body":{body}}}"#
    )
}

pub(crate) fn own_line(name: &str, body: &str) -> String {
    line(deployment_id(name), revision_id(name, "a"), body)
}

/// Every door that a token opens: the agents' routes and the registry.
pub(crate) fn doors(serving: &Serving, token: &str) -> Vec<(&'static str, Reply)> {
    let registry = basic("-", token);
    let shown = [("Authorization", registry.as_str())];
    vec![
        ("resources", serving.agent(token, "GET", "resources", "")),
        ("manifest", serving.agent(token, "GET", "manifest", "")),
        (
            "status",
            serving.agent(token, "POST", "status", &status("edge-0", "ok", "x")),
        ),
        ("metrics", serving.agent(token, "POST", "metrics", "{}")),
        (
            "logs",
            serving.agent(token, "PUT", "logs", &format!("[{}]", own_line("edge-0", "x"))),
        ),
        ("own logs", serving.agent(token, "PUT", "deployment-target-logs", "[]")),
        ("registry", serving.send("GET", "/v2/", &shown, b"")),
        ("catalogue", serving.send("GET", "/v2/_catalog", &shown, b"")),
    ]
}

#[track_caller]
pub(crate) fn assert_shut(serving: &Serving, token: &str, says: &str) {
    for (door, reply) in doors(serving, token) {
        assert_eq!(reply.status, 401, "{says}: {door}: {reply:?}");
    }
}

#[track_caller]
pub(crate) fn assert_open(serving: &Serving, token: &str, says: &str) {
    for (door, reply) in doors(serving, token) {
        assert!(matches!(reply.status, 200 | 204), "{says}: {door}: {reply:?}");
    }
}

/// The two ways of reading the registry: open on the loopback, and with credentials alone.
pub(crate) fn both_modes() -> [Settings; 2] {
    [Settings::default(), credentials()]
}
