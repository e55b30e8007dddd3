//! A backup is made beside clients that pull and an import that runs, and none of them meets an error; and where there is no room, nothing is
//! begun.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::backup::Safe;
use super::world::{World, stored};
use crate::import::disk_full::{Disk, in_namespace};
use crate::support::appliance::{Ended, Serving, audit_actions, import_command, wait_for, write};
use crate::support::bundles::REPOSITORY;
use crate::support::client::get;
use crate::support::site::digest;
use crate::support::slow::share;

/// With `AIRLOCK_SLOW` fifty clients and ten backups, else a few of both.
#[test]
fn clients_pull_and_an_import_runs_while_backups_are_made() {
    let (clients, backups, bytes) = if share().is_some() {
        (50, 10, 8 << 20)
    } else {
        (4, 1, 100_000)
    };
    let (world, safe) = (World::new(1), Safe::new());
    let (next, live) = (world.release(2, bytes), &world.releases[0]);
    let (state, bundle) = (world.state(), safe.path("bundle"));
    write(&bundle, &next.bytes);
    let serving = Serving::start(&state);
    let (address, ended, pulled) = (serving.address, AtomicBool::new(false), AtomicU64::new(0));
    let paths: Vec<String> = live
        .layers
        .iter()
        .map(|layer| format!("/v2/{REPOSITORY}/blobs/{layer}"))
        .collect();
    std::thread::scope(|scope| {
        for client in 0..clients {
            let (ended, pulled, paths) = (&ended, &pulled, &paths);
            scope.spawn(move || {
                let mut turn = client;
                while !ended.load(Ordering::Relaxed) {
                    let at = turn % paths.len();
                    let reply = get(address, &paths[at]);
                    assert_eq!((reply.status, digest(&reply.body)), (200, live.layers[at]));
                    pulled.fetch_add(1, Ordering::Relaxed);
                    turn += 1;
                }
            });
        }
        let import = scope.spawn(|| Ended::of(&import_command(&state, &bundle).output().unwrap()));
        for number in 0..backups {
            let before = pulled.load(Ordering::Relaxed);
            safe.back_up(&world.state(), &format!("backup-{number}"), &["--with-content"]);
            wait_for("a pull", || pulled.load(Ordering::Relaxed) > before);
        }
        import.join().unwrap().assert_imported();
        ended.store(true, Ordering::Relaxed);
    });
    // Each is whole, whatever of the import it met.
    for number in 0..backups {
        let state = safe.restore(&format!("backup-{number}"), &format!("state-{number}"), &[]);
        assert!(audit_actions(&state).contains(&"put-back".to_owned()));
        let held = stored(&state);
        assert!(
            world.releases[0]
                .layers
                .iter()
                .all(|layer| held.contains(&layer.0.to_hex()))
        );
        Serving::start(&state).assert_serves(
            if audit_actions(&state).iter().filter(|it| *it == "import").count() == 2 {
                &next
            } else {
                live
            },
        );
    }
}

#[test]
fn room_for_a_backup_and_for_what_is_put_back_is_asked_for_first() {
    if !in_namespace("care::backup_beside::room_for_a_backup_and_for_what_is_put_back_is_asked_for_first") {
        return;
    }
    let (world, safe) = (World::new(1), Safe::new());
    let state = world.state();
    let disk = Disk::mount("tmpfs").unwrap();
    let place = disk.path().join("backup");
    let words = [
        "backup",
        "-o",
        place.to_str().unwrap(),
        "--state",
        state.to_str().unwrap(),
    ];
    disk.fill(1 << 20);
    let refused = safe.run(&words);
    refused.assert_refused("E-SPACE", "no-space", "");
    assert_eq!(
        refused.remedy(),
        "free space there, or name another place with -o; nothing was written"
    );
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 1);
    disk.empty();
    safe.good(&words);

    // Where it is put back.
    disk.fill(8 << 20);
    let folder = disk.path().join("state");
    let words = [
        "restore",
        place.to_str().unwrap(),
        "--yes",
        "--state",
        folder.to_str().unwrap(),
    ];
    let refused = safe.run(&words);
    refused.assert_refused("E-SPACE", "no-space", "");
    assert_eq!(
        refused.remedy(),
        "free space there, or give another --state folder; nothing was written"
    );
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    disk.empty();
    safe.good(&words);

    // Beside the databases.
    disk.fill(1 << 20);
    let words = ["backup", "-o", "@elsewhere", "--state", folder.to_str().unwrap()];
    let refused = safe.run(&words);
    refused.assert_refused("E-SPACE", "no-space", "");
    assert!(
        refused.remedy().starts_with("free space there, with `airlock gc"),
        "{}",
        refused.remedy()
    );
    assert!(!safe.path("elsewhere").is_file() && !folder.join("airlock.db.copy").is_file());
    disk.empty();
    safe.good(&words);
}

/// A workspace likewise.
#[cfg(feature = "vendor")]
#[test]
fn room_for_a_workspace_is_asked_for_first() {
    if !in_namespace("care::backup_beside::room_for_a_workspace_is_asked_for_first") {
        return;
    }
    let safe = Safe::new();
    let disk = Disk::mount("tmpfs").unwrap();
    let (w, b, again) = (disk.path().join("w"), disk.path().join("b"), disk.path().join("again"));
    let [w, b, again] = [&w, &b, &again].map(|path| path.to_str().unwrap());
    safe.plain(&["vendor", "init", "--product", "shop", "--vendor", "Test", w]);
    disk.fill(1 << 20);
    let words = ["vendor", "backup", "-w", w, "-o", "@b"];
    let refused = safe.run(&words);
    refused.assert_refused("E-SPACE", "no-space", "");
    assert!(
        refused.remedy().ends_with("the ledger is copied beside itself"),
        "{}",
        refused.remedy()
    );
    disk.empty();
    safe.good(&words);
    safe.good(&["vendor", "backup", "-w", w, "-o", b]);
    disk.fill(1 << 20);
    let words = ["vendor", "restore", b, again, "--yes"];
    let refused = safe.run(&words);
    refused.assert_refused("E-SPACE", "no-space", "");
    assert_eq!(
        refused.remedy(),
        "free space there, or name another folder; nothing was written"
    );
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 3);
    disk.empty();
    safe.good(&words);
}
