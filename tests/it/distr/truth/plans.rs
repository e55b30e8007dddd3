//! Whatever makes an agent delete something says by name what goes, before it goes: letting a UUID go, an import, an activation.

use serde_json::Value;

use super::Plant;
use crate::support::appliance::{audit_actions, incoming, write};
use crate::support::desired::{Desired, deployment_id, target_id};
use crate::support::state_fingerprint::StateFingerprint;
use crate::support::terminal::at_a_terminal;

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

/// Everything that a dry run says, its import says before it does anything; and where agents are taken something away, a person at a
/// terminal is asked before the large content is read.
#[test]
fn an_import_says_what_changes_and_asks_where_something_goes() {
    let plant = Plant::new();
    plant.serving.instance.release(2, 2, "a");
    let gone = [target_id("edge-1"), deployment_id("edge-1")];
    let next = plant.serving.instance.vendor.with_targets(3, |image| {
        let mut desired = Desired::docker(image, 3, "b").without(&["edge-1"]).removing(&gone);
        desired.state.agents[0].name = "3.2.0".to_owned();
        desired
    });
    let folder = crate::support::appliance::scratch();
    let path = folder.path().join("next.airlock");
    write(&path, &next.bytes);
    let path = path.to_str().unwrap();
    let state = plant.serving.instance.state();
    let before = StateFingerprint::of(&state);
    let plan = [
        " goes on from release 2 (2.0) to 3 (3.0)",
        " files come (the whole bundle brings ",
        " are free, of which 32.0 MiB must stay",
        "target edge-0: its agent becomes 3.2.0 (now 3.1.0)",
        "target edge-0: web version a becomes version b, in place",
        "in place (docker compose up): containers of services that differ are made anew",
        "VOLUMES stay, with all data in them",
        "target edge-2 (docker) comes, and runs web version b",
        "target edge-1 goes: its agent is refused",
        "left behind: web version a",
    ];
    let said = plant.good(&["import", path, "--dry-run"]);
    assert!(said.contains("what changes once it is live:"), "{said}");
    for part in plan {
        assert!(said.contains(part), "{part} in {said}");
    }
    let planned = json(&plant, &["import", path, "--dry-run"]);
    // A row of the log for each dry run, and nothing else.
    assert!(StateFingerprint::of(&state).is_but_for_rows(&before, 2, 0));
    assert_eq!(planned["from"]["sequence"], 2, "{planned}");
    let changes = planned["changes"]["targets"].as_array().unwrap();
    let change = |name: &str| changes.iter().find(|target| target["name"] == name).unwrap();
    assert_eq!(
        (&change("edge-0")["change"], &change("edge-2")["change"], changes.len()),
        (&"changed".into(), &"added".into(), 2)
    );
    let updated = &change("edge-0")["deployments"][0];
    assert_eq!(
        (&updated["change"], &updated["from"], &updated["to"], &updated["engine"]),
        (
            &"updated".into(),
            &"version a".into(),
            &"version b".into(),
            &"compose".into()
        )
    );
    assert_eq!(change("edge-0")["agent"]["to"], "3.2.0");
    let room = |member: &str| planned["room"][member].as_u64().unwrap();
    assert!(room("bytes") > 0 && room("files") > 0 && room("free_bytes") > room("margin_bytes"));
    assert_eq!(planned["removes"].as_array().unwrap().len(), 1, "{planned}");

    // A person who says no leaves everything as it was; nobody is asked in a dry run, or where --yes says it.
    let asked = |answer: &str, more: &[&str]| at_a_terminal(&state, &[&["import", path], more].concat(), answer);
    let (code, seen) = asked("n", &[]);
    assert_eq!(code, 2, "{seen}");
    assert!(
        seen.contains("go on? [y/N]") && seen.contains("E-USAGE confirm"),
        "{seen}"
    );
    // The bundle was refused by somebody here, whom its vendor is not told of.
    assert!(StateFingerprint::of(&state).is_but_for_rows(&before, 3, 0));
    assert_eq!(incoming(&state), Vec::<String>::new());
    let (code, seen) = asked("", &["--dry-run"]);
    assert!(code == 0 && !seen.contains("go on?"), "{seen}");
    let (code, seen) = asked("y", &[]);
    assert!(code == 0 && seen.contains("go on? [y/N]"), "{seen}");
    for part in plan {
        assert!(seen.contains(part), "{part} in {seen}");
    }
    let actions = audit_actions(&state);
    assert_eq!(actions.iter().filter(|action| *action == "refuse").count(), 1);
    assert_eq!(plant.poll().len(), 1, "edge-0 is told of the next revision");

    // Nothing goes: nothing to ask, on a terminal either.
    let next = plant
        .serving
        .instance
        .vendor
        .with_targets(4, |image| Desired::docker(image, 3, "b").without(&["edge-1"]));
    write(std::path::Path::new(path), &next.bytes);
    let (code, seen) = asked("", &[]);
    assert!(code == 0 && !seen.contains("go on?"), "{seen}");
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
    // A dry run says the same, and is refused for the same.
    let planned = plant.good(&["release", "activate", "2.0", "--undeploy", "--dry-run"]);
    assert!(
        planned.contains("web version a goes from target edge-0") && planned.contains("nothing was changed"),
        "{planned}"
    );
    // Refused or not: what the refusal is about is said, to machines too.
    let refused = plant.airlock(&["release", "activate", "2.0", "--dry-run"]);
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(
        said.contains("web version a goes from target edge-0") && said.contains(VOLUMES),
        "{said}"
    );
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(23) && said.contains("E-POLICY undeploy"),
        "{said}"
    );
    let refused = plant.airlock(&["release", "activate", "2.0", "--dry-run", "--format", "json"]);
    let planned: Value = serde_json::from_str(std::str::from_utf8(&refused.stdout).unwrap()).unwrap();
    assert_eq!(
        (refused.status.code(), &planned["result"]),
        (Some(23), &"refused".into())
    );
    assert!(planned["removes"].to_string().contains(VOLUMES), "{planned}");
    assert_eq!(StateFingerprint::of(&plant.serving.instance.state()), before);
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
