//! A backup of a vendor's workspace: what it knew is known again, what was signed since is told, and half of it is no workspace.

use std::path::Path;

use airlock::vendor_side::Workspace;

use super::backup::Safe;
use crate::support::appliance::{read, write};

const INIT: [&str; 9] = [
    "vendor",
    "init",
    "--product",
    "shop",
    "--vendor",
    "Test",
    "--expires",
    "2100-01-01T00:00:00Z",
    "@w",
];

fn bundle(safe: &Safe, sequence: u64) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello");
    if !safe.path("hello").is_dir() {
        let copied = std::process::Command::new("cp")
            .arg("-r")
            .arg(&fixtures)
            .arg(safe.path("hello"))
            .status();
        assert!(copied.unwrap().success());
    }
    let text = format!(
        "product: shop\nchannel: stable\nversion: \"{sequence}\"\nsequence: {sequence}\nissued_at: 2026-11-21T10:00:00Z\nexpires: 2099-01-01T00:00:00Z\naudience: any\nimages:\n  - {{source: \
         \"oci:hello:1.0\", name: \"registry.example.com/hello:1.0\"}}\n"
    );
    write(&safe.path("release.yaml"), text.as_bytes());
    let out = format!("@out-{sequence}");
    safe.plain(&["bundle", "create", "-f", "@release.yaml", "-w", "@w", "-o", &out]);
}

#[test]
fn a_workspace_is_put_back_and_what_was_signed_since_is_told_and_learned() {
    let safe = Safe::new();
    safe.plain(&INIT);
    bundle(&safe, 1);
    let made = safe.good(&["vendor", "backup", "-w", "@w", "-o", "@old"]);
    assert!(made["files"].as_u64().unwrap() >= 10, "{made}");
    assert!(!safe.path("w/ledger.db.copy").is_file());
    let checked = safe.good(&["vendor", "backup", "--check", "@old"]);
    assert_eq!(checked["of"]["facts"]["numbers"][0]["sequence"], 1, "{checked}");
    bundle(&safe, 2);
    safe.good(&["vendor", "backup", "-w", "@w", "-o", "@newer"]);

    for against in ["@w", "@newer"] {
        std::fs::remove_dir_all(safe.path("again")).ok();
        let words = ["vendor", "restore", "@old", "@again", "--yes", "--against", against];
        let restored = safe.run(&words);
        assert_eq!(restored.code, Some(0), "{}", restored.stderr);
        assert_eq!(restored.result["signed_since"][0]["sequence"], 2, "{}", restored.result);
        assert!(restored.stderr.contains("vendor ledger learn"), "{}", restored.stderr);
    }
    let (before, after) = (
        Workspace::open(&safe.path("w")).unwrap(),
        Workspace::open(&safe.path("again")).unwrap(),
    );
    assert_eq!(before.chain().fingerprint(), after.chain().fingerprint());
    for entry in std::fs::read_dir(safe.path("w/keys")).unwrap() {
        let name = entry.unwrap().file_name();
        let (one, other) = (safe.path("w/keys").join(&name), safe.path("again/keys").join(&name));
        assert_eq!(read(&one), read(&other), "{name:?}");
        let mode = |path: &Path| std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap());
        assert_eq!(mode(&one), mode(&other), "{name:?}");
    }
    // What the message says is done: the number is known again, and no other content gets it.
    let learned = safe.plain(&["vendor", "ledger", "learn", "@out-2", "-w", "@again"]);
    assert!(!learned.is_null());
}

#[test]
fn a_backup_of_the_other_kind_or_into_a_folder_in_use_is_refused() {
    let safe = Safe::new();
    safe.plain(&INIT);
    safe.good(&["vendor", "backup", "-w", "@w", "-o", "@backup"]);
    let refused = safe.run(&["restore", "@backup", "--yes", "--state", "@state"]);
    refused.assert_refused("E-USAGE", "backup-kind", "");
    assert!(
        refused.remedy().contains("airlock vendor restore FILE DIR"),
        "{}",
        refused.remedy()
    );
    assert!(!safe.path("state").is_dir());
    let refused = safe.run(&["vendor", "restore", "@backup", "@w", "--yes"]);
    refused.assert_refused("E-USAGE", "folder-in-use", "");
    let refused = safe.run(&["vendor", "restore", "@backup", "@again"]);
    refused.assert_refused("E-USAGE", "confirm", "");
    let mut other = INIT;
    other[8] = "@v";
    safe.plain(&other);
    let refused = safe.run(&["vendor", "restore", "@backup", "@again", "--yes", "--against", "@v"]);
    refused.assert_refused("E-USAGE", "other-vendor", "");
    assert!(!safe.path("again").is_dir());
    safe.good(&["vendor", "restore", "@backup", "@again", "--yes"]);
    // Either side checks either kind.
    assert_eq!(safe.good(&["backup", "--check", "@backup"])["of"]["kind"], "workspace");
}
