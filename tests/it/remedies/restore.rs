//! "Put a whole copy of the state folder in its place": whatever it is said of, a whole copy in its place helps, and keeps everything that was in it.

use airlock::db::{Db, Schema, SqlResult as _};

use super::follow::{Operator, copy};
use crate::support::appliance::write;
use crate::support::desired::Desired;

/// What is damaged, the command that meets it, and how it is refused.
type Case = (&'static str, &'static [&'static str], &'static str);

/// Statements that damage the database behind airlock's back.
const CASES: [Case; 7] = [
    ("DELETE FROM mark", &["import", "NEXT"], "mark-missing"),
    ("DELETE FROM time_floor", &["import", "NEXT"], "floor-missing"),
    ("UPDATE trust_root SET version = 2", &["trust", "show"], "trust-damaged"),
    (
        "UPDATE trust_root SET envelope = x'00'",
        &["trust", "show"],
        "trust-damaged",
    ),
    (
        "UPDATE enrolment SET envelope = x'00'",
        &["import", "NEXT"],
        "enrolment-damaged",
    ),
    ("DELETE FROM owner", &["release", "activate", "1.0"], "owner-missing"),
    (
        "UPDATE release SET head = x'00' WHERE id = 1",
        &["release", "list"],
        "database-damaged",
    ),
];

#[test]
fn a_whole_copy_of_the_state_folder_in_its_place_helps() {
    let operator = Operator::new();
    let made = |n: u64| operator.vendor.with_targets(n, |image| Desired::docker(image, 1, "a"));
    let first = operator.bundle(&made(1));
    operator.run(&["import", first.to_str().unwrap()]).succeeded();
    operator
        .run(&["import", operator.file("second", &made(2).bytes).to_str().unwrap()])
        .succeeded();
    let next = operator.file("next", &made(3).bytes);
    let state = operator.state();
    let kept = state.with_extension("kept");
    copy(&state, &kept);
    let restore = || {
        std::fs::remove_dir_all(&state).unwrap();
        copy(&kept, &state);
    };
    for (damage, command, code) in CASES {
        let words: Vec<&str> = command
            .iter()
            .map(|word| if *word == "NEXT" { next.to_str().unwrap() } else { word })
            .collect();
        let db = Db::open(&state.join("airlock.db"), &Schema::SITE).unwrap();
        db.write(|tx| tx.execute_batch(damage).sql("damage")).unwrap();
        drop(db);
        let remedy = operator.run(&words).remedy("E-STATE", code);
        assert!(
            remedy.starts_with("end airlock serve, then put a whole copy of "),
            "{damage}: {remedy}"
        );
        restore();
        operator.run(&words).succeeded();
        restore();
    }
    // The files beside the database, and the database as a file.
    let files: [(&str, &[u8], &[&str], &str); 3] = [
        ("marks", b"x", &["import", "NEXT"], "marks-file"),
        ("airlock.db", b"", &["release", "list"], "database-damaged"),
        (
            "airlock.db",
            b"this is no database at all, and long enough to be looked at as one",
            &["release", "list"],
            "database-damaged",
        ),
    ];
    for (name, bytes, command, code) in files {
        let words: Vec<&str> = command
            .iter()
            .map(|word| if *word == "NEXT" { next.to_str().unwrap() } else { word })
            .collect();
        for side in ["airlock.db-wal", "airlock.db-shm"] {
            if name == "airlock.db" {
                std::fs::remove_file(state.join(side)).ok();
            }
        }
        write(&state.join(name), bytes);
        let remedy = operator.run(&words).remedy("E-STATE", code);
        assert!(
            remedy.starts_with("end airlock serve, then put a whole copy of "),
            "{name}: {remedy}"
        );
        restore();
        operator.run(&words).succeeded();
        restore();
    }
}
