//! What a good package becomes: rows, ranges, the state of the site, a file.
#![allow(clippy::disallowed_methods, reason = "tests damage what is kept")]

use airlock::crypto::canonical::Integer;
use airlock::crypto::{ReceiptResult, SigningKey};
use airlock::domain::{Hash, Signal, StatusKind};
use airlock::package::{Line, MetricsDay, Numbers, Quoted, Switch, UnsignedPackage};
use airlock::vendor_side::ledger::Outcome;

use super::super::plant::{Exported, Kept, Plant, uuid};
use super::super::workshop::Workshop;
use crate::package::made;

#[test]
fn a_good_package_is_taken_in_once() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.receipt(ReceiptResult::Imported, Hash([7; 32]), 1);
    plant.report(3);
    plant.keep(Kept::Metrics);
    plant.lose(2);
    plant.releases = vec![plant.holds(Hash([7; 32]), 1, 5, Hash([2; 32]))];
    plant.targets = Plant::target(1, 100);
    let package = plant.export();
    let taken = shop.take(&package);
    assert_eq!(
        (taken.records, taken.gaps, taken.audit_rows, taken.receipts.len()),
        (3, 1, 2, 1)
    );
    assert!(taken.is_newest);
    for (table, rows) in [
        ("instance", 1),
        ("package", 1),
        ("coverage", 3),
        ("record", 3),
        ("site_gap", 1),
        ("receipt", 1),
        ("site_audit", 2),
        ("held", 1),
        ("target_now", 1),
        ("deployment_now", 1),
    ] {
        assert_eq!(shop.count(table), rows, "{table}");
    }
    let name = format!(
        "{}/{}-1-{}",
        plant.site,
        &package.instance.as_str()[..8],
        &package.head.to_string()[..8]
    );
    assert_eq!(shop.files_of("packages"), std::slice::from_ref(&name));
    let kept = std::fs::File::open(shop.path("packages").join(name)).unwrap();
    assert_eq!(
        airlock::stream::read_bounded(kept, 1 << 20, "it").unwrap(),
        package.bytes
    );
    assert!(!shop.path("incoming").try_exists().unwrap());

    let before = shop.dump();
    let again = |dry_run| match shop.verdict(&package, dry_run) {
        Outcome::Already(known) => known.file_put_back,
        other => panic!("{other:?}"),
    };
    assert!(!again(false));
    // Its file is gone, or damaged: it is put back, and what is no whole package is not.
    let kept = shop.path("packages").join(&shop.files_of("packages")[0]);
    let read = || std::fs::read(&kept).ok();
    std::fs::remove_file(&kept).unwrap();
    let cut = Exported {
        bytes: package.bytes[..package.bytes.len() - 512].to_vec(),
        ..package.clone()
    };
    assert!(
        matches!(shop.verdict(&cut, false), Outcome::Refused(refused) if refused.error.code() == "file-end" || refused.error.class().name() == "E-INCOMPLETE")
    );
    assert!(again(true) && read().is_none());
    assert!(again(false) && read().as_ref() == Some(&package.bytes));
    std::fs::write(&kept, &package.bytes[1..]).unwrap();
    assert!(again(false) && read().as_ref() == Some(&package.bytes));
    assert!(matches!(shop.verdict(&cut, false), Outcome::Already(known) if !known.file_put_back));
    assert!(read().as_ref() == Some(&package.bytes) && !again(false));
    let mut after = shop.dump();
    after.get_mut("audit").unwrap().truncate(before["audit"].len());
    assert_eq!(after, before);
}

/// A file that is kept is not exchanged for another copy of its package, which may have lost its approvals on the way.
#[test]
fn a_whole_file_keeps_its_approvals_whatever_other_copies_have() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(2);
    let bare = plant.export();
    let mut package = UnsignedPackage::open(made::input(&bare.bytes)).unwrap();
    package.add_approval(package.approval().sign(&SigningKey::from_secret(&[101; 32])));
    let mut bytes = Vec::new();
    package
        .write(&mut std::io::Cursor::new(&bare.bytes), &mut bytes)
        .unwrap();
    let approved = Exported { bytes, ..bare.clone() };
    assert!(approved.bytes != bare.bytes);
    shop.take(&approved);
    let kept = shop.path("packages").join(&shop.files_of("packages")[0]);
    let again = |package: &Exported, dry_run| match shop.verdict(package, dry_run) {
        Outcome::Already(known) => known.file_put_back,
        other => panic!("{other:?}"),
    };
    for dry_run in [true, false] {
        assert!(!again(&bare, dry_run));
        assert_eq!(std::fs::read(&kept).unwrap(), approved.bytes);
    }
    // Twin: one that is damaged is put back from any whole copy; and of two that are, neither is.
    let mut damaged = approved.bytes.clone();
    let last = damaged.iter().rposition(|byte| *byte != 0).unwrap();
    damaged[last] ^= 1;
    std::fs::write(&kept, &damaged).unwrap();
    let cut = Exported {
        bytes: bare.bytes[..bare.bytes.len() - 512].to_vec(),
        ..bare.clone()
    };
    assert!(matches!(shop.verdict(&cut, false), Outcome::Refused(_)));
    assert_eq!(std::fs::read(&kept).unwrap(), damaged);
    assert!(again(&bare, false));
    assert_eq!(std::fs::read(&kept).unwrap(), bare.bytes);
}

