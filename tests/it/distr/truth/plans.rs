//! Whatever makes an agent delete something says by name what goes, before it goes: letting a UUID go, an import, an activation.

use serde_json::Value;

use super::Plant;
use crate::support::appliance::write;
use crate::support::desired::{Desired, deployment_id, target_id};
use crate::support::state_fingerprint::StateFingerprint;

const VOLUMES: &str = "its VOLUMES with all data in them (docker compose down --volumes)";

fn talk(plant: &Plant, arguments: &[&str], code: i32) -> String {
    let output = plant.airlock(arguments);
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{talk}");
    talk
}

fn json(plant: &Plant, arguments: &[&str]) -> Value {
    serde_json::from_str(&plant.good(&[arguments, &["--format", "json"]].concat())).unwrap()
}

#[test]
fn letting_a_deployment_go_says_what_its_agent_deletes_and_the_way_back() {
    let plant = Plant::new();
    let deployment = deployment_id("edge-0").to_string();
    let before = StateFingerprint::of(&plant.serving.instance.state());
    let said = talk(&plant, &["target", "free", &deployment], 2);
    let back = format!("airlock target deploy {} {deployment}", target_id("edge-0"));
    for part in [
        "web version a goes from target edge-0 at its agent's next look",
        VOLUMES,
        &back,
        "E-USAGE confirm",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(StateFingerprint::of(&plant.serving.instance.state()), before);
    let freed = json(&plant, &["target", "free", &deployment, "--yes"]);
    assert!(freed["plan"].to_string().contains(VOLUMES), "{freed}");
    assert!(freed["back"].as_str().unwrap().starts_with(&back), "{freed}");
    assert_eq!(plant.poll(), []);
    plant.good(&["target", "deploy", &target_id("edge-0").to_string(), &deployment]);
    assert_eq!(plant.poll().len(), 1);

    // Of a target nothing is deleted, and that is said too.
    let said = talk(&plant, &["target", "free", &target_id("edge-0").to_string()], 2);
    assert!(
        said.contains("left behind: web version a; `airlock target undeploy "),
        "{said}"
    );
}

#[test]
fn an_import_names_what_agents_delete() {
    let plant = Plant::new();
    plant.serving.instance.release(2, 2, "a");
    let gone = [target_id("edge-1"), deployment_id("edge-1")];
    let next = plant
        .serving
        .instance
        .vendor
        .with_targets(3, |image| Desired::docker(image, 1, "a").removing(&gone));
    let folder = crate::support::appliance::scratch();
    let path = folder.path().join("next.airlock");
    write(&path, &next.bytes);
    let path = path.to_str().unwrap();
    let said = plant.good(&["import", path, "--dry-run"]);
    for part in [
        "what goes once it is live:",
        "target edge-1 goes: its agent is refused",
        "left behind: web version a",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let value = json(&plant, &["import", path]);
    assert_eq!(value["removes"][0]["name"], "edge-1", "{value}");
    assert_eq!(value["removes"].as_array().unwrap().len(), 1, "{value}");
    let shown = plant.good(&["release", "show", "3.0"]);
    assert!(
        shown.contains("removes target \"edge-1\" (") && shown.contains("removes web on target \"edge-1\" ("),
        "{shown}"
    );
}

#[test]
fn an_activation_names_what_agents_delete() {
    let plant = Plant::new();
    let bare = plant.serving.instance.vendor.with_targets(2, |image| {
        let mut desired = Desired::docker(image, 1, "a");
        desired.target("edge-0").deployments.clear();
        desired.without(&[])
    });
    plant.serving.instance.import(&bare, true).unwrap();
    let said = talk(&plant, &["release", "activate", "2.0"], 23);
    assert!(
        said.contains("E-POLICY undeploy") && said.contains("web on target"),
        "{said}"
    );
    assert_eq!(plant.poll().len(), 1);
    // Where nobody can be asked, nothing goes without the word for it.
    let before = StateFingerprint::of(&plant.serving.instance.state());
    let said = talk(&plant, &["release", "activate", "2.0", "--undeploy"], 2);
    for part in [
        "web version a goes from target edge-0",
        "E-USAGE confirm",
        "when all of this is meant: `airlock release activate 2.0 --undeploy --yes",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(StateFingerprint::of(&plant.serving.instance.state()), before);
    assert_eq!(plant.poll().len(), 1);
    let said = talk(&plant, &["release", "activate", "2.0", "--undeploy", "--yes"], 0);
    assert!(
        said.contains("web version a goes from target edge-0") && said.contains(VOLUMES),
        "{said}"
    );
    assert_eq!(plant.poll(), []);
    let back = json(&plant, &["release", "activate", "1.0"]);
    assert_eq!(back["removes"], Value::Array(Vec::new()));
    let said = talk(&plant, &["release", "show", "9"], 2);
    assert!(said.contains("no release matches \"9\""), "{said}");
}

#[test]
fn a_target_that_is_followed_is_not_asked_about() {
    let plant = Plant::new();
    plant.good(&["target", "add", "mine", "--like", "edge-0"]);
    plant.good(&["target", "add", "other", "--like", "edge-0"]);
    let said = talk(&plant, &["target", "remove", "edge-0"], 2);
    assert!(
        said.contains("is followed by the targets \"mine\", \"other\"") && !said.contains("left behind"),
        "{said}"
    );
    let line = plant.line("mine");
    assert!(line.ends_with("web version a (made here)"), "{line}");
    for name in ["\u{202e}evil", "a\u{200b}b", "a\nb", ""] {
        let said = talk(&plant, &["target", "add", name, "--like", "edge-0"], 2);
        assert!(
            said.contains("E-USAGE target-name") && said.contains("invisible"),
            "{said}"
        );
    }
    plant.good(&["target", "add", "Zürich 東京", "--like", "edge-0"]);
}
