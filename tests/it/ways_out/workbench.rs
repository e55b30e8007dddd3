//! A vendor, a folder, and the commands of `airlock bundle` that need no site.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::appliance::{self, AIRLOCK, Ended, read, write};
use crate::support::bundles::{Made, Vendor};
use crate::support::site::digest;

pub(super) struct Workbench {
    pub(super) folder: tempfile::TempDir,
    pub(super) vendor: Vendor,
}

impl Workbench {
    pub(super) fn new() -> Self {
        let bench = Self {
            folder: appliance::scratch(),
            vendor: Vendor::new(),
        };
        write(&bench.path("root.json"), &bench.vendor.chain_file());
        bench
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        write(&self.path(name), bytes);
        self.path(name)
    }

    /// `airlock bundle extract FILE -o OUT --trust … --base …`.
    pub(super) fn extract_command(&self, bundle: &Path, out: &str, bases: &[&Path]) -> Command {
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json", "bundle", "extract"]).arg(bundle);
        command.arg("--trust").arg(self.path("root.json"));
        command
            .arg("-o")
            .arg(if out == "-" { out.into() } else { self.path(out) });
        command.env("TMPDIR", self.folder.path());
        for base in bases {
            command.arg("--base").arg(base);
        }
        command
    }

    pub(super) fn extract(&self, made: &Made, out: &str, bases: &[&Path]) -> Ended {
        let bundle = self.file("bundle", &made.bytes);
        Ended::of(&self.extract_command(&bundle, out, bases).output().unwrap())
    }

    pub(super) fn diff(&self, a: &Made, b: &Made, format: &str) -> Output {
        let (a, b) = (self.file("a.airlock", &a.bytes), self.file("b.airlock", &b.bytes));
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", format, "bundle", "diff"]).arg(a).arg(b);
        command.arg("--trust").arg(self.path("root.json"));
        command.output().unwrap()
    }

    /// What stands in the folder, but for the bundles that were given.
    pub(super) fn left(&self) -> BTreeSet<String> {
        let names = fs::read_dir(self.folder.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| !["root.json", "bundle"].contains(&name.as_str()) && !name.starts_with("base"))
            .collect()
    }
}

/// Names of a layout with their digests, and its blobs, each hashed.
pub(super) fn read_layout(layout: &Path) -> (BTreeMap<String, String>, BTreeMap<String, Vec<u8>>) {
    assert_eq!(read(&layout.join("oci-layout")), br#"{"imageLayoutVersion":"1.0.0"}"#);
    let entries: BTreeSet<String> = fs::read_dir(layout)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(entries, ["blobs", "index.json", "oci-layout"].map(str::to_owned).into());
    let mut blobs = BTreeMap::new();
    for entry in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let entry = entry.unwrap();
        let (name, bytes) = (entry.file_name().into_string().unwrap(), read(&entry.path()));
        assert_eq!(digest(&bytes).to_string(), format!("sha256:{name}"));
        blobs.insert(name, bytes);
    }
    (names(&read(&layout.join("index.json"))), blobs)
}

pub(super) fn names(index: &[u8]) -> BTreeMap<String, String> {
    let index: Value = serde_json::from_str(std::str::from_utf8(index).unwrap()).unwrap();
    assert_eq!(index["schemaVersion"], 2);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifests = index["manifests"].as_array().unwrap().iter();
    let named = manifests.map(|line| {
        let (whole, reference) = (
            text(&line["annotations"]["io.containerd.image.name"]),
            text(&line["annotations"]["org.opencontainers.image.ref.name"]),
        );
        assert!(
            reference == whole || (reference.is_empty() && (whole.is_empty() || whole.contains('@'))),
            "{line}"
        );
        (
            if whole.is_empty() { text(&line["digest"]) } else { whole },
            text(&line["digest"]),
        )
    });
    named.collect()
}
