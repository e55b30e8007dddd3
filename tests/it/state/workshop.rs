//! What these tests share: an appliance with releases to import, runs of the program, and what must not change.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::appliance::{self, AIRLOCK, Appliance, Ended, read, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::site::noise;

/// Release 1 is live; release 2 with a large blob may come.
pub(super) struct Workshop {
    pub(super) base: Appliance,
    pub(super) folder: tempfile::TempDir,
    pub(super) vendor: Vendor,
    pub(super) releases: [Made; 2],
}

impl Workshop {
    pub(super) fn new() -> Self {
        let vendor = Vendor::new();
        let releases = [
            vendor.bundle(1, &[noise(3000, 1)], SMALL_CHUNKS),
            vendor.bundle(2, &[noise(4000, 2), noise(2_500_000, 3)], SMALL_CHUNKS),
        ];
        let folder = appliance::scratch();
        for (name, made) in ["1", "2"].iter().zip(&releases) {
            write(&folder.path().join(name), &made.bytes);
        }
        write(&folder.path().join("root.json"), &vendor.chain_file());
        let base = Appliance::init(&vendor);
        base.import(&folder.path().join("1")).assert_imported();
        Self {
            base,
            folder,
            vendor,
            releases,
        }
    }

    pub(super) fn bundle(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command line of `init` for a folder.
    pub(super) fn init(&self, state: &Path) -> Vec<OsString> {
        let root = self.folder.path().join("root.json");
        words(&["init", "--site", "plant", "--trust"])
            .into_iter()
            .chain([root.into(), "--state".into(), state.into()])
            .collect()
    }
}

pub(super) fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// A command line that opens a state folder.
pub(super) fn on(state: &Path, command: &[&str]) -> Vec<OsString> {
    let mut line = words(command);
    line.extend(["--state".into(), state.into()]);
    line
}

/// Runs the program with JSON output; a run that hangs is killed, and fails its test by that.
pub(super) fn run<S: AsRef<OsStr>>(prefix: &[&str], line: &[S]) -> Ended {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "60"]).args(prefix).arg(AIRLOCK);
    command.args(["--format", "json"]).args(line).stdin(Stdio::null());
    Ended::of(&command.output().unwrap())
}

/// A member of the refusal that was printed.
pub(super) fn said(ended: &Ended, member: &str) -> String {
    let refusal = ended
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find(|event| event["event"] == "refused");
    refusal.map_or_else(String::new, |event| {
        event[member].as_str().unwrap_or_default().to_owned()
    })
}

/// Class and code of a refusal; empty words where there was none.
pub(super) fn verdict(ended: &Ended) -> (String, String) {
    let refusal = ended.refusal.clone().unwrap_or_default();
    (refusal.0, refusal.1)
}

/// Fails with what differs, where two looks at a folder do.
#[track_caller]
pub(super) fn assert_same(now: &BTreeMap<PathBuf, String>, before: &BTreeMap<PathBuf, String>, what: &str) {
    let names = now.keys().chain(before.keys());
    let changed: Vec<_> = names
        .filter(|name| now.get(*name) != before.get(*name))
        .map(|name| format!("{}: {:?} was {:?}", name.display(), now.get(name), before.get(name)))
        .collect();
    assert!(changed.is_empty(), "{what} changed\n{}", changed.join("\n"));
}

/// Everything below a folder: kind, mode, owner, times, and the bytes of files.
pub(super) fn everything(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(&next)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .chain([next.clone()])
        {
            let data = fs::symlink_metadata(&path).unwrap();
            let content = if data.is_symlink() {
                fs::read_link(&path).unwrap().display().to_string()
            } else if data.is_file() {
                crate::support::site::digest(&read(&path)).to_string()
            } else if data.file_type().is_fifo() {
                "pipe".into()
            } else {
                String::new()
            };
            if data.is_dir() && path != next {
                folders.push(path.clone());
            }
            let line = format!(
                "{:o} {} {} {}.{} {} {content}",
                data.mode(),
                data.uid(),
                data.gid(),
                data.mtime(),
                data.mtime_nsec(),
                data.ino()
            );
            found.insert(path, line);
        }
    }
    found
}
