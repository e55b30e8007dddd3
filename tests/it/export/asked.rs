//! How many people approve what leaves is kept at the site: a command that reads no configuration asks for as many as the last one that did.

use std::process::{Command, Stdio};

use airlock::db::site::packages::State;
use airlock::db::site::{appliance, audit};
use airlock::db::{Db, Schema};
use serde_json::{Value, json};

use super::desk::Desk;
use crate::support::appliance::{AIRLOCK, Ended, Serving, beside_the_operator, scratch, write};
use crate::support::bundles::Vendor;

/// Runs a command without a configuration.
fn bare(desk: &Desk, words: &str) -> Ended {
    let mut command = Command::new(AIRLOCK);
    command
        .args(["--format", "json"])
        .args(words.split(' '))
        .arg("--state")
        .arg(desk.state());
    Ended::of(
        &command
            .current_dir(desk.path(""))
            .stdin(Stdio::null())
            .output()
            .unwrap(),
    )
}

/// How many are asked for, and every change of that.
fn kept(state: &std::path::Path) -> (u64, Vec<Value>) {
    let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
    let asked = db.read(appliance::approvals).unwrap();
    let rows = db.read(|connection| audit::list(connection, 0, 999)).unwrap();
    let changes = rows.iter().filter(|row| row.action == "approvals");
    (asked, changes.map(|row| beside_the_operator(&row.detail)).collect())
}

/// Whether a command warned that fewer people are asked from now on.
fn warned(ended: &Ended) -> bool {
    ended.stderr.contains("a row of the audit log says so")
}

#[test]
fn a_draft_made_without_the_configuration_needs_as_many_approvals_as_it_said() {
    let desk = Desk::new(2);
    // Nobody said so yet here: the twin of what follows.
    assert_eq!(bare(&desk, "status preview").result["approvals"]["needed"], 0);
    assert_eq!(kept(&desk.state()), (0, vec![]));
    desk.good("status preview --discard");
    assert_eq!(kept(&desk.state()), (2, vec![json!({"from": 0, "to": 2})]));
    let told = desk.stream().rows.len();
    let made = bare(&desk, "status preview --discard").result;
    assert_eq!(made["approvals"], json!({"needed": 2, "there": []}));
    let head = made["head"].as_str().unwrap();
    for words in [
        "status export stick".to_owned(),
        format!("status export stick --digest {head}"),
    ] {
        let ended = bare(&desk, &words);
        assert_eq!(ended.refusal.unwrap().1, "approvals", "{}", ended.stderr);
    }
    // Also where there is no draft to be had without people.
    desk.good("status preview --discard");
    write(
        &desk.path("airlock.toml"),
        format!("[export]\nkeys = \"{}\"\n", desk.path("keys.json").display()).as_bytes(),
    );
    assert_eq!(
        desk.good("status preview")["approvals"]["needed"],
        2,
        "a configuration that does not say how many"
    );
    desk.refused("status export stick", "E-POLICY", "approvals");
    assert_eq!((desk.states(), desk.signings()), (vec![(1, State::Draft)], 0));
    assert!(desk.on_stick().is_empty());
    let head = desk.good("status preview")["head"].as_str().unwrap().to_owned();
    for n in [1, 2] {
        assert_eq!(
            desk.good(&format!("approve {head} --key {n}.pem"))["result"],
            "approved"
        );
    }
    let again = desk.good(&format!("approve {head} --key 2.pem"));
    assert_eq!(
        (&again["result"], &again["approvals"]["needed"]),
        (&json!("already"), &json!(2))
    );
    assert_eq!(again["approvals"]["there"].as_array().unwrap().len(), 2);
    desk.good("status export stick");
    assert_eq!(
        desk.judged(&desk.stick().join(&desk.on_stick()[0]), "2")["approvals"]["wanted"],
        2
    );
    // The rule stays here: what leaves says that it was signed, and nothing of how many were asked.
    let said = desk.stream();
    assert!(said.rows.len() == told + 1 && said.said().iter().all(|(action, _)| *action != "approvals"));
    assert_eq!(kept(&desk.state()).1.len(), 1);
}

#[test]
fn fewer_approvals_are_said_and_stand_in_the_log() {
    let desk = Desk::new(3);
    let raised = desk.run("status preview");
    assert!(raised.code == Some(0) && !warned(&raised), "{}", raised.stderr);
    desk.configure(1, "");
    let lowered = desk.run("status preview --discard");
    assert!(lowered.code == Some(0) && warned(&lowered), "{}", lowered.stderr);
    assert!(
        lowered.stderr.contains("1 approval from now on, and 3 until now"),
        "{}",
        lowered.stderr
    );
    let again = desk.run("status preview");
    assert!(again.code == Some(0) && !warned(&again), "{}", again.stderr);
    assert_eq!(
        kept(&desk.state()),
        (1, vec![json!({"from": 0, "to": 3}), json!({"from": 3, "to": 1})])
    );
    assert_eq!(bare(&desk, "status preview").result["approvals"]["needed"], 1);
    // As many as the draft was made to need, whatever is said later.
    desk.configure(0, "");
    desk.refused("status export stick", "E-POLICY", "approvals");
    assert_eq!(kept(&desk.state()).0, 0);
    desk.good("status preview --discard");
    desk.good("status export stick");
}

#[test]
fn init_and_serve_keep_what_their_configuration_says() {
    let folder = scratch();
    let (root, config, state) = (
        folder.path().join("root.json"),
        folder.path().join("airlock.toml"),
        folder.path().join("state"),
    );
    write(&root, &Vendor::new().chain_file());
    let mut init = Command::new(AIRLOCK);
    init.args(["init", "--site", "plant", "--trust"])
        .arg(&root)
        .arg("--state")
        .arg(&state)
        .arg("--config")
        .arg(&config);
    write(&config, b"[export]\napprovals = 33\n");
    let ended = Ended::of(&init.output().unwrap());
    assert!(
        ended.code == Some(2) && !state.try_exists().unwrap(),
        "{}",
        ended.stderr
    );
    write(&config, b"[export]\napprovals = 2\n");
    assert!(init.output().unwrap().status.success());
    assert_eq!(kept(&state), (2, vec![json!({"from": 0, "to": 2})]));
    let serve = |text: &str| {
        write(&config, text.as_bytes());
        let mut command = Command::new(AIRLOCK);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&config)
            .arg("--state")
            .arg(&state);
        drop(Serving::spawn(command));
        kept(&state).0
    };
    assert_eq!(serve("[export]\nprofile = \"full\"\n"), 2);
    assert_eq!(serve("[export]\napprovals = 4\n"), 4);
    assert_eq!(kept(&state).1.len(), 2);
}
