//! What agents reported leaves without the values that were known at any time; where one of them cannot be read, it does not leave.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::world::{Plant, ask, files, generate, run, said, sealed, sealed_release};
use crate::support::agents::{basic, request};
use crate::support::appliance::{Ended, Serving, read, write};
use crate::support::client;
use crate::support::desired::target_id;
use crate::support::in_process::InProcessAppliance;

const CANARY: &str = "CANARY-of-before";

/// The agent of a target reports this.
fn report(plant: &Plant, target: &str, message: &str) {
    let issued = plant.good(&["target", "secret", target]);
    let secret = issued["secret"].as_str().unwrap();
    let serving = Serving::start(&plant.state());
    let send = |method: &str, path: &str, header: &str, body: &str| {
        let headers = [("Authorization", header), ("Content-Type", "application/json")];
        let bytes = request(method, path, &headers, body.as_bytes());
        client::raw(serving.address, &bytes, false).unwrap()
    };
    let user = basic(&target_id(target).to_string(), secret);
    let login = send("POST", "/api/v1/agent/login", &user, "");
    let bearer = format!("Bearer {}", login.json()["token"].as_str().unwrap());
    let answer = send("GET", "/api/v1/agent/resources", &bearer, "").json();
    let revision = &answer["deployments"][0]["revisionId"];
    let body = serde_json::json!({"revisionId": revision, "type": "error", "message": message}).to_string();
    assert_eq!(send("POST", "/api/v1/agent/status", &bearer, &body).status, 200);
}

/// Previews everything that could leave.
fn preview(state: &Path) -> Ended {
    let config = state.with_extension("toml");
    write(&config, b"[export]\nprofile = \"full\"\n");
    let config = config.to_str().unwrap();
    run(
        state,
        &["status", "preview", "--lines", "--discard", "--config", config],
        "",
    )
}

/// What a package would say of the report.
#[track_caller]
fn text(state: &Path) -> String {
    let previewed = preview(state);
    assert_eq!(previewed.code, Some(0), "{}", previewed.stderr);
    let shown = previewed.result.to_string() + &previewed.stderr;
    assert!(shown.contains("could not log in"), "{shown}");
    shown
}

