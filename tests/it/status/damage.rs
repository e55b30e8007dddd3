//! Case F12 for the status database: whatever is wrong with the file, it is set aside, a gap record says so, and statuses are taken.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use airlock::appliance::status::{Listed, Reason, StatusBuffer, freeze};
use airlock::db::status::RecordClass;
use airlock::db::{Db, Schema, SqlResult as _};
use airlock::domain::StatusKind::{Error, Healthy};

use crate::support::appliance::{read, write};
use crate::support::status::{Buffer, DOMAIN, id, last_number, logs, numbers_missing, status as report, submit};

/// A state folder as a killed process left it: the newest commits stand in the write-ahead log alone.
fn killed() -> (Buffer, u64) {
    let running = Buffer::new();
    let open = running.open();
    for n in 0..40_i64 {
        let kind = if n % 2 == 0 { Healthy } else { Error };
        submit(&open, report("a", "r1", kind, "word")).unwrap();
        submit(
            &open,
            logs("a", (0..20).map(|line| (n * 20 + line, format!("line {n} {line}")))),
        )
        .unwrap();
    }
    let highest = last_number(&open);
    let buffer = Buffer::new();
    for name in ["status.db", "status.db-wal", "status.db-shm", "status-mark"] {
        write(&buffer.path().join(name), &read(&running.path().join(name)));
    }
    (buffer, highest)
}

fn aside(buffer: &Buffer, number: u32) -> PathBuf {
    buffer.path().join(format!("status.db.damaged-{number}"))
}

fn overwrite(path: &Path, offset: u64, bytes: &[u8]) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(bytes, offset).unwrap();
}

#[track_caller]
fn assert_works(open: &StatusBuffer) -> Vec<Listed> {
    assert_eq!(submit(open, report("b", "r1", Healthy, "well")).unwrap().stored, 1);
    assert_eq!(open.health().trouble, None);
    open.tail(0, 1_000_000).unwrap()
}

#[test]
fn a_killed_process_leaves_everything() {
    for remove_shared_memory in [false, true] {
        let (buffer, highest) = killed();
        if remove_shared_memory {
            fs::remove_file(buffer.path().join("status.db-shm")).unwrap();
        }
        let open = buffer.open();
        assert_eq!(last_number(&open), highest);
        let entries = assert_works(&open);
        assert_eq!(entries.len() as u64, highest + 1);
        assert_eq!((open.health().set_aside, open.gaps().unwrap().len()), (0, 0));
    }
}

#[test]
fn a_damaged_database_is_set_aside_and_a_new_one_begins_with_a_gap() {
    type Damage = fn(&Buffer);
    let cases: [(&str, Damage); 11] = [
        ("header", |buffer| {
            // Without a log that holds the page as well.
            drop(buffer.open());
            overwrite(&buffer.database(), 0, b"no SQLite format");
        }),
        ("first page", |buffer| {
            drop(buffer.open());
            overwrite(&buffer.database(), 100, &[0xa5; 900]);
        }),
        ("zero length", |buffer| {
            fs::File::create(buffer.database()).unwrap();
        }),
        ("half a page", |buffer| {
            fs::File::create(buffer.database()).unwrap();
            write(&buffer.database(), &[0x53; 700]);
        }),
        ("missing", |buffer| fs::remove_file(buffer.database()).unwrap()),
        ("other kind", |buffer| {
            drop(buffer.open());
            fs::remove_file(buffer.database()).unwrap();
            drop(Db::create(&buffer.database(), &Schema::SITE).unwrap());
        }),
        ("a version of no airlock", |buffer| {
            drop(buffer.open());
            let db = buffer.db();
            db.write(|tx| tx.pragma_update(None, "user_version", 0).sql("lower"))
                .unwrap();
        }),
        ("another appliance's", |buffer| {
            drop(buffer.open());
            let db = buffer.db();
            db.write(|tx| {
                tx.execute("UPDATE meta SET site = 'ffffffffffffffffffffffffffffffff'", [])
                    .sql("change")?;
                Ok(())
            })
            .unwrap();
        }),
        ("a state that is no JSON", |buffer| {
            drop(buffer.open());
            let db = buffer.db();
            db.write(|tx| {
                tx.execute("INSERT OR REPLACE INTO latest VALUES (1, '{')", [])
                    .sql("change")?;
                Ok(())
            })
            .unwrap();
        }),
        ("write-ahead log, header", |buffer| {
            overwrite(&buffer.path().join("status.db-wal"), 0, &[0; 4]);
        }),
        ("write-ahead log, middle", |buffer| {
            let path = buffer.path().join("status.db-wal");
            let middle = fs::metadata(&path).unwrap().len() / 2;
            overwrite(&path, middle, &[0xa5; 64]);
        }),
    ];
    for (name, damage) in cases {
        let (buffer, highest) = killed();
        damage(&buffer);
        let there = buffer.database().is_file();
        let open = buffer.open();
        let entries = assert_works(&open);
        assert_eq!(entries.len(), 2, "{name}");
        let first = &entries[0].record;
        assert_eq!(first.class, RecordClass::Gap, "{name}");
        assert!(first.position > highest, "{name}: numbers are never given twice");
        let gap = open.gaps().unwrap().remove(0);
        assert_eq!(
            (gap.reason, gap.class, gap.exact),
            (Reason::Damaged, None, false),
            "{name}"
        );
        assert_eq!((gap.first, gap.last), (1, first.position - 1), "{name}");
        assert_eq!(open.health().set_aside, 1, "{name}");
        assert_eq!(aside(&buffer, 1).is_file(), there, "{name}: what was there is kept");
        // And that one is as good as any other.
        drop(open);
        let open = buffer.open();
        assert_eq!(open.health().set_aside, 0, "{name}");
        assert_eq!(last_number(&open), first.position + 1, "{name}");
        assert_eq!(open.overview().unwrap()[0].target, id("b"), "{name}");
    }
}

