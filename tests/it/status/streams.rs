//! Streams: what goes to one vendor is numbered by itself and tells nothing of another (M-81, S12).

use std::ops::ControlFlow;

use airlock::appliance::status::{Metrics, Reason, RecordClass, StreamRecord, What, acknowledge, freeze, read_stream};
use airlock::db::SqlResult as _;
use airlock::domain::Hash;
use airlock::domain::StatusKind::{Error, Healthy};

use crate::support::appliance::write;
use crate::support::site::noise;
use crate::support::status::{
    Buffer, DOMAIN, agent_logs, batch, id, logs, numbers_missing, of, status as report, submit,
};

const OTHER: Hash = Hash([0xb0; 32]);

/// All that a package could say of a stream; row ids and numbers of sources and streams are the file's own.
fn told(buffer: &Buffer, domain: Hash) -> String {
    let mut text = String::new();
    read_stream(&buffer.appliance(), &domain, |view| {
        let last = view.stream().last();
        view.records(1, last, &RecordClass::ALL, |StreamRecord { listed, gap }| {
            let mut record = listed.record;
            (record.number, record.source) = (0, 0);
            let stream = record.stream;
            let who = listed
                .source
                .map(|source| (source.target, source.deployment, source.agent));
            let said = format!("{record:?} {who:?} {:?}", listed.repeat);
            text += &said.replace(&format!("{stream:?}"), "");
            if let Some(mut gap) = gap {
                assert_eq!(gap.stream, stream);
                (gap.number, gap.source) = (0, 0);
                text += &format!(" {gap:?}").replace(&format!("{stream:?}"), "");
            }
            text.push('\n');
            Ok(ControlFlow::Continue(()))
        })?;
        text += &format!("{:?}\n{:?}\n", view.coverage(1, last)?, view.newest_metrics()?);
        view.metrics_days(|day, target, all| {
            text += &format!("{day} {target} {all:?}\n");
            Ok(())
        })?;
        for target in view.targets(&|_| None)? {
            text += &format!("{target:?}\n");
        }
        let mut stream = *view.stream();
        (stream.row, stream.wanted) = (0, false);
        text += &format!("{stream:?}").replace(&format!("{:?}", stream.id), "");
        Ok(())
    })
    .unwrap()
    .unwrap();
    text
}

#[test]
fn each_vendor_is_numbered_from_one() {
    let buffer = Buffer::new();
    let open = buffer.open();
    for n in 1..=5 {
        let line = |name: &str| logs(name, [(n, "line".to_owned())]);
        assert_eq!(submit(&open, line("a")).unwrap().number, u64::try_from(n).unwrap());
        let other = submit(&open, of(OTHER, line("b"))).unwrap();
        assert_eq!(other.number, u64::try_from(n).unwrap());
    }
    drop(open);
    assert_eq!(numbers_missing(&buffer.db()), (0, 0));
    assert_eq!(freeze(&buffer.appliance(), &DOMAIN).unwrap().position, 5);
    // Another stream is not touched by that.
    let open = buffer.open();
    let streams = open.streams().unwrap();
    let frozen: Vec<u64> = streams.iter().map(|stream| stream.frozen).collect();
    assert_eq!(frozen, [5, 0]);
}

#[test]
fn a_target_that_changes_hands_leaves_what_it_said_where_it_was() {
    let mut buffer = Buffer::new();
    buffer.quota.total = 60_000;
    let open = buffer.open();
    submit(&open, report("a", "r1", Healthy, "well")).unwrap();
    let lines = |from: i64| (from..from + 100).map(move |n| (n, format!("{n} {}", "x".repeat(200))));
    submit(&open, logs("a", lines(0))).unwrap();
    // The same UUIDs at another vendor; what falls out for its room is missing in the first one's stream.
    submit(&open, of(OTHER, report("a", "r1", Healthy, "well"))).unwrap();
    submit(&open, of(OTHER, logs("a", lines(0)))).unwrap();
    submit(&open, of(OTHER, logs("a", lines(100)))).unwrap();
    let streams = open.streams().unwrap();
    let gaps = open.gaps().unwrap();
    assert!(gaps.iter().any(|gap| gap.stream == streams[0].id), "{gaps:?}");
    for gap in &gaps {
        let stream = streams.iter().find(|stream| stream.id == gap.stream).unwrap();
        assert!(gap.last < stream.next, "{gap:?}");
    }
    drop(open);
    assert_eq!(numbers_missing(&buffer.db()).1, 0);
    // Found again like that: the deployment belongs to the target of its own owner.
    let open = buffer.open();
    let again = submit(&open, of(OTHER, logs("a", lines(150)))).unwrap();
    assert_eq!((again.stored, again.duplicates), (50, 50));
    drop(open);
    assert_eq!(numbers_missing(&buffer.db()).1, 0);
    assert!(!told(&buffer, DOMAIN).contains("Continued"));
}

