//! Ranges and sums of drafts: cumulative, a run where there is no room, and every number accounted for (M-85 to M-87).

use airlock::appliance::status::{Quota, acknowledge};
use airlock::db::SqlResult as _;
use airlock::domain::Clock as _;
use airlock::domain::StatusKind::{Error, Healthy};
use airlock::package::Room;
use rusqlite::params;
use serde_json::json;

use super::world::{self, FULL, Read, Reports, WELL, draft, judged, signed, site, try_draft, use_number};
use crate::streams::site::Site;
use crate::support::appliance::{read, write};
use crate::support::site::noise;

/// Applies an acknowledgement as far as the tables go.
fn acknowledged(site: &Site, number: u64, [records, receipts, audit]: [u64; 3]) {
    let (appliance, domain) = (site.appliance(), site.a.chain().domain());
    let rows = appliance.db.write(|tx| {
        tx.execute(
            "INSERT INTO acknowledgement (domain, number, envelope, records, receipts, audit, at) VALUES (?, ?, x'', ?, ?, ?, 0)",
            params![domain, number, records, receipts, audit],
        )
        .sql("acknowledge")
    });
    assert_eq!(rows.unwrap(), 1);
    acknowledge(&appliance, &domain, records, site.clock.now()).unwrap();
}

fn ranges(read: &Read) -> [(u64, u64); 3] {
    let head = &read.preview.head;
    [
        (head.records.first, head.records.last),
        (head.receipts.first, head.receipts.last),
        (head.audit.first, head.audit.last),
    ]
}

/// The sum is checked by every reader; here it is that nothing is unexplained.
#[track_caller]
fn explained(read: &Read) {
    assert_eq!(
        read.preview.head.records.unexplained, 0,
        "{:?}",
        read.preview.head.records
    );
}

#[test]
fn packages_are_cumulative_until_something_is_acknowledged() {
    let site = site();
    let reports = Reports::of(&site, &site.a);
    reports.status("edge-0", "a", Healthy, WELL);
    drop(reports);
    let first = draft(&site, &[]);
    assert_eq!(ranges(&first), [(1, 1), (1, 2), (1, 3)]);
    assert_eq!(first.preview.head.lineage.len(), 1);
    use_number(&site, &first.row);
    Reports::of(&site, &site.a).status("edge-0", "a", Error, "ill");
    let second = draft(&site, &[]);
    assert_eq!(
        (second.preview.head.number, second.preview.head.previous),
        (2, Some(first.row.head))
    );
    assert_eq!(ranges(&second), [(1, 2), (1, 2), (1, 3)]);
    assert_eq!(second.preview.repeats, [1]);
    use_number(&site, &second.row);
    acknowledged(&site, 7, [1, 1, 2]);
    let third = draft(&site, &[]);
    assert_eq!(ranges(&third), [(2, 2), (2, 2), (3, 3)]);
    let said = third.preview.head.acknowledged.unwrap();
    assert_eq!((said.number, said.records, said.receipts, said.audit), (7, 1, 1, 2));
    assert_eq!(third.preview.head.number, 3);
    acknowledged(&site, 8, [2, 2, 3]);
    let fourth = draft(&site, &[]);
    assert_eq!(ranges(&fourth), [(3, 2), (3, 2), (4, 3)]);
    assert_eq!(fourth.preview.repeats, [] as [u64; 0]);
    let appliance = site.appliance();
    let packages: Vec<_> = [&first, &second].iter().map(|read| &read.row).collect();
    assert!(
        packages
            .iter()
            .all(|row| appliance.open_package(row.head).unwrap().is_some()),
        "what was signed stays"
    );
    if let Some(verdict) = judged(&appliance, fourth.row.domain, &[signed(&appliance, &fourth.row)]) {
        assert_eq!(verdict["verdict"], "good", "{verdict}");
    }
}

/// A signed package that is lost from the outbox is covered by the next one, as the message says.
#[test]
fn a_signed_package_that_is_gone_is_covered_by_the_next_one_as_the_message_says() {
    let site = site();
    let first = draft(&site, &[]);
    use_number(&site, &first.row);
    let appliance = site.appliance();
    let path = appliance.package_path(first.row.head);
    let row = appliance
        .db
        .read(|c| airlock::db::site::packages::find(c, first.row.head))
        .unwrap()
        .unwrap();
    write(&path, &world::damaged(&read(&path)));
    let damaged = appliance.read_back(&row, &mut |_| Ok(())).unwrap_err();
    std::fs::remove_file(&path).unwrap();
    let gone = appliance.read_back(&row, &mut |_| Ok(())).unwrap_err();
    assert_eq!(gone.code(), "package-missing");
    for error in [damaged, gone] {
        assert!(error.advice().unwrap().contains("`airlock status preview`"), "{error}");
    }
    let next = draft(&site, &[]);
    assert_eq!(ranges(&next), ranges(&first));
}

