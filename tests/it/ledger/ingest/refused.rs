//! What is refused, at which step, and that nothing but a row of the log is left of it.
//!
//! What V1, V4 and V6 to V10 find in a package by itself (such as `receipts-missing` and `audit-chain`) is tested with the vectors of the
//! format; no writer of ours makes such packages.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::fs;

use airlock::crypto::{ReceiptResult, SigningKey};
use airlock::domain::Hash;
use airlock::package::{Acknowledged, Line, Quoted, Switch};
use airlock::vendor_side::ledger::{IngestOptions, Outcome, ingest};
use airlock::vendor_side::{replace, withdraw};
use serde_json::{Value, json};

use super::super::plant::{Exported, Kept, Plant, instance, uuid};
use super::super::workshop::Workshop;
use crate::package::made;

/// A change of what was told before, the class and sub-code, and the step.
type Change = (fn(&mut Plant), &'static str, &'static str);

#[track_caller]
pub(crate) fn refused(shop: &Workshop, package: &Exported, class: &str, code: &str, step: &str) -> Value {
    let (said, detail) = shop.refuse(package);
    assert_eq!((said.0, said.1, said.2.as_str()), (class, code, step), "{detail}");
    detail
}

#[test]
fn v0_copies_files_within_a_limit_and_one_process_at_a_time() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let package = plant.export();
    let before = shop.dump();
    let options = IngestOptions {
        now: shop.now,
        dry_run: false,
    };
    // What holds nothing is not copied first.
    let large = shop.folder.path().join("large");
    fs::File::create(&large).unwrap().set_len((5 << 28) + 1).unwrap();
    let verdict = |path: std::path::PathBuf| {
        let mut verdicts = ingest(&shop.workspace, &[path], options, &mut |_| {}).unwrap();
        match verdicts.remove(0).outcome {
            Outcome::Refused(refused) => (refused.error.class().name(), refused.error.code(), refused.error.step()),
            other => panic!("{other:?}"),
        }
    };
    let v0 = Some(airlock::domain::Step::V0);
    assert_eq!(verdict(large), ("E-LIMIT", "package-size", v0));
    let row: String = shop.query("SELECT detail FROM audit");
    let row: Value = serde_json::from_str(&row).unwrap();
    assert_eq!(
        (&row["code"], row.get("site"), row.get("head")),
        (&json!("package-size"), None, None)
    );
    // What cannot be read is no package that was refused.
    assert_eq!(verdict(shop.folder.path().join("none")), ("E-IO", "io", v0));
    assert_eq!(verdict(shop.folder.path().to_owned()), ("E-USAGE", "not-a-file", v0));
    assert_eq!(shop.count("audit"), 1);

    let held = fs::File::open(shop.folder.path().join("w")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let error = shop.ingest(&[&package], false).unwrap_err();
    assert_eq!(
        (error.class().name(), error.code(), error.step()),
        ("E-BUSY", "ingest", v0)
    );
    rustix::fs::flock(&held, rustix::fs::FlockOperation::Unlock).unwrap();
    assert_eq!(shop.dump()["package"], before["package"]);
    shop.take(&package);
}

#[test]
fn v2_takes_packages_for_this_vendor_from_sites_that_count() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let other = Plant::new(1, Hash([9; 32])).export();
    let detail = refused(&shop, &other, "E-TRUST", "unknown-domain", "V2");
    assert_eq!((detail.get("site"), &detail["head"]), (None, &json!(other.head)));
    let stranger = Plant::new(7, shop.domain()).export();
    let detail = refused(&shop, &stranger, "E-TRUST", "unknown-site", "V2");
    assert_eq!((detail.get("site"), detail.get("number")), (None, None));
    shop.take(&plant.export());
    withdraw(&shop.workspace, plant.site.as_str(), shop.now).unwrap();
    let next = plant.export();
    let detail = refused(&shop, &next, "E-TRUST", "withdrawn-site", "V2");
    assert_eq!(detail.get("site"), None);
    replace(&shop.workspace, &plant.enrolment(), plant.site.as_str(), shop.now).unwrap();
    shop.take(&next);
}

