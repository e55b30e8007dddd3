//! What agents run stays, whatever is live.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::agents::{basic, request};
use crate::support::appliance::{AIRLOCK, Appliance, Ended, Serving, scratch, wait_for, write};
use crate::support::bundles::Vendor;
use crate::support::client::raw;
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

/// An agent that went on with release 1 while 2 is live keeps it here, until it runs the live one.
#[test]
fn what_agents_run_stays_until_they_run_something_else() {
    let vendor = Vendor::new();
    let plant = Plant {
        appliance: Appliance::init(&vendor),
        vendor,
        folder: scratch(),
    };
    plant.import(1, "a");
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
            token = reply.json()["token"].as_str().unwrap().to_owned();
        }
        reply.status == 200
    });
    let ask = |method: &str, path: &str, body: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        raw(
            serving.address,
            &request(method, &format!("/api/v1/agent/{path}"), &headers, body.as_bytes()),
            false,
        )
        .unwrap()
    };
    let report = |text: &str| {
        let revision = revision_id("edge-0", text);
        let body = format!(r#"{{"message":"well","type":"healthy","revisionId":"{revision}"}}"#);
        assert_eq!(ask("POST", "status", &body).status, 200);
    };
    assert_eq!(ask("GET", "resources", "").status, 200);
    report("a");
    plant.import(2, "b");
    plant.age();
    let plan = plant.good(&["gc", "--yes", "--keep", "0"]);
    let first = &plan["releases"][1];
    assert_eq!(
        (&first["sequence"], &first["reasons"][0]["reason"]),
        (&1.into(), &"runs".into()),
        "{plan}"
    );
    assert_eq!(first["reasons"][0]["targets"], serde_json::json!(["edge-0"]));
    assert_eq!(plant.here(), [2, 1]);

    // It asks, and reports what it was told.
    let told = revision_id("edge-0", "b").to_string();
    wait_for("the new revision", || {
        let reply = ask("GET", "resources", "");
        String::from_utf8_lossy(&reply.body).contains(&told)
    });
    report("b");
    let plan = plant.good(&["gc", "--yes", "--keep", "0"]);
    assert_eq!(plan["collected"]["releases"], 1, "{plan}");
    assert_eq!(plant.here(), [2]);
    assert_eq!(ask("GET", "resources", "").status, 200);
}
