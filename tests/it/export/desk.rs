//! A site at whose desk packages are reviewed, approved and brought out, by the program alone.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlock::crypto::{Key, SigningKey, write_signing_key};
use airlock::db::site::packages::{self, PackageRow, State};
use airlock::db::site::stream_log;
use airlock::db::{Db, Schema};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::appliance::{AIRLOCK, Appliance, Ended, read, scratch, write};
use crate::support::bundles::{SMALL_CHUNKS, Vendor};
use crate::support::streams::{self, Stream};

/// An appliance, and a folder with a stick, keys and a configuration.
pub(super) struct Desk {
    appliance: Appliance,
    folder: TempDir,
}

impl Desk {
    /// With a release, and so many approvals that every package needs.
    pub(super) fn new(approvals: usize) -> Self {
        let vendor = Vendor::new();
        let folder = scratch();
        let bundle = folder.path().join("bundle");
        write(&bundle, &vendor.bundle(1, &[vec![1; 64]], SMALL_CHUNKS).bytes);
        let appliance = Appliance::init(&vendor);
        appliance.import(&bundle).assert_imported();
        let desk = Self { appliance, folder };
        fs::create_dir(desk.stick()).unwrap();
        let keys: Vec<Key> = [1, 2].map(|n| Key::of(approver(n).public())).into();
        for n in 1..=3 {
            write_signing_key(&desk.path(&format!("{n}.pem")), &approver(n), None).unwrap();
        }
        write(&desk.path("keys.json"), json!({"keys": keys}).to_string().as_bytes());
        desk.configure(approvals, "");
        desk
    }

    /// The same appliance in another place, which begins another life.
    pub(super) fn copy(&self) -> Self {
        let copy = Self {
            appliance: self.appliance.copy(),
            folder: scratch(),
        };
        fs::create_dir(copy.stick()).unwrap();
        for name in ["1.pem", "2.pem", "3.pem", "keys.json"] {
            fs::copy(self.path(name), copy.path(name)).unwrap();
        }
        let text = String::from_utf8(read(&self.path("airlock.toml"))).unwrap();
        let own = |desk: &Self| desk.folder.path().display().to_string();
        write(
            &copy.path("airlock.toml"),
            text.replace(&own(self), &own(&copy)).as_bytes(),
        );
        copy
    }

    pub(super) fn configure(&self, approvals: usize, more: &str) {
        let keys = self.path("keys.json");
        let text = format!(
            "[export]\napprovals = {approvals}\nkeys = \"{}\"\n{more}",
            keys.display()
        );
        write(&self.path("airlock.toml"), text.as_bytes());
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn stick(&self) -> PathBuf {
        self.path("stick")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.appliance.path()
    }

    /// The arguments of `airlock WORDS` here; `stick` and `N.pem` are those of the desk.
    pub(super) fn arguments(&self, words: &str) -> Vec<OsString> {
        let named = |word: &str| match word {
            "stick" => self.stick().into(),
            word if Path::new(word).extension().is_some_and(|ending| ending == "pem") || word.starts_with("./") => {
                self.path(word).into()
            }
            word => OsString::from(word),
        };
        let config = self.path("airlock.toml");
        let state = self.state();
        ["--format", "json"]
            .into_iter()
            .chain(words.split_whitespace())
            .map(named)
            .chain(["--config".into(), config.into(), "--state".into(), state.into()])
            .collect()
    }

    pub(super) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(AIRLOCK);
        command.args(self.arguments(words)).stdin(Stdio::null());
        command
    }

    pub(super) fn run(&self, words: &str) -> Ended {
        Ended::of(&self.command(words).output().unwrap())
    }

    #[track_caller]
    pub(super) fn good(&self, words: &str) -> Value {
        let ended = self.run(words);
        assert_eq!(ended.code, Some(0), "{words}: {}", ended.stderr);
        ended.result
    }

    #[track_caller]
    pub(super) fn refused(&self, words: &str, class: &str, code: &str) -> Ended {
        let ended = self.run(words);
        let found = ended.refusal.clone().unwrap_or_default();
        let told = (found.0.as_str(), found.1.as_str());
        assert_eq!(told, (class, code), "{words}: {}", ended.stderr);
        ended
    }

    /// Makes a draft; returns its head digest.
    #[track_caller]
    pub(super) fn draft(&self) -> String {
        self.good("status preview")["head"].as_str().unwrap().to_owned()
    }

    /// The file of a package in the outbox.
    pub(super) fn kept(&self, head: &str) -> PathBuf {
        self.state().join(format!("outbox/{head}.airlock-status"))
    }

    /// Every package of the stream, and how far it is.
    pub(super) fn packages(&self) -> Vec<PackageRow> {
        let db = Db::open(&self.state().join("airlock.db"), &Schema::SITE).unwrap();
        let domains = db.read(stream_log::domains).unwrap();
        db.read(|connection| packages::list(connection, domains[0])).unwrap()
    }

    pub(super) fn states(&self) -> Vec<(u64, State)> {
        self.packages().iter().map(|row| (row.number, row.state)).collect()
    }

    pub(super) fn stream(&self) -> Stream {
        streams::only(&self.state())
    }

    /// How many rows of the stream say that something was signed.
    pub(super) fn signings(&self) -> usize {
        let stream = self.stream();
        stream
            .said()
            .iter()
            .filter(|(action, _)| *action == "status-sign")
            .count()
    }

    /// The names on the stick, in order.
    pub(super) fn on_stick(&self) -> Vec<String> {
        let entries = fs::read_dir(self.stick()).unwrap();
        let mut names: Vec<String> = entries
            .map(|one| one.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Judges a file as a guard does; returns its verdict.
    #[track_caller]
    pub(super) fn judged(&self, file: &Path, more: &str) -> Value {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json", "status", "verify"]).arg(file);
        let enrolment = format!("outbox/enrolment-{}.json", &self.stream().domain.to_hex()[..8]);
        command.arg("--enrolment").arg(self.state().join(enrolment));
        if !more.is_empty() {
            command
                .arg("--site-keys")
                .arg(self.path("keys.json"))
                .args(["--approvals", more]);
        }
        let ended = Ended::of(&command.output().unwrap());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.result["packages"][0].clone()
    }
}

/// Who approves: 1 and 2 are of the site's role, 3 is not.
pub(super) fn approver(n: u8) -> SigningKey {
    SigningKey::from_secret(&[100 + n; 32])
}