/// Packages are cumulative: whatever was lost, doubled or late, the same facts stand there in the end, once.
#[test]
fn packages_may_be_lost_doubled_and_out_of_order() {
    let plain = Workshop::new();
    let mut plant = plain.plant(1);
    let mut packages = Vec::new();
    for n in 0..4_u8 {
        plant.report(2);
        plant.receipt(ReceiptResult::Imported, Hash([n; 32]), u64::from(n) + 1);
        packages.push(plant.export());
    }
    let empty = plain.copy();
    for package in &packages {
        plain.take(package);
    }
    let expected = plain.dump();
    for order in [&[0, 1, 3, 3, 0, 2][..], &[3], &[2, 0, 3], &[3, 2, 1, 0]] {
        let shop = empty.copy();
        for n in order {
            match shop.verdict(&packages[*n], false) {
                Outcome::Taken(_) | Outcome::Already(_) => {}
                other @ Outcome::Refused(_) => panic!("{order:?}: {other:?}"),
            }
        }
        for table in [
            "record",
            "receipt",
            "site_audit",
            "coverage",
            "instance",
            "held",
            "target_now",
        ] {
            assert_eq!(shop.dump()[table], expected[table], "{table} after {order:?}");
        }
    }
}

/// A run is cut where a package would become too large: each part complete with its snapshot, in any order.
#[test]
fn the_packages_of_a_run_join_in_any_order() {
    let empty = Workshop::new();
    let mut plant = empty.plant(1);
    plant.report(9);
    plant.act("pin", &serde_json::json!({"n": 1}));
    let to = |records, audit| Numbers {
        audit,
        receipts: 0,
        records,
    };
    let from = |records, audit| Numbers {
        audit,
        receipts: 1,
        records,
    };
    let run = [
        plant.export_range(from(1, 1), to(4, 1)),
        plant.export_range(from(5, 2), to(7, 1)),
        plant.export_range(from(8, 2), to(9, 2)),
    ];
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let shop = empty.copy();
        let mut open = Vec::new();
        for n in order {
            let (found, settled) = shop.found(&run[n]);
            open.extend(found);
            open.retain(|code| !settled.contains(code));
        }
        assert_eq!(open, Vec::<&str>::new(), "{order:?}");
        assert_eq!(
            (shop.count("record"), shop.count("coverage"), shop.count("site_audit")),
            (9, 2, 2)
        );
        assert_eq!(shop.count("finding WHERE ended_at IS NULL"), 0, "{order:?}");
    }
}

/// Only the highest number of the instance that is shown says what the site is now.
#[test]
fn an_older_package_tells_facts_and_no_state() {
    let shop = Workshop::new();
    let (head, content) = shop.sign(1, None);
    let mut plant = shop.plant(1);
    plant.releases = vec![plant.holds(head, 1, 1, content)];
    plant.targets = Plant::target(1, 100);
    plant.report(1);
    let old = plant.export();
    plant.releases = vec![plant.holds(head, 1, 2, content)];
    plant.targets = [Plant::target(2, 200), Plant::target(3, 300)].concat();
    plant.report(1);
    let new = plant.export();
    let taken = shop.take(&new);
    assert_eq!(
        (taken.new_releases, taken.releases[0].agrees),
        (1, Some(false)),
        "another number of blobs"
    );
    let state = |shop: &Workshop| {
        let mut dump = shop.dump();
        ["held", "damaged", "target_now", "deployment_now", "metrics_day"].map(|table| dump.remove(table).unwrap())
    };
    let before = state(&shop);
    let taken = shop.take(&old);
    assert!(!taken.is_newest && taken.new_releases == 0);
    assert_eq!(state(&shop), before);
    plant.releases = vec![plant.holds(head, 1, 1, content)];
    let newest = shop.take(&plant.export());
    assert!(newest.is_newest && newest.new_releases == 0);
    assert_eq!(shop.query::<u64>("SELECT agrees FROM held"), 1);
    assert_eq!(shop.count("target_now"), 2);
}