fn outbox(state: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state.join("outbox")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn latest(state: &Path) -> String {
    let listed = run(state, &["target", "list"], "");
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let watched = run(state, &["target", "watch", "--once"], "");
    assert_eq!(watched.code, Some(0), "{}", watched.stderr);
    listed.result.to_string() + &watched.result.to_string()
}

#[track_caller]
fn refused(ended: &Ended) {
    let found = ended.refusal.clone().unwrap_or_default();
    assert_eq!(
        (&*found.0, &*found.1),
        ("E-STATE", "secrets-unreadable"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains(CANARY));
}

fn reported(target: &str) -> Plant {
    let plant = Plant::new();
    plant.import(1, &[ask("edge-0", "API_KEY", false)]);
    plant.good_with(&["secret", "set", "API_KEY"], CANARY);
    report(&plant, target, &format!("could not log in with {CANARY}!"));
    plant
}

#[test]
fn no_text_leaves_or_is_shown_while_a_value_cannot_be_read() {
    // Another target of its product: the one that uses it has no status then at all.
    let plant = reported("edge-1");
    assert!(!text(&plant.state()).contains(CANARY));
    assert!(latest(&plant.state()).contains("with [redacted]!"));
    let state = plant.state();
    let damages: [&dyn Fn(&Path); 3] = [
        &|path| fs::remove_file(path).unwrap(),
        &|path| write(path, &read(path)[..300]),
        &|path| write(path, b"age-encryption.org/v1\n"),
    ];
    for damage in damages {
        let file = files(&state).remove(0);
        damage(&state.join("secrets").join(&file));
        let drafts = outbox(&state);
        let ended = preview(&state);
        refused(&ended);
        assert!(
            ended.stderr.contains("API_KEY") || ended.stderr.contains(&file),
            "{}",
            ended.stderr
        );
        assert_eq!(outbox(&state), drafts);
        let shown = latest(&state);
        assert!(shown.contains("[withheld: ") && !shown.contains("log in"), "{shown}");
        // What has no texts goes on; with the value again, everything does.
        let least = run(&state, &["status", "preview", "--discard", "--profile", "minimal"], "");
        assert_eq!(least.code, Some(0), "{}", least.stderr);
        let remedy = said(&ended, "remedy");
        assert!(
            remedy.starts_with("enter it again with `airlock secret set --replace API_KEY --product crm"),
            "{remedy}"
        );
        let set = run(
            &state,
            &["secret", "set", "--replace", "API_KEY", "--product", "crm"],
            CANARY,
        );
        assert!(set.code == Some(0) && set.stderr.contains("given up"), "{}", set.stderr);
        assert!(!text(&state).contains(CANARY));
        assert!(latest(&state).contains("with [redacted]!"));
    }
}

#[test]
fn values_of_before_are_taken_out_until_they_are_let_go_for_good() {
    let plant = reported("edge-0");
    let state = plant.state();
    plant.good_with(&["secret", "set", "API_KEY", "--replace"], "another value");
    assert!(!text(&state).contains(CANARY));
    for _ in 0..6 {
        plant.good(&["secret", "generate", "API_KEY", "--yes"]);
    }
    assert!(!text(&state).contains(CANARY) && latest(&state).contains("with [redacted]!"));
    plant.good(&["status", "rotate-key", "--yes"]);
    assert!(!text(&state).contains(CANARY));
    let file = files(&state).remove(0);
    plant.import(2, &[generate("edge-1", "SESSION_KEY", None)]);
    plant.good(&["secret", "forget", "API_KEY", "--yes"]);
    assert!(!text(&state).contains(CANARY) && latest(&state).contains("with [redacted]!"));
    // A release that has it made makes another one, and what was forgotten goes on.
    let copy = plant.copy();
    let bundle = plant.bundle(3, &[generate("edge-0", "API_KEY", None)]);
    let imported = run(&copy.path(), &["import", bundle.to_str().unwrap()], "");
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    assert!(!text(&copy.path()).contains(CANARY));
    // One that was forgotten and cannot be read is let go as the message says.
    let copy = plant.copy();
    write(&copy.path().join("secrets").join(&file), b"age-encryption.org/v1\n");
    let ended = preview(&copy.path());
    refused(&ended);
    let remedy = said(&ended, "remedy");
    assert!(
        remedy.starts_with("let it go for good with `airlock secret forget API_KEY --product crm"),
        "{remedy}"
    );
    // Only then, and only because a person said so, it is not known any more.
    for state in [copy.path(), state] {
        let gone = run(
            &state,
            &["secret", "forget", "API_KEY", "--product", "crm", "--yes"],
            "",
        );
        assert_eq!(
            (gone.code, &gone.result["for_good"]),
            (Some(0), &Value::Bool(true)),
            "{}",
            gone.stderr
        );
        assert!(text(&state).contains(CANARY));
    }
}

#[test]
fn no_text_leaves_while_what_a_release_sealed_cannot_be_read() {
    let instance = InProcessAppliance::new();
    let uses = [sealed("edge-0", "LICENCE", false)];
    let values = [("LICENCE", None, CANARY)];
    let made = sealed_release(&instance, 1, &uses, Some(&values));
    instance.import(&made, false).unwrap();
    let state = instance.state();
    assert_eq!(preview(&state).code, Some(0));
    let blob = document(&state.join("blobs")).unwrap();
    fs::remove_file(&blob).unwrap();
    let ended = preview(&state);
    refused(&ended);
    let remedy = said(&ended, "remedy");
    assert!(
        remedy.starts_with("import the bundle of release 1 again with `airlock import"),
        "{remedy}"
    );
    let bundle = state.with_extension("airlock");
    write(&bundle, &made.bytes);
    let imported = run(&state, &["import", bundle.to_str().unwrap()], "");
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    assert_eq!(preview(&state).code, Some(0));
    // With its key all are lost: another key, and a release that is sealed to it.
    fs::remove_file(state.join("identity/recipient.key")).unwrap();
    let ended = preview(&state);
    refused(&ended);
    assert!(
        said(&ended, "remedy").contains("`airlock status rotate-key"),
        "{}",
        ended.stderr
    );
    let rotated = run(&state, &["status", "rotate-key", "--yes"], "");
    assert_eq!(rotated.code, Some(0), "{}", rotated.stderr);
    let ended = preview(&state);
    refused(&ended);
    assert!(
        said(&ended, "remedy").contains("airlock vendor enroll"),
        "{}",
        ended.stderr
    );
    instance
        .import(&sealed_release(&instance, 2, &uses, Some(&values)), false)
        .unwrap();
    assert_eq!(preview(&state).code, Some(0));
}

/// The one blob that is a sealed document.
fn document(folder: &Path) -> Option<PathBuf> {
    fs::read_dir(folder).unwrap().find_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return document(&path);
        }
        read(&path).starts_with(b"age-encryption.org/v1\n").then_some(path)
    })
}

#[test]
fn a_long_value_of_one_character_takes_no_longer_than_others() {
    let plant = Plant::new();
    plant.import(1, &[ask("edge-0", "API_KEY", false)]);
    plant.good_with(&["secret", "set", "API_KEY"], CANARY);
    report(
        &plant,
        "edge-0",
        &format!("could not log in with {}!", "$".repeat(5_000)),
    );
    plant.good_with(&["secret", "set", "API_KEY", "--replace"], &"$".repeat(64 << 10));
    let begun = std::time::Instant::now();
    assert!(latest(&plant.state()).contains("with [redacted]!"));
    assert!(!text(&plant.state()).contains("$$$$$$"));
    let took = begun.elapsed();
    assert!(took < std::time::Duration::from_secs(20), "{took:?}");
}

#[test]
fn a_value_is_taken_out_of_statements_pages_and_command_lines() {
    let plant = Plant::new();
    plant.import(1, &[ask("edge-0", "API_KEY", false)]);
    plant.good_with(&["secret", "set", "API_KEY"], "Zk$9qLw3v'Tt7&Xm2");
    let forms = [
        "Zk$9qLw3v''Tt7&Xm2",
        "Zk$9qLw3v&#39;Tt7&amp;Xm2",
        "'Zk$9qLw3v'\\''Tt7&Xm2'",
        "Zk\\$9qLw3v\\'Tt7\\&Xm2",
    ];
    report(
        &plant,
        "edge-0",
        &format!("could not log in with {}; it''s &amp; so", forms.join(" nor ")),
    );
    for shown in [latest(&plant.state()), text(&plant.state())] {
        assert!(!shown.contains("9qLw3v") && !shown.contains("Tt7"), "{shown}");
        assert!(shown.contains("it''s &amp; so"), "{shown}");
    }
}
