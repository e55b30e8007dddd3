//! Parts of the state that nobody reads between two imports: what is wrong with them is told before somebody imports, and mended as the
//! message says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::follow::{Operator, commands, copy};
use super::logged::Logged;
use super::replaced::{problem, ready};
use super::server::{report, token, with_targets};
use crate::support::agents::{basic, request};
use crate::support::appliance::{read, wait_for, write};
use crate::support::bundles::SMALL_CHUNKS;
use crate::support::client::raw;
use crate::support::site::noise;
use crate::support::state_fingerprint::StateFingerprint;

#[expect(clippy::disallowed_methods, reason = "an operator's mv")]
fn mv(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A file, what is put in its place, its mode, and what that is called.
type Case<'a> = (&'a str, Option<&'a [u8]>, u32, &'a str);

#[test]
fn what_does_not_hold_is_a_problem_before_an_import_meets_it() {
    let foreign = Operator::new();
    let status_key = read(&foreign.state().join("identity/status.pem"));
    let recipient = read(&foreign.state().join("identity/recipient.key"));
    let cases: [Case<'_>; 14] = [
        ("identity/instance.json", None, 0, "instance"),
        ("identity/instance.json", Some(b"{"), 0o600, "instance"),
        ("marks", None, 0, "marks-file"),
        ("marks", Some(b"x"), 0o600, "marks-file"),
        ("identity/status.pem", None, 0, "status-key"),
        ("identity/status.pem", Some(b""), 0o600, "status-key"),
        ("identity/status.pem", Some(&status_key), 0o600, "status-key"),
        ("identity/status.pem", Some(&status_key), 0o644, "status-key"),
        ("identity/recipient.key", None, 0, "recipient-key"),
        ("identity/recipient.key", Some(b""), 0o600, "recipient-key"),
        ("identity/recipient.key", Some(&recipient), 0o600, "recipient-key"),
        ("identity/recipient.key", Some(&recipient), 0o644, "recipient-key"),
        ("identity/token.key", None, 0, "token-key"),
        ("identity/token.key", Some(&recipient), 0o600, "token-key"),
    ];
    // A server looks once in a while, which is most of the time this takes: several sites at once.
    std::thread::scope(|scope| {
        for some in cases.chunks(4) {
            scope.spawn(|| each_is_told(some));
        }
    });
}

