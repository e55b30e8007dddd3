//! The status buffer from outside: numbers, repeats, duplicates, and what a restart finds again.

use std::collections::BTreeMap;

use airlock::appliance::status::{Batch, Dot, Metrics, Running, What};
use airlock::db::Db;
use airlock::db::status::{self, RecordClass};
use airlock::domain::StatusKind::{Error, Healthy, Progressing, Running as Up};

use crate::support::site::noise;
use crate::support::status::{
    Buffer, agent_logs, batch, id, last_number, logs, numbers_missing, status as report, submit,
};

#[test]
fn numbers_have_no_gaps_over_everything_that_is_reported() {
    let buffer = Buffer::new();
    let open = buffer.open();
    assert_eq!(submit(&open, report("a", "r1", Healthy, "well")).unwrap().number, 1);
    assert_eq!(
        submit(&open, batch("a", What::Metrics(Metrics::default())))
            .unwrap()
            .number,
        2
    );
    let lines = (0..50).map(|n| (n, format!("line {n}")));
    assert_eq!(submit(&open, logs("a", lines)).unwrap().number, 52);
    assert_eq!(
        submit(&open, agent_logs("a", [(1, "hello".into())])).unwrap().number,
        53
    );
    assert_eq!(submit(&open, report("b", "r1", Error, "ill")).unwrap().number, 54);
    let entries = open.tail(0, 100).unwrap();
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.record.number).collect();
    assert_eq!(numbers, (1..=54).collect::<Vec<u64>>());
    let classes: Vec<RecordClass> = [0, 1, 2, 52].map(|at| entries[at].record.class).to_vec();
    assert_eq!(
        classes,
        [
            RecordClass::Transition,
            RecordClass::Metrics,
            RecordClass::Log,
            RecordClass::AgentLog
        ]
    );
    assert_eq!(entries[53].source.as_ref().unwrap().target, id("b"));
    drop(open);
    assert_eq!(numbers_missing(&buffer.db()), (0, 0));
    // And on from there after a restart.
    assert_eq!(
        submit(&buffer.open(), report("b", "r1", Healthy, "well"))
            .unwrap()
            .number,
        55
    );
}

#[test]
fn repeats_are_counted_with_first_and_last_time() {
    let buffer = Buffer::new();
    for round in 0..3 {
        // Opened anew each time: what was counted before is found again.
        let open = buffer.open();
        for n in 0..10 {
            buffer.clock.set(1_000_000 + round * 100 + n);
            let accepted = submit(&open, report("a", "r1", Healthy, "well")).unwrap();
            assert_eq!(
                (accepted.stored, accepted.repeated),
                if round + n == 0 { (1, 0) } else { (0, 1) }
            );
        }
        let overview = open.overview().unwrap();
        let latest = overview[0].deployments[0].latest.clone().unwrap();
        assert_eq!(latest.count, u64::try_from(10 * (round + 1)).unwrap());
        assert_eq!(
            (latest.first.unix(), latest.last.unix()),
            (1_000_000, 1_000_009 + round * 100)
        );
        assert_eq!(last_number(&open), 1);
    }
}

#[test]
fn every_change_is_kept_and_words_alone_are_no_transition() {
    let buffer = Buffer::new();
    let open = buffer.open();
    for (revision, kind, message) in [
        ("r1", Progressing, "pulling"),
        ("r1", Progressing, "starting"),
        ("r1", Healthy, "well"),
        ("r1", Healthy, "well"),
        ("r1", Error, "ill for 5 s"),
        ("r1", Error, "ill for 10 s"),
        ("r1", Healthy, "well"),
        ("r2", Healthy, "well"),
    ] {
        submit(&open, report("a", revision, kind, message)).unwrap();
    }
    let classes: Vec<RecordClass> = open
        .tail(0, 100)
        .unwrap()
        .iter()
        .map(|entry| entry.record.class)
        .collect();
    assert_eq!(
        classes,
        [
            RecordClass::Transition,
            RecordClass::Detail,
            RecordClass::Transition,
            RecordClass::Transition,
            RecordClass::Detail,
            RecordClass::Transition,
            RecordClass::Transition
        ]
    );
}

