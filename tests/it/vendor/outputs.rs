//! Outputs replace a file of their own kind, or nothing.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;

use crate::support::appliance::scratch;

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(scratch());
        let init = "vendor init --product app --vendor Test w --expires 2100-01-01T00:00:00Z";
        desk.good(init);
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello");
        let text = format!(
            "product: app\nchannel: stable\nversion: \"1\"\nsequence: 1\nexpires: 2099-01-01T00:00:00Z\naudience: any\n\
             allow_outside: [{0}]\nimages:\n- source: oci:{0}\n  name: registry.test/acme/app:1.0\n",
            fixture.display()
        );
        fs::write(desk.path("release.yaml"), text).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, line: &str) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_airlock"))
            .args(["--format", "json"])
            .args(line.split(' '))
            .current_dir(self.0.path())
            .env_remove("AIRLOCK_WORKSPACE")
            .env("SOURCE_DATE_EPOCH", "1767225600")
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    #[track_caller]
    fn good(&self, line: &str) {
        let (code, said) = self.run(line);
        assert_eq!(code, Some(0), "{line}\n{said}");
    }

    /// A command that is refused with a class and code and changes no file; the whole event.
    #[track_caller]
    fn refused(&self, line: &str, class: &str, code: &str) -> Value {
        let before = self.files();
        let (_, said) = self.run(line);
        let event: Value = said
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|event| event["event"] == "refused")
            .unwrap_or_else(|| panic!("{line} was not refused\n{said}"));
        assert_eq!(
            (&event["class"], &event["code"]),
            (&class.into(), &code.into()),
            "{line}: {event}"
        );
        assert!(before == self.files(), "{line} changed a file");
        event
    }

    /// Every plain file below the folder, and what it holds.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let (mut files, mut folders) = (BTreeMap::new(), vec![self.0.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let (kind, path) = entry.map(|entry| (entry.file_type().unwrap(), entry.path())).unwrap();
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() && !path.to_string_lossy().contains("ledger.db-") {
                    files.insert(path.clone(), fs::read(path).unwrap());
                }
            }
        }
        files
    }
}

#[test]
fn an_output_replaces_a_file_of_its_own_kind_or_nothing() {
    let desk = Desk::new();
    let create = |out: &str| format!("bundle create -f release.yaml -w w -o {out}");
    desk.good(&create("b"));
    desk.good(&create("b"));
    fs::write(desk.path("precious.txt"), "mine").unwrap();
    fs::create_dir(desk.path("folder")).unwrap();
    mkfifoat(CWD, desk.path("pipe"), Mode::RWXU).unwrap();
    std::os::unix::fs::symlink("b", desk.path("link")).unwrap();
    let taken = [
        "w/root.json",
        "w/keys/root-1.pem",
        "w/keys/new.pem",
        "w/ledger.db",
        "w/ledger.db-wal",
        "release.yaml",
        "precious.txt",
        "folder",
        "pipe",
        "link",
    ];
    for out in taken {
        let event = desk.refused(&create(out), "E-USAGE", "output");
        assert!(event["message"].as_str().unwrap_or_default().contains(out) || event.to_string().contains(out));
    }
    let sign = |out: &str| format!("bundle sign b --key w/keys/release-2.pem --trust w/root.json --detached {out}");
    for out in taken.iter().chain(&["b"]) {
        desk.refused(&sign(out), "E-USAGE", "output");
    }
    let propose = |out: &str| format!("vendor trust propose --threshold release=2 -w w -o {out}");
    for out in taken.iter().chain(&["b"]) {
        desk.refused(&propose(out), "E-USAGE", "output");
    }
    for command in [sign("s"), sign("s"), propose("p"), propose("p")] {
        desk.good(&command);
    }
    desk.refused(&create("s"), "E-USAGE", "output");
    desk.refused(&sign("p"), "E-USAGE", "output");
    desk.refused(&propose("s"), "E-USAGE", "output");
    // What somebody else has signed is not made again by this command.
    desk.good("bundle sign b --key w/keys/release-2.pem --trust w/root.json");
    desk.refused(&create("b"), "E-USAGE", "output");
    desk.good(&format!("{} --replace", create("b")));
    desk.good(&create("b"));
}

#[cfg(feature = "site")]
#[test]
fn a_copy_of_an_enrolment_and_a_demo_take_nothing_that_is_somebody_elses() {
    let desk = Desk::new();
    fs::write(desk.path("precious.txt"), "mine").unwrap();
    let init = |state: &str, out: &str| format!("init --trust w/root.json --site s --state {state} --enrolment {out}");
    for out in ["precious.txt", "w/root.json", "w/keys/root-1.pem"] {
        desk.refused(&init("state", out), "E-USAGE", "output");
        assert!(!desk.path("state").exists(), "nothing was made");
    }
    desk.good(&init("state", "e.json"));
    desk.good(&init("other", "e.json"));
    fs::create_dir(desk.path("mine")).unwrap();
    fs::write(desk.path("mine/release.yaml"), "mine").unwrap();
    desk.refused("demo --once --dir mine", "E-USAGE", "folder-in-use");
    desk.refused("demo --once --dir w", "E-USAGE", "folder-in-use");
}

#[test]
fn a_file_without_a_secret_is_the_wrong_file_whatever_its_mode() {
    let desk = Desk::new();
    desk.good("bundle create -f release.yaml -w w -o b");
    fs::write(desk.path("plant.json"), "{}").unwrap();
    let mode = |name: &str| {
        fs::set_permissions(desk.path(name), fs::Permissions::from_mode(0o644)).unwrap();
    };
    mode("plant.json");
    mode("w/keys/release-2.pub");
    for line in [
        "bundle sign b --trust w/root.json --key w/keys/release-2.pub",
        "vendor trust passphrase --remove plant.json",
    ] {
        let said = desk.refused(line, "E-TRUST", "key-file").to_string();
        assert!(
            said.contains("holds no private key") && !said.contains("chmod"),
            "{said}"
        );
    }
    mode("w/keys/release-2.pem");
    let said = desk.refused(
        "bundle sign b --trust w/root.json --key w/keys/release-2.pem",
        "E-TRUST",
        "key-file",
    );
    assert!(said.to_string().contains("chmod"), "{said}");
}

#[test]
fn a_verdict_says_that_a_bundle_has_expired_and_a_refusal_names_the_chain_file() {
    let desk = Desk::new();
    let text = fs::read_to_string(desk.path("release.yaml")).unwrap();
    desk.good("bundle create -f release.yaml -w w -o b");
    let verify = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_airlock"))
            .args(["bundle", "verify", "b", "--trust", "w/root.json"])
            .args(more)
            .current_dir(desk.0.path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(verify(&[]).contains("good") && !verify(&[]).contains("EXPIRED"));
    let text = text.replace("2099-01-01", "2026-01-02");
    fs::write(desk.path("release.yaml"), text.replace("sequence: 1", "sequence: 2")).unwrap();
    desk.refused("bundle create -f release.yaml -w w -o old", "E-EXPIRED", "bundle");
    fs::write(desk.path("broken.json"), "{}").unwrap();
    let said = desk.refused(
        "bundle verify b --trust w/root.json --trust broken.json",
        "E-TRUST",
        "grammar",
    );
    assert!(said.to_string().contains("broken.json"), "{said}");
}
