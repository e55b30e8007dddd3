//! M-107 at the vendor: what an acknowledgement says, when there is a new one, and that its number is above every earlier one.
#![allow(clippy::disallowed_methods, reason = "tests move what they made")]

use airlock::crypto::{Alarm, AlarmCode};
use airlock::db::ledger::findings::{self, Found};
use airlock::db::{SqlResult as _, sealed_log};
use airlock::domain::Timestamp;
use airlock::vendor_side::ledger::acknowledge;
use airlock::vendor_side::{Workspace, site};
use serde_json::json;

use super::both::{Both, Reach};
use crate::support::appliance::{read, write};

#[test]
fn it_says_what_is_held_and_a_new_one_is_made_when_there_is_more() {
    let both = Both::new();
    both.bench
        .refused("vendor ledger ack plant -o x", "E-USAGE", "nothing-to-acknowledge");
    both.bench.refused("vendor ledger ack mill -o x", "E-USAGE", "no-site");
    let first = both.report(100);
    let (value, says) = both.issue();
    assert_eq!(
        (value["result"].as_str(), value["number"].as_u64()),
        (Some("new"), Some(1))
    );
    assert_eq!(
        says,
        airlock::crypto::Acknowledgement {
            issued_at: says.issued_at,
            ..both.says(1, &[&first])
        }
    );
    // Nothing new: the same bytes again, by name and by id.
    let bytes = read(&both.bench.path("issued.ack"));
    assert_eq!(both.issue().0["result"], "again");
    assert_eq!(read(&both.bench.path("issued.ack")), bytes);
    both.bench
        .good(&format!("vendor ledger ack {} -o by-id.ack", both.site));
    assert_eq!(read(&both.bench.path("by-id.ack")), bytes);
    // The site applies it, and reports on: cumulative, the newest package is enough.
    assert_eq!(both.bench.good("status acknowledge issued.ack")["result"], "applied");
    let lost = both.sign(both.reach(150));
    let third = both.report(200);
    let (value, says) = both.issue();
    assert_eq!(
        (value["result"].as_str(), says.number, says.records),
        (Some("new"), 2, 200)
    );
    assert_eq!(says.packages, [third.named()]);
    assert!(third.head.acknowledged.is_some() && lost.head.number == 2);
    assert_eq!(both.bench.good("status acknowledge issued.ack")["result"], "applied");
    assert_eq!(both.reached(), (200, 0, third.head.audit.last));
    // What only a refused release told shows in the numbers of the next.
    both.bench
        .refused("vendor ledger ack plant -o acme/root.json", "E-USAGE", "output");
    both.bench.good("vendor withdraw-site plant");
    both.bench
        .refused("vendor ledger ack plant -o x", "E-TRUST", "withdrawn-site");
}

/// Of a run every package is named; of one with a hole those before it, and no number above it.
#[test]
fn numbers_without_a_hole_and_the_packages_that_prove_them() {
    let both = Both::new();
    let audit = both.stream().rows.len() as u64;
    let run = |records, after| {
        both.sign(Reach {
            records,
            audit,
            after: Some((after, 0, if after == 0 { 0 } else { audit })),
            ..Reach::default()
        })
    };
    let (first, second, third) = (run(100, 0), run(180, 100), run(250, 180));
    both.take_in(&first);
    both.take_in(&third);
    let says = both.issue().1;
    assert_eq!((says.records, says.packages), (100, vec![first.named()]));
    both.take_in(&second);
    let says = both.issue().1;
    assert_eq!((says.number, says.records), (2, 250));
    assert_eq!(says.packages, [first.named(), second.named(), third.named()]);
    assert_eq!(both.bench.good("status acknowledge issued.ack")["records"], 250);
    // Where the first of a run is missing, nothing of it is proven; what the site let go stays as it is.
    let audit = both.stream().rows.len() as u64;
    let lost = both.sign(Reach {
        records: 300,
        audit,
        ..Reach::default()
    });
    let last = both.sign(Reach {
        records: 350,
        audit,
        after: Some((300, 0, audit)),
        ..Reach::default()
    });
    both.take_in(&last);
    let (value, says) = both.issue();
    assert_eq!(
        (value["result"].as_str(), says.records, says.packages),
        (Some("new"), 250, Vec::new())
    );
    assert!(
        says.alarms.iter().any(|alarm| alarm.code == AlarmCode::RecordsMissing),
        "{lost:?}"
    );
}

