//! What an operator takes away is planned and asked: what is deleted, what stays, how it comes back.

use serde_json::Value;

use super::Plant;
use crate::support::desired::{Desired, target_id};
use crate::support::in_process::InProcessAppliance;
use crate::support::state_fingerprint::StateFingerprint;

const VOLUMES: &str = "deleted: its containers and networks, its VOLUMES with all data in them (docker compose down --volumes), and its images";

#[test]
fn nothing_is_taken_away_without_a_yes_and_the_plan_comes_first() {
    let plant = Plant::new();
    for (arguments, plan, command) in [
        (
            &["target", "undeploy", "edge-0", "web"][..],
            &[
                "web version a goes from target edge-0 at its agent's next look:",
                VOLUMES,
            ][..],
            "when all of this is meant: `airlock target undeploy edge-0 web --yes`",
        ),
        (
            &["target", "remove", "edge-0"][..],
            &[
                "target edge-0 goes:",
                "nothing is deleted on its host: containers and volumes stay",
                "left behind: web version a; `airlock target undeploy edge-0 web` first lets the agent delete it",
                "`airlock target restore edge-0` brings it back",
            ][..],
            "when all of this is meant: `airlock target remove edge-0 --yes`",
        ),
    ] {
        let before = StateFingerprint::of(&plant.serving.instance.state());
        let output = plant.airlock(arguments);
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{talk}");
        assert!(output.stdout.is_empty(), "{talk}");
        // Every command that is advised says where the appliance is, as the one before it did.
        let place = format!(" --state {}`", plant.serving.instance.state().display());
        assert_eq!(
            talk.matches("`airlock ").count(),
            talk.matches(&place).count(),
            "{talk}"
        );
        let talk = talk.replace(&place, "`");
        assert!(talk.contains("E-USAGE confirm") && talk.contains(command), "{talk}");
        for line in plan {
            assert!(talk.contains(line), "{line} in {talk}");
        }
        assert_eq!(StateFingerprint::of(&plant.serving.instance.state()), before);
    }
    assert_eq!(plant.poll().len(), 1);

    // The command that the refusal names works, and says the same.
    let output = plant.airlock(&["target", "undeploy", "edge-0", "web", "--yes", "--format", "json"]);
    let value: Value = serde_json::from_str(&String::from_utf8_lossy(&output.stdout)).unwrap();
    assert_eq!(
        (&value["result"], &value["plan"][0]),
        (&"undeployed".into(), &VOLUMES.into())
    );
    assert!(
        plant
            .good(&["target", "undeploy", "edge-0", "web"])
            .contains("nothing to do: web was taken away already from target edge-0"),
        "nothing to ask"
    );
    assert_eq!(plant.poll(), []);
    plant.good(&["target", "remove", "edge-0", "--yes"]);
    let line = plant.line("edge-0");
    assert!(
        line.contains("removed here") && line.contains("nothing: `airlock target restore edge-0 --state "),
        "{line}"
    );
    let removed = plant.list()["removed"][0].clone();
    assert_eq!(
        (&removed["state"], &removed["name"]),
        (&"removed".into(), &"edge-0".into())
    );
    let command = removed["restore"].as_str().unwrap().to_owned();
    // It says where the appliance is, as `good` does once more.
    let words: Vec<&str> = command.split(' ').skip(1).take(3).collect();
    assert!(command.ends_with(&format!(" --state {}", plant.serving.instance.state().display())));
    plant.good(&words);
    assert_eq!(plant.list()["targets"][0]["name"], "edge-0");
    assert_eq!(plant.list()["removed"], Value::Array(Vec::new()));
}

#[test]
fn the_plan_says_what_agents_of_each_kind_delete() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::both(image, 1, "a");
        let docker = desired.target("edge-0").deployments[0].docker.as_mut().unwrap();
        docker.mode = airlock::bundle::desired::DockerMode::Swarm;
        desired
    });
    instance.import(&made, false).unwrap();
    let plant = Plant::of(instance);
    for (target, deleted, kept) in [
        (
            "edge-0",
            "deleted: the services, networks, configs and secrets of its stack",
            "kept: its volumes",
        ),
        (
            "cluster",
            "volume claims of the chart with their data among it (helm uninstall)",
            "kept: claims that a StatefulSet made",
        ),
    ] {
        let output = plant.airlock(&["target", "undeploy", target, "web"]);
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(talk.contains(deleted) && talk.contains(kept), "{talk}");
    }
}

#[test]
fn a_target_that_was_let_go_is_listed_with_the_way_back() {
    let plant = Plant::new();
    let id = target_id("edge-0").to_string();
    let said = plant.good(&["target", "free", &id, "--yes"]);
    assert!(
        said.contains(&format!("until then `airlock target restore {id} --state ")),
        "{said}"
    );
    let line = plant.line("edge-0");
    assert!(
        line.contains("let go here") && line.contains("`airlock target restore edge-0 --state "),
        "{line}"
    );
    assert_eq!(plant.list()["removed"][0]["state"], "freed");
    plant.good(&["target", "restore", &id]);
    assert_eq!(plant.list()["targets"][0]["name"], "edge-0");
}
