//! Remedies about targets and deployments, and what they are called.

use super::follow::{Operator, Ran, commands, copy};
use crate::support::desired::{Desired, deployment_id, target_id};

/// The targets as their list has them.
fn targets(list: &Ran) -> Vec<serde_json::Value> {
    list.succeeded()["targets"].as_array().unwrap().clone()
}

#[test]
fn a_target_made_here_is_named_as_the_message_says() {
    let operator = Operator::new();
    operator
        .import(&operator.vendor.with_targets(1, |image| Desired::docker(image, 1, "a")))
        .succeeded();
    let add = |name: &str, like: &str| operator.run(&["target", "add", name, "--like", like]);
    let remedy = add("a\u{202e}b", "edge-0").remedy("E-USAGE", "target-name");
    assert_eq!(remedy, "choose another name");
    add("ab", "edge-0").succeeded();
    // One that is taken: the list shows which are, and another one is free.
    let remedy = add("ab", "edge-0").remedy("E-USAGE", "target-name");
    assert!(remedy.starts_with("choose another name; "), "{remedy}");
    let listed = targets(&operator.follow(&commands(&remedy)[0], &[]));
    assert!(listed.iter().any(|target| target["name"] == "ab"));
    let free = (0..9)
        .map(|n| format!("spare-{n}"))
        .find(|name| listed.iter().all(|target| target["name"] != **name));
    add(&free.unwrap(), "edge-0").succeeded();
    // One that follows another is no template; the message names the one that it follows.
    let remedy = add("third", "ab").remedy("E-USAGE", "template");
    let followed = remedy.split("--like ").nth(1).unwrap();
    assert_eq!(followed, target_id("edge-0").to_string());
    add("third", followed).succeeded();
}

/// Two targets of one name, and two deployments of one application: the message gives the UUIDs, or the list that has them.
#[test]
fn of_several_of_one_name_the_uuid_is_given() {
    let operator = Operator::new();
    let second = "second".to_owned();
    let twice = |image| {
        let mut desired = Desired::docker(image, 1, "a");
        let target = desired.target("edge-0");
        let mut other = target.deployments[0].clone();
        other.id = deployment_id(&second);
        other.revision = deployment_id(&format!("{second} revision"));
        target.deployments.push(other);
        target.deployments.sort_by_key(|deployment| deployment.id);
        desired
    };
    operator.import(&operator.vendor.with_targets(1, twice)).succeeded();
    let undeploy = |application: &str| operator.run(&["target", "undeploy", "edge-0", application, "--yes"]);
    let remedy = undeploy("web").remedy("E-USAGE", "application");
    let command = commands(&remedy)[0].clone();
    assert!(command.ends_with("--format json"), "{command}");
    let listed = targets(&operator.follow(command.trim_end_matches(" --format json"), &[]));
    let deployments = listed[0]["deployments"].as_array().unwrap();
    assert_eq!(deployments.len(), 2);
    for deployment in deployments {
        undeploy(deployment["id"].as_str().unwrap()).succeeded();
    }
    // Another product has a target of the same name under a UUID of its own.
    let namesake = |image| {
        let mut desired = Desired::docker(image, 1, "b");
        let target = desired.target("edge-0");
        (target.id, target.deployments[0].id) = (target_id("other"), deployment_id("other"));
        desired
    };
    operator
        .import(&operator.vendor.with_targets_of("erp", 1, namesake))
        .succeeded();
    let remedy = operator
        .run(&["target", "secret", "edge-0"])
        .remedy("E-USAGE", "target");
    let named: Vec<&str> = remedy
        .strip_prefix("name it by its UUID: ")
        .unwrap()
        .split(", ")
        .map(|one| one.split(' ').next().unwrap())
        .collect();
    assert_eq!(named.len(), 2, "{remedy}");
    for id in named {
        operator.run(&["target", "secret", id]).succeeded();
    }
}

/// A release that states the UUID of a target made here: another UUID comes in, and so does the release once that target is gone.
#[test]
fn a_uuid_of_a_target_made_here_is_another_ones_or_free() {
    let operator = Operator::new();
    operator
        .import(&operator.vendor.with_targets(1, |image| Desired::docker(image, 1, "a")))
        .succeeded();
    operator.run(&["target", "add", "mine", "--like", "edge-0"]).succeeded();
    let listed = targets(&operator.run(&["target", "list"]));
    let mine = listed.iter().find(|target| target["name"] == "mine").unwrap();
    let id = mine["id"].as_str().unwrap().parse().unwrap();
    let claims = |sequence, id| {
        operator.vendor.with_targets(sequence, move |image| {
            let mut desired = Desired::docker(image, 2, "a");
            desired.target("edge-1").id = id;
            desired.state.targets.sort_by_key(|target| target.id);
            desired
        })
    };
    let remedy = operator.import(&claims(2, id)).remedy("E-POLICY", "foreign-target");
    assert_eq!(remedy, "ask the vendor for another UUID, or remove that target here");
    // Each helps by itself.
    let state = operator.state();
    let kept = state.with_extension("kept");
    copy(&state, &kept);
    operator.import(&claims(2, target_id("another"))).succeeded();
    std::fs::remove_dir_all(&state).unwrap();
    copy(&kept, &state);
    operator.run(&["target", "remove", "mine", "--yes"]).succeeded();
    operator.import(&claims(2, id)).succeeded();
}
