//! Healing that is stopped: by a kill at any call, by a disk without room. What was restored stays, and the next try does the rest.

use std::fs;

use super::ward::{Damage, Ward, assert_whole, json, receipts, release, stored};
use crate::import::disk_full::{Disk, in_namespace};
use crate::support::appliance::{Appliance, import_arguments, write};
use crate::support::bundles::Vendor;
use crate::support::strace::{self, Fault};

#[test]
fn f23_healing_that_is_killed_anywhere_is_finished_by_the_next() {
    if !strace::available() {
        return;
    }
    let ward = Ward::new();
    let Ward { appliance, bundle, .. } = &ward;
    let calls = [
        "renameat2",
        "linkat",
        "rename",
        "fsync",
        "fdatasync",
        "unlink",
        "mkdir",
        "rmdir",
    ];
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    let mut killed = 0;
    for call in calls {
        let counts: &[usize] = if slow { &[1, 2, 3, 5, 8, 13, 21] } else { &[2] };
        for nth in counts {
            let copy = appliance.copy();
            let state = copy.path();
            let files = stored(&state);
            for path in files.iter().step_by(2) {
                Damage::Flipped.strike(path);
            }
            let traced = strace::strike(Fault::Kill, call, *nth, &import_arguments(&state, bundle));
            if !traced.fired(Fault::Kill, call, *nth) {
                continue;
            }
            killed += 1;
            let healed = copy.import(bundle);
            assert_eq!(healed.code, Some(0), "{call} {nth}: {}", healed.stderr);
            assert_whole(&state, &files);
            assert!(
                json(&state, &["release", "list"])["damage"]
                    .as_array()
                    .unwrap()
                    .is_empty()
            );
            receipts(&state);
            assert_eq!(fs::read_dir(state.join("incoming")).unwrap().count(), 0);
        }
    }
    assert!(killed >= 4, "{killed} kills");
}

#[test]
fn f23_a_full_disk_stops_healing_and_loses_nothing() {
    if !in_namespace("healing::stops::f23_a_full_disk_stops_healing_and_loses_nothing") {
        return;
    }
    let disk = Disk::mount("tmpfs").unwrap();
    let vendor = Vendor::new();
    let state = disk.path().join("state");
    Appliance::init_in(&state, &vendor);
    let made = release(&vendor, 1);
    let folder = crate::support::appliance::scratch();
    let bundle = folder.path().join("bundle");
    write(&bundle, &made.bytes);
    let import = || {
        let output = crate::support::appliance::import_command(&state, &bundle)
            .output()
            .unwrap();
        crate::support::appliance::Ended::of(&output)
    };
    import().assert_imported();
    let files = stored(&state);
    Damage::Flipped.strike(
        files
            .iter()
            .max_by_key(|path| fs::metadata(path).unwrap().len())
            .unwrap(),
    );
    disk.fill(8 << 20);
    import().assert_refused("E-SPACE", "no-space", "X10");
    let list = json(&state, &["release", "list"]);
    assert_eq!(list["damage"][0]["missing"], 1, "{list}");
    disk.empty();
    let healed = import();
    assert_eq!(
        (healed.code, &healed.result["restored_blobs"]),
        (Some(0), &1.into()),
        "{}",
        healed.stderr
    );
    assert_whole(&state, &files);
}