#[test]
fn what_has_no_room_goes_into_the_next_package_until_one_is_whole() {
    const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let site = site();
    let reports = Reports::of(&site, &site.a);
    // Lines that nothing makes much shorter, and that no redactor knows.
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    let body = |n: u64| noise(2000, n).iter().map(letter).collect::<String>();
    for batch in 0..8_u64 {
        let lines = (0..100).map(|n| (i64::try_from(batch * 100 + n).unwrap(), body(batch * 100 + n)));
        reports.logs("edge-0", lines);
    }
    drop(reports);
    let room = Room {
        max_size: 1 << 20,
        approvals: 0,
    };
    let (appliance, domain) = (site.appliance(), site.a.chain().domain());
    let (mut next, mut run) = (1, 0);
    loop {
        let read = try_draft(&appliance, domain, &FULL, room, true).unwrap();
        explained(&read);
        assert!(read.row.size <= 1 << 20, "{}", read.row.size);
        let records = read.preview.head.records;
        assert_eq!(records.first, next);
        assert_eq!(read.of("release").len(), 1, "each is whole with its snapshots");
        if run > 0 {
            assert_eq!(ranges(&read)[1..], [(3, 2), (4, 3)], "every range goes on");
        }
        next = records.last + 1;
        run += 1;
        if run == 1 {
            let again = try_draft(&appliance, domain, &FULL, room, true).unwrap();
            assert_eq!(
                again.row.head, read.row.head,
                "a run goes on only behind what was signed"
            );
        }
        use_number(&site, &read.row);
        if !read.preview.is_cut {
            break;
        }
    }
    assert_eq!(next, 801);
    assert!(run > 1, "{run}");
    // After the run a package begins at the first number again: nothing was acknowledged.
    assert_eq!(
        try_draft(&appliance, domain, &[], room, true)
            .unwrap()
            .preview
            .head
            .records
            .first,
        1
    );
}

#[test]
fn every_number_is_accounted_for_after_shedding_folding_and_damage() {
    let mut site = site();
    let quota = Quota {
        target: 100_000,
        ..Quota::default()
    };
    let reports = Reports::within(&site, &site.a, quota);
    for batch in 0..6_i64 {
        reports.logs(
            "edge-0",
            (0..200).map(|n| (batch * 200 + n, format!("{n} {}", "x".repeat(200)))),
        );
    }
    reports.status("edge-0", "a", Healthy, WELL);
    reports.metrics("edge-0", 0.5);
    drop(reports);
    let shed = draft(&site, &FULL);
    explained(&shed);
    assert!(
        shed.preview.head.records.missing > 300,
        "{:?}",
        shed.preview.head.records
    );
    assert!(
        shed.of("gap")
            .iter()
            .any(|gap| gap["reason"] == "quota" && gap["class"] == "log")
    );
    // Two days later the sample is folded into its day, which is over.
    site.wait(2 * 86_400);
    let reports = Reports::within(&site, &site.a, quota);
    reports.metrics("edge-0", 0.25);
    reports.metrics("edge-0", 0.25);
    drop(reports);
    let folded = draft(&site, &FULL);
    explained(&folded);
    let days: Vec<_> = folded
        .values()
        .into_iter()
        .filter(|value| !value["samples"].is_null())
        .collect();
    assert_eq!(days.len(), 1);
    assert_eq!(
        (&days[0]["day"], &days[0]["cpu"]),
        (&json!("2026-11-21"), &json!([500_000, 500_000, 500_000]))
    );
    assert!(folded.of("gap").iter().any(|gap| gap["reason"] == "folded"));
    // Without the switch none of it is there.
    assert!(
        draft(&site, &[])
            .values()
            .iter()
            .all(|value| value["samples"].is_null())
    );
    // The database is set aside by whoever freezes, and what was in it is a gap.
    write(&site.state().join("status.db"), b"garbage");
    let damaged = draft(&site, &FULL);
    explained(&damaged);
    assert!(damaged.of("gap").iter().any(|gap| gap["reason"] == "damaged"));
    assert!(damaged.preview.head.records.missing > 500);
    let appliance = site.appliance();
    if let Some(verdict) = judged(&appliance, damaged.row.domain, &[signed(&appliance, &damaged.row)]) {
        assert_eq!(verdict["verdict"], "good", "{verdict}");
    }
}
