//! M-108 at the site: each condition has its code, and one that does not hold frees nothing and leaves its row alone.

use airlock::crypto::{AcknowledgedPackage, Acknowledgement};
use airlock::domain::Hash;
use airlock::package::Head;
use serde_json::{Value, json};

use super::both::{Both, Package, Reach};
use crate::support::appliance::{read, write};
use crate::support::state_fingerprint::StateFingerprint;
use crate::support::streams;

type Change = fn(&mut Acknowledgement, &Both);

/// What a signed file is refused for, after the change; whether a stream tells it.
const CASES: &[(&str, &str, Change)] = &[
    ("other domain", "ack-other", |says, _| says.domain = Hash([9; 32])),
    ("other site", "ack-other", |says, _| {
        says.site = "0".repeat(32).parse().unwrap();
    }),
    // The order of the conditions: each of these breaks the later ones too.
    ("other site, old, beyond", "ack-other", |says, _| {
        says.site = "0".repeat(32).parse().unwrap();
        (says.number, says.records) = (1, 1_000_000);
    }),
    ("old", "ack-older", |says, _| says.number = 1),
    ("old, of nothing, beyond", "ack-older", |says, _| {
        (says.number, says.records, says.packages) = (1, 1_000_000, Vec::new());
        says.instance = "0".repeat(32).parse().unwrap();
    }),
    ("unknown instance", "never-exported", |says, _| {
        says.instance = "0".repeat(32).parse().unwrap();
    }),
    ("other head", "never-exported", |says, _| {
        says.packages[0].head = Hash([9; 32]);
    }),
    ("half of a head", "never-exported", |says, _| {
        says.packages[0].head.0[16..].fill(0);
    }),
    ("other number", "never-exported", |says, _| says.packages[0].number += 1),
    ("head of another's package, beyond", "never-exported", |says, both| {
        says.packages = vec![AcknowledgedPackage {
            head: theirs(both).digest,
            number: 1,
        }];
        says.records = 1_000_000;
    }),
    // A stolen key alone: no number of the vendor's would be above it.
    ("number beyond", "ack-beyond", |says, _| says.number += 1_000_000),
    ("records beyond", "ack-beyond", |says, _| says.records += 1),
    ("receipts beyond", "ack-beyond", |says, _| says.receipts += 1),
    ("rows beyond, another seal", "ack-beyond", |says, _| {
        says.audit.number += 1;
        says.audit.hash = Hash([9; 32]);
    }),
    // A stolen key alone: it frees what no package proves.
    ("no package", "ack-beyond", |says, _| says.packages.clear()),
    ("another seal", "ack-audit", |says, _| says.audit.hash = Hash([9; 32])),
    ("the seal of another row", "ack-audit", |says, both| {
        says.audit.number -= 1;
        says.audit.hash = both.stream().rows.last().unwrap().seal;
    }),
];

/// A package that went to another vendor.
fn theirs(both: &Both) -> Package {
    let other = both.bench.chain("other").domain();
    let db = both.site_db();
    let kept = db.read(|c| {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?));
        Ok(
            c.query_row("SELECT head, bytes FROM package WHERE domain = ?", [other], read)
                .unwrap(),
        )
    });
    let (digest, bytes) = kept.unwrap();
    Package {
        digest,
        head: Head::parse(&bytes).unwrap(),
        bytes: Vec::new(),
    }
}

/// A site of two vendors whose first acknowledgement was applied, and what the second one may free.
fn prepared() -> (Both, Package) {
    let both = Both::new();
    both.bench.pin_other();
    let first = both.sign(both.reach(100));
    assert_eq!(both.apply(&both.says(1, &[&first]))["result"], "applied");
    let second = both.sign(both.reach(240));
    let other = both.bench.chain("other").domain();
    let rows = streams::of(&both.bench.state(), other).rows.len() as u64;
    both.keep(&both.package(
        other,
        Reach {
            records: 7,
            audit: rows,
            ..Reach::default()
        },
    ));
    (both, second)
}

#[test]
fn every_condition_has_its_code_and_frees_nothing() {
    let (both, second) = prepared();
    let state = both.bench.state();
    let other = both.bench.chain("other").domain();
    let good = both.says(2, &[&second]);
    for (what, code, change) in CASES {
        let mut says = good.clone();
        change(&mut says, &both);
        let before = StateFingerprint::of(&state);
        let rows = both.stream().rows.len();
        let neighbour = streams::of(&state, other).rows;
        both.refuse(&says, code);
        assert!(StateFingerprint::of(&state).is_but_for_rows(&before, 1, 1), "{what}");
        let told = &both.stream().rows[rows..];
        assert_eq!(told.len(), 1, "{what}");
        assert_eq!(
            (told[0].action.as_str(), &told[0].detail),
            ("ack-refuse", &json!({"class": "E-POLICY", "code": code})),
            "{what}"
        );
        assert_eq!(streams::of(&state, other).rows, neighbour, "{what}");
    }
    both.bench.good("audit verify");
    // The twin of all of them.
    assert_eq!(both.apply(&good)["result"], "applied");
    assert_eq!(both.reached(), (240, 0, second.head.audit.last));
}