#[test]
fn log_records_that_are_sent_again_are_there_once() {
    let buffer = Buffer::new();
    let lines = |range: std::ops::Range<i64>| range.map(|n| (n / 3, format!("line {n}")));
    let open = buffer.open();
    assert_eq!(submit(&open, logs("a", lines(0..1000))).unwrap().stored, 1000);
    let again = submit(&open, logs("a", lines(500..1500))).unwrap();
    assert_eq!((again.stored, again.duplicates), (500, 500));
    // Also twice in one batch, and after a restart.
    drop(open);
    let open = buffer.open();
    let twice = submit(&open, logs("a", lines(1400..1600).chain(lines(1400..1600)))).unwrap();
    assert_eq!((twice.stored, twice.duplicates), (100, 300));
    assert_eq!(submit(&open, agent_logs("a", lines(0..10))).unwrap().stored, 10);
    assert_eq!(submit(&open, agent_logs("a", lines(0..10))).unwrap().duplicates, 10);
    // Another target's line, or the same line a second later, is another record.
    assert_eq!(submit(&open, logs("b", lines(0..10))).unwrap().stored, 10);
    assert_eq!(submit(&open, logs("a", [(77_777, "line 1".into())])).unwrap().stored, 1);
    assert_eq!(last_number(&open), 1621);
}

/// Empty lines are dropped as the hub drops them.
#[test]
fn nul_is_taken_away_and_empty_lines_are_dropped() {
    let buffer = Buffer::new();
    let open = buffer.open();
    submit(&open, report("a", "r1", Error, "a\0b")).unwrap();
    let accepted = submit(
        &open,
        logs("a", [(1, "x\0y\0".into()), (2, "\0".into()), (3, String::new())]),
    )
    .unwrap();
    assert_eq!(accepted.stored, 1);
    let texts: Vec<String> = open
        .tail(0, 9)
        .unwrap()
        .into_iter()
        .map(|entry| entry.record.text)
        .collect();
    assert_eq!(texts, ["ab", "xy"]);
}

#[test]
fn the_overview_is_the_consoles() {
    let buffer = Buffer::new();
    let open = buffer.open();
    let dot = |now: i64| {
        buffer.clock.set(now);
        open.overview().unwrap()[0].deployments[0].dot
    };
    submit(
        &open,
        report("a", "r1", Progressing, "compose command executed successfully"),
    )
    .unwrap();
    assert_eq!(dot(1_000_060), Dot::Progressing);
    assert_eq!(dot(1_000_061), Dot::Stale);
    assert_eq!(dot(999_939), Dot::Stale, "a status from the future");
    buffer.clock.set(1_000_100);
    submit(
        &open,
        report("a", "r1", Up, "status check results: 1 running (healthchecks missing)"),
    )
    .unwrap();
    assert_eq!(dot(1_000_100), Dot::Running);
    submit(&open, report("a", "r1", Healthy, "status check results: 1 healthy")).unwrap();
    assert_eq!(dot(1_000_101), Dot::Healthy);
    buffer.clock.set(1_000_110);
    submit(
        &open,
        report("a", "r2", Error, "compose up failed: no such image: web:2"),
    )
    .unwrap();
    assert_eq!(dot(9_000_000), Dot::Error, "an error never becomes stale");
    let target = open.overview().unwrap().remove(0);
    assert_eq!((target.name.as_str(), target.agent.as_deref()), ("a", Some("3.1.0")));
    assert_eq!(target.last_contact.unix(), 1_000_110);
    let deployment = &target.deployments[0];
    assert_eq!(deployment.latest.as_ref().unwrap().revision, id("r2"));
    assert_eq!(
        deployment.runs,
        Running::Revision(id("r1")),
        "the containers of r1 still run"
    );
    // A late word about an earlier revision does not hide the newest one.
    submit(&open, report("a", "r1", Healthy, "status check results: 1 healthy")).unwrap();
    assert_eq!(
        open.overview().unwrap()[0].deployments[0]
            .latest
            .as_ref()
            .unwrap()
            .revision,
        id("r2")
    );
    // Where the desired revision is known, it is the newest.
    let desired = open.overview_of(&|_| Some(id("r1"))).unwrap();
    assert_eq!(desired[0].deployments[0].latest.as_ref().unwrap().revision, id("r1"));
    drop(open);
    let now = airlock::domain::Timestamp::from_unix(1_000_120).unwrap();
    let read = airlock::appliance::status::overview(&buffer.appliance(), now, &|_| None).unwrap();
    assert_eq!(read[0].deployments[0].latest.as_ref().unwrap().revision, id("r2"));
}

#[test]
fn another_process_sees_what_was_acknowledged() {
    let buffer = Buffer::new();
    let open = buffer.open();
    let now = airlock::domain::Timestamp::from_unix(1_000_000).unwrap();
    for n in 1..=20 {
        submit(&open, report("a", "r1", Healthy, "well")).unwrap();
        let read = airlock::appliance::status::overview(&buffer.appliance(), now, &|_| None).unwrap();
        assert_eq!(read[0].deployments[0].latest.as_ref().unwrap().count, n);
    }
}

