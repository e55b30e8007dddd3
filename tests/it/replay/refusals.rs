//! What the hub refuses is told with its reasons, and a hub that says nothing is not waited for without a word.

use std::time::Instant;

use serde_json::Value;

use super::hub::Fault;
use super::world::{World, uuid};
use crate::support::appliance::Ended;

/// Runs the command with the secret of the target, and returns how it ended, its remedy and all of its stderr.
fn run(world: &World, format: &str, more: &[&str]) -> (Ended, String, String) {
    let secrets = world.credentials().display().to_string();
    let mut command = world.command(&["--credentials", &secrets]);
    let output = command.args(["--format", format]).args(more).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let refused = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .rfind(|event| event["event"] == "refused");
    let remedy = refused.map(|event| event["remedy"].as_str().unwrap_or_default().to_owned());
    (Ended::of(&output), remedy.unwrap_or_default(), said)
}

/// A hub that did not collect the releases of the target.
fn without_releases(world: &World) {
    world.hub.with(|hub| hub.revisions.clear());
}

#[test]
fn a_hub_that_refuses_everything_is_told_of_with_its_reasons_and_gets_it_once_it_is_put_right() {
    let world = World::told_today();
    let known = world.hub.with(|hub| hub.revisions.clone());
    without_releases(&world);
    let hostile = "no \u{1b}[2K\u{202e}sample\nairlock: good\n".to_owned();
    world.hub.fault("metrics", Fault::Answer(400, &[], hostile));
    world
        .hub
        .fault("/logs", Fault::Answer(400, &[], "entry too far behind\n".to_owned()));
    world
        .hub
        .fault("deployment-target-logs", Fault::Answer(400, &[], String::new()));
    for now in [true, false] {
        let (ended, remedy, said) = run(&world, "json", &[]);
        // Nothing was ever taken: that is said again.
        ended.assert_refused("E-CONTENT", "refused", "");
        assert!(
            said.contains("2 status refused (400: failed to scan Deployment ID: not found)"),
            "{said}"
        );
        assert!(remedy.contains("--retry-refused"), "{remedy}");
        let refused = ended.result["sites"][0]["targets"][0]["refused"]
            .as_array()
            .unwrap()
            .clone();
        let told: Vec<(&str, &str, u64, u64)> = refused
            .iter()
            .map(|refusal| {
                let number = |name: &str| refusal[name].as_u64().unwrap();
                (
                    refusal["what"].as_str().unwrap(),
                    refusal["reason"].as_str().unwrap(),
                    number("count"),
                    number("now"),
                )
            })
            .collect();
        let times = |count| if now { count } else { 0 };
        for expected in [
            ("status", "400: failed to scan Deployment ID: not found", 2, times(2)),
            ("metrics", "400: no \u{1b}[2K\u{202e}sample", 1, times(1)),
            ("lines", "400: entry too far behind", 1, times(1)),
            ("agent-lines", "400", 1, times(1)),
        ] {
            assert!(told.contains(&expected), "{expected:?}: {told:?}");
        }
        assert_eq!(told.len(), 4, "{told:?}");
    }
    let asked = world.hub.paths().len();
    assert_eq!(asked, 6, "what was refused is not sent again by itself");
    let (_, _, said) = run(&world, "human", &[]);
    assert!(!said.contains('\u{1b}'), "{said}");

    // The remedy: the hub knows the releases, and is asked once more.
    world.hub.with(|hub| hub.revisions = known);
    let (ended, ..) = run(&world, "json", &["--retry-refused"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let counts = world
        .hub
        .with(|hub| (hub.statuses.len(), hub.metrics.len(), hub.lines.len()));
    assert_eq!(
        counts,
        (2, 1, 0),
        "a part of the lines may be there: they are not sent again"
    );
    // From now on it has something: the old refusals of lines are listed, and no error any more.
    let (ended, ..) = run(&world, "json", &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let refused = ended.result["sites"][0]["targets"][0]["refused"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(refused, 2);
    world.hub.assert_well_used();
}

#[test]
fn a_person_reads_why_the_hub_refused() {
    let world = World::told_today();
    world.hub.with(|hub| hub.revisions.remove(&uuid(901)));
    let hostile = "no \u{1b}[2K\u{202e}sample\nairlock: good\n".to_owned();
    world.hub.fault("metrics", Fault::Answer(400, &[], hostile));
    let secrets = world.credentials().display().to_string();
    let mut command = world.command(&["--credentials", &secrets]);
    let output = command.args(["--format", "human"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "statuses: 1 sent, 1 refused by the hub",
        "    refused: 1 status: 400: failed to scan Deployment ID: not found",
        "    refused: 1 sample: 400: no \\u001b[2K\\u202esample",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("airlock: good"), "{text}");
    assert_eq!(output.status.code(), Some(22));
    // What is told once, and of which the rest arrived, fails no later run.
    assert_eq!(run(&world, "json", &[]).0.code, Some(0));
}

#[test]
fn a_hub_that_says_nothing_is_spoken_of_and_given_up() {
    let world = World::told_today();
    world.hub.fault("agent/status", Fault::Silent);
    let begun = Instant::now();
    let (ended, remedy, said) = run(&world, "json", &["--patience", "1"]);
    ended.assert_refused("E-IO", "unfinished", "");
    assert!(said.contains("the hub has not answered for"), "{said}");
    assert!(said.contains("the request is given up after 1 s"), "{said}");
    assert!(said.contains(", once"), "one try: {said}");
    assert!(begun.elapsed().as_secs() < 60);
    assert!(remedy.starts_with("put right what is said"), "{remedy}");
    assert_eq!(world.hub.paths(), ["login", "status"]);
    // Twin: one that answers gets everything, and the item whose answer nobody saw is said to be perhaps there twice.
    let (ended, _, said) = run(&world, "json", &["--patience", "1"]);
    assert_eq!(ended.code, Some(0), "{said}");
    assert_eq!(ended.result["sites"][0]["targets"][0]["statuses"]["perhaps_twice"], 1);
    world.hub.assert_well_used();
}