#[test]
fn v3_takes_the_key_in_force_alone() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let mut thief = plant.clone();
    thief.secret = 9;
    let detail = refused(&shop, &thief.export(), "E-SIGNATURE", "below-threshold", "V3");
    assert_eq!(
        (detail["site"].as_str(), detail.get("number")),
        (Some(plant.site.as_str()), None)
    );
    let first = plant.export();
    shop.take(&first);
    let by_old = plant.export();
    plant.rotate(8, 77);
    let by_new = plant.export();
    refused(&shop, &by_new, "E-SIGNATURE", "below-threshold", "V3");
    replace(&shop.workspace, &plant.enrolment(), plant.site.as_str(), shop.now).unwrap();
    refused(&shop, &by_old, "E-SIGNATURE", "replaced-key", "V3");
    shop.take(&by_new);
    // What is in the ledger already was signed by the key of its time; whoever never had a key here signs it not.
    let before = shop.dump();
    let again =
        |package: &Exported| matches!(shop.verdict(package, false), Outcome::Already(known) if known.file_put_back);
    assert!(!again(&first));
    let kept = shop.path("packages").join(&shop.files_of("packages")[0]);
    let kept_before = fs::read(&kept).unwrap();
    fs::remove_file(&kept).unwrap();
    assert!(again(if kept_before == first.bytes { &first } else { &by_new }));
    assert_eq!(fs::read(&kept).unwrap(), kept_before);
    assert!(matches!(shop.verdict(&first, true), Outcome::Already(_)));
    assert_eq!(shop.dump(), before);
    let mut signed_by_nobody = first.clone();
    let signature = b"\"sig\":\"";
    let at = first
        .bytes
        .windows(signature.len())
        .position(|bytes| bytes == signature)
        .unwrap()
        + signature.len();
    signed_by_nobody.bytes[at] = if first.bytes[at] == b'A' { b'B' } else { b'A' };
    refused(&shop, &signed_by_nobody, "E-SIGNATURE", "bad-signature", "V3");
}

#[test]
fn v4_and_v7_say_whose_package_they_refuse() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(3);
    let package = plant.export();
    let mut flipped = package.clone();
    let last = flipped.bytes.iter().rposition(|byte| *byte != 0).unwrap();
    flipped.bytes[last] ^= 1;
    let detail = refused(&shop, &flipped, "E-INTEGRITY", "stored-hash", "V7");
    assert_eq!(
        (&detail["number"], &detail["instance"]),
        (&json!(1), &json!(package.instance))
    );
    let mut cut = package.clone();
    cut.bytes.truncate(package.bytes.len() - 1024);
    refused(&shop, &cut, "E-INCOMPLETE", "truncated", "V7");
    shop.take(&package);
}

#[test]
fn v5_one_number_has_one_head() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(1);
    let first = plant.export();
    // A clone, or a snapshot that was turned back: from here on two of them go on under one name.
    let mut clone = plant.clone();
    shop.take(&first);
    plant.report(1);
    let second = plant.export();
    clone.report(2);
    let other_second = clone.export();
    shop.take(&second);
    let detail = refused(&shop, &other_second, "E-EQUIVOCATION", "package-number", "V5");
    assert_eq!(
        (&detail["site"], &detail["instance"], &detail["number"], &detail["head"]),
        (
            &json!(plant.site),
            &json!(plant.instance),
            &json!(2),
            &json!(other_second.head)
        )
    );
    clone.report(1);
    let other_third = clone.export();
    refused(&shop, &other_third, "E-EQUIVOCATION", "previous", "V5");
    assert_eq!(shop.files_of("evidence").len(), 2);
    // The one that goes on from what is known is taken; `recover` makes the other one an instance of its own.
    plant.report(1);
    shop.take(&plant.export());
    clone.recover(55, "cloned");
    let (found, _) = shop.found(&clone.export());
    assert_eq!(found, ["new-instance"]);
}