#[test]
fn days_of_metrics_stay_and_more_samples_win() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.shows = vec![Switch::Metrics];
    let day = |day: &str, samples| {
        Line::Metrics(MetricsDay {
            cpu: [Integer(1), Integer(samples), Integer(3)],
            day: day.parse().unwrap(),
            disk: None,
            memory: [Integer(4), Integer(5), Integer(6)],
            samples,
            target: uuid(1),
        })
    };
    for (days, expected) in [
        (vec![day("2026-11-19", 10)], "10"),
        (vec![day("2026-11-19", 9), day("2026-11-20", 5)], "10,5"),
        (vec![day("2026-11-20", 7)], "10,7"),
        (vec![], "10,7"),
    ] {
        plant.days = days;
        shop.take(&plant.export());
        let samples: String =
            shop.query("SELECT group_concat(samples) FROM (SELECT samples FROM metrics_day ORDER BY day)");
        assert_eq!(samples, expected);
    }
    assert_eq!(shop.query::<u64>("SELECT min(day) FROM metrics_day"), 20_776);
    assert_eq!(
        shop.query::<String>("SELECT cpu FROM metrics_day ORDER BY day DESC"),
        "[1,7,3]"
    );
}

/// M-97: an overlap is judged without its texts, which may come with a later package.
#[test]
fn texts_come_later_and_are_compared_with_nothing() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(2);
    shop.take(&plant.export());
    plant.shows = vec![Switch::StatusText];
    for text in ["first", "second"] {
        for kept in plant.records.values_mut() {
            if let Kept::Line(Line::Status(status)) = kept {
                status.text = Some(Quoted::text(text));
            }
        }
        shop.take(&plant.export());
        assert_eq!(shop.count("record WHERE text = 'first'"), 2);
    }
    plant.shows.clear();
    for kept in plant.records.values_mut() {
        if let Kept::Line(Line::Status(status)) = kept {
            status.text = None;
        }
    }
    shop.take(&plant.export());
    assert_eq!(shop.count("record WHERE text = 'first'"), 2);
}

/// M-113: whatever a site says, it says of itself.
#[test]
fn two_sites_never_touch_each_others_rows() {
    let shop = Workshop::new();
    let (mut one, mut two) = (shop.plant(1), shop.plant(2));
    one.targets = Plant::target(1, 100);
    one.report(3);
    let first = one.export();
    shop.take(&first);
    let of_one = |shop: &Workshop| {
        let text = format!("{:?}", one.site.as_str());
        shop.dump()
            .iter()
            .filter(|(table, _)| *table != "audit")
            .flat_map(|(_, rows)| {
                rows.iter()
                    .filter(|row| row.contains(&text))
                    .cloned()
                    .collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
    };
    let (before, records) = (of_one(&shop), shop.count("record WHERE instance = 1"));
    // The same target, deployment, instance and numbers; and no word of the release that it would need.
    two.instance = one.instance.clone();
    two.lineage = one.lineage.clone();
    two.targets = Plant::target(1, 100);
    two.report(5);
    let taken = shop.take(&two.export());
    assert_eq!(taken.records, 5);
    assert_eq!(
        (of_one(&shop), shop.count("record WHERE instance = 1")),
        (before, records)
    );
    assert_eq!(
        (
            shop.count("target_now"),
            shop.count("deployment_now"),
            shop.count("instance")
        ),
        (2, 2, 2)
    );
    one.report(1);
    assert_eq!(shop.found(&one.export()), (vec![], vec![]));
}

#[test]
fn what_fails_is_said_once() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let failing = |number| {
        let mut lines = Plant::target(number, number + 100);
        if let Line::Deployment(line) = &mut lines[1] {
            line.state = Some(StatusKind::Error);
            line.signal = Some(Signal::RolledBack);
        }
        lines
    };
    plant.targets = [failing(1), Plant::target(2, 200)].concat();
    let taken = shop.take(&plant.export());
    assert_eq!((taken.new_failures, taken.failed[0].deployment), (1, uuid(101)));
    assert_eq!(
        (taken.failed[0].state, taken.failed[0].signal),
        ("error", "rolled-back")
    );
    plant.targets = [failing(1), failing(2)].concat();
    let taken = shop.take(&plant.export());
    assert_eq!((taken.new_failures, taken.failed[0].deployment), (1, uuid(102)));
}
