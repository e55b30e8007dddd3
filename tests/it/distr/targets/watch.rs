//! `airlock target watch` and the states in `airlock target list`: what agents report, what really runs, and hostile text (case A08).

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use airlock::appliance::Appliance;
use airlock::appliance::status::{Batch, Owner, Quota, StatusBuffer, What};
use airlock::domain::StatusKind::{self, Error, Healthy};
use airlock::domain::{SystemClock, Uuid};
use serde_json::Value;

use crate::support::appliance::AIRLOCK;
use crate::support::desired::{Desired, deployment_id, target_id};
use crate::support::in_process::InProcessAppliance;
use crate::support::status::wait;

const HOSTILE: &str =
    "compose up failed: no such image \x1b[2J\x1b]0;pwned\x07<script>\u{202e}\r\nfake  edge-1 healthy";

fn command(instance: &InProcessAppliance, arguments: &[&str]) -> Command {
    let mut command = Command::new(AIRLOCK);
    command
        .arg("target")
        .args(arguments)
        .arg("--state")
        .arg(instance.state());
    command.stdin(Stdio::null());
    command
}

fn output(instance: &InProcessAppliance, arguments: &[&str]) -> String {
    let output = command(instance, arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The revision that a target's deployment shall run.
fn revision(instance: &InProcessAppliance, target: &str) -> Uuid {
    let views = instance.hub().targets();
    views.iter().find(|view| view.name == target).unwrap().deployments[0].revision
}

fn report(instance: &InProcessAppliance, target: &str, revision: Uuid, kind: StatusKind, message: &str) {
    let views = instance.hub().targets();
    let scope = views.iter().find(|view| view.name == target).unwrap().scope.clone();
    let buffer = StatusBuffer::open(
        &Appliance::open(&instance.state(), Arc::new(SystemClock)).unwrap(),
        Quota::default(),
    )
    .unwrap();
    let what = What::Status {
        deployment: deployment_id(target),
        revision,
        kind,
        message: message.to_owned(),
    };
    wait(buffer.submit(Batch {
        target: target_id(target),
        owner: Owner::of(&scope),
        target_name: target.to_owned(),
        agent: Some("3.1.0".to_owned()),
        what,
    }))
    .unwrap();
}

#[test]
fn what_agents_report_is_shown_and_cannot_touch_the_terminal() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| Desired::docker(image, 2, "a"));
    instance.import(&made, false).unwrap();
    let old = revision(&instance, "edge-0");
    let text = output(&instance, &["watch", "--once"]);
    assert!(text.contains("2 targets: 2 not connected"), "{text}");
    report(&instance, "edge-0", old, Healthy, "status check results: 1 healthy");
    // The next release cannot be pulled: the old containers run on.
    let made = instance.vendor.with_targets(2, |image| Desired::docker(image, 2, "b"));
    instance.import(&made, false).unwrap();
    let new = revision(&instance, "edge-0");
    assert_ne!(old, new);
    report(&instance, "edge-0", new, Error, HOSTILE);

    let text = output(&instance, &["watch", "--once"]);
    assert!(text.contains("1 error, 1 not connected"), "{text}");
    assert!(text.contains("compose up failed: no such image \\u001b[2J"), "{text}");
    let list = output(&instance, &["list"]);
    for text in [&text, &list] {
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(!text.contains('\u{202e}') && !text.contains("\nfake"), "{text:?}");
    }
    assert!(list.contains("error") && list.contains("not connected"), "{list}");

    let json: Value =
        serde_json::from_str(&output(&instance, &["watch", "edge-0", "--once", "--format", "json"])).unwrap();
    let targets = json["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 1);
    assert_eq!(
        (&targets[0]["state"], &targets[0]["agent_reported"]),
        (&"error".into(), &"3.1.0".into())
    );
    let deployment = &targets[0]["deployments"][0];
    assert_eq!(deployment["latest"]["message"], HOSTILE, "data stays what it was");
    assert_eq!(deployment["runs_revision"], old.to_string());
    assert!(
        deployment["runs"].as_str().unwrap().contains(" of release "),
        "{deployment}"
    );
    let json: Value = serde_json::from_str(&output(&instance, &["list", "--format", "json"])).unwrap();
    assert_eq!(json["targets"][0]["deployments"][0]["runs_revision"], old.to_string());
}

#[test]
fn without_a_terminal_every_change_is_a_line() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| Desired::docker(image, 1, "a"));
    instance.import(&made, false).unwrap();
    let mut child = command(&instance, &["watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(
        lines
            .next()
            .unwrap()
            .ends_with("edge-0: not connected, agent –, advertised 3.1.0")
    );
    assert!(lines.next().unwrap().contains("edge-0 web: no status, wanted"));
    report(
        &instance,
        "edge-0",
        revision(&instance, "edge-0"),
        Healthy,
        "status check results: 1 healthy",
    );
    assert!(
        lines
            .next()
            .unwrap()
            .ends_with("edge-0: connected, agent 3.1.0, advertised 3.1.0")
    );
    let line = lines.next().unwrap();
    assert!(
        line.contains("healthy, wanted") && line.ends_with("status check results: 1 healthy"),
        "{line}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}
