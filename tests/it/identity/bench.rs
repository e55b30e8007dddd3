//! Two vendors with workspaces, and a site of both, by the program alone.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlock::crypto::Chain;
use serde_json::Value;

use crate::support::appliance::{AIRLOCK, Ended, read, scratch, write};
use crate::support::disk::{copy_disk, copy_folder};

/// `acme` and `other` are workspaces, `state` is the site that `acme` is pinned in.
pub(crate) struct Bench(tempfile::TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self(scratch());
        for name in ["acme", "other"] {
            bench.good(&format!(
                "vendor init --product shop --vendor {name} --expires 2100-01-01T00:00:00Z {name}"
            ));
        }
        bench.good("init --trust acme/root.json --site plant --enrolment plant.json");
        bench
    }

    /// The same once more, as on a copy of the disk: the life of the state folder is the same.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self(scratch());
        for entry in std::fs::read_dir(self.0.path()).unwrap() {
            let entry = entry.unwrap();
            let to = copy.path(entry.file_name().to_str().unwrap());
            if entry.file_name() == "state" {
                copy_disk(&entry.path(), &to);
            } else if entry.file_type().unwrap().is_dir() {
                copy_folder(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
        copy
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub(crate) fn chain(&self, workspace: &str) -> Chain {
        Chain::parse(&read(&self.path(&format!("{workspace}/root.json")))).unwrap()
    }

    /// Pins the other vendor too.
    pub(crate) fn pin_other(&self) -> Value {
        let fingerprint = self.chain("other").fingerprint();
        self.good(&format!("trust add other/root.json --fingerprint {fingerprint}"))
    }

    /// Runs `airlock WORDS` in the folder.
    pub(crate) fn run(&self, words: &str) -> Ended {
        let mut command = Command::new(AIRLOCK);
        command
            .args(["--format", "json"])
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .env("AIRLOCK_STATE", self.state())
            .env("AIRLOCK_WORKSPACE", "acme")
            .env("SOURCE_DATE_EPOCH", "1767225600")
            .stdin(Stdio::null());
        Ended::of(&command.output().unwrap())
    }

    #[track_caller]
    pub(crate) fn good(&self, words: &str) -> Value {
        let ended = self.run(words);
        assert_eq!(ended.code, Some(0), "{words}: {}", ended.stderr);
        ended.result
    }

    #[track_caller]
    pub(crate) fn refused(&self, words: &str, class: &str, code: &str) -> Ended {
        let ended = self.run(words);
        let found = ended.refusal.clone().unwrap_or_default();
        assert_eq!(
            (found.0.as_str(), found.1.as_str()),
            (class, code),
            "{words}: {}",
            ended.stderr
        );
        ended
    }

    /// A file of the folder, changed.
    pub(crate) fn edit(&self, from: &str, to: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = read(&self.path(from));
        change(&mut bytes);
        write(&self.path(to), &bytes);
    }
}

/// The only enrolment file of a domain in an outbox.
pub(crate) fn outbox(state: &Path, domain: &airlock::domain::Hash) -> PathBuf {
    state.join(format!("outbox/enrolment-{}.json", &domain.to_hex()[..8]))
}