/// What no pinned vendor signed is nobody's: no stream tells of it.
#[test]
fn what_the_role_did_not_sign_frees_nothing_and_nobody_is_told() {
    let (both, second) = prepared();
    let state = both.bench.state();
    let good = both.says(2, &[&second]);
    both.write("release", &good, "acme", "release");
    both.write("root", &good, "acme", "root");
    both.write("good", &good, "acme", "ack");
    let bytes = read(&both.bench.path("good"));
    write(&both.bench.path("cut"), &bytes[..bytes.len() - 1]);
    let spaced = String::from_utf8(bytes.clone()).unwrap().replacen(':', ": ", 1);
    write(&both.bench.path("spaced"), spaced.as_bytes());
    write(
        &both.bench.path("large"),
        &[bytes.as_slice(), &vec![b' '; 64 << 10]].concat(),
    );
    let mut later = good.clone();
    later.requires = vec!["echo".to_owned()];
    both.write("later", &later, "acme", "ack");
    for (file, class, code) in [
        ("release", "E-SIGNATURE", "below-threshold"),
        ("root", "E-SIGNATURE", "below-threshold"),
        ("cut", "E-FORMAT", "grammar"),
        ("spaced", "E-FORMAT", "non-canonical"),
        ("large", "E-LIMIT", "document-size"),
        ("later", "E-FORMAT", "needs-newer-reader"),
    ] {
        let before = StateFingerprint::of(&state);
        both.bench.refused(&format!("status acknowledge {file}"), class, code);
        assert!(StateFingerprint::of(&state).is_but_for_rows(&before, 1, 0), "{file}");
    }
    both.bench.good("status acknowledge good");
}

/// A good key of another vendor, pinned here too, frees nothing of this stream, and its own is told.
#[test]
fn a_vendors_key_works_in_its_own_stream_alone() {
    let (both, second) = prepared();
    let state = both.bench.state();
    let other = both.bench.chain("other").domain();
    let (rows, told) = (both.stream().rows, streams::of(&state, other).rows.len());
    both.write("theirs", &both.says(2, &[&second]), "other", "ack");
    let before = StateFingerprint::of(&state);
    both.bench.refused("status acknowledge theirs", "E-POLICY", "ack-other");
    assert!(StateFingerprint::of(&state).is_but_for_rows(&before, 1, 1));
    assert_eq!(both.stream().rows, rows);
    assert_eq!(streams::of(&state, other).rows[told..][0].action, "ack-refuse");
    // Its own package frees its own stream, and nothing of the neighbour's.
    let reached = both.reached();
    let theirs = theirs(&both);
    both.write("theirs", &both.says(1, &[&theirs]), "other", "ack");
    assert_eq!(both.bench.good("status acknowledge theirs")["result"], "applied");
    assert_eq!(both.reached(), reached);
    assert_eq!(both.stream().rows, rows);
    assert!(both.file(&second).is_file());
}

#[test]
fn one_that_is_applied_says_so_once_and_the_same_bytes_are_nothing_to_do() {
    let both = Both::new();
    let package = both.sign(both.reach(100));
    let says = both.says(1, &[&package]);
    let value = both.apply(&says);
    assert_eq!(
        value,
        json!({"result": "applied", "domain": both.domain, "number": 1, "records": 100, "receipts": 0,
            "audit": package.head.audit.last, "alarms": [], "over": [], "found": null, "freed": {"records": 100, "packages": 0, "bytes": 0}})
    );
    let stream = both.stream();
    let last = stream.rows.last().unwrap();
    assert_eq!(
        (last.action.as_str(), &last.detail),
        (
            "acknowledge",
            &json!({"audit": package.head.audit.last, "number": 1, "receipts": 0, "records": 100})
        )
    );
    let before = StateFingerprint::of(&both.bench.state());
    assert_eq!(both.apply(&says)["result"], "already");
    assert!(StateFingerprint::of(&both.bench.state()).is_but_for_rows(&before, 0, 0));
    // The same number with other bytes is an old one.
    let mut other = says.clone();
    other.issued_at = "2026-11-23T08:00:00Z".parse().unwrap();
    both.refuse(&other, "ack-older");
    // Once another one came, the same bytes are still known; and numbers may be left out.
    let second = both.sign(both.reach(150));
    assert_eq!(both.apply(&both.says(7, &[&second]))["result"], "applied");
    assert_eq!(both.apply(&says)["result"], "already");
    assert_eq!(both.reached().0, 150);
}

/// Numbers below what was acknowledged prove nothing new and take nothing back.
#[test]
fn nothing_is_taken_back_by_lower_numbers() {
    let both = Both::new();
    let first = both.sign(both.reach(100));
    both.apply(&both.says(1, &[&first]));
    let second = both.sign(both.reach(200));
    let mut says = both.says(2, &[&second]);
    (says.records, says.receipts) = (40, 0);
    (says.audit.number, says.audit.hash) = (0, first.head.audit.before);
    assert_eq!(both.apply(&says)["result"], "applied");
    assert_eq!(both.reached(), (100, 0, first.head.audit.last));
    // One that only tells of alarms names no package at all.
    let mut alarm = says.clone();
    (alarm.number, alarm.packages) = (3, Vec::new());
    assert_eq!(both.apply(&alarm)["result"], "applied");
    assert_eq!(both.reached(), (100, 0, first.head.audit.last));
}