#[test]
fn damage_after_damage_replaces_nothing_that_was_set_aside() {
    let (buffer, _) = killed();
    // Without a log that holds every page as well.
    drop(buffer.open());
    let mut highest = 0;
    let garbage = |round: u32| format!("garbage of round {round}").into_bytes();
    // What an interrupted attempt left under a number: a log without its database. It stays, and the number is not taken.
    write(&buffer.path().join("status.db.damaged-3-wal"), b"somebody's log");
    let number = |round: u32| if round < 3 { round } else { round + 1 };
    for round in 1..=12 {
        write(&buffer.database(), &garbage(round));
        let open = buffer.open();
        assert_works(&open);
        assert!(last_number(&open) > highest, "{round}");
        highest = last_number(&open);
        for earlier in 1..=round {
            assert_eq!(read(&aside(&buffer, number(earlier))), garbage(earlier), "{round}");
        }
    }
    assert_eq!(read(&buffer.path().join("status.db.damaged-3-wal")), b"somebody's log");
}

#[test]
fn a_hundred_damages_later_nothing_is_written_and_nothing_replaced() {
    let (buffer, _) = killed();
    drop(buffer.open());
    for number in 1..=100 {
        write(&aside(&buffer, number), b"aside");
    }
    write(&buffer.database(), b"garbage");
    let open = buffer.open();
    assert_eq!(open.health().trouble.as_deref(), Some("E-STATE set-aside-full"));
    assert_eq!(read(&buffer.database()), b"garbage");
    drop(open);
    for number in 1..=100 {
        assert_eq!(read(&aside(&buffer, number)), b"aside");
    }
    // The remedy, to the letter: they are moved away.
    fs::remove_file(aside(&buffer, 7)).unwrap();
    assert_works(&buffer.open());
    assert_eq!(read(&aside(&buffer, 7)), b"garbage");
}

#[test]
fn without_its_mark_a_damaged_database_still_gives_no_number_twice() {
    let (buffer, highest) = killed();
    fs::remove_file(buffer.path().join("status-mark")).unwrap();
    write(&buffer.database(), b"garbage");
    let open = buffer.open();
    assert_works(&open);
    assert!(open.tail(0, 1).unwrap()[0].record.position > highest);
}