/// A ledger that was put back from an older copy: what the site let go counts as there, and the number is above what it applied.
#[test]
fn a_restored_ledger_goes_on_above_what_the_site_applied() {
    let both = Both::new();
    both.report(100);
    let before = both.bench.path("acme/kept.db");
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let source = rusqlite::Connection::open(from).unwrap();
        std::fs::remove_file(to).ok();
        source.execute("VACUUM INTO ?", [to.to_str().unwrap()]).unwrap();
    };
    copy(&both.bench.path("acme/ledger.db"), &before);
    for records in [200, 300, 400] {
        both.issue();
        both.bench.good("status acknowledge issued.ack");
        both.report(records);
    }
    assert_eq!(both.reached().0, 300);
    // Put back: it knows of 100 records, issued nothing, and gets the next package.
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        std::fs::remove_file(both.bench.path("acme").join(name)).ok();
    }
    std::fs::copy(&before, both.bench.path("acme/ledger.db")).unwrap();
    let newest = both.report(450);
    assert_eq!(newest.head.acknowledged.unwrap().number, 3);
    // What an acknowledgement would let go at the site is brought out first, as the message says; and what is gone is ended by a person.
    let withheld = |missing: &str| {
        let refused = both.bench.refused(
            "vendor ledger ack plant --replace -o issued.ack",
            "E-STATE",
            "packages-missing",
        );
        assert!(refused.stderr.contains(missing), "{}", refused.stderr);
        assert!(
            refused.stderr.contains("airlock status export DEST --again NUMBER"),
            "{}",
            refused.stderr
        );
    };
    let findings = || both.bench.good("vendor ledger findings -w acme")["findings"].clone();
    let open = |code: &str| {
        let found = findings();
        let found = found.as_array().unwrap().iter().find(|one| one["code"] == code);
        found.map(|one| one["id"].as_str().unwrap().to_owned())
    };
    withheld("packages 2 to 4");
    for number in [4, 2] {
        both.bench.good(&format!(
            "status export brought-{number}.airlock-status --again {number}"
        ));
        both.bench
            .good(&format!("status verify brought-{number}.airlock-status"));
        // An older package says nothing of what was applied since.
        assert!(open("ledger-behind").is_some(), "{}", findings());
        withheld("did not");
    }
    both.bench
        .good(&format!("vendor ledger end {}", open("package-missing").unwrap()));
    let says = both.issue().1;
    assert_eq!(
        (says.number, says.records, says.packages),
        (4, 450, vec![newest.named()])
    );
    assert_eq!(both.bench.good("status acknowledge issued.ack")["result"], "applied");
    assert_eq!(both.reached().0, 450);
}

/// Another life of the site: the shown one is acknowledged, from where it begins.
#[test]
fn another_life_and_another_key_are_acknowledged_from_where_they_begin() {
    let both = Both::new();
    both.report(100);
    let old = both.issue().1;
    for act in ["recover --yes --as restored", "status rotate-key --yes"] {
        both.bench.good(act);
        if act.starts_with("status") {
            let file = format!("state/outbox/enrolment-{}.json", &both.domain.to_hex()[..8]);
            both.bench.good(&format!("vendor enroll --yes {file} --replace plant"));
        }
        // What was issued for the life before says nothing to this one.
        both.bench
            .refused("status acknowledge issued.ack", "E-POLICY", "never-exported");
        let package = both.report(120);
        let says = both.issue().1;
        assert_eq!(says.instance, both.present());
        assert!(says.number > old.number);
        assert_eq!((says.records, says.packages), (120, vec![package.named()]));
    }
    assert_eq!(both.bench.good("status acknowledge issued.ack")["result"], "applied");
    assert_eq!(both.reached().0, 120);
    both.bench.good("recover --yes --as cloned");
    let next = both.report(150);
    assert_eq!(next.head.lineage.len(), 2);
    assert_eq!(next.head.records.first, 121);
    both.issue();
    assert_eq!(both.bench.good("status acknowledge issued.ack")["records"], 150);
}

#[test]
fn what_was_found_is_told_and_what_was_ended_no_more() {
    let both = Both::new();
    let package = both.report(100);
    let at = Timestamp::EPOCH;
    both.ledger()
        .write(|tx| {
            for code in ["branches", "records-missing", "clock-back"] {
                findings::raise(
                    tx,
                    &Found { site: &both.site, code, detail: "so", package: Some(package.digest), at },
                )?;
            }
            let refused = json!({"class": "E-EQUIVOCATION", "code": "previous", "found": "two", "number": 7, "site": both.site, "step": "V5"});
            sealed_log::append(tx, at, findings::REFUSE, &refused).map(|_| ())
        })
        .unwrap();
    let says = both.issue().1;
    let alarm = |code, number| Alarm { code, number };
    assert_eq!(
        says.alarms,
        [
            alarm(AlarmCode::Branches, 1),
            alarm(AlarmCode::Previous, 7),
            alarm(AlarmCode::RecordsMissing, 1)
        ]
    );
    assert_eq!(both.issue().0["result"], "again");
    // Ended: that alone is news.
    both.ledger()
        .write(|tx| {
            let open = findings::open(tx, Some(&both.site))?;
            let refused = open.iter().find(|finding| finding.code == "previous").unwrap().id;
            findings::end(tx, refused, at).map(|_| ())
        })
        .unwrap();
    let (value, says) = both.issue();
    assert_eq!(
        (value["result"].as_str(), says.number, says.alarms.len()),
        (Some("new"), 2, 2)
    );
}

