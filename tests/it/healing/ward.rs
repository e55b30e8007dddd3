//! A release with everything that a release can hold, and ways to damage what an appliance stores of it.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use airlock::crypto::{Receipt, ReceiptResult};
use airlock::db::site::audit;
use airlock::db::{Db, Schema};
use serde_json::Value;

use crate::support::appliance::{AIRLOCK, Appliance, read, write};
use crate::support::bundles::{Made, Vendor};
use crate::support::desired::Desired;
use crate::support::site::{digest, noise};
use crate::support::streams;

/// What may stand in the place of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    Flipped,
    Shorter,
    Longer,
    Empty,
    Link,
    Folder,
    Pipe,
    Socket,
    Gone,
    FolderGone,
}

impl Damage {
    pub(super) const ALL: [Self; 10] = [
        Self::Flipped,
        Self::Shorter,
        Self::Longer,
        Self::Empty,
        Self::Link,
        Self::Folder,
        Self::Pipe,
        Self::Socket,
        Self::Gone,
        Self::FolderGone,
    ];

    /// Whether something is left to be set aside.
    pub(super) fn leaves_evidence(self) -> bool {
        !matches!(self, Self::Gone | Self::FolderGone)
    }

    /// Does it to a file.
    pub(super) fn strike(self, path: &Path) {
        let bytes = read(path);
        let open = || {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
            fs::OpenOptions::new().write(true).open(path).unwrap()
        };
        match self {
            Self::Flipped => {
                let at = bytes.len() / 2;
                open().write_all_at(&[bytes[at] ^ 1], at as u64).unwrap();
            }
            Self::Shorter => open().set_len(bytes.len() as u64 - 1).unwrap(),
            Self::Longer => open().set_len(bytes.len() as u64 + 1).unwrap(),
            Self::Empty => open().set_len(0).unwrap(),
            _ => fs::remove_file(path).unwrap(),
        }
        match self {
            // To the very same bytes: a link is damage whatever it leads to.
            Self::Link => {
                let elsewhere = path.with_extension("elsewhere");
                write(&elsewhere, &bytes);
                std::os::unix::fs::symlink(elsewhere, path).unwrap();
            }
            Self::Folder => fs::create_dir(path).unwrap(),
            Self::Pipe => {
                let made = Command::new("mkfifo").arg(path).status().unwrap();
                assert!(made.success());
            }
            // Nobody can open one. Its own name may be too long for one to be made under.
            Self::Socket => {
                let made = path.with_file_name("s");
                std::os::unix::net::UnixListener::bind(&made).unwrap();
                rustix::fs::rename(made, path).unwrap();
            }
            Self::FolderGone => fs::remove_dir_all(path.parent().unwrap()).unwrap(),
            _ => {}
        }
    }
}

/// An appliance that has one [`release`], and the bundle that brought it.
pub(super) struct Ward {
    pub(super) appliance: Appliance,
    pub(super) state: PathBuf,
    pub(super) made: Made,
    pub(super) bundle: PathBuf,
    pub(super) vendor: Vendor,
}

impl Ward {
    pub(super) fn new() -> Self {
        let vendor = Vendor::new();
        let appliance = Appliance::init(&vendor);
        let state = appliance.path();
        let made = release(&vendor, 1);
        let bundle = state.join("../bundle");
        write(&bundle, &made.bytes);
        appliance.import(&bundle).assert_imported();
        Self {
            appliance,
            state,
            made,
            bundle,
            vendor,
        }
    }
}

/// A release with an image of small and large layers, documents, a chart, targets.
pub(super) fn release(vendor: &Vendor, sequence: u64) -> Made {
    let mut layers: Vec<Vec<u8>> = (0..6).map(|n| noise(3000 + 7 * n, sequence * 100 + n as u64)).collect();
    layers.push(noise(1 << 20, sequence * 100 + 50));
    layers.push(noise((5 << 20) + 11, sequence * 100 + 51));
    vendor.with_layers_of("crm", sequence, &layers, |image| Desired::both(image, 2, "a"))
}

/// Every file of the store, and nothing else: all belong to a release.
pub(super) fn stored(state: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in fs::read_dir(state.join("blobs/sha256")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            found.push(file.unwrap().path());
        }
    }
    found.retain(|path| path.extension().is_none());
    found.sort();
    found
}

/// Asserts that the store holds exactly these files, each under the hash of its bytes.
#[track_caller]
pub(super) fn assert_whole(state: &Path, files: &[PathBuf]) {
    assert_eq!(stored(state), files);
    for path in files {
        assert!(fs::symlink_metadata(path).unwrap().is_file(), "{}", path.display());
        let hex = digest(&read(path)).0.to_hex();
        assert_eq!(path.file_name().unwrap().to_str(), Some(hex.as_str()));
    }
}

pub(super) fn blob_path(state: &Path, digest: &airlock::domain::Digest) -> PathBuf {
    let hex = digest.0.to_hex();
    state.join("blobs/sha256").join(&hex[..2]).join(hex)
}

/// The rows of the audit log: action and detail. An import of a test that found the lock still held by a process that another test was
/// starting was refused, and is tried again: that is none of them.
pub(super) fn audited(state: &Path) -> Vec<(String, Value)> {
    let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
    db.read(audit::verify).unwrap();
    let rows = db.read(|connection| audit::list(connection, 0, 10_000)).unwrap();
    rows.into_iter()
        .map(|row| (row.action, serde_json::from_str::<Value>(&row.detail).unwrap()))
        .filter(|(_, detail)| detail["class"] != "E-BUSY")
        .collect()
}

/// The receipts of imports, each laid out as it is kept.
pub(super) fn receipts(state: &Path) -> Vec<Receipt> {
    let mut imported = Vec::new();
    for stream in streams::all(state) {
        for (receipt, envelope) in stream.receipts.into_iter().zip(stream.envelopes) {
            if receipt.result == ReceiptResult::Imported {
                let name = format!("receipts/{}-{}.json", receipt.domain, receipt.number);
                assert_eq!(read(&state.join(name)), envelope);
                imported.push(receipt);
            }
        }
    }
    imported
}

/// Runs the program over a state folder.
pub(super) fn airlock(state: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(AIRLOCK);
    command.args(arguments).arg("--state").arg(state);
    command.output().unwrap()
}

/// Its JSON document.
#[track_caller]
pub(super) fn json(state: &Path, arguments: &[&str]) -> Value {
    let output = airlock(state, &[&["--format", "json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(std::str::from_utf8(&output.stdout).unwrap()).unwrap()
}

/// What it says to people.
#[track_caller]
pub(super) fn human(state: &Path, arguments: &[&str]) -> String {
    let output = airlock(state, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