#[test]
fn an_older_copy_of_the_database_is_noticed_by_its_mark() {
    let buffer = Buffer::new();
    let open = buffer.open();
    submit(&open, report("a", "r1", Healthy, "well")).unwrap();
    drop(open);
    let yesterday = read(&buffer.database());
    // A few records later: less than any block of marks.
    let open = buffer.open();
    submit(&open, logs("a", [(1, "lost".into()), (2, "lost too".into())])).unwrap();
    let highest = last_number(&open);
    drop(open);
    write(&buffer.database(), &yesterday);
    let open = buffer.open();
    let entries = assert_works(&open);
    assert_eq!(entries.len(), 3, "{entries:?}");
    let gap = open.gaps().unwrap().remove(0);
    assert_eq!((gap.reason, gap.first), (Reason::Restored, 1));
    assert!(gap.last >= highest, "{gap:?}");
    // What the copy has may have grown before it left: it is told again, under another number.
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.record.position).collect();
    assert_eq!(numbers, [gap.last + 1, gap.last + 2, gap.last + 3]);
    assert_eq!(submit(&open, report("a", "r1", Healthy, "well")).unwrap().repeated, 1);
    let overview = open.overview().unwrap();
    let target = overview.iter().find(|target| target.name == "a").unwrap();
    let latest = target.deployments[0].latest.as_ref().unwrap();
    assert_eq!((latest.number, latest.count), (gap.last + 1, 2));
    let number = last_number(&open);
    // It is noticed once.
    drop(open);
    let open = buffer.open();
    assert_eq!((open.gaps().unwrap().len(), last_number(&open)), (1, number));
    drop(open);
    // What the copy froze left just as it stands there, and stays.
    let (buffer, number) = (Buffer::new(), 2);
    let open = buffer.open();
    submit(&open, logs("a", [(1, "left".into()), (2, "left too".into())])).unwrap();
    let frozen = freeze(&buffer.appliance(), &DOMAIN).unwrap();
    assert_eq!(frozen.position, number);
    drop(open);
    let yesterday = read(&buffer.database());
    let open = buffer.open();
    submit(&open, logs("a", [(3, "lost".into())])).unwrap();
    drop(open);
    write(&buffer.database(), &yesterday);
    let open = buffer.open();
    let entries = open.tail(0, 10).unwrap();
    assert_eq!((entries[0].record.position, entries[1].record.position), (1, 2));
    let gap = open.gaps().unwrap().remove(0);
    assert_eq!((gap.first, gap.last), (3, gap.position - 1));
    drop(open);
    assert_eq!(numbers_missing(&buffer.db()), (gap.last - number, 0));
}

#[test]
fn a_damaged_page_of_old_records_is_found_after_the_start() {
    let buffer = Buffer::new();
    let open = buffer.open();
    for n in 0..30_i64 {
        let lines = (0..200).map(|line| (n * 200 + line, format!("line {n} {line} {}", "x".repeat(200))));
        submit(&open, logs("a", lines)).unwrap();
    }
    let highest = last_number(&open);
    drop(open);
    let middle = fs::metadata(buffer.database()).unwrap().len() / 1024 * 512;
    overwrite(&buffer.database(), middle, &[0xa5; 512]);
    let open = buffer.open();
    crate::support::appliance::wait_for("a new database", || open.health().set_aside == 1);
    let entries = assert_works(&open);
    assert_eq!(
        (entries[0].record.class, entries[0].record.position > highest),
        (RecordClass::Gap, true)
    );
}

#[test]
fn damage_that_shows_up_while_running_stops_nobody() {
    let buffer = Buffer::new();
    let open = buffer.open();
    for n in 0..30_i64 {
        let lines = (0..200).map(|line| (n * 200 + line, format!("line {n} {line} {}", "x".repeat(200))));
        submit(&open, logs("a", lines)).unwrap();
    }
    let highest = last_number(&open);
    let length = fs::metadata(buffer.database()).unwrap().len();
    assert!(length > 200 << 10, "most of it stands in the file itself");
    overwrite(
        &buffer.database(),
        4096,
        &vec![0xa5; usize::try_from(length).unwrap() - 8192],
    );
    let error = open.tail(0, 1_000_000).unwrap_err();
    assert_eq!(error.code(), "database-damaged");
    // The first answer after that may still come from the old file; the damage is dealt with before the next.
    submit(&open, report("a", "r1", Healthy, "well")).ok();
    crate::support::appliance::wait_for("a new database", || open.health().set_aside == 1);
    let entries = assert_works(&open);
    assert_eq!(entries[0].record.class, RecordClass::Gap);
    assert!(entries[0].record.position > highest);
    assert!(aside(&buffer, 1).is_file());
}