#[test]
fn v5_the_one_before_is_looked_at_from_behind_too() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    shop.take(&plant.export());
    let mut clone = plant.clone();
    clone.report(1);
    let other_second = clone.export();
    plant.export();
    shop.take(&plant.export());
    refused(&shop, &other_second, "E-EQUIVOCATION", "previous", "V5");
}

#[test]
fn v5_a_known_instance_begins_where_it_began() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(4);
    let first = plant.export();
    shop.take(&first);
    plant.acknowledge(1, first.lasts);
    shop.change(&format!(
        "INSERT INTO acknowledgement VALUES ('{}', 1, x'', 4, 0, 1, 0)",
        plant.site
    ));
    plant.recover(50, "restored");
    shop.take(&plant.export());
    for change in [
        |plant: &mut Plant| plant.lineage[1].records -= 1,
        |plant: &mut Plant| {
            plant.lineage[0].instance = instance(99);
        },
        |plant: &mut Plant| {
            let begins = plant.lineage[1].clone();
            plant.lineage.insert(
                1,
                airlock::package::LineageEntry {
                    instance: instance(98),
                    ..begins
                },
            );
        },
    ] {
        let mut liar = plant.clone();
        change(&mut liar);
        refused(&shop, &liar.export(), "E-EQUIVOCATION", "lineage", "V5");
    }
    shop.take(&plant.export());
}

#[test]
fn v5_what_was_acknowledged_has_a_limit() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    shop.change(&format!(
        "INSERT INTO acknowledgement VALUES ('{}', 7, x'', 0, 0, 0, 0)",
        plant.site
    ));
    let said = |number| {
        Some(Acknowledged {
            audit: 0,
            number,
            receipts: 0,
            records: 0,
        })
    };
    plant.acknowledged = said(1_000_008);
    refused(&shop, &plant.clone().export(), "E-LIMIT", "acknowledged", "V5");
    plant.acknowledged = said(1_000_007);
    let (found, _) = shop.found(&plant.export());
    assert_eq!(found, ["ledger-behind"]);
    // Whoever has the ack key can go on so; new keys of the site, compared by voice, end it as the message says.
    plant.acknowledged = said(3_000_000);
    refused(&shop, &plant.clone().export(), "E-LIMIT", "acknowledged", "V5");
    plant.rotate(8, 77);
    replace(&shop.workspace, &plant.enrolment(), plant.site.as_str(), shop.now).unwrap();
    shop.take(&plant.export());
    plant.acknowledged = said(9_000_000);
    refused(&shop, &plant.export(), "E-LIMIT", "acknowledged", "V5");
}

#[test]
fn v9_receipts_are_signed_by_the_site() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.receipt(ReceiptResult::Imported, Hash([1; 32]), 1);
    let mut forged = plant.clone();
    let Line::Receipt(line) = &plant.receipts[0] else {
        unreachable!()
    };
    let signed = line.receipt.sign(&SigningKey::from_secret(&[99; 32]));
    forged.receipts[0] = Line::Receipt(Box::new(airlock::package::SignedReceipt::unverified(&signed).unwrap()));
    refused(&shop, &forged.export(), "E-SIGNATURE", "below-threshold", "V9");
    shop.take(&plant.export());
    // By the key that the site had before, inside a package under the key in force.
    plant.rotate(8, 77);
    replace(&shop.workspace, &plant.enrolment(), plant.site.as_str(), shop.now).unwrap();
    shop.take(&plant.export());
}

#[test]
fn v10_the_log_goes_on_as_it_was() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    for n in 0..3 {
        plant.act("pin", &json!({ "n": n }));
    }
    let first = plant.export();
    shop.take(&first);
    // Row 3 of 4 is rewritten, so all from there on have other seals.
    let mut rewritten = plant.clone();
    rewritten.rows[2].action = "init".into();
    let error = refused(
        &shop,
        &rewritten.export(),
        "E-EQUIVOCATION",
        "audit-discontinuity",
        "V10",
    );
    assert!(
        error["found"].as_str().unwrap().contains("from row 3 to row 4 "),
        "{error}"
    );
    // What was acknowledged is told no more; its seal still stands before the rest.
    plant.acknowledge(1, first.lasts);
    shop.change(&format!(
        "INSERT INTO acknowledgement VALUES ('{}', 1, x'', 0, 0, 4, 0)",
        plant.site
    ));
    let mut rewritten = plant.clone();
    rewritten.rows[2].action = "init".into();
    rewritten.act("clock", &json!({"times": 1}));
    let error = refused(
        &shop,
        &rewritten.export(),
        "E-EQUIVOCATION",
        "audit-discontinuity",
        "V10",
    );
    assert!(
        error["found"].as_str().unwrap().contains("from row 4 to row 4 "),
        "{error}"
    );
    plant.act("clock", &json!({"times": 1}));
    shop.take(&plant.export());
}