/// Of a run each package counts, and a package that is left out is a hole.
#[test]
fn a_run_is_proven_by_all_of_its_packages() {
    let both = Both::new();
    let audit = both.stream().rows.len() as u64;
    let first = both.sign(Reach {
        records: 100,
        audit,
        ..Reach::default()
    });
    let after = Some((100, 0, audit));
    let second = both.sign(Reach {
        records: 180,
        audit,
        after,
        ..Reach::default()
    });
    both.refuse(&both.says(1, &[&second]), "ack-beyond");
    let mut says = both.says(1, &[&second]);
    says.records = 0;
    both.refuse(&both.says(1, &[&second]), "ack-beyond");
    assert_eq!(both.apply(&both.says(1, &[&first, &second]))["result"], "applied");
    assert_eq!(both.reached(), (180, 0, audit));
}

/// A draft is no package: nobody was given it.
#[test]
fn a_draft_is_nothing_that_a_vendor_can_have() {
    let both = Both::new();
    let package = both.sign(both.reach(100));
    let as_state = |state: &str| {
        let db = both.site_db();
        db.write(|tx| Ok(tx.execute("UPDATE package SET state = ?", [state]).unwrap()))
            .unwrap();
    };
    as_state("draft");
    both.refuse(&both.says(1, &[&package]), "never-exported");
    as_state("exported");
    assert_eq!(both.apply(&both.says(1, &[&package]))["result"], "applied");
}

/// M-109: files of packages that the vendor has go, but the newest two; nothing else goes with them.
#[test]
fn files_of_packages_go_up_to_its_number_and_of_earlier_lives() {
    let both = Both::new();
    let early: Vec<Package> = (1..=3).map(|n| both.sign(both.reach(n))).collect();
    both.bench.good("recover --yes --as restored");
    let late: Vec<Package> = (1..=5).map(|n| both.sign(both.reach(10 * n))).collect();
    let enrolments = || std::fs::read_dir(both.bench.state().join("outbox")).unwrap().count();
    assert_eq!(enrolments(), 9);
    let there = |packages: &[Package]| packages.iter().map(|one| both.file(one).is_file()).collect::<Vec<_>>();
    let rows = || -> u64 {
        let db = both.site_db();
        db.read(|c| {
            Ok(c.query_row("SELECT count(*) FROM package", [], |row| row.get(0))
                .unwrap())
        })
        .unwrap()
    };
    // Up to number 2 of this life, and all of the one before; what is above stays.
    let bytes: u64 = early.iter().chain(&late[..2]).map(|one| one.bytes.len() as u64).sum();
    let value = both.apply(&both.says(1, &[&late[1]]));
    assert_eq!(value["freed"], json!({"records": 20, "packages": 5, "bytes": bytes}));
    assert_eq!(there(&early), [false; 3]);
    assert_eq!(there(&late), [false, false, true, true, true]);
    // The newest two stay, whatever was acknowledged.
    both.apply(&both.says(2, &[&late[4]]));
    assert_eq!(there(&late), [false, false, false, true, true]);
    assert_eq!((enrolments(), rows()), (3, 8));
    // A file that is gone is gone.
    std::fs::remove_file(both.file(&late[4])).unwrap();
    let last = both.sign(both.reach(60));
    let value: Value = both.apply(&both.says(3, &[&last]));
    assert_eq!(value["result"], "applied");
    assert!(both.file(&last).is_file());
}

/// The vendor has the newer one first: what the older one held is acknowledged with it, so it need not leave any more, and its own answer,
/// which comes late, takes nothing back.
#[test]
fn the_newer_package_is_acknowledged_first() {
    let both = Both::new();
    let older = both.sign(both.reach(0));
    let newer = both.sign(both.reach(0));
    let ended = {
        both.write("newer.ack", &both.says(2, &[&newer]), "acme", "ack");
        both.bench.run("status acknowledge newer.ack")
    };
    assert_eq!(ended.word(), "applied", "{}", ended.stderr);
    assert!(
        ended.stderr.contains("the acknowledgement freed 0 records"),
        "{}",
        ended.stderr
    );
    both.refuse(&both.says(1, &[&older]), "ack-older");
    assert_eq!(both.reached(), (0, 0, newer.head.audit.last));
    // Neither counts as exported here, and both are with the vendor.
    let exported = both.bench.good("status export next.airlock-status");
    assert_eq!(exported["packages"][0]["number"], 3);
    assert_eq!(exported["packages"].as_array().unwrap().len(), 1);
    both.bench.good("status verify next.airlock-status");
    // What was asked for by its number leaves all the same.
    both.bench.good("status export older.airlock-status --again 1");
    assert_eq!(read(&both.bench.path("older.airlock-status")), older.bytes);
}
