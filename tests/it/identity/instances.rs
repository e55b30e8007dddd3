//! M-82, M-83: every life of the state folder has a name of its own, and parts that do not belong together stop what leaves and comes in.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use airlock::appliance::Appliance as Opened;
use airlock::db::site::instances;
use airlock::db::{Db, Schema, SqlResult as _};
use airlock::domain::{InstanceId, SystemClock};
use serde_json::{Value, json};

use crate::support::appliance::{AIRLOCK, Appliance, Ended, Serving, read, scratch, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::left_out::left_out;
use crate::support::streams;

/// An appliance with a live release, and the next one.
struct Plant {
    appliance: Appliance,
    live: Made,
    next: std::path::PathBuf,
    folder: tempfile::TempDir,
}

impl Plant {
    fn new() -> Self {
        let vendor = Vendor::new();
        let folder = scratch();
        let releases =
            [1, 2].map(|sequence| vendor.bundle(sequence, &[format!("layer {sequence}").into_bytes()], SMALL_CHUNKS));
        for (name, made) in ["1", "2"].iter().zip(&releases) {
            write(&folder.path().join(name), &made.bytes);
        }
        let appliance = Appliance::init(&vendor);
        appliance.import(&folder.path().join("1")).assert_imported();
        let [live, _] = releases;
        Self {
            appliance,
            live,
            next: folder.path().join("2"),
            folder,
        }
    }
}

fn run(state: &Path, words: &[&str]) -> Ended {
    let mut command = Command::new(AIRLOCK);
    command.args(["--format", "json"]).args(words).arg("--state").arg(state);
    Ended::of(&command.output().unwrap())
}

fn file(state: &Path) -> Value {
    serde_json::from_str(std::str::from_utf8(&read(&state.join("identity/instance.json"))).unwrap()).unwrap()
}

fn newest(state: &Path) -> InstanceId {
    let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
    db.read(instances::newest).unwrap().unwrap().instance
}

fn sql(state: &Path, text: &str) {
    let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
    db.write(|tx| tx.execute_batch(text).sql("damage")).unwrap();
}

/// What the last row says, which is that of an instance.
#[track_caller]
fn began(state: &Path) -> Value {
    let stream = streams::only(state);
    let last = stream.rows.last().unwrap();
    assert_eq!(last.action, "instance");
    assert_eq!(last.detail["instance"], newest(state).as_str());
    assert_eq!(file(state)["instance"], newest(state).as_str());
    last.detail.clone()
}

fn copy(from: &Path, to: &Path) {
    assert!(
        Command::new("cp")
            .arg("-a")
            .args([from, to])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn s03_a_copied_folder_begins_another_life_by_itself_and_the_original_goes_on() {
    let plant = Plant::new();
    let state = plant.appliance.path();
    let first = newest(&state);
    let said = file(&state);
    let Some(birth) = said["birth"].as_str() else {
        left_out("this file system knows no times of birth");
        return;
    };
    let (seconds, nanoseconds) = birth.split_once('.').unwrap();
    assert!(
        seconds.parse::<u64>().unwrap() > 1_700_000_000 && nanoseconds.len() == 9,
        "{birth}"
    );
    assert_eq!(said, json!({"birth": birth, "instance": first}));
    let before = streams::only(&state);

    let other = plant.folder.path().join("copy");
    copy(&state, &other);
    // Whoever opens it first: a command that only reads.
    let opened = run(&other, &["release", "list"]);
    let second = newest(&other);
    assert_ne!(second, first);
    let said: Vec<&str> = opened.stderr.lines().collect();
    assert!(
        opened.code == Some(0)
            && said.len() == 1
            && said[0].contains("this state folder was copied or restored")
            && said[0].contains(second.as_str()),
        "{}",
        opened.stderr
    );
    assert_eq!(
        began(&other),
        json!({"instance": second, "parent": first, "reason": "copied"})
    );
    assert_ne!(file(&other)["birth"], birth);
    // Once: it is at home now.
    let opened = run(&other, &["release", "list"]);
    assert_eq!((opened.code, opened.stderr.as_str()), (Some(0), ""));
    assert_eq!(streams::only(&other).rows.len(), before.rows.len() + 1);
    let ended = run(&other, &["import", plant.next.to_str().unwrap()]);
    ended.assert_imported();
    let receipts = streams::only(&other).receipts;
    let of: Vec<_> = receipts.iter().map(|receipt| receipt.instance.clone()).collect();
    assert_eq!(of, [first.clone(), first.clone(), second.clone(), second]);

    // The original, and a folder that was only moved, are what they were.
    assert_eq!(run(&state, &["release", "list"]).code, Some(0));
    assert_eq!(
        (newest(&state), streams::only(&state).rows),
        (first.clone(), before.rows.clone())
    );
    let moved = state.with_file_name("moved");
    rustix::fs::rename(&state, &moved).unwrap();
    assert_eq!(run(&moved, &["release", "list"]).code, Some(0));
    assert_eq!((newest(&moved), streams::only(&moved).rows), (first, before.rows));
}

#[test]
fn s03_two_who_open_a_copy_at_once_begin_one_life() {
    let plant = Plant::new();
    let rows = streams::only(&plant.appliance.path()).rows.len();
    for round in 0..4 {
        let state = plant.folder.path().join(format!("copy-{round}"));
        copy(&plant.appliance.path(), &state);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(run(&state, &["release", "list"]).code, Some(0)));
            }
        });
        assert_eq!(streams::only(&state).rows.len(), rows + 1);
        began(&state);
    }
}