fn each_is_told(cases: &[Case<'_>]) {
    let operator = Operator::new();
    let layers = |n| [noise(100, n)];
    operator
        .import(&operator.vendor.bundle(1, &layers(1), SMALL_CHUNKS))
        .succeeded();
    let next = operator.vendor.bundle(2, &layers(2), SMALL_CHUNKS);
    let state = operator.state();
    let serving = Logged::start(&operator);
    for &(name, bytes, bits, code) in cases {
        let (path, aside) = (state.join(name), state.with_extension("aside"));
        mv(&path, &aside);
        if let Some(bytes) = bytes {
            write(&path, bytes);
            mode(&path, bits);
        }
        let told = problem(&serving, &format!("E-STATE {code}"));
        assert_eq!(told["part"], "state", "{name}");
        assert!(!told["remedy"].as_str().unwrap().contains("see the log"), "{told}");
        if code != "token-key" {
            let before = StateFingerprint::of(&state);
            let refused = operator.import(&next);
            assert_eq!(
                refused.remedy("E-STATE", code),
                told["remedy"].as_str().unwrap(),
                "{name}"
            );
            assert_eq!(
                StateFingerprint::of(&state).differs_from(&before, false, false),
                None,
                "{name}"
            );
        }
        if path.symlink_metadata().is_ok() {
            fs::remove_file(&path).unwrap();
        }
        mv(&aside, &path);
        wait_for("the end of the problem", || ready(&serving).0 == 200);
    }
    operator.import(&next).succeeded();
}

#[test]
fn a_database_that_is_older_than_the_identity_is_a_problem_from_the_start() {
    let operator = Operator::new();
    let database = operator.state().join("airlock.db");
    let older = read(&database);
    for _ in 0..2 {
        operator.run(&["recover", "--yes", "--as", "cloned"]).succeeded();
    }
    let newer = read(&database);
    write(&database, &older);
    let serving = Logged::start(&operator);
    let (status, told) = ready(&serving);
    assert_eq!((status, &told["checks"]["state"]), (503, &"E-STATE instance".into()));
    let remedy = problem(&serving, "E-STATE instance")["remedy"]
        .as_str()
        .unwrap()
        .to_owned();
    // The server need not be started again: it is the same file.
    operator.follow(&commands(&remedy)[0], &[]).succeeded();
    wait_for("the end of the problem", || ready(&serving).0 == 200);
    assert_ne!(read(&database), newer);
}

#[test]
fn a_recipient_key_that_nobody_was_given_is_replaced_as_the_message_says() {
    let operator = Operator::new();
    let other = read(&operator.fresh().state().join("identity/recipient.key"));
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    for bytes in [&other[..], b""] {
        write(&operator.state().join("identity/recipient.key"), bytes);
        let remedy = operator.import(&made).remedy("E-STATE", "recipient-key");
        let again = operator.follow(&commands(&remedy)[0], &[]).remedy("E-USAGE", "confirm");
        operator.follow(&commands(&again)[0], &[]).succeeded();
        operator.import(&made).succeeded();
    }
}

/// How a request of the registry is answered that shows a credential of `airlock access`.
fn pulls(serving: &Logged, secret: &str) -> u16 {
    let header = basic("ops", secret);
    let request = request("GET", "/v2/", &[("Authorization", &header)], b"");
    raw(serving.address, &request, false).unwrap().status
}

#[test]
fn a_lost_token_key_is_made_anew_by_nobody_but_whom_the_message_sends() {
    let operator = with_targets();
    let path = operator.state().join("identity/token.key");
    let serving = Logged::start(&operator);
    let agent = token(&operator, &serving, "edge-0");
    let ops = operator.run(&["access", "add", "ops", "--read", "crm/stable:*"]);
    let ops = ops.succeeded()["secret"].as_str().unwrap().to_owned();
    wait_for("the credential", || pulls(&serving, &ops) == 200);
    let kept = read(&path);
    fs::remove_file(&path).unwrap();
    problem(&serving, "E-STATE token-key");
    // Who has it in memory goes on; who reads it anew makes none.
    assert_eq!(report(&serving, &agent), 200);
    let words: [&[&str]; 3] = [
        &["target", "list"],
        &["target", "secret", "edge-0"],
        &["serve", "--listen", "127.0.0.1:0"],
    ];
    for words in words {
        operator.run(words).remedy("E-STATE", "token-key");
        assert!(path.symlink_metadata().is_err(), "{words:?}");
    }
    let remedy = operator.run(&["target", "list"]).remedy("E-STATE", "token-key");
    let [make, connect, list, remove, add] = commands(&remedy).try_into().unwrap();
    operator.follow(&make, &[]).succeeded();
    assert_ne!(read(&path), kept);
    // The server answers with the key it began with, and says so.
    wait_for("that it is another key", || {
        problem(&serving, "E-STATE token-key")["remedy"] == "start the server again"
    });
    drop(serving);
    let serving = Logged::start(&operator);
    assert_eq!(ready(&serving).0, 200);
    assert_eq!(report(&serving, &agent), 401);
    operator.follow(&connect, &[("TARGET", "edge-0")]).succeeded();
    let agent = token(&operator, &serving, "edge-0");
    assert_eq!(report(&serving, &agent), 200);
    // So did what people and machines have; they are named, and made again.
    assert_eq!(pulls(&serving, &ops), 401);
    let named = operator.follow(&list, &[]).succeeded()["access"][0]["name"].clone();
    let at_hand = [("NAME", named.as_str().unwrap()), ("PATTERN", "crm/stable:*")];
    operator.follow(&remove, &at_hand[..1]).succeeded();
    let made = operator.follow(&add, &at_hand);
    let ops = made.succeeded()["secret"].as_str().unwrap().to_owned();
    wait_for("the new credential", || pulls(&serving, &ops) == 200);
    // One that is good is not replaced.
    let held = read(&path);
    let remedy = operator
        .run(&["recover", "--yes", "--as", "token-key-lost"])
        .remedy("E-POLICY", "token-key-good");
    assert_eq!(read(&path), held);
    operator
        .follow(&commands(&remedy)[0], &[("TARGET", "edge-0")])
        .succeeded();
}

/// A tool that copies leaves empty folders out.
#[test]
fn folders_that_may_be_empty_are_made_anew() {
    let operator = Operator::new();
    let state = operator.state();
    let strip = || {
        let folders = ["-type", "d", "-empty", "-delete"];
        let stripped = std::process::Command::new("find").arg(&state).args(folders).status();
        assert!(stripped.unwrap().success());
    };
    // Before the first import there are no blobs either.
    strip();
    assert!(state.join("blobs").symlink_metadata().is_err());
    operator
        .import(&operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS))
        .succeeded();
    fs::remove_dir_all(state.join("outbox")).unwrap();
    strip();
    let rotated = operator.run(&["status", "rotate-key", "--yes"]);
    rotated.succeeded();
    assert_eq!(fs::read_dir(state.join("outbox")).unwrap().count(), 1);
    strip();
    operator
        .import(&operator.vendor.bundle(2, &[noise(100, 2)], SMALL_CHUNKS))
        .succeeded();
    // Where there was content, that is said, and where it comes from.
    mv(&state.join("blobs"), &state.with_extension("blobs"));
    let list = operator.run(&["release", "list"]);
    let releases = list.succeeded();
    assert!(list.ended.stderr.contains("had no content"), "{}", list.ended.stderr);
    assert_eq!(releases["damage"].as_array().unwrap().len(), 2, "{releases}");
    let again = operator.run(&["release", "list"]);
    again.succeeded();
    assert!(!again.ended.stderr.contains("had no content"), "{}", again.ended.stderr);
}

#[test]
fn folders_that_are_never_empty_come_back_with_a_whole_copy() {
    let operator = Operator::new();
    let state = operator.state();
    let kept = state.with_extension("kept");
    copy(&state, &kept);
    for name in ["roots", "identity"] {
        fs::remove_dir_all(state.join(name)).unwrap();
        let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
        let remedy = operator.import(&made).remedy("E-STATE", "folder-missing");
        assert_eq!(
            remedy,
            "end airlock serve, then put a whole copy of the state folder in its place"
        );
        assert!(state.join(name).symlink_metadata().is_err());
        fs::remove_dir_all(&state).unwrap();
        copy(&kept, &state);
        operator.import(&made).succeeded();
        fs::remove_dir_all(&state).unwrap();
        copy(&kept, &state);
    }
    // Under a server, whose live releases are answered all the same.
    let serving = Logged::start(&operator);
    mv(&state.join("roots"), &state.with_extension("roots"));
    problem(&serving, "E-STATE folder-missing");
    mv(&state.with_extension("roots"), &state.join("roots"));
    wait_for("the end of the problem", || ready(&serving).0 == 200);
}
