//! What agents run stays, whatever is live.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::agents::{basic, request};
use crate::support::appliance::{AIRLOCK, Appliance, Ended, Serving, scratch, wait_for, write};
use crate::support::bundles::Vendor;
use crate::support::client::{Reply, raw};
use crate::support::desired::{Desired, revision_id, target_id};

struct Plant {
    appliance: Appliance,
    vendor: Vendor,
    folder: tempfile::TempDir,
}

impl Plant {
    /// Imports a release whose one target shall run a text.
    fn import(&self, sequence: u64, text: &str) {
        let made = self
            .vendor
            .with_targets(sequence, |image| Desired::docker(image, 1, text));
        let bundle = self.folder.path().join("bundle");
        write(&bundle, &made.bytes);
        self.appliance.import(&bundle).assert_imported();
    }

    #[track_caller]
    fn good(&self, words: &[&str]) -> Value {
        let mut command = Command::new(AIRLOCK);
        command
            .args(["--format", "json"])
            .args(words)
            .arg("--state")
            .arg(self.appliance.path());
        let ended = Ended::of(&command.stdin(Stdio::null()).output().unwrap());
        assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
        ended.result
    }

    fn here(&self) -> Vec<u64> {
        let list = self.good(&["release", "list"]);
        list["releases"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["sequence"].as_u64().unwrap())
            .collect()
    }

    fn age(&self) {
        use airlock::db::{Db, Schema, SqlResult as _};
        let db = Db::open(&self.appliance.path().join("airlock.db"), &Schema::SITE).unwrap();
        let text = "UPDATE release SET retired_at = retired_at - 100000 WHERE retired_at IS NOT NULL";
        db.write(|tx| tx.execute_batch(text).sql("change")).unwrap();
    }
}

/// The target's agent.
struct Agent {
    serving: Serving,
    token: String,
}

impl Agent {
    fn connected(plant: &Plant) -> Self {
        let serving = Serving::start(&plant.appliance.path());
        let secret = plant.good(&["target", "secret", "edge-0", "--yes"])["secret"]
            .as_str()
            .unwrap()
            .to_owned();
        let header = basic(&target_id("edge-0").to_string(), &secret);
        let login = request("POST", "/api/v1/agent/login", &[("Authorization", &header)], b"");
        let mut token = String::new();
        wait_for("the login", || {
            let reply = raw(serving.address, &login, false).unwrap();
            if reply.status == 200 {
                reply.json()["token"].as_str().unwrap().clone_into(&mut token);
            }
            reply.status == 200
        });
        Self { serving, token }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Reply {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let asked = request(method, &format!("/api/v1/agent/{path}"), &headers, body.as_bytes());
        raw(self.serving.address, &asked, false).unwrap()
    }

    /// Asks until it is told a text.
    fn is_told(&self, text: &str) {
        let told = revision_id("edge-0", text).to_string();
        wait_for("the new revision", || {
            let reply = self.ask("GET", "resources", "");
            String::from_utf8_lossy(&reply.body).contains(&told)
        });
    }

    fn report(&self, kind: &str, text: &str) {
        let revision = revision_id("edge-0", text);
        let body = format!(r#"{{"message":"as it is","type":"{kind}","revisionId":"{revision}"}}"#);
        assert_eq!(self.ask("POST", "status", &body).status, 200);
    }
}

fn plant() -> Plant {
    let vendor = Vendor::new();
    Plant {
        appliance: Appliance::init(&vendor),
        vendor,
        folder: scratch(),
    }
}

/// Why gc keeps a release, by its number.
fn reasons(plan: &Value, sequence: u64) -> Value {
    let releases = plan["releases"].as_array().unwrap();
    let release = releases.iter().find(|release| release["sequence"] == sequence).unwrap();
    release["reasons"].clone()
}

/// An agent that went on with release 1 while 2 is live keeps it here, until it runs the live one.
#[test]
fn what_agents_run_stays_until_they_run_something_else() {
    let plant = plant();
    plant.import(1, "a");
    let agent = Agent::connected(&plant);
    agent.is_told("a");
    agent.report("healthy", "a");
    plant.import(2, "b");
    plant.age();
    let plan = plant.good(&["gc", "--yes", "--keep", "0"]);
    let runs = serde_json::json!([{"reason": "runs", "targets": ["edge-0"]}]);
    assert_eq!(reasons(&plan, 1), runs, "{plan}");
    assert_eq!(plant.here(), [2, 1]);

    agent.is_told("b");
    agent.report("healthy", "b");
    let plan = plant.good(&["gc", "--yes", "--keep", "0"]);
    assert_eq!(plan["collected"]["releases"], 1, "{plan}");
    assert_eq!(plant.here(), [2]);
    assert_eq!(agent.ask("GET", "resources", "").status, 200);
}

/// Where releases fail one after the other, and where the buffer is lost, nobody knows what runs: all that may be it stays.
#[test]
fn what_may_run_stays_while_that_is_not_known() {
    let plant = plant();
    plant.import(1, "a");
    let agent = Agent::connected(&plant);
    agent.is_told("a");
    agent.report("healthy", "a");
    for (sequence, text) in [(2, "b"), (3, "c"), (4, "d")] {
        plant.import(sequence, text);
        agent.is_told(text);
        agent.report("error", text);
    }
    plant.age();
    let plan = plant.good(&["gc", "--yes", "--keep", "0"]);
    let may_run = serde_json::json!([{"reason": "may-run", "targets": ["edge-0"]}]);
    assert_eq!(reasons(&plan, 1), may_run, "{plan}");
    assert_eq!(plant.here(), [4, 3, 2, 1]);

    // The buffer is gone, and its agent has not come since.
    assert!(agent.serving.stop().success());
    for end in ["", "-wal", "-shm"] {
        std::fs::remove_file(plant.appliance.path().join(format!("status.db{end}"))).ok();
    }
    let serving = Serving::start(&plant.appliance.path());
    let plan = plant.good(&["gc", "--yes", "--keep", "0"]);
    assert_eq!(reasons(&plan, 1)[0]["reason"], "may-run", "{plan}");
    assert_eq!(plant.here(), [4, 3, 2, 1]);

    // It comes back and reports: now it is known.
    let agent = Agent {
        serving,
        token: agent.token,
    };
    agent.is_told("d");
    agent.report("healthy", "d");
    plant.good(&["gc", "--yes", "--keep", "0"]);
    assert_eq!(plant.here(), [4]);
}
