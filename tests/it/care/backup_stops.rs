//! `airlock backup` and `airlock restore`, and those of a vendor, are killed at every call with which they change something: a backup has its
//! name whole or not at all, a state folder is an appliance whole or not at all, and the next try ends where an undisturbed one does.

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

fn restore(place: &str) -> [&str; 5] {
    ["restore", "@backup", "--yes", "--state", place]
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
    safe.quick(&world.state(), "backup", true);
    let run = stopper::run(&arguments(&safe, &restore("@whole")), None);
    assert_eq!(run.ended.code, Some(0), "{}", run.ended.stderr);
    let (calls, expected) = (run.calls.len(), audit_actions(&safe.path("whole")));
    let (mut killed, mut whole) = (0, 0);
    for number in (1..=calls).filter(|number| is_taken(*number, calls)) {
        let name = format!("state-{number}");
        let (place, path) = (format!("@{name}"), safe.path(&name));
        let struck = stopper::run(&arguments(&safe, &restore(&place)), Some((Fault::Kill, number)));
        if !struck.fired {
            continue;
        }
        killed += 1;
        if path.join("airlock.db").is_file() {
            whole += 1;
        } else {
            if path.join("restoring").is_file() {
                // Whoever works there meanwhile is told what this is.
                let told = safe.unlocked(&["release", "list", "--state", &place]);
                told.assert_refused("E-STATE", "database-missing", "");
                assert!(
                    told.stderr.contains("a backup is being put back into"),
                    "{}",
                    told.stderr
                );
                assert!(
                    told.remedy().contains("airlock restore BACKUP --state"),
                    "{}",
                    told.remedy()
                );
            }
            safe.good(&restore(&place));
        }
        assert_eq!(audit_actions(&path), expected, "call {number}");
        assert_eq!(super::world::stored(&path), world.stored(), "call {number}");
        let refused = safe.run(&restore(&place));
        refused.assert_refused("E-STATE", "already", "");
        std::fs::remove_dir_all(&path).unwrap();
    }
    assert!(killed >= 2 && whole < killed, "{killed} kills, {whole} whole");
}

#[cfg(feature = "vendor")]
#[test]
fn a_workspace_is_backed_up_and_put_back_whole_or_not_at_all() {
    if !stopper::available() {
        return;
    }
    let safe = Safe::new();
    safe.plain(&["vendor", "init", "--product", "shop", "--vendor", "Test", "@w"]);
    let words = |name| ["vendor", "backup", "-w", "@w", "-o", name];
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
        safe.good(&["vendor", "backup", "--check", "@backup"]);
        assert!(!safe.path("backup.partial").is_file(), "call {number}");
        assert!(!safe.path("w/ledger.db.copy").is_file(), "call {number}");
    }
    assert!(killed >= 2 && named < killed, "{killed} kills, {named} named");

    let run = stopper::run(&arguments(&safe, &restore_workspace("@undisturbed")), None);
    assert_eq!(run.ended.code, Some(0), "{}", run.ended.stderr);
    let (calls, expected) = (run.calls.len(), files(&safe.path("undisturbed")));
    let (mut killed, mut whole) = (0, 0);
    for number in (1..=calls).filter(|number| is_taken(*number, calls)) {
        let name = format!("w-{number}");
        let (place, path) = (format!("@{name}"), safe.path(&name));
        let struck = stopper::run(
            &arguments(&safe, &restore_workspace(&place)),
            Some((Fault::Kill, number)),
        );
        if !struck.fired {
            continue;
        }
        killed += 1;
        if path.is_dir() {
            whole += 1;
        } else {
            safe.good(&restore_workspace(&place));
        }
        assert_eq!(files(&path), expected, "call {number}");
        let mut command = std::process::Command::new(crate::support::appliance::AIRLOCK);
        let shown = command
            .args(safe.words(&["vendor", "trust", "show", "-w", &place]))
            .output()
            .unwrap();
        assert!(shown.status.success(), "call {number}");
    }
    assert!(killed >= 2 && whole < killed, "{killed} kills, {whole} whole");
}

/// The names in a workspace, without those of side files.
#[cfg(feature = "vendor")]
fn files(folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for part in [folder.to_owned(), folder.join("keys")] {
        for entry in std::fs::read_dir(part).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !name.ends_with("-wal") && !name.ends_with("-shm") {
                names.push(name);
            }
        }
    }
    names.sort();
    names
}

#[cfg(feature = "vendor")]
fn restore_workspace(place: &str) -> [&str; 5] {
    ["vendor", "restore", "@whole", place, "--yes"]
}
