//! F19, F14: the state folder belongs to one user, and nobody else works in it or could exchange it. The owner is compared before
//! anything is opened or made.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use super::workshop::{Workshop, assert_same, everything, on, run, said, verdict};
use crate::support::appliance::{AIRLOCK, Ended, import_arguments, write};
use crate::support::left_out::is_root;
use crate::support::strace;

/// A user without a name and one that every Linux has.
const NAMELESS: u32 = 54_321;
const NOBODY: u32 = 65_534;

const AS_NAMELESS: [&str; 5] = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--"];

fn chown(path: &Path, user: u32) {
    let owner = format!("{user}:{user}");
    assert!(
        Command::new("chown")
            .args(["-hR", &owner])
            .arg(path)
            .status()
            .unwrap()
            .success()
    );
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Every command that opens a state folder, without options of its own that need something there.
fn commands(workshop: &Workshop, state: &Path) -> Vec<Vec<OsString>> {
    let mut lines: Vec<Vec<OsString>> = [
        &["serve", "--listen", "127.0.0.1:0"] as &[&str],
        &["release", "list"],
        &["release", "show", "1"],
        &["release", "activate", "1"],
        &["target", "list"],
        &["target", "watch"],
        &["target", "secret", "edge-0"],
        &["trust", "show"],
    ]
    .into_iter()
    .map(|command| on(state, command))
    .collect();
    lines.push(import_arguments(state, &workshop.bundle("2")).split_off(2));
    lines.push(workshop.init(state));
    let mut add = super::workshop::words(&["trust", "add"]);
    let fingerprint = workshop.vendor.chain().fingerprint().to_string();
    add.extend(["--fingerprint".into(), fingerprint.into()]);
    add.extend([workshop.bundle("root.json").into(), "--state".into(), state.into()]);
    lines.push(add);
    lines
}

#[test]
fn f19_root_works_in_no_folder_of_a_service_user_and_is_told_the_command() {
    if !is_root() {
        return;
    }
    let workshop = Workshop::new();
    for (user, prefix) in [
        (NOBODY, "runuser -u nobody -- ".to_owned()),
        (
            NAMELESS,
            format!("setpriv --reuid {NAMELESS} --regid {NAMELESS} --clear-groups -- "),
        ),
    ] {
        let copy = workshop.base.copy();
        let state = copy.path();
        chown(&state, user);
        // Whatever the service user planted is not even looked at.
        symlink("/root/.bashrc", state.join(".marks.new")).unwrap();
        let before = everything(&state);
        for line in commands(&workshop, &state) {
            let ended = run(&[], &line);
            assert_eq!(
                verdict(&ended),
                ("E-STATE".into(), "other-user".into()),
                "{line:?}: {}",
                ended.stderr
            );
            assert_eq!(ended.code, Some(27));
            let words: Vec<_> = line.iter().map(|word| word.to_string_lossy()).collect();
            let expected = format!("{prefix}{AIRLOCK} --format json {}", words.join(" "));
            assert!(said(&ended, "remedy").ends_with(&expected), "{}", ended.stderr);
            assert_same(&everything(&state), &before, &format!("{line:?}"));
        }
        // Whoever asks how everything is gets the same command to give.
        let ended = run(&[], &on(&state, &["doctor"]));
        let finding = &ended.result["findings"][0];
        assert_eq!(
            (ended.code, &finding["error"]),
            (Some(27), &"E-STATE other-user".into())
        );
        let remedy = finding["remedy"].as_str().unwrap();
        assert!(
            remedy.contains(&format!("{prefix}{AIRLOCK} --format json doctor")),
            "{remedy}"
        );
        assert_same(&everything(&state), &before, "doctor");
    }
}

/// The remedy, to the letter: a shell runs what the message says, and the import succeeds as the owner.
#[test]
fn f19_the_command_that_is_named_works() {
    if !is_root() {
        return;
    }
    let workshop = Workshop::new();
    let copy = workshop.base.copy();
    let state = copy.path();
    chown(&state, NAMELESS);
    // The owner must reach folder, bundle and program; a name that a shell would take apart.
    for folder in [state.parent().unwrap(), workshop.folder.path()] {
        chmod(folder, 0o755);
    }
    let bundle = workshop.bundle("it's a bundle; $HOME");
    write(&bundle, &workshop.releases[1].bytes);
    let line = import_arguments(&state, &bundle).split_off(2);
    let refused = run(&[], &line);
    let remedy = said(&refused, "remedy");
    let (_, command) = remedy.split_once("belongs to: ").unwrap();
    // The program may stand where its owner alone may go.
    let program = workshop.folder.path().join("airlock");
    fs::copy(AIRLOCK, &program).unwrap();
    chmod(&program, 0o755);
    let command = command.replacen(AIRLOCK, program.to_str().unwrap(), 1);
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    Ended::of(&output).assert_imported();
}

#[test]
fn f19_the_owner_is_compared_before_anything_is_opened() {
    if !is_root() || !strace::available() {
        return;
    }
    let workshop = Workshop::new();
    chown(&workshop.base.path(), NAMELESS);
    let state = workshop.base.path();
    let traced = ["-e".to_owned(), "trace=%file".to_owned()];
    let run = strace::run(&traced, &import_arguments(&state, &workshop.bundle("2")));
    assert_eq!(verdict(&run.ended).1, "other-user");
    let inside: Vec<_> = run
        .calls
        .iter()
        .filter(|call| call.rest.contains(&format!("\"{}", state.display())) && !call.name.starts_with("exec"))
        .collect();
    assert!(!inside.is_empty());
    for call in inside {
        let looks = call.name.contains("stat") || call.name == "readlink" || call.rest.contains("O_PATH");
        assert!(looks, "{call:?}");
        assert!(!call.rest.contains(&format!("\"{}/", state.display())), "{call:?}");
    }
}

#[test]
fn f19_another_user_is_told_to_become_the_owner() {
    if !is_root() {
        return;
    }
    let workshop = Workshop::new();
    let program = workshop.folder.path().join("airlock");
    fs::copy(AIRLOCK, &program).unwrap();
    chmod(&program, 0o755);
    chmod(workshop.folder.path(), 0o755);
    let copy = workshop.base.copy();
    let state = copy.path();
    chmod(state.parent().unwrap(), 0o755);
    chmod(&state, 0o755);
    for (owner, expected) in [
        (0, "run it as root: ".to_owned()),
        (
            NOBODY,
            "as root, run it as the user that the folder belongs to: runuser -u nobody -- ".to_owned(),
        ),
    ] {
        chown(&state, owner);
        let before = everything(&state);
        let output = Command::new(AS_NAMELESS[0])
            .args(&AS_NAMELESS[1..])
            .arg(&program)
            .args(["--format", "json", "release", "list", "--state"])
            .arg(&state)
            .output()
            .unwrap();
        let ended = Ended::of(&output);
        assert_eq!(
            verdict(&ended),
            ("E-STATE".into(), "other-user".into()),
            "{}",
            ended.stderr
        );
        assert!(said(&ended, "remedy").starts_with(&expected), "{}", ended.stderr);
        assert_same(&everything(&state), &before, "it");
    }
    // The twin: the owner itself.
    chown(&state, NAMELESS);
    let output = Command::new(AS_NAMELESS[0])
        .args(&AS_NAMELESS[1..])
        .arg(&program)
        .args(["--format", "json", "release", "list", "--state"])
        .arg(&state)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A part that another user made is refused too, wherever it is.
#[test]
fn f19_nothing_inside_belongs_to_another_user() {
    if !is_root() {
        return;
    }
    let workshop = Workshop::new();
    for name in [
        "airlock.db",
        "status.db",
        "marks",
        "identity",
        "identity/token.key",
        "receipts",
        "blobs/sha256/ab",
        "incoming",
    ] {
        let copy = workshop.base.copy();
        let part = copy.path().join(name);
        assert!(
            Command::new("chown")
                .args(["-h", "54321"])
                .arg(&part)
                .status()
                .unwrap()
                .success()
        );
        let ended = run(&[], &on(&copy.path(), &["release", "list"]));
        assert_eq!(
            verdict(&ended),
            ("E-STATE".into(), "other-user".into()),
            "{name}: {}",
            ended.stderr
        );
        // The remedy, to the letter.
        let remedy = said(&ended, "remedy");
        let (_, command) = remedy.split_once("as root: ").unwrap();
        assert!(Command::new("sh").args(["-c", command]).status().unwrap().success());
        assert_eq!(
            run(&[], &on(&copy.path(), &["release", "list"])).code,
            Some(0),
            "{name}"
        );
    }
}

#[test]
fn f14_what_others_may_write_is_refused() {
    let workshop = Workshop::new();
    for name in [
        "",
        "identity",
        "roots",
        "receipts",
        "outbox",
        "incoming",
        "evidence",
        "blobs",
        "blobs/sha256/ab",
        "airlock.db",
        "marks",
        "lock",
    ] {
        for more in [0o020, 0o002] {
            let copy = workshop.base.copy();
            let part = copy.path().join(name);
            let mode = fs::metadata(&part).unwrap().permissions().mode();
            chmod(&part, mode | more);
            let before = everything(&copy.path());
            let ended = run(&[], &import_arguments(&copy.path(), &workshop.bundle("2")).split_off(2));
            assert_eq!(
                verdict(&ended),
                ("E-STATE".into(), "writable".into()),
                "{name}: {}",
                ended.stderr
            );
            assert_same(&everything(&copy.path()), &before, name);
            // The remedy, to the letter.
            let remedy = said(&ended, "remedy");
            let (_, command) = remedy.split_once("then ").unwrap();
            assert!(Command::new("sh").args(["-c", command]).status().unwrap().success());
            assert_eq!(
                run(&[], &on(&copy.path(), &["release", "list"])).code,
                Some(0),
                "{name}"
            );
        }
    }
}

#[test]
fn f14_a_link_to_a_state_folder_is_none() {
    let workshop = Workshop::new();
    let link = workshop.folder.path().join("link");
    symlink(workshop.base.path(), &link).unwrap();
    let before = everything(&workshop.base.path());
    for given in [link.clone(), link.join(""), link.join(".")] {
        for line in commands(&workshop, &given) {
            let ended = run(&[], &line);
            assert_eq!(
                verdict(&ended),
                ("E-STATE".into(), "planted".into()),
                "{line:?}: {}",
                ended.stderr
            );
        }
    }
    assert_same(&everything(&workshop.base.path()), &before, "it");
    // A link above it is the administrator's own business.
    let above = workshop.folder.path().join("above");
    symlink(workshop.base.path().parent().unwrap(), &above).unwrap();
    assert_eq!(run(&[], &on(&above.join("state"), &["release", "list"])).code, Some(0));
}

/// Root works in no folder that somebody else can exchange for another one.
#[test]
fn f19_the_folders_above_are_roots_where_root_works() {
    if !is_root() {
        return;
    }
    let workshop = Workshop::new();
    let parent = workshop.base.path().parent().unwrap().to_owned();
    let list = || run(&[], &on(&workshop.base.path(), &["release", "list"]));
    assert_eq!(list().code, Some(0));
    let refused = || {
        let ended = list();
        assert_eq!(
            verdict(&ended),
            ("E-STATE".into(), "parent-writable".into()),
            "{}",
            ended.stderr
        );
    };
    chmod(&parent, 0o777);
    refused();
    // The sticky bit, as in /tmp: nobody renames what is another's.
    chmod(&parent, 0o1777);
    assert_eq!(list().code, Some(0));
    chmod(&parent, 0o755);
    let made = run(&[], &workshop.init(&parent.join("new")));
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(
        Command::new("chown")
            .arg("54321")
            .arg(&parent)
            .status()
            .unwrap()
            .success()
    );
    refused();
    let ended = run(&[], &workshop.init(&parent.join("another/new")));
    assert_eq!(
        verdict(&ended),
        ("E-STATE".into(), "parent-writable".into()),
        "{}",
        ended.stderr
    );
    assert!(!parent.join("another").try_exists().unwrap());
}
