//! A vendor at work, with a workspace and a folder of files; its remedies are followed as a person there would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::follow::Ran;
use crate::support::appliance::{AIRLOCK, read, write, write_private};

/// How the release files here begin.
pub(super) const HEAD: &str =
    "product: shop\nchannel: stable\nversion: v1\nsequence: 1\nexpires: 2099-01-01T00:00:00Z\naudience: any\n";

/// One image, enough for a release.
pub(super) const IMAGES: &str = "images:\n- {source: 'oci:hello:1.0', name: 'registry.test/shop/web:1.0'}\n";

/// A folder with the workspace `w` for the product `shop`, and the fixtures beside it.
pub(super) struct Workshop(tempfile::TempDir);

impl Workshop {
    pub(super) fn new() -> Self {
        let shop = Self(crate::support::appliance::scratch());
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        for name in ["hello", "shop", "chart"] {
            super::follow::copy(&fixtures.join(name), &shop.path(name));
        }
        shop.good("vendor init --product shop --vendor Test --expires 2100-01-01T00:00:00Z w");
        shop
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        write(&self.path(name), text.as_bytes());
    }

    /// One that only its owner may read.
    pub(super) fn write_private(&self, name: &str, text: &str) {
        write_private(&self.path(name), text.as_bytes());
    }

    pub(super) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = String::from_utf8(read(&self.path(name))).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, &text.replace(from, to));
    }

    /// Runs `airlock WORDS`, with this folder as its own.
    pub(super) fn run(&self, words: &str) -> Ran {
        self.run_as(Command::new(AIRLOCK), words)
    }

    /// As [`Workshop::run`], through a command that begins it.
    pub(super) fn run_as(&self, command: Command, words: &str) -> Ran {
        self.run_plain(command, &format!("--format json {words}"))
    }

    /// Runs a command whose words say all.
    pub(super) fn run_plain(&self, command: Command, words: &str) -> Ran {
        Ran::of(&self.output(command, words))
    }

    /// What `airlock WORDS` shows a person.
    pub(super) fn shown(&self, words: &str) -> String {
        String::from_utf8(self.output(Command::new(AIRLOCK), words).stdout).unwrap()
    }

    fn output(&self, mut command: Command, words: &str) -> Output {
        command
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .env_clear()
            .env("HOME", self.0.path())
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("AIRLOCK_WORKSPACE", "w")
            .env("SOURCE_DATE_EPOCH", "1767225600")
            .stdin(Stdio::null());
        command.output().unwrap()
    }

    #[track_caller]
    pub(super) fn good(&self, words: &str) -> serde_json::Value {
        self.run(words).succeeded().clone()
    }

    /// Runs a command of a remedy as it stands there, with more words.
    #[track_caller]
    pub(super) fn follow(&self, command: &str, more: &str) -> Ran {
        let words = command.strip_prefix("airlock ").unwrap();
        self.run(&format!("{words} {more}"))
    }

    /// Makes the bundle `out.airlock` from the release file as it stands.
    pub(super) fn create(&self, more: &str) -> Ran {
        std::fs::remove_file(self.path("out.airlock")).ok();
        self.run(&format!("bundle create -f release.yaml -o out.airlock {more}"))
    }

    /// As [`Workshop::create`], from another release file.
    pub(super) fn build(&self, text: &str) -> Ran {
        self.write("release.yaml", text);
        self.create("")
    }
}
