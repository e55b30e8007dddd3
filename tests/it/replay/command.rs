//! The command as a person runs it: what it shows, what it never shows, and that a dry run reaches for nothing.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::hub::{API_TOKEN, Fault};
use super::world::{SECRET, World, uuid, write_secret};
use crate::support::appliance::{Ended, read, write};
use crate::support::strace;

#[test]
fn a_dry_run_opens_no_socket_and_writes_nothing() {
    let world = World::told_today();
    let plain = Ended::of(&world.command(&["--dry-run"]).output().unwrap());
    assert_eq!(plain.code, Some(0), "{}", plain.stderr);
    let target = &plain.result["sites"][0]["targets"][0];
    assert_eq!(
        (
            &plain.result["dry_run"],
            &target["statuses"]["waiting"],
            &target["lines"]["waiting"]
        ),
        (&true.into(), &2.into(), &3.into())
    );
    assert!(world.hub.paths().is_empty() && world.journal().is_empty());
    assert!(!world.folder.path().join("w/replay.lock").try_exists().unwrap());
    if !strace::available() {
        return;
    }
    let command = world.command(&["--dry-run"]);
    let arguments: Vec<OsString> = command.get_args().map(ToOwned::to_owned).collect();
    let traced = strace::run(&["-e".into(), "trace=%network,openat".into()], &arguments);
    assert_eq!(traced.ended.code, Some(0), "{}", traced.ended.stderr);
    let names: BTreeSet<&str> = traced.calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["openat"]), "files alone");
    // Twin: a run that sends is seen to do so.
    let secrets = world.credentials().display().to_string();
    let command = world.command(&["--credentials", &secrets]);
    let arguments: Vec<OsString> = command.get_args().map(ToOwned::to_owned).collect();
    let traced = strace::run(&["-e".into(), "trace=%network,openat".into()], &arguments);
    assert_eq!(traced.ended.code, Some(0), "{}", traced.ended.stderr);
    assert!(traced.calls.iter().any(|call| call.name == "connect"));
}

/// Everything under a folder, as one.
fn everything(folder: &std::path::Path, except: &[&str]) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if except.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() {
            all.extend(everything(&path, except));
        } else {
            all.extend(read(&path));
        }
    }
    all
}

#[test]
fn secrets_are_neither_shown_nor_kept_elsewhere() {
    use base64::Engine as _;
    let world = World::told_today();
    let secrets = world.credentials().display().to_string();
    let token = world.folder.path().join("token");
    write(&token, format!("{API_TOKEN}\n").as_bytes());
    let token = token.display().to_string();
    // Also when the hub repeats what it was told.
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:{SECRET}", uuid(1)));
    world
        .hub
        .fault("metrics", Fault::Answer(503, &[], format!("{SECRET}\n")));
    world.hub.fault("agent/status", Fault::StoredAndCut);
    let mut said = Vec::new();
    for format in ["json", "human"] {
        let mut command = world.command(&["--credentials", &secrets, "--token-file", &token]);
        let output = command
            .args(["--format", format])
            .env("RUST_LOG", "trace")
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said.extend(output.stdout);
        said.extend(output.stderr);
    }
    said.extend(everything(world.folder.path(), &["secrets.json", "token"]));
    for secret in [SECRET, API_TOKEN, &basic, "dG9rZW4"] {
        let found = said.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!found, "{secret}");
    }
    assert_eq!(
        world
            .hub
            .with(|hub| (hub.statuses.len(), hub.metrics.len(), hub.lines.len())),
        (2, 1, 5)
    );
    world.hub.assert_well_used();
}

#[test]
fn a_person_reads_what_was_sent_and_what_cannot_be() {
    let world = World::told_today();
    let secrets = world.credentials().display().to_string();
    let mut command = world.command(&["--credentials", &secrets]);
    let output = command.args(["--format", "human"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "plant-1 (0101010101",
        "statuses: 2 sent; sample: 1 sent; lines of containers: 3 sent in 1 request; lines of the agent: 2 sent in 1 request",
        "older-states: records of states",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let listed = Ended::of(&world.command(&["--credentials", &secrets]).output().unwrap());
    let undelivered = listed.result["sites"][0]["undelivered"].as_array().unwrap();
    assert!(
        undelivered
            .iter()
            .all(|entry| entry["count"].is_u64() && entry["why"].is_string()),
        "{undelivered:?}"
    );
}

#[test]
fn addresses_and_files_that_are_none_are_mistakes() {
    let world = World::told_today();
    let w = world.folder.path().join("w").display().to_string();
    let secrets = world.credentials().display().to_string();
    let bad = world.folder.path().join("bad.json");
    write_secret(&bad, &format!("{{\"secret\":\"{SECRET}\"}}"));
    let bad = bad.display().to_string();
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(crate::support::appliance::AIRLOCK)
            .args(["--format", "json", "status", "replay", "-w", &w])
            .args(arguments)
            .output()
            .unwrap();
        Ended::of(&output)
    };
    let url = world.hub.url();
    for (arguments, code) in [
        (
            vec!["--hub", "http://hub.example.com", "--credentials", &secrets],
            "plain-http",
        ),
        (vec!["--hub", "hub.example.com", "--credentials", &secrets], "hub"),
        (
            vec!["--hub", "https://user:pw@hub.example.com", "--credentials", &secrets],
            "hub",
        ),
        (vec!["--hub", &url, "--credentials", &bad], "credentials"),
        (
            vec!["--hub", &url, "--credentials", &secrets, "--site", "nobody"],
            "no-site",
        ),
        (
            vec!["--hub", &url, "--credentials", &secrets, "--token-file", "/dev/null"],
            "not-a-file",
        ),
    ] {
        let ended = run(&arguments);
        ended.assert_refused("E-USAGE", code, "");
        assert!(
            !ended.stderr.contains(SECRET) && !ended.stderr.contains("pw@"),
            "{}",
            ended.stderr
        );
    }
    // Without a secret there is nothing to begin with; and what renews secrets needs a place for them.
    for arguments in [vec!["--hub", &url], vec!["--hub", &url, "--access-request"]] {
        assert_eq!(run(&arguments).code, Some(2));
    }
    assert!(world.hub.paths().is_empty() && world.journal().is_empty());
    assert_eq!(
        run(&["--hub", &url, "--credentials", &secrets, "--site", "plant-1"]).result["sites"][0]["targets"][0]["statuses"]
            ["sent"],
        Value::from(2)
    );
}

/// As a key file: what others may have read is not used in silence.
#[test]
fn credentials_that_others_may_read_are_protected_as_the_message_says() {
    let world = World::told_today();
    let secrets = world.credentials();
    let name = secrets.display().to_string();
    let run = || Ended::of(&world.command(&["--credentials", &name]).output().unwrap());
    for mode in [0o644, 0o640, 0o604] {
        std::fs::set_permissions(&secrets, Permissions::from_mode(mode)).unwrap();
        let ended = run();
        ended.assert_refused("E-TRUST", "key-file", "");
        let remedy = format!("then chmod 600 {name}, or replace the secrets");
        assert!(
            ended.stderr.contains(&remedy) && !ended.stderr.contains(SECRET),
            "{}",
            ended.stderr
        );
    }
    assert!(world.hub.paths().is_empty() && world.journal().is_empty());
    std::fs::set_permissions(&secrets, Permissions::from_mode(0o600)).unwrap();
    let sent = run();
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    assert_eq!(sent.result["sites"][0]["targets"][0]["statuses"]["sent"], 2);
}
