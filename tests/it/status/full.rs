//! A full disk: statuses are refused with `E-SPACE`, what is known can be read, and it ends by itself when there is room again.

use std::sync::Arc;

use airlock::appliance::status::{Quota, StatusBuffer};
use airlock::db::{Db, Schema, status};
use airlock::domain::Class;
use airlock::domain::StatusKind::{Error, Healthy};

use crate::import::disk_full::{Disk, in_namespace};
use crate::support::site::TestClock;
use crate::support::status::{batch, logs, make_state, numbers_missing, opened, status as report, submit};

#[test]
fn a_full_disk_refuses_statuses_until_there_is_room() {
    let test = "status::full::a_full_disk_refuses_statuses_until_there_is_room";
    if !in_namespace(test) {
        return;
    }
    for kind in ["tmpfs", "ext4"] {
        let Some(disk) = Disk::mount(kind) else {
            println!("{test} on {kind}: skipped, it cannot be mounted here");
            continue;
        };
        let state = disk.path().join("state");
        std::fs::create_dir(&state).unwrap();
        make_state(&state);
        let clock = TestClock::at(1_000_000);
        let appliance = opened(&state, Arc::new(clock.clone()));
        let start = || StatusBuffer::open(&appliance, Quota::default()).unwrap();
        let open = start();
        let mut kept = 0_u64;
        for _ in 0..5 {
            submit(&open, report("a", "r1", Healthy, "well")).unwrap();
            kept += 1;
        }
        disk.fill(0);
        // The log may still hold room for a few; large lines find its end.
        let mut lines = 0_u64;
        let refused = (0_i64..2000).find_map(|n| match submit(&open, logs("a", [(n, "x".repeat(50_000))])) {
            Ok(accepted) => {
                lines += u64::from(accepted.stored);
                None
            }
            Err(error) => Some(error),
        });
        assert_eq!(refused.unwrap().class(), Class::Space);
        assert!(open.health().trouble.unwrap().starts_with("E-SPACE"));
        for _ in 0..20 {
            if submit(&open, report("a", "r1", Healthy, "well")).is_ok() {
                kept += 1;
            }
        }
        // Reading and contacts go on.
        assert_eq!(open.overview().unwrap().len(), 1);
        submit(&open, batch("a", airlock::appliance::status::What::Contact)).unwrap();
        disk.empty();
        submit(&open, report("a", "r1", Error, "ill")).unwrap();
        assert_eq!(open.health().trouble, None);
        let latest = |open: &StatusBuffer, number: u64| {
            let entries = open.tail(0, 1_000_000).unwrap();
            entries.into_iter().find(|entry| entry.record.number == number).unwrap()
        };
        assert_eq!(latest(&open, lines + 2).record.text, "ill");
        drop(open);
        // Exactly what was acknowledged is there.
        let db = Db::open(&state.join("status.db"), &Schema::STATUS).unwrap();
        let repeat = db.read(|connection| status::repeat_of(connection, 1)).unwrap().unwrap();
        assert_eq!(repeat.count, kept);
        assert_eq!(numbers_missing(&db), (0, 0));
        assert_eq!(db.read(status::highest_number).unwrap(), lines + 2);
        drop(db);
        // Started on a full disk it waits for room as well.
        disk.fill(0);
        let open = start();
        submit(&open, logs("a", [(5000, "x".repeat(200_000))])).unwrap_err();
        disk.empty();
        submit(&open, report("a", "r1", Healthy, "well")).unwrap();
        assert_eq!(open.health().set_aside, 0);
        println!("{test} on {kind}: done");
    }
}
