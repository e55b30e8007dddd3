//! F22: `init` begins in a new or empty folder, and over anything else it touches nothing.

use std::fs;
use std::path::Path;

use super::workshop::{Workshop, assert_same, everything, on, run, said, verdict};
use crate::support::appliance::{Appliance, import_arguments, scratch, write};
use crate::support::strace::{self, Fault};

/// Parts of a state, each of which may be all that is left of it.
fn parts(state: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(state)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn copy_parts(from: &Path, to: &Path, names: &[&String]) {
    let mut command = std::process::Command::new("cp");
    command.arg("-a").args(names.iter().map(|name| from.join(name)));
    assert!(command.arg(to).status().unwrap().success());
}

#[test]
fn f22_over_every_subset_of_a_state_nothing_is_touched() {
    let workshop = Workshop::new();
    // Everything that an appliance has after some life, and what it may have later.
    let state = workshop.base.path();
    write(&state.join("generation.json"), b"{}");
    write(&state.join("status.db.damaged-1"), b"aside");
    write(&state.join("airlock.db-wal"), b"");
    write(&state.join("status-mark"), b"{\"below\":7}");
    let names = parts(&state);
    assert!(names.len() >= 14, "{names:?}");
    // Each alone, all but each, each with each other one, and all: every subset that differs in kind.
    let mut subsets: Vec<Vec<&String>> = vec![names.iter().collect()];
    for (at, one) in names.iter().enumerate() {
        subsets.push(vec![one]);
        subsets.push(names.iter().filter(|name| *name != one).collect());
        subsets.extend(names[at + 1..].iter().map(|other| vec![one, other]));
    }
    for subset in &subsets {
        let folder = scratch();
        let place = folder.path().join("state");
        fs::create_dir(&place).unwrap();
        copy_parts(&state, &place, subset);
        let before = everything(&place);
        let ended = run(&[], &workshop.init(&place));
        let (class, code) = verdict(&ended);
        let expected = match &subset[..] {
            names if names.iter().any(|name| *name == "airlock.db") => "already",
            _ => "part-of-state",
        };
        assert_eq!(
            (class.as_str(), code.as_str(), ended.code),
            ("E-STATE", expected, Some(27)),
            "{subset:?}"
        );
        assert_same(&everything(&place), &before, &format!("{subset:?}"));
        assert!(said(&ended, "remedy").contains("another"), "{}", ended.stderr);
    }
    println!("{} subsets were refused and untouched", subsets.len());
}

#[test]
fn f22_what_is_not_airlocks_is_refused_and_untouched() {
    let workshop = Workshop::new();
    for name in ["letters.txt", ".hidden", "identity.bak", "lost+found2"] {
        let folder = scratch();
        write(&folder.path().join(name), b"mine");
        let before = everything(folder.path());
        let ended = run(&[], &workshop.init(folder.path()));
        assert_eq!(
            verdict(&ended),
            ("E-STATE".into(), "not-empty".into()),
            "{name}: {}",
            ended.stderr
        );
        assert_same(&everything(folder.path()), &before, "it");
    }
    // A file, and a file above.
    let folder = scratch();
    let file = folder.path().join("file");
    write(&file, b"mine");
    let ended = run(&[], &workshop.init(&file));
    assert_eq!(
        verdict(&ended),
        ("E-STATE".into(), "planted".into()),
        "{}",
        ended.stderr
    );
}

/// The twins: none, an empty one, one that is a file system of its own, several levels that are not there yet.
#[test]
fn f22_new_and_empty_folders_are_taken() {
    let workshop = Workshop::new();
    let folder = scratch();
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let mounted = folder.path().join("mounted");
    fs::create_dir_all(mounted.join("lost+found")).unwrap();
    for place in [folder.path().join("new"), empty, mounted, folder.path().join("a/b/c")] {
        let ended = run(&[], &workshop.init(&place));
        assert_eq!(ended.code, Some(0), "{}: {}", place.display(), ended.stderr);
        run(&[], &import_arguments(&place, &workshop.bundle("1")).split_off(2)).assert_imported();
    }
}

/// Killed at any point, `init` leaves something that no command works with and that the next `init` leaves alone, or an appliance.
#[test]
fn f22_an_interrupted_init_is_refused_or_whole() {
    if !strace::available() {
        return;
    }
    let workshop = Workshop::new();
    let calls = [
        "openat",
        "mkdir",
        "rename",
        "fsync",
        "fdatasync",
        "write",
        "pwrite64",
        "ftruncate",
        "fallocate",
        "unlink",
    ];
    let counted = scratch();
    let state = counted.path().join("state");
    let traced = format!("trace={}", calls.map(|call| format!("?{call}")).join(","));
    let whole = strace::run(&[strace::SELECTIVE.into(), "-e".into(), traced], &workshop.init(&state));
    assert_eq!(whole.ended.code, Some(0), "{}", whole.ended.stderr);
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    let (mut struck, mut empty, mut parts, mut appliances) = (0, 0, 0, 0);
    for call in calls {
        let made: Vec<_> = whole.calls.iter().filter(|made| made.name == call).collect();
        // All the folders of the store are alike.
        let step = match call {
            "mkdir" if slow => 16,
            _ if slow => 1,
            _ => (made.len() / 4).max(1),
        };
        for nth in (1..=made.len()).step_by(step) {
            // One that only reads changes nothing: the next that does stands for it.
            if slow && call == "openat" && !made[nth - 1].rest.contains("O_CREAT") {
                continue;
            }
            let folder = scratch();
            let state = folder.path().join("state");
            let run_once = strace::strike(Fault::Kill, call, nth, &workshop.init(&state));
            assert!(run_once.fired(Fault::Kill, call, nth), "{call} {nth}");
            struck += 1;
            let held = state.try_exists().unwrap() && fs::read_dir(&state).unwrap().next().is_some();
            let before = held.then(|| everything(&state));
            let again = run(&[], &workshop.init(&state));
            if let Some(before) = before {
                assert_eq!(verdict(&again).0, "E-STATE", "{call} {nth}: {}", again.stderr);
                assert_same(&everything(&state), &before, &format!("{call} {nth}"));
                let list = run(&[], &on(&state, &["release", "list"]));
                if list.code == Some(0) {
                    // Its row was written: it is an appliance, and works.
                    run(&[], &import_arguments(&state, &workshop.bundle("1")).split_off(2)).assert_imported();
                    appliances += 1;
                } else {
                    assert_eq!(verdict(&list).0, "E-STATE", "{call} {nth}: {}", list.stderr);
                    parts += 1;
                }
            } else {
                assert_eq!(again.code, Some(0), "{call} {nth}: {}", again.stderr);
                empty += 1;
            }
        }
    }
    println!(
        "init killed {struck} times: {empty} left nothing, {parts} a part that stays untouched, {appliances} an appliance"
    );
    assert!(parts > 8, "{parts}");
}

/// What a full disk ends says what to do with what it left, and that works.
#[test]
fn f22_an_init_that_failed_says_what_it_left() {
    if !strace::available() {
        return;
    }
    let workshop = Workshop::new();
    let folder = scratch();
    let state = folder.path().join("state");
    let failed = strace::strike(Fault::NoSpace, "fsync", 3, &{
        let mut line = super::workshop::words(&["--format", "json"]);
        line.extend(workshop.init(&state));
        line
    });
    let ended = failed.ended;
    assert_eq!(
        (verdict(&ended).0.as_str(), ended.code),
        ("E-SPACE", Some(26)),
        "{}",
        ended.stderr
    );
    let remedy = said(&ended, "remedy");
    assert!(
        remedy.starts_with("free space") && remedy.contains(&state.display().to_string()),
        "{remedy}"
    );
    let refused = run(&[], &workshop.init(&state));
    assert_eq!(verdict(&refused), ("E-STATE".into(), "part-of-state".into()));
    assert!(
        said(&refused, "remedy").ends_with("may be moved away by hand"),
        "{}",
        refused.stderr
    );
    // Another folder, as it says; or this one, once what was left is moved away by hand.
    assert_eq!(run(&[], &workshop.init(&folder.path().join("other"))).code, Some(0));
    #[expect(clippy::disallowed_methods, reason = "a test's own files")]
    fs::rename(&state, folder.path().join("moved")).unwrap();
    assert_eq!(run(&[], &workshop.init(&state)).code, Some(0));
}

/// A whole copy in its place, as the remedy says, is the same appliance again.
#[test]
fn f22_a_whole_copy_in_its_place_works() {
    let workshop = Workshop::new();
    let copy = workshop.base.copy();
    let state = workshop.base.path();
    fs::remove_file(state.join("airlock.db")).unwrap();
    let refused = run(&[], &on(&state, &["release", "list"]));
    assert_eq!(verdict(&refused), ("E-STATE".into(), "database-missing".into()));
    assert!(
        said(&refused, "remedy").starts_with("end airlock serve, then put a whole copy of this folder in its place"),
        "{}",
        refused.stderr
    );
    let init = run(&[], &workshop.init(&state));
    assert_eq!(verdict(&init), ("E-STATE".into(), "part-of-state".into()));
    fs::remove_dir_all(&state).unwrap();
    copy_whole(&copy, &state);
    let listed = run(&[], &on(&state, &["release", "list"]));
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
}

fn copy_whole(from: &Appliance, to: &Path) {
    let mut command = std::process::Command::new("cp");
    assert!(command.arg("-a").arg(from.path()).arg(to).status().unwrap().success());
}