/// A status of one of two targets, as a byte of noise chooses.
fn chosen(byte: u8) -> Batch {
    let kind = [Error, Progressing, Up, Healthy][usize::from(byte >> 6)];
    let revision = ["r1", "r2"][usize::from(byte >> 5 & 1)];
    let message = ["well", "compose command executed successfully", "ill"][usize::from(byte % 3)];
    report(["a", "b"][usize::from(byte >> 2 & 1)], revision, kind, message)
}

/// What a restart finds from the journal is what a fold wrote down, whatever came in between.
#[test]
fn a_fold_and_a_replay_say_the_same() {
    for (seed, quota) in [(1, 1 << 20), (2, 6_000), (3, 2_000)] {
        let mut buffer = Buffer::new();
        buffer.quota.target = quota;
        for (round, bytes) in noise(12 * 80, seed).chunks(80).enumerate() {
            let open = buffer.open();
            for (n, byte) in bytes.iter().enumerate() {
                buffer.clock.set(1_000_000 + i64::try_from(round * 100 + n).unwrap());
                submit(&open, chosen(*byte)).unwrap();
            }
            let replayed = open.overview().unwrap();
            drop(open);
            let folded = buffer.open().overview().unwrap();
            assert_eq!(replayed, folded, "seed {seed}, round {round}");
        }
        assert_eq!(numbers_missing(&buffer.db()).1, 0);
    }
}

/// Statuses by the record that counts them.
fn counts(db: &Db) -> BTreeMap<u64, u64> {
    db.read(|connection| {
        let entries = status::tail(connection, 0, 100_000)?;
        let statuses = entries.iter().filter(|entry| entry.record.kind.is_some());
        statuses
            .map(|entry| {
                let repeat = status::repeat_of(connection, entry.record.number)?;
                Ok((entry.record.number, repeat.map_or(1, |repeat| repeat.count)))
            })
            .collect()
    })
    .unwrap()
}

/// A status of which only the words change, but for a revision now and then: such records go when there is no room.
fn words_alone(byte: u8) -> Batch {
    let message = ["well", "quite well", "rather well", "as well as can be"][usize::from(byte >> 3 & 3)];
    let revision = if byte < 16 { "r2" } else { "r1" };
    report(["a", "b"][usize::from(byte >> 2 & 1)], revision, Healthy, message)
}

/// Looked at after every single one: what a record counted is known when it goes, so that the sum is exact.
#[test]
fn every_status_stands_in_a_count_or_went_with_the_record_that_counted_it() {
    let mut buffer = Buffer::new();
    buffer.quota.target = 2_000;
    let mut held = BTreeMap::new();
    let (mut records_gone, mut statuses_gone) = (0, 0);
    for (sent, byte) in (1..).zip(noise(72, 3)) {
        submit(&buffer.open(), words_alone(byte)).unwrap();
        let db = buffer.db();
        let found = counts(&db);
        let gone = held.iter().filter(|(number, _)| !found.contains_key(number));
        for (_, count) in gone {
            records_gone += 1;
            statuses_gone += count;
        }
        assert_eq!(found.values().sum::<u64>() + statuses_gone, sent);
        let gaps = db.read(status::gaps).unwrap();
        let words = gaps.iter().filter(|gap| gap.class == Some(RecordClass::Detail));
        let words = words.inspect(|gap| assert!(gap.exact, "{gap:?}"));
        assert_eq!(words.map(|gap| gap.count).sum::<u64>(), records_gone, "after {sent}");
        held = found;
    }
    assert!(
        0 < records_gone && records_gone < statuses_gone,
        "{records_gone} records and {statuses_gone} statuses went"
    );
}

#[test]
fn a_contact_alone_makes_a_target_known() {
    let buffer = Buffer::new();
    let open = buffer.open();
    submit(&open, batch("a", What::Contact)).unwrap();
    drop(open);
    let overview = buffer.open().overview().unwrap();
    assert_eq!((overview.len(), overview[0].target), (1, id("a")));
    assert_eq!(overview[0].deployments, []);
    assert_eq!(last_number(&buffer.open()), 0, "it is no record");
}

/// What agents say every few seconds costs the disk one page of the log for a whole group of them, streams or no streams.
#[test]
fn a_commit_of_repeats_costs_one_page() {
    let buffer = Buffer::new();
    let open = buffer.open();
    submit(&open, report("a", "r1", Healthy, "well")).unwrap();
    let log = buffer.path().join("status.db-wal");
    let length = || std::fs::metadata(&log).unwrap().len();
    for _ in 0..5 {
        let before = length();
        submit(&open, report("a", "r1", Healthy, "well")).unwrap();
        assert_eq!(length() - before, 24 + 512);
    }
}
