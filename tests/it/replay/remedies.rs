//! What the messages of a replay say to do, done to the letter.

use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use airlock::domain::StatusKind;
use airlock::package::{Line, StatusRecord};
use serde_json::Value;

use super::hub::{API_TOKEN, Fault, Status};
use super::world::{Package, SECRET, World, first_package, instance, site, status, uuid};
use crate::support::appliance::{AIRLOCK, Ended, write};

/// Runs the command and returns how it ended, and what it says to do.
fn run(world: &World, more: &[&str]) -> (Ended, String) {
    let output = world.command(more).output().unwrap();
    let events = String::from_utf8_lossy(&output.stderr).into_owned();
    let refused = events
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .rfind(|event| event["event"] == "refused");
    let remedy = refused.map(|event| event["remedy"].as_str().unwrap_or_default().to_owned());
    (Ended::of(&output), remedy.unwrap_or_default())
}

#[track_caller]
fn succeeded(world: &World, more: &[&str]) {
    let (ended, _) = run(world, more);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_replay_that_waits_for_another_one_goes_on_after_it() {
    let world = World::told_today();
    let secrets = world.credentials().display().to_string();
    let (tell, told) = mpsc::channel();
    world.hub.fault("status", Fault::Hold { stored: false, tell });
    let mut first = world.command(&["--credentials", &secrets]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    told.recv_timeout(Duration::from_secs(60)).unwrap();
    let (ended, remedy) = run(&world, &["--credentials", &secrets]);
    ended.assert_refused("E-BUSY", "replay", "");
    assert_eq!(remedy, "wait until it has ended, and try again");
    first.kill().unwrap();
    first.wait().unwrap();
    succeeded(&world, &["--credentials", &secrets]);
}

#[test]
fn a_hub_that_was_not_ready_gets_the_rest_with_the_same_command() {
    let world = World::told_today();
    let secrets = world.credentials().display().to_string();
    world.hub.with(|hub| hub.secrets.insert(uuid(1), "another".to_owned()));
    let arguments = ["--credentials", secrets.as_str()];
    let (ended, remedy) = run(&world, &arguments);
    ended.assert_refused("E-IO", "unfinished", "");
    assert_eq!(
        remedy,
        "put right what is said, and run the same command again: what was taken is not sent twice"
    );
    assert!(
        ended.stderr.contains("the hub refuses the target's secret (401)"),
        "{}",
        ended.stderr
    );
    world.hub.with(|hub| hub.secrets.insert(uuid(1), SECRET.to_owned()));
    succeeded(&world, &arguments);
    assert_eq!(world.hub.with(|hub| hub.statuses.len()), 2);
}

#[test]
fn plain_http_and_token_files_are_put_right_as_the_messages_say() {
    let world = World::told_today();
    let secrets = world.credentials().display().to_string();
    let token = world.folder.path().join("token");
    write(&token, b"\n");
    let token = token.display().to_string();
    let arguments = ["--credentials", secrets.as_str(), "--token-file", token.as_str()];
    let (ended, remedy) = run(&world, &arguments);
    ended.assert_refused("E-USAGE", "token-file", "");
    assert_eq!(remedy, "put the token on the first line of that file");
    write(std::path::Path::new(&token), API_TOKEN.as_bytes());
    succeeded(&world, &arguments);
    // An address without TLS: the command goes on with the flag, as far as there is a hub.
    let refused = |more: &[&str]| {
        let mut command = std::process::Command::new(AIRLOCK);
        command.args([
            "--format",
            "json",
            "status",
            "replay",
            "--hub",
            "http://hub.invalid",
            "--dry-run",
            "-w",
        ]);
        let output = command.arg(world.folder.path().join("w")).args(more).output().unwrap();
        (Ended::of(&output), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (ended, said) = refused(&[]);
    ended.assert_refused("E-USAGE", "plain-http", "");
    assert!(
        said.contains("name the hub's https:// address; or allow plain HTTP with --plain-http"),
        "{said}"
    );
    assert_eq!(refused(&["--plain-http"]).0.code, Some(0));
    let mut command = std::process::Command::new(AIRLOCK);
    command.args(["status", "replay", "--hub", "https://hub.invalid", "--dry-run", "-w"]);
    assert!(
        command
            .arg(world.folder.path().join("w"))
            .output()
            .unwrap()
            .status
            .success()
    );
}

#[test]
fn a_site_that_speaks_for_others_is_left_out_or_withdrawn_as_the_message_says() {
    let world = World::told_today();
    world.release(3, &[], &[(2, Some(site(2)), &[(200, 902)])]);
    // The second site speaks for the first one's target.
    let package = Package {
        site: site(2),
        instance: instance(0x22),
        ..first_package()
    };
    let of_other = StatusRecord {
        target: uuid(1),
        ..status(1, 902, StatusKind::Error, "x")
    };
    world.take_in(&package, &[Line::Status(of_other)]);
    let secrets = world.credentials().display().to_string();
    let (ended, remedy) = run(&world, &["--credentials", &secrets]);
    ended.assert_refused("E-POLICY", "other-site", "");
    assert_eq!(
        remedy.replace(&world.folder.path().join("w").display().to_string(), "WORKSPACE"),
        "name the other sites with --site, one after another; or, where this one is not to be trusted any more, withdraw it with \
         `airlock vendor withdraw-site SITE -w WORKSPACE`"
    );
    succeeded(&world, &["--credentials", &secrets, "--site", "plant-1"]);
    let mut withdraw = std::process::Command::new(AIRLOCK);
    withdraw.args(["vendor", "withdraw-site", "plant-2", "-w"]);
    assert!(
        withdraw
            .arg(world.folder.path().join("w"))
            .output()
            .unwrap()
            .status
            .success()
    );
    succeeded(&world, &["--credentials", &secrets]);
    let (ended, remedy) = run(&world, &["--credentials", &secrets, "--site", "plant-2"]);
    ended.assert_refused("E-TRUST", "withdrawn-site", "");
    assert!(
        remedy.starts_with("take it back, after comparing its fingerprint by voice"),
        "{remedy}"
    );
}

#[test]
fn a_target_with_an_agent_of_its_own_gets_the_secret_that_it_has() {
    let world = World::told_today();
    world.hub.with(|hub| {
        hub.statuses.push(Status {
            target: uuid(1),
            revision: uuid(902),
            kind: "running".to_owned(),
            message: "status check passed".to_owned(),
            created_at: "9000-01-01T00:00:00Z".to_owned(),
        });
    });
    let token = world.folder.path().join("token");
    write(&token, API_TOKEN.as_bytes());
    let token = token.display().to_string();
    let kept = world.folder.path().join("kept.json").display().to_string();
    let renew = [
        "--credentials",
        kept.as_str(),
        "--token-file",
        token.as_str(),
        "--access-request",
    ];
    let (ended, remedy) = run(&world, &renew);
    ended.assert_refused("E-POLICY", "agent-there", "");
    assert_eq!(
        remedy,
        "give the secret that the target has with --credentials, or leave the target to the agent that is connected"
    );
    let secrets = world.credentials().display().to_string();
    succeeded(&world, &["--credentials", &secrets]);
    assert_eq!(world.hub.with(|hub| hub.secrets[&uuid(1)].clone()), SECRET);
}
