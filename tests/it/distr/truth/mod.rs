//! What is said of agents and of what runs is true: the words of `airlock target list|watch` against what agents were told and reported.

mod folding;
mod logins;
mod order;
mod owners;
mod plans;
mod states;
mod taking_away;
mod undeployed;

use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use airlock::domain::{SystemClock, Uuid};
use airlock::http::Settings;
use serde_json::{Value, json};

use crate::support::agents::Serving;
use crate::support::appliance::{AIRLOCK, wait_for};
use crate::support::desired::revision_id;
use crate::support::in_process::InProcessAppliance;

/// A server with the target `edge-0`, which runs `web`, its agent, and an operator at the command line.
struct Plant {
    serving: Serving,
    token: String,
}

impl Plant {
    fn new() -> Self {
        let instance = InProcessAppliance::new();
        instance.release(1, 1, "a");
        Self::of(instance)
    }

    fn of(instance: InProcessAppliance) -> Self {
        Self::of_target(instance, "edge-0")
    }

    fn of_target(instance: InProcessAppliance, target: &str) -> Self {
        let serving = Serving::start_at(instance, Settings::default(), Arc::new(SystemClock));
        let token = serving.token(target);
        Self { serving, token }
    }

    /// The agent asks what to run: the deployments that it is told, with their revisions.
    fn poll(&self) -> Vec<(String, String)> {
        self.serving.hub.refresh().unwrap();
        let reply = self.serving.agent(&self.token, "GET", "resources", "");
        assert_eq!(reply.status, 200, "{reply:?}");
        let answer = reply.json();
        let deployments = answer["deployments"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        deployments
            .iter()
            .map(|one| (text(&one["id"]), text(&one["revisionId"])))
            .collect()
    }

    /// The agent reports; answered when it is on the disk.
    fn report(&self, revision: Uuid, kind: &str, message: &str) {
        let body = json!({"revisionId": revision, "type": kind, "message": message}).to_string();
        let reply = self.serving.agent(&self.token, "POST", "status", &body);
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// A release with one target, whose text makes its revision.
    fn release(&self, sequence: u64, text: &str) -> Uuid {
        self.serving.instance.release(sequence, 1, text);
        revision_id("edge-0", text)
    }

    fn airlock(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(AIRLOCK);
        command
            .args(arguments)
            .arg("--state")
            .arg(self.serving.instance.state());
        command.stdin(Stdio::null()).output().unwrap()
    }

    #[track_caller]
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.airlock(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn list(&self) -> Value {
        serde_json::from_str(&self.good(&["target", "list", "--format", "json"])).unwrap()
    }

    /// The first target's first deployment.
    fn deployment(&self) -> Value {
        self.list()["targets"][0]["deployments"][0].clone()
    }

    /// Waits until the first deployment is in a state: what an agent was told is written down a moment after it was answered.
    #[track_caller]
    fn becomes(&self, state: &str) -> Value {
        let mut last = Value::Null;
        wait_for(state, || {
            last = self.deployment();
            last["state"] == state
        });
        last
    }

    /// The line of the table that begins so.
    #[track_caller]
    fn line(&self, beginning: &str) -> String {
        let text = self.good(&["target", "list"]);
        let line = text.lines().find(|line| line.starts_with(beginning));
        line.unwrap_or_else(|| panic!("{beginning} in {text}")).to_owned()
    }
}

const HEALTHY: &str = "status check results: 1 healthy";