#[test]
fn after_damage_every_stream_goes_on_at_its_own_mark() {
    let buffer = Buffer::new();
    let open = buffer.open();
    for n in 0..3 {
        submit(&open, logs("a", [(n, "line".into())])).unwrap();
    }
    submit(&open, of(OTHER, logs("b", [(1, "line".into())]))).unwrap();
    drop(open);
    write(&buffer.database(), b"garbage");
    let open = buffer.open();
    let streams = open.streams().unwrap();
    assert_eq!(streams.len(), 2, "without anybody who reports");
    let gaps = open.gaps().unwrap();
    for stream in &streams {
        let gap = gaps.iter().find(|gap| gap.stream == stream.id).unwrap();
        assert_eq!(
            (gap.reason, gap.first, gap.last, gap.source),
            (Reason::Damaged, 1, gap.position - 1, stream.id.everybody())
        );
        assert_eq!((stream.next, stream.frozen), (gap.position + 1, gap.last));
    }
    // The marks tell nobody of the other's.
    let last = |domain: Hash| streams.iter().find(|stream| stream.domain == domain).unwrap().last();
    assert_eq!(last(DOMAIN), last(OTHER), "both within one block");
    // A vendor that came later begins at 1.
    let third = Hash([0xcc; 32]);
    assert_eq!(
        submit(&open, of(third, logs("c", [(1, "line".into())])))
            .unwrap()
            .number,
        1
    );
    drop(open);
    assert_eq!(numbers_missing(&buffer.db()).1, 0);
    // Without marks nobody knows which streams there were: each begins where none was yet.
    std::fs::remove_file(buffer.path().join("status-mark")).unwrap();
    write(&buffer.database(), b"garbage");
    let open = buffer.open();
    assert_eq!(open.streams().unwrap(), []);
    for (domain, name) in [(DOMAIN, "a"), (third, "c")] {
        let number = submit(&open, of(domain, logs(name, [(1, "line".into())])))
            .unwrap()
            .number;
        assert_eq!(number, 1_000_000 * 1000 + 1, "above what the clock says");
    }
    drop(open);
    let marks = String::from_utf8(crate::support::appliance::read(&buffer.path().join("status-mark"))).unwrap();
    assert!(marks.contains(&DOMAIN.to_string()) && marks.contains(&third.to_string()));
    assert_eq!(numbers_missing(&buffer.db()).1, 0);
}

