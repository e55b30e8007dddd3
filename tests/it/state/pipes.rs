//! A small file that a person names may be a pipe: one that something writes into is read, and nobody waits for one that nothing does.

use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::fs::{CWD, Mode, mkfifoat};

use super::workshop::{Workshop, everything, words};
use crate::support::appliance::{self, AIRLOCK, Ended, read, write};

fn start(line: &[std::ffi::OsString]) -> Child {
    let mut command = Command::new("timeout");
    command
        .args(["--signal=KILL", "60"])
        .arg(AIRLOCK)
        .args(["--format", "json"])
        .args(line);
    command.env("AIRLOCK_STATE", "/nonexistent");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn ended(child: Child) -> Ended {
    Ended::of(&child.wait_with_output().unwrap())
}

/// Every option that takes a small file, at a named pipe into which nobody writes; all at once, since each is given two seconds.
#[test]
fn nobody_waits_for_a_pipe_without_a_writer() {
    let workshop = Workshop::new();
    let folder = appliance::scratch();
    let at = |name: &str| folder.path().join(name).display().to_string();
    mkfifoat(CWD, at("pipe"), Mode::RWXU).unwrap();
    let root = workshop.folder.path().join("root.json").display().to_string();
    let state = workshop.base.path().display().to_string();
    let bundle = workshop.bundle("1").display().to_string();
    let fingerprint = "ab".repeat(32);
    let workspace = at("workspace");
    let (pipe, new) = (at("pipe"), at("new"));
    let mut lines: Vec<Vec<&str>> = vec![
        vec!["init", "--site", "x", "--trust", &pipe, "--state", &new],
        vec!["trust", "add", &pipe, "--fingerprint", &fingerprint, "--state", &state],
        vec!["bundle", "verify", &bundle, "--trust", &pipe],
        vec!["bundle", "verify", &bundle, "--trust", &root, "--signatures", &pipe],
        vec!["serve", "--listen", "127.0.0.1:0", "--state", &state, "--config", &pipe],
        vec!["import", &bundle, "--state", &state, "--config", &pipe],
    ];
    if cfg!(feature = "vendor") {
        let made = ended(start(&words(&[
            "vendor",
            "init",
            "--product",
            "x",
            "--vendor",
            "X",
            &workspace,
        ])));
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        let init = ["vendor", "init", "--product", "x", "--vendor", "X", "--passphrase-file"];
        lines.push([&init[..], &[&pipe, &new]].concat());
        lines.push(vec!["vendor", "enroll", "--yes", &pipe, "-w", &workspace]);
        lines.push(vec!["bundle", "create", "-f", &pipe, "-w", &workspace, "-o", &new]);
    }
    let before = (everything(&workshop.base.path()), everything(folder.path()));
    let running: Vec<Child> = lines.iter().map(|line| start(&words(line))).collect();
    for (line, child) in lines.iter().zip(running) {
        let ended = ended(child);
        let refusal = ended.refusal.clone().unwrap_or_default();
        assert_eq!(
            (refusal.0.as_str(), refusal.1.as_str()),
            ("E-USAGE", "no-writer"),
            "{line:?}: {}",
            ended.stderr
        );
        assert_eq!(ended.code, Some(2), "{line:?}");
        let remedy = super::workshop::said(&ended, "remedy");
        assert!(
            remedy.starts_with("start what writes into the pipe, then this command"),
            "{line:?}: {remedy}"
        );
    }
    assert_eq!((everything(&workshop.base.path()), everything(folder.path())), before);
}

/// As the remedy says: what writes is started, before the command or just after it; slow writers and `<(…)` are waited for.
#[test]
fn a_pipe_that_something_writes_into_is_read() {
    let workshop = Workshop::new();
    let folder = appliance::scratch();
    let path = |name: &str| folder.path().join(name);
    let root = workshop.folder.path().join("root.json");
    // The writer waits in opening the pipe until the command reads it.
    mkfifoat(CWD, path("pipe"), Mode::RWXU).unwrap();
    let (pipe, bytes) = (path("pipe"), read(&root));
    let writer = std::thread::spawn(move || write(&pipe, &bytes));
    let init = |trust: &str, name: &str| {
        let state = path(name).display().to_string();
        words(&["init", "--site", "x", "--trust", trust, "--state", &state])
    };
    let read = ended(start(&init(&path("pipe").display().to_string(), "first")));
    assert_eq!(read.code, Some(0), "{}", read.stderr);
    writer.join().unwrap();
    // One that has it open, says nothing for longer than one is waited for who has not, and then writes.
    let shell = format!(
        "exec {AIRLOCK} init --site x --trust <(sleep 2.5; cat {}) --state {}",
        root.display(),
        path("second").display()
    );
    let status = Command::new("bash").args(["-c", &shell]).output().unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    assert!(fs::metadata(path("second").join("airlock.db")).unwrap().is_file());
}
