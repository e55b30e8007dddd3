//! Remedies that a person follows around the appliance: limits, folders, and copies of what it keeps.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::follow::{Operator, copy};
use crate::support::appliance::{read, scratch, write};
use crate::support::bundles::SMALL_CHUNKS;
use crate::support::left_out::is_root;
use crate::support::site::noise;

#[test]
fn in_a_folder_of_very_many_entries_the_bundle_itself_is_named() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    let folder = scratch();
    for number in 0..10_000 {
        write(&folder.path().join(format!("{number}")), b"");
    }
    let file = folder.path().join("bundle.airlock");
    write(&file, &made.bytes);
    let import = |path: &Path| operator.run(&["import", path.to_str().unwrap()]);
    let remedy = import(folder.path()).remedy("E-LIMIT", "folder");
    assert_eq!(remedy, "name the bundle file itself");
    import(&file).succeeded();
}

/// Databases that are of no version, empty, or older than the marks: a whole copy in their place is the appliance again.
#[test]
fn a_whole_copy_replaces_a_database_that_is_not_the_appliances() {
    let operator = Operator::new();
    let state = operator.state();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    let before = read(&state.join("airlock.db"));
    operator.import(&made).succeeded();
    let kept = state.with_extension("kept");
    copy(&state, &kept);
    let file = operator.bundle(&made);
    let import = ["import", file.to_str().unwrap()];
    let replace = |bytes: &[u8]| {
        for side in ["airlock.db-wal", "airlock.db-shm"] {
            std::fs::remove_file(state.join(side)).ok();
        }
        write(&state.join("airlock.db"), bytes);
    };
    let no_version = || {
        let connection = rusqlite::Connection::open(state.join("airlock.db")).unwrap();
        connection.execute_batch("PRAGMA user_version = 0").unwrap();
    };
    let (empty, older) = (|| replace(b""), || replace(&before));
    let folder =
        "end airlock serve, then put a whole copy of the state folder in its place, or point --state at the right one";
    // A release that only the marks know comes in again (M-110): nothing is asked of anybody.
    older();
    assert_eq!(operator.run(&import).succeeded()["result"], "imported");
    let cases: [(&dyn Fn(), &str, String); 2] = [
        (&no_version, "other-schema", folder.to_owned()),
        (&empty, "database-damaged", folder.to_owned()),
    ];
    for (damage, code, says) in cases {
        damage();
        assert_eq!(operator.run(&import).remedy("E-STATE", code), says);
        std::fs::remove_dir_all(&state).unwrap();
        copy(&kept, &state);
        operator.run(&import).succeeded();
    }
}

/// Where others may exchange what stands above the state folder, root works again once it is moved.
#[test]
fn a_state_folder_is_moved_below_folders_of_roots() {
    if !is_root() {
        return;
    }
    let operator = Operator::new();
    let state = operator.state();
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(state.parent().unwrap(), open).unwrap();
    let remedy = operator.run(&["release", "list"]).remedy("E-STATE", "parent-writable");
    assert!(
        remedy.starts_with("move the state folder below folders that only root may write"),
        "{remedy}"
    );
    let safe = scratch();
    let moved = safe.path().join("state");
    let status = Command::new("mv").arg(&state).arg(&moved).status().unwrap();
    assert!(status.success());
    operator
        .run(&["release", "list", "--state", moved.to_str().unwrap()])
        .succeeded();
}

/// What stands where an enrolment file is to go is nothing that it may replace: another name is given, and nothing was made before.
#[test]
fn an_output_is_named_otherwise_as_the_message_says() {
    let operator = Operator::new();
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let folder = scratch();
    let state = folder.path().join("state");
    let (root, state) = (root.to_str().unwrap(), state.to_str().unwrap());
    let taken = folder.path().to_str().unwrap();
    let init = [
        "init",
        "--site",
        "x",
        "--trust",
        root,
        "--state",
        state,
        "--enrolment",
        taken,
    ];
    let remedy = operator.run(&init).remedy("E-USAGE", "output");
    assert!(remedy.starts_with("give another name"), "{remedy}");
    let named = folder.path().join("x.json");
    let mut again = init;
    again[8] = named.to_str().unwrap();
    operator.run(&again).succeeded();
    assert!(!read(&named).is_empty());
    operator.run(&["release", "list", "--state", state]).succeeded();
}
