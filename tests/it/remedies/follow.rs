//! Takes the remedy from what a command prints, and does it to the letter.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::rc::Rc;

use serde_json::Value;

use crate::support::appliance::{AIRLOCK, Appliance, Ended, write};
use crate::support::bundles::{Made, Vendor};

/// An appliance with the files that a person has at hand. Commands find its state where the environment says, as an operator's do.
pub(super) struct Operator {
    pub(super) vendor: Rc<Vendor>,
    appliance: Appliance,
    files: tempfile::TempDir,
}

impl Operator {
    pub(super) fn new() -> Self {
        Self::of(Rc::new(Vendor::new()))
    }

    /// Another appliance that trusts the same vendor.
    pub(super) fn fresh(&self) -> Self {
        Self::of(self.vendor.clone())
    }

    fn of(vendor: Rc<Vendor>) -> Self {
        Self {
            appliance: Appliance::init(&vendor),
            vendor,
            files: crate::support::appliance::scratch(),
        }
    }

    pub(super) fn state(&self) -> PathBuf {
        self.appliance.path()
    }

    /// A file at hand.
    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.files.path().join(name);
        write(&path, bytes);
        path
    }

    pub(super) fn bundle(&self, made: &Made) -> PathBuf {
        self.file("bundle.airlock", &made.bytes)
    }

    /// Runs `airlock WORDS…`.
    pub(super) fn run(&self, words: &[&str]) -> Ran {
        Ran::of(&self.command(words).stdin(Stdio::null()).output().unwrap())
    }

    /// As [`Operator::run`], with something on its standard input, which ends there or stays open until the command ends.
    pub(super) fn run_with(&self, words: &[&str], input: &[u8], ends: bool) -> Ran {
        let mut command = self.command(words);
        let command = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let bytes = input.to_vec();
        let feed = std::thread::spawn(move || {
            // Who was refused does not read on.
            pipe.write_all(&bytes).ok();
            (!ends).then_some(pipe)
        });
        let ran = Ran::of(&child.wait_with_output().unwrap());
        drop(feed.join().unwrap());
        ran
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(AIRLOCK);
        command
            .args(["--format", "json"])
            .args(words)
            .env("AIRLOCK_STATE", self.state());
        command
    }

    /// Runs a command of a remedy as it stands there; a word in capitals is what the operator has for it.
    #[track_caller]
    pub(super) fn follow(&self, command: &str, at_hand: &[(&str, &str)]) -> Ran {
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words[0], "airlock", "{command}");
        let put_in = |word: &&str| {
            let held = at_hand.iter().find(|(name, _)| name == word);
            let held = held.map_or(*word, |(_, value)| *value);
            let bare = held.chars().all(|c| c.is_ascii_uppercase());
            assert!(!bare || held.is_empty(), "nothing is at hand for {word} of {command}");
            held.to_owned()
        };
        let mut words: Vec<String> = words[1..].iter().map(put_in).collect();
        if words[0] == "recover" {
            // Whoever follows it at a terminal is asked, and means it.
            words.push("--yes".to_owned());
        }
        self.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub(super) fn import(&self, made: &Made) -> Ran {
        let path = self.bundle(made);
        self.run(&["import", path.to_str().unwrap()])
    }
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) ended: Ended,
    pub(super) refused: Value,
}

impl Ran {
    pub(super) fn of(output: &Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let mut events = stderr
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let refused = events.rfind(|event| event["event"] == "refused");
        Self {
            ended: Ended::of(output),
            refused: refused.unwrap_or_default(),
        }
    }

    #[track_caller]
    pub(super) fn succeeded(&self) -> &Value {
        assert_eq!(self.ended.code, Some(0), "{}", self.ended.stderr);
        &self.ended.result
    }

    /// Asserts how it was refused, and returns what it says to do.
    #[track_caller]
    pub(super) fn remedy(&self, class: &str, code: &str) -> String {
        let refused = &self.refused;
        assert_eq!(
            (&refused["class"], &refused["code"]),
            (&class.into(), &code.into()),
            "{}",
            self.ended.stderr
        );
        let remedy = refused["remedy"].as_str();
        remedy
            .unwrap_or_else(|| panic!("no remedy: {}", self.ended.stderr))
            .to_owned()
    }
}

/// The commands that a remedy names.
pub(super) fn commands(remedy: &str) -> Vec<String> {
    let parts = remedy.split('`').skip(1).step_by(2);
    let commands: Vec<String> = parts
        .map(ToOwned::to_owned)
        .filter(|part| part.starts_with("airlock "))
        .collect();
    assert!(!commands.is_empty(), "{remedy} names no command");
    commands
}

/// Puts what a person has at hand in place of the words that stand for it.
#[track_caller]
pub(super) fn filled(command: &str, at_hand: &[(&str, &str)]) -> String {
    for (name, _) in at_hand {
        assert!(command.split(' ').any(|word| word == *name), "{command} has no {name}");
    }
    let put_in = |word: &str| {
        let held = at_hand.iter().find(|(name, _)| *name == word);
        held.map_or(word, |(_, value)| *value).to_owned()
    };
    command.split(' ').map(put_in).collect::<Vec<_>>().join(" ")
}

/// A whole copy of a folder.
pub(super) fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}