/// Takes a state folder apart.
type Strike<'a> = &'a dyn Fn(&Path);

#[test]
fn f13_parts_of_different_times_stop_imports_until_somebody_says_what_was_done() {
    let plant = Plant::new();
    let base = plant.appliance.path();
    let path = "identity/instance.json";
    let foreign = json!({"birth": "1.000000000", "instance": "0".repeat(32)});
    let strikes: [(&str, Strike<'_>); 5] = [
        ("missing", &|state| std::fs::remove_file(state.join(path)).unwrap()),
        ("damaged", &|state| write(&state.join(path), b"{}")),
        ("foreign", &|state| {
            write(&state.join(path), foreign.to_string().as_bytes());
        }),
        // A database of before a life that the file knows, and one of after several that it does not.
        ("older database", &|state| {
            assert_eq!(run(state, &["recover", "--yes", "--as", "cloned"]).code, Some(0));
            sql(
                state,
                "DELETE FROM instance_start WHERE instance = (SELECT max(number) FROM instance);
                        DELETE FROM instance WHERE number = (SELECT max(number) FROM instance)",
            );
        }),
        ("older file", &|state| {
            let old = read(&state.join(path));
            for _ in 0..2 {
                assert_eq!(run(state, &["recover", "--yes", "--as", "cloned"]).code, Some(0));
            }
            write(&state.join(path), &old);
        }),
    ];
    for ((what, strike), word) in strikes.into_iter().zip(["restored", "cloned"].into_iter().cycle()) {
        let copy = plant.appliance.copy();
        let state = copy.path();
        strike(&state);
        let before = streams::only(&state);
        for words in [
            &["import", plant.next.to_str().unwrap()][..],
            &[
                "audit",
                "export",
                "-o",
                plant.folder.path().join("log").to_str().unwrap(),
            ],
        ] {
            let ended = run(&state, words);
            let refusal = ended.refusal.unwrap_or_default();
            assert_eq!(
                (refusal.0.as_str(), refusal.1.as_str()),
                ("E-STATE", "instance"),
                "{what} {words:?}"
            );
        }
        copy.import(&plant.next).assert_refused("E-STATE", "instance", "X0");
        assert_eq!(streams::only(&state).rows, before.rows, "{what}");
        // Serving goes on.
        let serving = Serving::start(&state);
        serving.assert_serves(&plant.live);
        serving.stop();
        let parent = newest(&state);
        let recovered = run(&state, &["recover", "--yes", "--as", word]);
        assert_eq!(recovered.code, Some(0), "{what}: {}", recovered.stderr);
        assert_eq!(recovered.result["instance"], newest(&state).as_str());
        let expected = json!({"instance": newest(&state), "parent": parent, "reason": word});
        assert_eq!(began(&state), expected, "{what}");
        copy.import(&plant.next).assert_imported();
    }
    // The twin.
    let state = plant.appliance.copy();
    state.import(&plant.next).assert_imported();
    assert!(base.is_dir());
}

#[test]
fn a_file_that_names_the_parent_is_brought_up_to_date() {
    let plant = Plant::new();
    let state = plant.appliance.path();
    let rows = streams::only(&state).rows.len();
    // A stop between the row and the file.
    sql(
        &state,
        "INSERT INTO instance (number, instance, reason, at) VALUES (2, '00000000000000000000000000000002', 'restored', 5)",
    );
    let opened = Opened::open(&state, Arc::new(SystemClock)).unwrap();
    assert_eq!(opened.instance().unwrap().as_str(), "00000000000000000000000000000002");
    drop(opened);
    assert_eq!(file(&state)["instance"], "00000000000000000000000000000002");
    assert_eq!(streams::only(&state).rows.len(), rows, "it began before");
    plant.appliance.import(&plant.next).assert_imported();
}