/// What is in one vendor's stream is the same whether another one's agents report or not.
#[test]
fn nothing_in_a_stream_tells_of_another_one() {
    let play = |both: bool| {
        let buffer = Buffer::new();
        let mut open = buffer.open();
        for (n, byte) in noise(480, 11).into_iter().enumerate() {
            let n = i64::try_from(n).unwrap();
            buffer.clock.set(1_000_000 + n * 700);
            let name = ["a", "aa"][usize::from(byte & 1)];
            let kind = if byte / 2 % 8 == 0 { Error } else { Healthy };
            let mine = match byte >> 4 {
                0..6 => report(name, "r1", kind, "status check results: 1 healthy"),
                6..10 => batch(name, What::Metrics(Metrics::default())),
                10..13 => logs(name, [(n, format!("line {n}"))]),
                13 => agent_logs(name, [(n, format!("line {n}"))]),
                14 => {
                    let rate = What::Missed {
                        agent_log: false,
                        count: 3,
                    };
                    batch(name, rate)
                }
                _ => report(name, "r2", kind, &format!("words {n}")),
            };
            let others = [
                of(OTHER, report("b", "r1", kind, &format!("words {n}"))),
                of(OTHER, batch("b", What::Metrics(Metrics::default()))),
                of(OTHER, logs("b", [(n, format!("line {n}"))])),
            ];
            if both && byte & 4 == 0 {
                submit(&open, others[usize::from(byte % 3)].clone()).unwrap();
            }
            submit(&open, mine).unwrap();
            if n % 60 == 59 {
                drop(open);
                if both {
                    let frozen = freeze(&buffer.appliance(), &OTHER).unwrap();
                    acknowledge(&buffer.appliance(), &OTHER, frozen.position, frozen.at).unwrap();
                }
                freeze(&buffer.appliance(), &DOMAIN).unwrap();
                open = buffer.open();
            }
        }
        drop(open);
        freeze(&buffer.appliance(), &DOMAIN).unwrap();
        told(&buffer, DOMAIN)
    };
    let (alone, beside) = (play(false), play(true));
    for word in ["Continued", "Folded", "Rate", "AgentLog"] {
        assert!(alone.contains(word), "{word} is in it");
    }
    for (line, (alone, beside)) in alone.lines().zip(beside.lines()).enumerate() {
        assert_eq!(alone, beside, "line {line}");
    }
    assert_eq!(alone, beside);
    assert!(!beside.contains(&id("b").to_string()));
}

/// What a package says of a long range comes from one walk. `AIRLOCK_SLOW=1` counts a million records.
#[test]
fn many_records_are_counted_by_what_became_of_them() {
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    let count = if slow { 1_000_000 } else { 20_000 };
    let buffer = Buffer::new();
    let open = buffer.open();
    submit(&open, report("a", "r1", Healthy, "well")).unwrap();
    drop(open);
    let sql = format!(
        "INSERT INTO record (number, stream, position, class, source, received, size, text) \
         WITH RECURSIVE n(i) AS (VALUES (2) UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         SELECT i, 1, i, 3 + i % 3, 1, 1000000, 300, hex(zeroblob(100)) FROM n; \
         DELETE FROM record WHERE position BETWEEN 1001 AND 2000 OR position = 5000; \
         INSERT INTO gap VALUES ({count} + 9, 1, {count} + 9, 1, 'quota', 0, 700, 1, 0, 1001, 1700, 0, 0), \
         ({count} + 10, 1, {count} + 10, 1, 'folded', 3, 400, 1, 0, 1500, 1900, 0, 0), \
         ({count} + 11, 1, {count} + 11, 1, 'rate', 4, 5, 1, 0, 0, 0, 0, 0);"
    );
    let db = buffer.db();
    db.write(|tx| tx.execute_batch(&sql).sql("fill")).unwrap();
    drop(db);
    let start = std::time::Instant::now();
    let found = read_stream(&buffer.appliance(), &DOMAIN, |view| view.coverage(1, count))
        .unwrap()
        .unwrap();
    println!("{count} records in {:?}", start.elapsed());
    assert_eq!((found.missing, found.unexplained), (900, 101));
    assert_eq!(found.of(&RecordClass::ALL), count - 1001);
    assert_eq!(found.of(&[RecordClass::Transition]), 1);
    // Ranges that begin and end inside of holes, and an empty one.
    for (first, last, missing, unexplained) in [
        (1600, 1950, 301, 50),
        (1950, 1950, 0, 1),
        (1001, 1001, 1, 0),
        (8, 7, 0, 0),
    ] {
        let found = read_stream(&buffer.appliance(), &DOMAIN, |view| view.coverage(first, last))
            .unwrap()
            .unwrap();
        assert_eq!(
            (found.missing, found.unexplained),
            (missing, unexplained),
            "{first} to {last}"
        );
        assert_eq!(found.of(&RecordClass::ALL), 0);
    }
}
