//! `airlock backup` and `airlock restore` are killed at every call with which they change something: a backup has its name whole or not at
//! all, a state folder is an appliance whole or not at all, and the next try ends where an undisturbed one does.

use std::ffi::OsString;

use super::backup::Safe;
use super::world::World;
use crate::support::appliance::audit_actions;
use crate::support::slow::share;
use crate::support::stopper;
use crate::support::strace::Fault;

/// By default the first and the last call, and so many parts of the others.
const PARTS: usize = 3;

fn is_taken(number: usize, calls: usize) -> bool {
    match share() {
        Some(share) => share.takes(number),
        None => number == calls || number % calls.div_ceil(PARTS) == 1,
    }
}

fn arguments(safe: &Safe, words: &[&str]) -> Vec<OsString> {
    safe.words(&[words, &["--passphrase-file", "@passphrase"]].concat())
}

#[test]
fn a_backup_that_is_killed_anywhere_has_its_name_whole_or_not_at_all() {
    if !stopper::available() {
        return;
    }
    let (world, safe) = (World::new(1), Safe::new());
    let state = world.state();
    let words = |name| ["backup", "-o", name, "--state", state.to_str().unwrap()];
    let run = stopper::run(&arguments(&safe, &words("@whole")), None);
    assert_eq!(run.ended.code, Some(0), "{}", run.ended.stderr);
    let calls = run.calls.len();
    let (mut killed, mut named) = (0, 0);
    for number in (1..=calls).filter(|number| is_taken(*number, calls)) {
        std::fs::remove_file(safe.path("backup")).ok();
        let struck = stopper::run(&arguments(&safe, &words("@backup")), Some((Fault::Kill, number)));
        if !struck.fired {
            continue;
        }
        killed += 1;
        if safe.path("backup").is_file() {
            named += 1;
        } else {
            safe.good(&words("@backup"));
        }
        safe.good(&["backup", "--check", "@backup"]);
        assert!(!safe.path("backup.partial").is_file(), "call {number}");
        world.good(&["audit", "verify"]);
    }
    assert!(killed >= 2 && named < killed, "{killed} kills, {named} named");
}

#[test]
fn a_restore_that_is_killed_anywhere_makes_a_whole_appliance_or_none() {
    if !stopper::available() {
        return;
    }
    let (world, safe) = (World::new(1), Safe::new());
    safe.back_up(&world.state(), "backup", &["--with-content"]);
    let words = |place| ["restore", "@backup", "--yes", "--state", place];
    let run = stopper::run(&arguments(&safe, &words("@whole")), None);
    assert_eq!(run.ended.code, Some(0), "{}", run.ended.stderr);
    let (calls, expected) = (run.calls.len(), audit_actions(&safe.path("whole")));
    let (mut killed, mut whole) = (0, 0);
    for number in (1..=calls).filter(|number| is_taken(*number, calls)) {
        let name = format!("state-{number}");
        let (place, path) = (format!("@{name}"), safe.path(&name));
        let struck = stopper::run(&arguments(&safe, &words(&place)), Some((Fault::Kill, number)));
        if !struck.fired {
            continue;
        }
        killed += 1;
        if path.join("airlock.db").is_file() {
            whole += 1;
        } else {
            safe.good(&words(&place));
        }
        assert_eq!(audit_actions(&path), expected, "call {number}");
        assert_eq!(super::world::stored(&path), world.stored(), "call {number}");
        let refused = safe.run(&words(&place));
        refused.assert_refused("E-STATE", "already", "");
        std::fs::remove_dir_all(&path).unwrap();
    }
    assert!(killed >= 2 && whole < killed, "{killed} kills, {whole} whole");
}
