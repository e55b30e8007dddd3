//! Passphrases of key files: asked for on a terminal as the help says, never shown, told when they are wrong, changed later.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::appliance::write_private;

const SECRET: &str = "correct horse";
const OTHER: &str = "battery staple";

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            folder: crate::support::appliance::scratch(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program where nobody can be asked.
    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_airlock"))
            .args(["--format", "json"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("AIRLOCK_WORKSPACE")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    #[track_caller]
    fn good(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{text}");
    }

    /// Runs the program on a terminal: what it asks and what is typed. Its exit code, and all that the terminal showed.
    fn on_terminal(&self, answers: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/vendor/terminal.py");
        let output = crate::support::python::python()
            .arg(script)
            .arg(json!(answers).to_string())
            .arg(env!("CARGO_BIN_EXE_airlock"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("AIRLOCK_WORKSPACE")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        for secret in [SECRET, OTHER] {
            assert!(!shown.contains(secret), "a passphrase is never shown: {shown}");
        }
        (output.status.code().unwrap(), shown)
    }

    fn is_locked(&self, key: &str) -> bool {
        let path = self.path("w/keys").join(key);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::read_to_string(path).unwrap().contains("ENCRYPTED PRIVATE KEY")
    }

    /// Whether a passphrase opens a key: it signs nothing, the workspace only adds a key with it.
    fn opens(&self, passphrase: &str, key: &str) -> bool {
        write_private(&self.path("try"), format!("{passphrase}\n").as_bytes());
        write_private(&self.path("again"), format!("{passphrase}\n").as_bytes());
        let path = self.path("w/keys").join(key).display().to_string();
        let change = ["vendor", "trust", "passphrase", &path, "--passphrase-file", "try"];
        let output = self.run(&[&change[..], &["--new-passphrase-file", "again"]].concat());
        output.status.code() == Some(0)
    }

    fn keys(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path("w/keys"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Whether there is a python3 to make a terminal with; says so and returns false where not. In CI that is a failure.
pub(crate) fn terminal() -> bool {
    let works = crate::support::python::python()
        .arg("--version")
        .output()
        .is_ok_and(|output| output.status.success());
    if !works {
        crate::support::left_out::left_out("python3 is not here");
    }
    works
}

const INIT: [&str; 7] = ["vendor", "init", "--product", "app", "--vendor", "Test", "w"];

fn refusal(output: &Output) -> (String, String, String) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let event: Value = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|event| event["event"] == "refused")
        .unwrap_or_else(|| panic!("not refused: {text}"));
    let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    (word("class"), word("code"), word("remedy"))
}

#[test]
fn a_new_workspace_asks_for_a_passphrase_twice() {
    if !terminal() {
        return;
    }
    let new = "passphrase for the new keys";
    let desk = Desk::new();
    let (code, shown) = desk.on_terminal(&[(new, SECRET), ("the same again", SECRET)], &INIT);
    assert_eq!(code, 0, "{shown}");
    assert!(desk.is_locked("release-1.pem") && desk.is_locked("root-1.pem"));
    assert!(desk.opens(SECRET, "release-1.pem") && !desk.opens(OTHER, "release-1.pem"));
    // A slip is told, and asked again.
    let desk = Desk::new();
    let answers = [
        (new, SECRET),
        ("the same again", OTHER),
        ("the two differ", SECRET),
        ("the same again", SECRET),
    ];
    let (code, shown) = desk.on_terminal(&answers, &INIT);
    assert_eq!(code, 0, "{shown}");
    assert!(desk.opens(SECRET, "root-2.pem"));
    // Whoever slips every time gets no workspace.
    let desk = Desk::new();
    let answers: Vec<_> = [(new, SECRET), ("the same again", OTHER)].repeat(3);
    let (code, shown) = desk.on_terminal(&answers, &INIT);
    assert_eq!(code, 13, "{shown}");
    assert!(!desk.path("w").exists());
    // Nothing means none; so does a run where nobody can be asked.
    let desk = Desk::new();
    let (code, shown) = desk.on_terminal(&[(new, "")], &INIT);
    assert_eq!(code, 0, "{shown}");
    assert!(!desk.is_locked("release-1.pem"));
    let desk = Desk::new();
    desk.good(&INIT);
    assert!(!desk.is_locked("release-1.pem"));
}

#[test]
fn keys_are_opened_by_who_is_asked() {
    if !terminal() {
        return;
    }
    let desk = Desk::new();
    write_private(&desk.path("pass"), format!("{SECRET}\n").as_bytes());
    write_private(&desk.path("other"), format!("{OTHER}\n").as_bytes());
    desk.good(&[&INIT[..], &["--passphrase-file", "pass"]].concat());
    let set = ["vendor", "trust", "set", "--product", "web", "-w", "w"];
    // Nobody to ask: the way out is named, and works.
    let (class, code, remedy) = refusal(&desk.run(&set));
    assert_eq!((class.as_str(), code.as_str()), ("E-TRUST", "passphrase"));
    assert!(remedy.contains("--passphrase-file FILE"), "{remedy}");
    let (class, code, _) = refusal(&desk.run(&[&set[..], &["--passphrase-file", "other"]].concat()));
    assert_eq!((class.as_str(), code.as_str()), ("E-TRUST", "passphrase"));
    desk.good(&[&set[..], &["--passphrase-file", "pass"]].concat());
    // On a terminal one answer does for all keys; a wrong one is told and asked again, and not for ever.
    let (code, shown) = desk.on_terminal(
        &[("passphrase of", SECRET)],
        &["vendor", "trust", "set", "--product", "hub", "-w", "w"],
    );
    assert_eq!(code, 0, "{shown}");
    let answers = [("passphrase of", OTHER), ("that was wrong", SECRET)];
    let (code, shown) = desk.on_terminal(&answers, &["vendor", "trust", "set", "--product", "iot", "-w", "w"]);
    assert_eq!(code, 0, "{shown}");
    let answers: Vec<_> = std::iter::once(("passphrase of", OTHER))
        .chain([("that was wrong", OTHER); 3])
        .collect();
    let (code, shown) = desk.on_terminal(&answers, &["vendor", "trust", "set", "--product", "tv", "-w", "w"]);
    assert_eq!(code, 13, "{shown}");
    assert!(shown.contains("does not open with this passphrase"), "{shown}");
    // A terminal that answers nobody, as a service has it: the file is named, and no medium.
    let alone = "import os, pty, subprocess, sys\n_, terminal = pty.openpty()\nsys.exit(subprocess.run(sys.argv[1:], stdin=terminal, start_new_session=True).returncode)";
    let output = Command::new("python3")
        .args(["-c", alone, env!("CARGO_BIN_EXE_airlock"), "--format", "json"])
        .args(set)
        .current_dir(desk.folder.path())
        .output()
        .unwrap();
    let (class, code, remedy) = refusal(&output);
    assert_eq!((class.as_str(), code.as_str()), ("E-IO", "terminal"));
    assert!(remedy.contains("name a file that holds the passphrase"), "{remedy}");
    desk.good(&[&set[..], &["--passphrase-file", "pass"]].concat());
    // Keys with passphrases of their own: what opened the first is tried, then the person is asked.
    desk.good(&[
        "vendor",
        "trust",
        "passphrase",
        "w/keys/root-2.pem",
        "w/keys/root-3.pem",
        "--passphrase-file",
        "pass",
        "--new-passphrase-file",
        "other",
    ]);
    let answers = [("root-1.pem", SECRET), ("root-2.pem", OTHER)];
    let (code, shown) = desk.on_terminal(&answers, &["vendor", "trust", "set", "--product", "car", "-w", "w"]);
    assert_eq!(code, 0, "{shown}");
}

#[test]
fn a_passphrase_is_added_changed_and_removed_later() {
    if !terminal() {
        return;
    }
    let desk = Desk::new();
    desk.good(&INIT);
    let names = desk.keys();
    let show = || desk.run(&["vendor", "trust", "show", "-w", "w"]).stdout;
    let before = show();
    let change = ["vendor", "trust", "passphrase", "w/keys/release-1.pem"];
    // Where nobody can be asked the way is named.
    let (class, code, remedy) = refusal(&desk.run(&change));
    assert_eq!((class.as_str(), code.as_str()), ("E-TRUST", "passphrase"));
    assert!(remedy.contains("--new-passphrase-file FILE"), "{remedy}");
    let answers = [("new passphrase", SECRET), ("the same again", SECRET)];
    let (code, shown) = desk.on_terminal(&answers, &change);
    assert_eq!(code, 0, "{shown}");
    assert!(desk.is_locked("release-1.pem") && !desk.is_locked("release-2.pem"));
    let answers = [
        ("passphrase of", SECRET),
        ("new passphrase", OTHER),
        ("the same again", OTHER),
    ];
    let (code, shown) = desk.on_terminal(&answers, &change);
    assert_eq!(code, 0, "{shown}");
    assert!(desk.opens(OTHER, "release-1.pem") && !desk.opens(SECRET, "release-1.pem"));
    // Nothing is no new passphrase; a wrong old one changes nothing, also of the other files.
    let kept = |name: &str| fs::read(desk.path("w/keys").join(name)).unwrap();
    let (one, two) = (kept("release-1.pem"), kept("release-2.pem"));
    let (code, shown) = desk.on_terminal(&[("passphrase of", OTHER), ("new passphrase", "")], &change);
    assert_eq!(code, 2, "{shown}");
    write_private(&desk.path("pass"), format!("{SECRET}\n").as_bytes());
    let both = [
        "vendor",
        "trust",
        "passphrase",
        "w/keys/release-2.pem",
        "w/keys/release-1.pem",
    ];
    let files = ["--passphrase-file", "pass", "--new-passphrase-file", "pass"];
    let (class, code, _) = refusal(&desk.run(&[&both[..], &files].concat()));
    assert_eq!((class.as_str(), code.as_str()), ("E-TRUST", "passphrase"));
    assert!(one == kept("release-1.pem") && two == kept("release-2.pem"));
    // The way back, and what a change that was killed has left is no obstacle.
    fs::write(desk.path("w/keys/.release-1.pem.new"), "half a key").unwrap();
    let (code, shown) = desk.on_terminal(&[("passphrase of", OTHER)], &[&change[..], &["--remove"]].concat());
    assert_eq!(code, 0, "{shown}");
    assert!(!desk.is_locked("release-1.pem"));
    assert_eq!(desk.keys(), names);
    assert_eq!(show(), before, "the keys stay the same");
}
