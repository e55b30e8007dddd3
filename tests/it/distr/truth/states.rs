//! What an agent says and what really runs are told apart; both versions of the agent are shown; messages come whole.

use super::{HEALTHY, Plant};
use crate::support::desired::{Desired, revision_id};
use crate::support::in_process::InProcessAppliance;

const ROLLED_BACK: &str = "upgrade error: helm upgrade failed: release shop failed, and has been rolled back due to rollback-on-failure being set: timed out";

fn cluster() -> Plant {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| Desired::both(image, 0, "a"));
    instance.import(&made, false).unwrap();
    Plant::of_target(instance, "cluster")
}

/// As seen with real agents: an upgrade was rolled back, and the check that follows is healthy for ever.
#[test]
fn healthy_of_what_was_rolled_back_is_marked() {
    let plant = cluster();
    plant.poll();
    plant.report(revision_id("cluster", "a"), "running", "helm install succeeded");
    plant.report(
        revision_id("cluster", "a"),
        "healthy",
        "status check passed. 2 resources healthy",
    );
    plant.becomes("healthy");
    assert!(plant.line("cluster").contains("  healthy  "));

    let made = plant
        .serving
        .instance
        .vendor
        .with_targets(2, |image| Desired::both(image, 0, "b"));
    plant.serving.instance.import(&made, false).unwrap();
    plant.poll();
    let b = revision_id("cluster", "b");
    plant.report(b, "error", ROLLED_BACK);
    assert_eq!(plant.becomes("error")["runs_wanted"], false);
    assert!(plant.line("cluster").contains("runs an earlier revision, error"));
    plant.report(b, "healthy", "status check passed. 2 resources healthy");
    let state = plant.becomes("other-revision");
    assert_eq!(
        (&state["state_text"], &state["reported"], &state["runs_wanted"]),
        (
            &"runs an earlier revision, healthy".into(),
            &"healthy".into(),
            &false.into()
        )
    );
    assert!(plant.line("cluster").contains("runs an earlier revision, healthy"));
    assert_eq!(plant.list()["targets"][0]["state"], "other-revision");
    let watch = plant.good(&["target", "watch", "--once"]);
    assert!(
        watch.contains("1 target: 1 other-revision") && watch.contains("runs version a of release 1"),
        "{watch}"
    );
}

#[test]
fn healthy_of_a_revision_whose_upgrade_nobody_saw_is_marked() {
    let plant = cluster();
    plant.poll();
    plant.report(
        revision_id("cluster", "a"),
        "healthy",
        "status check passed. 2 resources healthy",
    );
    let state = plant.becomes("unknown-revision");
    assert_eq!(state["state_text"], "healthy, what runs is not known");
    assert!(state["runs_wanted"].is_null());
}

#[test]
fn both_versions_of_the_agent_are_shown() {
    let plant = Plant::new();
    let header = format!("Bearer {}", plant.token);
    let poll = |version: &str| {
        let agent = format!("DistrAgentClient/{version}");
        let headers = [("Authorization", header.as_str()), ("User-Agent", agent.as_str())];
        assert_eq!(
            plant
                .serving
                .send("GET", "/api/v1/agent/resources", &headers, b"")
                .status,
            200
        );
    };
    assert!(
        plant
            .good(&["target", "watch", "--once"])
            .contains("not connected agent –, advertised 3.1.0")
    );
    for version in ["2.1.0", "3.1.0"] {
        poll(version);
        crate::support::appliance::wait_for(version, || plant.list()["targets"][0]["agent_reported"] == version);
        assert_eq!(plant.list()["targets"][0]["agent_advertised"], "3.1.0");
        let watch = plant.good(&["target", "watch", "--once"]);
        assert!(watch.contains(&format!("agent {version}, advertised 3.1.0")), "{watch}");
        let line: Vec<String> = plant
            .line("edge-0")
            .split("  ")
            .map(|cell| cell.trim().to_owned())
            .collect();
        assert!(
            line.contains(&version.to_owned()) && line.contains(&"3.1.0".to_owned()),
            "{line:?}"
        );
    }
}

#[test]
fn messages_come_whole_and_one_target_is_one_line_where_there_is_no_terminal() {
    let plant = Plant::new();
    // What is not known has the same sign in every table.
    let silent = plant.line("edge-0");
    assert!(
        silent.contains(" – ") && !silent.split_whitespace().any(|cell| cell == "-"),
        "{silent}"
    );
    plant.poll();
    let long = format!("compose up failed: {}the end", "a word of many ".repeat(250));
    plant.report(revision_id("edge-0", "a"), "error", &long);
    plant.becomes("error");
    let watch = plant.good(&["target", "watch", "--once"]);
    assert!(watch.contains(&long), "{watch}");
    assert!(watch.contains("(1 time, last "), "{watch}");
    assert_eq!(watch.lines().count(), 4, "{watch}");
    assert_eq!(plant.good(&["target", "list"]).lines().count(), 2);
    assert_eq!(plant.deployment()["latest"]["message"], long);
}

#[test]
fn progress_and_errors_are_told_apart_from_what_runs() {
    let plant = Plant::new();
    let a = revision_id("edge-0", "a");
    plant.poll();
    assert_eq!(plant.becomes("waiting")["runs_revision"], serde_json::Value::Null);
    plant.report(a, "progressing", "Pulling web: 1/2");
    assert_eq!(plant.becomes("progressing")["runs"], "it is being applied");
    plant.report(a, "error", "compose up failed: no such image: web");
    assert!(plant.becomes("error")["runs_revision"].is_null());
    plant.report(a, "healthy", HEALTHY);
    assert!(plant.line("edge-0").contains("  error  ") || plant.deployment()["state"] == "healthy");
    plant.report(a, "progressing", "compose command executed successfully");
    plant.report(a, "healthy", HEALTHY);
    let healthy = plant.deployment();
    assert_eq!(
        (&healthy["state"], &healthy["runs_revision"]),
        (&"healthy".into(), &a.to_string().into())
    );
}
