//! A damaged status database (F12): set aside, a gap record, and everything else goes on as if nothing had happened.

use std::fs;
use std::path::Path;

use airlock::appliance::status::Reason;
use airlock::http::Settings;

use super::snapshot::{own_line, records, records_of, status};
use crate::support::agents::Serving;
use crate::support::appliance::{read, write};
use crate::support::in_process::InProcessAppliance;
use crate::support::site::noise;
use crate::support::state_fingerprint::StateFingerprint;

type Damage = fn(&Path);

fn change(state: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let path = state.join("status.db");
    let mut bytes = read(&path);
    change(&mut bytes);
    write(&path, &bytes);
}

fn sql(state: &Path, text: &str) {
    let connection = rusqlite::Connection::open(state.join("status.db")).unwrap();
    connection.execute_batch(text).unwrap();
}

#[test]
fn f12_a_damaged_status_database_is_set_aside_and_serving_goes_on() {
    let damages: [(&str, Damage); 9] = [
        ("the header", |state| change(state, |bytes| bytes[..100].fill(0xff))),
        ("the first page", |state| {
            change(state, |bytes| bytes[100..1000].fill(0));
        }),
        ("no byte left", |state| change(state, Vec::clear)),
        ("a text file", |state| {
            change(state, |bytes| *bytes = b"this is no database".to_vec());
        }),
        ("random bytes", |state| {
            change(state, |bytes| *bytes = noise(100_000, 3));
        }),
        ("half of it", |state| {
            change(state, |bytes| bytes.truncate(bytes.len() / 2 / 4096 * 4096));
        }),
        ("another program's database", |state| {
            fs::remove_file(state.join("status.db")).unwrap();
            sql(
                state,
                "CREATE TABLE x (y); PRAGMA application_id = 7; PRAGMA user_version = 1;",
            );
        }),
        ("another schema", |state| {
            sql(state, "PRAGMA foreign_keys = OFF; ALTER TABLE record RENAME TO rekord;");
        }),
        ("another appliance's", |state| {
            sql(state, "UPDATE meta SET site = 'ffffffffffffffffffffffffffffffff';");
        }),
    ];
    for (says, damage) in damages {
        let instance = InProcessAppliance::new();
        instance.release(1, 2, "a");
        let state = instance.state();
        let serving = Serving::start(instance, Settings::default());
        let token = serving.token("edge-0");
        assert_eq!(
            serving
                .agent(&token, "POST", "status", &status("edge-0", "healthy", "before"))
                .status,
            200
        );
        let lines = format!("[{}]", own_line("edge-0", "before"));
        assert_eq!(serving.agent(&token, "PUT", "logs", &lines).status, 204);
        let instance = serving.stop();
        let highest = 2;
        let world = StateFingerprint::of(&state);
        damage(&state);
        let serving = Serving::start(instance, Settings::default());
        // The same token, the same answers.
        for path in ["resources", "manifest"] {
            assert_eq!(serving.agent(&token, "GET", path, "").status, 200, "{says}");
        }
        assert_eq!(serving.send("GET", "/v2/", &[], b"").status, 200);
        // What comes now has numbers that were never given.
        assert_eq!(
            serving
                .agent(&token, "POST", "status", &status("edge-0", "healthy", "after"))
                .status,
            200
        );
        let aside = fs::read_dir(&state)
            .unwrap()
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .starts_with("status.db.damaged-")
            })
            .count();
        assert!(aside > 0, "{says}: nothing was set aside");
        let gaps = serving.status.gaps().unwrap();
        assert_eq!(gaps.len(), 1, "{says}: {gaps:?}");
        assert_eq!((gaps[0].reason, gaps[0].first), (Reason::Damaged, 1), "{says}");
        assert!(gaps[0].last >= highest, "{says}: {gaps:?}");
        let after = records_of(&serving, "edge-0");
        assert!(
            after.len() == 1 && after[0].record.position > gaps[0].last,
            "{says}: {after:?}"
        );
        assert_eq!(after[0].record.text, "after");
        assert_eq!(
            StateFingerprint::of(&state),
            world,
            "{says}: trust and content are in another file"
        );
        // Once more from the start: nothing is damaged any more.
        let instance = serving.stop();
        let serving = Serving::start(instance, Settings::default());
        assert_eq!(serving.status.gaps().unwrap().len(), 1);
        assert_eq!(records_of(&serving, "edge-0"), after, "{says}");
    }
}

/// F12: what a crash leaves is no damage, and a missing `-shm` neither.
#[test]
fn f12_what_a_crash_leaves_is_read_again() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let state = instance.state();
    let serving = Serving::start(instance, Settings::default());
    let token = serving.token("edge-0");
    for round in 0..20 {
        let kind = ["error", "running"][round % 2];
        let reply = serving.agent(&token, "POST", "status", &status("edge-0", kind, &format!("{round}")));
        assert_eq!(reply.status, 200);
    }
    let seen = records(&serving);
    // A copy of the files in the middle of everything is what a crash leaves.
    let copies: Vec<(&str, Vec<u8>)> = ["status.db", "status.db-wal"]
        .map(|name| (name, read(&state.join(name))))
        .into();
    let instance = serving.stop();
    for (name, bytes) in copies {
        write(&state.join(name), &bytes);
    }
    fs::remove_file(state.join("status.db-shm")).ok();
    let serving = Serving::start(instance, Settings::default());
    assert_eq!(records(&serving), seen);
    assert!(serving.status.gaps().unwrap().is_empty());
}