/// Where the key that acknowledges is kept elsewhere nothing is signed, and no number is used.
#[test]
fn without_the_key_nothing_is_made() {
    let both = Both::new();
    both.report(100);
    let keys: Vec<_> = std::fs::read_dir(both.bench.path("acme/keys"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("ack"))
        .collect();
    let away = both.bench.path("away");
    std::fs::create_dir(&away).unwrap();
    for key in &keys {
        std::fs::rename(key, away.join(key.file_name().unwrap())).unwrap();
    }
    both.bench.refused("vendor ledger ack plant -o x", "E-TRUST", "no-key");
    assert!(!both.bench.path("x").try_exists().unwrap());
    for key in &keys {
        std::fs::rename(away.join(key.file_name().unwrap()), key).unwrap();
    }
    assert_eq!(both.issue().1.number, 1);
}

/// Two commands at once get no number twice: the later one says so, and does it when it is given again.
#[test]
fn two_at_once_do_not_share_a_number() {
    let both = Both::new();
    both.report(100);
    let workspace = Workspace::open(&both.bench.path("acme")).unwrap();
    let plant = site(&workspace, "plant").unwrap();
    let mut keys = || {
        both.issue();
        Ok(vec![both.key("acme", "ack")])
    };
    let error = acknowledge(&workspace, &plant, &mut keys, Timestamp::EPOCH).unwrap_err();
    assert_eq!((error.class().name(), error.code()), ("E-BUSY", "acknowledgement"));
    assert_eq!(error.advice(), Some("give the same command once more"));
    let issued = acknowledge(&workspace, &plant, &mut || unreachable!(), Timestamp::EPOCH).unwrap();
    assert_eq!((issued.is_new, issued.says.number), (false, 1));
}

/// Lines of logs lie in the files of packages alone: one whose file is gone or damaged lets nothing go at the site.
#[test]
fn what_is_not_here_any_more_is_not_acknowledged() {
    let both = Both::new();
    let first = both.report(100);
    let name = first.head.file_name();
    let kept = || {
        let site = std::fs::read_dir(both.bench.path("acme/packages")).unwrap().next();
        let file = std::fs::read_dir(site.unwrap().unwrap().path()).unwrap().next();
        file.map(|file| file.unwrap().path())
    };
    let path = kept().unwrap();
    let bytes = read(&path);
    let rows = || {
        let sql = "SELECT count(*) FROM acknowledgement";
        both.ledger()
            .read(|connection| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).sql("count"))
            .unwrap()
    };
    let before = rows();
    for damage in [
        None,
        Some(&bytes[..bytes.len() - 600]),
        Some(&[&bytes[..9000], b"x", &bytes[9001..]].concat()[..]),
    ] {
        match damage {
            None => std::fs::remove_file(&path).unwrap(),
            Some(bytes) => write(&path, bytes),
        }
        let refused = both
            .bench
            .refused("vendor ledger ack plant -o issued.ack", "E-STATE", "package-file");
        assert!(refused.stderr.contains("package 1 of site"), "{}", refused.stderr);
        assert_eq!(rows(), before);
        assert!(!both.bench.path("issued.ack").try_exists().unwrap());
        // As the message says.
        let known = both.bench.good(&format!("status verify {name}"));
        assert_eq!(
            (&known[0]["result"], &known[0]["file_put_back"]),
            (&json!("already"), &json!(true))
        );
        assert_eq!(read(&kept().unwrap()), bytes);
    }
    // A damaged copy of what is here whole is said to be one, and lets nobody believe that it is kept.
    write(&both.bench.path("cut"), &bytes[..bytes.len() - 600]);
    let known = both.bench.good("status verify cut");
    assert_eq!(known[0]["result"], "already");
    assert!(
        known[0]["copy_is_damaged"].as_str().unwrap().contains("ends after "),
        "{known}"
    );
    let (value, says) = both.issue();
    assert_eq!((value["result"].as_str(), says.records), (Some("new"), 100));
}