#[test]
fn v11_what_is_known_comes_again_the_same() {
    let base = Workshop::new();
    let mut plant = base.plant(1);
    plant.shows = vec![Switch::AgentLogs];
    plant.receipt(ReceiptResult::Imported, Hash([1; 32]), 1);
    plant.report(2);
    plant.lose(1);
    plant.keep(Kept::Line(made::agent_log(5, "hello")));
    base.take(&plant.export());
    let changes: [Change; 8] = [
        (
            |plant| {
                let Some(Kept::Line(Line::Status(line))) = plant.records.get_mut(&1) else {
                    unreachable!()
                };
                line.state = airlock::domain::StatusKind::Error;
            },
            "record",
            "another state",
        ),
        (
            |plant| {
                let Some(Kept::Line(Line::Status(line))) = plant.records.get_mut(&2) else {
                    unreachable!()
                };
                line.count = Some(2);
                line.last = Some(line.at);
            },
            "record",
            "another count",
        ),
        (
            |plant| {
                let Some(Kept::Line(Line::Status(line))) = plant.records.get_mut(&1) else {
                    unreachable!()
                };
                line.deployment = uuid(101);
            },
            "record",
            "another deployment",
        ),
        (
            |plant| {
                plant
                    .records
                    .insert(1, Kept::Line(made::agent_log(1, "it was a status")));
            },
            "record",
            "a line of a log in its place",
        ),
        (
            |plant| {
                let gap = plant.records[&4].clone();
                let Kept::Line(Line::Gap(gap)) = gap else {
                    unreachable!()
                };
                let gap = airlock::package::Gap { number: 2, ..gap };
                plant.records.insert(2, Kept::Line(Line::Gap(gap)));
            },
            "record",
            "a gap in its place",
        ),
        (
            |plant| {
                let line = plant.status(4);
                plant.records.insert(4, Kept::Line(Line::Status(line)));
            },
            "record",
            "a status in a gap's place",
        ),
        (
            |plant| {
                let Some(Kept::Line(Line::Gap(gap))) = plant.records.get_mut(&4) else {
                    unreachable!()
                };
                gap.count = 2;
            },
            "record",
            "another gap",
        ),
        (
            |plant| {
                let old = plant.receipts.clone();
                plant.receipts.clear();
                plant.bare_receipt(ReceiptResult::Imported, Hash([2; 32]), 1, Hash([1; 32]));
                assert_ne!(plant.receipts, old);
            },
            "receipt",
            "another receipt",
        ),
    ];
    for (change, code, what) in changes {
        let shop = base.copy();
        let mut liar = plant.clone();
        change(&mut liar);
        liar.report(1);
        let (said, detail) = shop.refuse(&liar.export());
        assert_eq!(
            (said.0, said.1, said.2.as_str()),
            ("E-EQUIVOCATION", code, "V11"),
            "{what}: {detail}"
        );
        assert_eq!(shop.files_of("evidence").len(), 1);
    }
    // Nothing that is stored changed; lines of logs are compared by those who read the files.
    let Some(Kept::Line(Line::AgentLog(line))) = plant.records.get_mut(&5) else {
        unreachable!()
    };
    line.text = Quoted::text("later words");
    plant.report(1);
    base.take(&plant.export());
}

