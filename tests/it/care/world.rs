//! An appliance with a few releases of one product, each with layers of its own and one that all have.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use airlock::db::{Db, Schema, SqlResult as _};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::appliance::{AIRLOCK, Appliance, Ended, read, scratch, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::site::{digest, noise};

/// What a release of these has for itself.
pub(super) const OWN_LAYER: usize = 5000;

pub(super) struct World {
    vendor: std::rc::Rc<Vendor>,
    pub(super) appliance: Appliance,
    pub(super) releases: Vec<Made>,
    folder: TempDir,
}

impl World {
    /// With releases 1 to `count`, the last of them live.
    pub(super) fn new(count: u64) -> Self {
        let vendor = std::rc::Rc::new(Vendor::new());
        let world = Self {
            appliance: Appliance::init(&vendor),
            vendor: vendor.clone(),
            releases: (1..=count).map(|sequence| release(&vendor, sequence)).collect(),
            folder: scratch(),
        };
        for made in &world.releases {
            world.import(made).assert_imported();
        }
        world.age();
        world
    }

    /// The same appliance in another place.
    pub(super) fn copy(&self) -> Self {
        Self {
            vendor: self.vendor.clone(),
            appliance: self.appliance.copy(),
            releases: self.releases.clone(),
            folder: scratch(),
        }
    }

    /// As [`World::copy`], and nobody has opened it yet.
    pub(super) fn copy_unopened(&self) -> Self {
        Self {
            vendor: self.vendor.clone(),
            appliance: self.appliance.copy_unopened(),
            releases: self.releases.clone(),
            folder: scratch(),
        }
    }

    pub(super) fn state(&self) -> PathBuf {
        self.appliance.path()
    }

    /// Opened here, beside commands.
    pub(super) fn appliance(&self) -> airlock::domain::Result<airlock::appliance::Appliance> {
        airlock::appliance::Appliance::open(&self.state(), std::sync::Arc::new(airlock::domain::SystemClock))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A further release, with a layer of so many bytes.
    pub(super) fn release(&self, sequence: u64, bytes: usize) -> Made {
        self.vendor
            .bundle(sequence, &[noise(bytes, sequence * 100 + 2)], SMALL_CHUNKS)
    }

    pub(super) fn import(&self, made: &Made) -> Ended {
        let bundle = self.path("bundle");
        write(&bundle, &made.bytes);
        self.appliance.import(&bundle)
    }

    /// Makes what was replaced as old as what clients read no more.
    pub(super) fn age(&self) {
        self.sql("UPDATE release SET retired_at = retired_at - 100000 WHERE retired_at IS NOT NULL");
    }

    pub(super) fn sql(&self, text: &str) {
        let db = Db::open(&self.state().join("airlock.db"), &Schema::SITE).unwrap();
        db.write(|tx| tx.execute_batch(text).sql("change")).unwrap();
    }

    pub(super) fn arguments(&self, words: &[&str]) -> Vec<OsString> {
        let state = self.state();
        ["--format", "json"]
            .iter()
            .chain(words)
            .map(OsString::from)
            .chain(["--state".into(), state.into()])
            .collect()
    }

    pub(super) fn run(&self, words: &[&str]) -> Ended {
        let mut command = Command::new(AIRLOCK);
        command.args(self.arguments(words)).stdin(Stdio::null());
        Ended::of(&command.output().unwrap())
    }

    #[track_caller]
    pub(super) fn good(&self, words: &[&str]) -> Value {
        let ended = self.run(words);
        assert_eq!(ended.code, Some(0), "{words:?}: {}", ended.stderr);
        ended.result
    }

    /// What it says to people.
    #[track_caller]
    pub(super) fn human(&self, words: &[&str]) -> String {
        let mut command = Command::new(AIRLOCK);
        command
            .args(words)
            .arg("--state")
            .arg(self.state())
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The numbers of the releases that are here, the newest first.
    #[track_caller]
    pub(super) fn here(&self) -> Vec<u64> {
        let list = self.good(&["release", "list"]);
        let releases = list["releases"].as_array().unwrap();
        releases
            .iter()
            .map(|release| release["sequence"].as_u64().unwrap())
            .collect()
    }

    /// The names in the store, each the hash of what stands under it.
    #[track_caller]
    pub(super) fn stored(&self) -> BTreeSet<String> {
        stored(&self.state())
    }

    /// The rows of the log of one act.
    pub(super) fn rows(&self, what: &str) -> Vec<Value> {
        let shown = self.good(&["audit", "show", "--what", what]);
        shown["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["detail"].clone())
            .collect()
    }
}

pub(super) fn stored(state: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in fs::read_dir(state.join("blobs/sha256")).unwrap() {
        for blob in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = blob.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert_eq!(digest(&read(&path)).0.to_hex(), name);
            names.insert(name);
        }
    }
    names
}

fn release(vendor: &Vendor, sequence: u64) -> Made {
    let layers = [
        noise(3000, 7),
        noise(OWN_LAYER, sequence * 100),
        noise(100_000, sequence * 100 + 1),
    ];
    vendor.bundle(sequence, &layers, SMALL_CHUNKS)
}
