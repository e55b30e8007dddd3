//! A stop at any point leaves nothing or the whole, and the same file again does the rest.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::ffi::OsString;
use std::path::Path;

use airlock::crypto::ReceiptResult;
use airlock::domain::Hash;
use airlock::vendor_side::ledger::Outcome;

use super::super::plant::{Exported, Plant};
use super::super::workshop::{Dump, Workshop};
use crate::support::slow::{Share, share};
use crate::support::strace::{self, Fault};

fn arguments(shop: &Workshop, file: &Path) -> Vec<OsString> {
    let words: [OsString; 5] = [
        "status".into(),
        "verify".into(),
        file.into(),
        "-w".into(),
        shop.folder.path().join("w").into(),
    ];
    words.into()
}

/// Everything but times of the machine's clock.
fn facts(shop: &Workshop) -> Dump {
    let mut dump = shop.dump();
    for table in ["audit", "package", "finding"] {
        let count = dump.remove(table).unwrap().len();
        dump.insert(table.into(), vec![count.to_string()]);
    }
    dump
}

fn package(shop: &Workshop) -> (Plant, Exported) {
    let mut plant = shop.plant(1);
    plant.targets = Plant::target(1, 100);
    plant.report(3);
    plant.receipt(ReceiptResult::Imported, Hash([1; 32]), 1);
    let package = plant.export();
    (plant, package)
}

#[test]
fn a_kill_at_any_call_leaves_nothing_or_the_whole() {
    if !strace::available() {
        return;
    }
    let base = Workshop::new();
    let (_, package) = package(&base);
    let nothing = facts(&base);
    let whole = base.copy();
    let file = whole.file(&package.bytes);
    let traced = strace::run(&strace::changing(), &arguments(&whole, &file));
    assert_eq!(traced.ended.code, Some(0), "{}", traced.ended.stderr);
    let points = strace::points(&traced.calls);
    let (whole_facts, whole_files) = (facts(&whole), whole.files_of("packages"));
    assert_ne!(nothing, whole_facts);
    let slow = share().is_some();
    let (first, step) = share().map_or((0, 5), Share::points);
    let (mut killed, mut committed) = (0, 0);
    for (index, point) in points.iter().enumerate().skip(first).step_by(step) {
        if slow && strace::is_behind_a_sync(&points, index) {
            continue;
        }
        let shop = base.copy();
        let traced = strace::strike(Fault::Kill, &point.name, point.nth, &arguments(&shop, &file));
        if !traced.fired(Fault::Kill, &point.name, point.nth) {
            continue;
        }
        killed += 1;
        let left = facts(&shop);
        if left == whole_facts {
            committed += 1;
            assert_eq!(shop.files_of("packages"), whole_files, "{point:?}");
        } else {
            assert_eq!(left, nothing, "{point:?}");
        }
        let again = shop.verdict(&package, false);
        assert!(
            matches!(again, Outcome::Taken(_)) == (left == nothing),
            "{point:?}: {again:?}"
        );
        assert_eq!(facts(&shop), whole_facts, "{point:?}");
        assert_eq!(shop.files_of("packages"), whole_files);
        assert!(!shop.path("incoming").try_exists().unwrap(), "{point:?}");
    }
    println!("{killed} kills of {} calls, {committed} after the commit", points.len());
    assert!(killed >= 5, "{killed} kills");
}

#[test]
fn a_disk_that_fails_or_is_full_at_any_call_leaves_nothing_or_the_whole() {
    if !strace::available() {
        return;
    }
    let base = Workshop::new();
    let (_, package) = package(&base);
    let file = base.file(&package.bytes);
    let nothing = facts(&base);
    let calls = [
        ("rename", 1),
        ("fsync", 1),
        ("fsync", 2),
        ("mkdir", 1),
        ("mkdir", 2),
        ("fdatasync", 1),
        ("write", 1),
    ];
    let mut failed = 0;
    for (call, nth) in calls {
        for fault in [Fault::NoSpace, Fault::Io] {
            let shop = base.copy();
            let traced = strace::strike(fault, call, nth, &arguments(&shop, &file));
            if !traced.fired(fault, call, nth) || traced.ended.code == Some(0) {
                continue;
            }
            failed += 1;
            let mut left = facts(&shop);
            left.insert("audit".into(), nothing["audit"].clone());
            assert_eq!(left, nothing, "{call} {nth}: {}", traced.ended.stderr);
            assert_eq!(shop.files_of("packages"), Vec::<String>::new(), "{call} {nth}");
            shop.take(&package);
        }
    }
    assert!(failed >= 6, "{failed} failures");
}