/// The first refusal in the order of the steps is the verdict, whatever comes first in the file.
#[test]
fn the_earliest_step_that_refuses_is_the_verdict() {
    let base = Workshop::new();
    let mut plant = base.plant(1);
    plant.receipt(ReceiptResult::Imported, Hash([1; 32]), 1);
    plant.report(1);
    base.take(&plant.export());
    plant.rows[0].action = "pin".into();
    plant.receipts.clear();
    plant.bare_receipt(ReceiptResult::Imported, Hash([2; 32]), 1, Hash([1; 32]));
    let (said, _) = base.refuse(&plant.clone().export());
    assert_eq!((said.1, said.2.as_str()), ("audit-discontinuity", "V10"));
    let Line::Receipt(line) = &plant.receipts[0] else {
        unreachable!()
    };
    let signed = line.receipt.sign(&SigningKey::from_secret(&[99; 32]));
    plant.receipts[0] = Line::Receipt(Box::new(airlock::package::SignedReceipt::unverified(&signed).unwrap()));
    let (said, _) = base.refuse(&plant.export());
    assert_eq!((said.0, said.2.as_str()), ("E-SIGNATURE", "V9"));
}

#[test]
fn v12_nothing_is_known_of_what_cannot_be_stored() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let package = plant.export();
    fs::write(shop.path("packages"), b"planted").unwrap();
    refused(&shop, &package, "E-STATE", "planted", "V12");
    fs::remove_file(shop.path("packages")).unwrap();
    let outside = shop.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, shop.path("packages")).unwrap();
    refused(&shop, &package, "E-STATE", "planted", "V12");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    fs::remove_file(shop.path("packages")).unwrap();
    shop.take(&package);
}

#[test]
fn v13_a_ledger_that_fails_leaves_no_file() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let package = plant.export();
    shop.change("ALTER TABLE package RENAME TO gone");
    let (said, files) = match shop.verdict(&package, false) {
        Outcome::Refused(refused) => (
            refused.error.step().map(|step| step.to_string()),
            shop.files_of("packages"),
        ),
        other => panic!("{other:?}"),
    };
    // Whether the head is known is asked first, and that cannot be answered.
    assert_eq!((said.as_deref(), files), (Some("V13"), vec![]));
    shop.change("ALTER TABLE gone RENAME TO package");
    shop.take(&package);
}

#[test]
fn evidence_is_kept_of_the_newest_sixteen() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let mut clone = plant.clone();
    shop.take(&plant.export());
    let mut refused = Vec::new();
    for n in 1..19 {
        clone.now = clone.now.plus_seconds(n);
        clone.number = 0;
        clone.previous = None;
        let package = clone.export();
        shop.refuse(&package);
        refused.push(format!("{}-1-{}", &package.instance.as_str()[..8], package.head));
    }
    let kept = shop.files_of("evidence");
    assert_eq!(kept.len(), 16);
    let mut expected: Vec<String> = refused[2..]
        .iter()
        .map(|name| format!("{}/{name}", plant.site))
        .collect();
    expected.sort();
    assert_eq!(kept, expected);
}

/// Everything is checked, said, and taken back.
#[test]
fn a_dry_run_writes_nothing() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.report(2);
    let first = plant.export();
    let mut clone = plant.clone();
    plant.report(1);
    let second = plant.export();
    clone.report(4);
    let other_second = clone.export();
    let before = shop.dump();
    let verdicts = shop.ingest(&[&other_second, &second, &first], true).unwrap();
    let said: Vec<_> = verdicts
        .iter()
        .map(|verdict| match &verdict.outcome {
            Outcome::Taken(taken) => (taken.identity.number, taken.records.to_string()),
            Outcome::Already(known) => (known.identity.number, "already".into()),
            Outcome::Refused(refused) => (0, refused.error.code().to_owned()),
        })
        .collect();
    // The two seconds stand in the order in which they were named.
    assert_eq!(said, [(1, "2".into()), (2, "4".into()), (0, "package-number".into())]);
    assert_eq!(shop.dump(), before);
    for folder in ["packages", "evidence", "incoming"] {
        assert!(!shop.path(folder).try_exists().unwrap(), "{folder}");
    }
}
