//! M-114: who lacks a fix.

use airlock::crypto::ReceiptResult;
use airlock::domain::{Audience, Uuid};
use serde_json::Value;

use super::ask_made::{Ledger, uuid};

const CVE: &str = "CVE-2026-41234";
const HEALTHY: (&str, &str, &str) = ("healthy", "well", "2026-11-20T09:00:00Z");

fn rows(ledger: &Ledger, more: &[&str]) -> Vec<(String, String, Value)> {
    let words = [&["vendor", "ledger", "who-lacks", CVE][..], more].concat();
    let answer = ledger.json(&words);
    let word = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = answer["sites"].as_array().unwrap();
    rows.iter()
        .map(|row| (word(row, "name"), word(row, "fix"), row["why"].clone()))
        .collect()
}

fn of(rows: &[(String, String, Value)], name: &str) -> (String, Option<String>) {
    let row = rows.iter().find(|row| row.0 == name).unwrap();
    (row.1.clone(), row.2.as_str().map(ToOwned::to_owned))
}

#[test]
fn the_table_is_that_of_the_specification() {
    let ledger = Ledger::plants();
    let table = ledger.said("human", &["vendor", "ledger", "who-lacks", CVE]);
    assert_eq!(
        table,
        "SITE     PRODUCT   RUNS     SINCE       STATE    AS OF             FIX\n\
         dock-1   acme-erp  –        –           –        never             unknown\n\
         mill-2   acme-erp  7 (7.0)  2026-10-02  running  2026-11-18 07:30  lacks\n\
         plant-7  acme-erp  9 (9.1)  2026-11-20  healthy  2026-11-21 12:00  has\n"
    );
    // The version of the bar asks the same; an earlier one is had by both that report.
    let by_version = ledger.json(&["vendor", "ledger", "who-lacks", "9.1"]);
    assert_eq!(
        by_version["bars"],
        ledger.json(&["vendor", "ledger", "who-lacks", CVE])["bars"]
    );
    let earlier = ledger.json(&["vendor", "ledger", "who-lacks", "7.0"]);
    let fixes: Vec<&str> = earlier["sites"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["fix"].as_str().unwrap())
        .collect();
    assert_eq!(fixes, ["unknown", "has", "has"]);
    let (class, code) = ledger.refused(&["vendor", "ledger", "who-lacks", "CVE-2026-1"]);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "no-fix"));
}

#[test]
fn what_is_old_in_doubt_or_never_told_is_never_counted_as_has() {
    let ledger = Ledger::plants();
    assert_eq!(of(&rows(&ledger, &[]), "plant-7"), ("has".into(), None));
    // Both packages are older than a day by any clock that runs these tests, and none is older than a thousand weeks.
    let old = rows(&ledger, &["--as-of-max", "0m"]);
    for (name, why) in [("plant-7", "stale"), ("mill-2", "stale"), ("dock-1", "never")] {
        assert_eq!(of(&old, name), ("unknown".into(), Some(why.into())));
    }
    assert_eq!(
        of(&rows(&ledger, &["--as-of-max", "100000w"]), "plant-7"),
        ("has".into(), None)
    );

    // A second deployment in doubt makes unknown what would be has; of the one that lacks, it changes nothing.
    for (number, target) in [(1, 1), (2, 2)] {
        let package = ledger.package(if number == 1 { 1 } else { 2 }, 90, "2026-11-21T12:00:00Z", (1, 1));
        let id = uuid(300 + number);
        ledger.release(
            10 + u64::from(number),
            "later",
            &[],
            &Audience::ANY,
            &[(300 + number, target, 1000 + number, None)],
        );
        ledger.deployment(
            number,
            uuid(target),
            id,
            Err("half-applied"),
            ("error", "failed", HEALTHY.2),
            package,
        );
    }
    let doubtful = rows(&ledger, &[]);
    assert_eq!(of(&doubtful, "plant-7"), ("unknown".into(), Some("doubt".into())));
    assert_eq!(of(&doubtful, "mill-2"), ("lacks".into(), None));
    // What was taken away and is gone counts no more; what was taken away and may still run does.
    let take_away = |doubt: &str| {
        let sql = format!("UPDATE deployment_now SET removed = 1790000000, doubt = {doubt} WHERE state = 'error'");
        ledger.sql().execute_batch(&sql).unwrap();
        of(&rows(&ledger, &[]), "plant-7").0
    };
    assert_eq!(take_away("'removing'"), "unknown");
    assert_eq!(take_away("NULL"), "has");
    // Nothing of a site that was withdrawn counts.
    ledger.withdraw(1);
    assert!(rows(&ledger, &[]).iter().all(|row| row.0 != "plant-7"));
}

#[test]
fn without_deployments_the_newest_activation_on_the_shown_line_decides() {
    let ledger = Ledger::new();
    for (number, name) in [(1, "a"), (2, "b"), (3, "c")] {
        ledger.enrol(number, name);
        let instance = ledger.instance(number, number, None, 1);
        ledger.package(instance, 1, "2026-11-21T12:00:00Z", (1, 2));
    }
    for (sequence, fixes) in [(7, &[][..]), (9, &[CVE]), (11, &[])] {
        ledger.release(sequence, &format!("{sequence}.0"), fixes, &Audience::ANY, &[]);
    }
    let verdicts = || rows(&ledger, &[]).into_iter().map(|row| row.1).collect::<Vec<_>>();
    ledger.receipt(1, 1, 1, ReceiptResult::Activated, 11, "2026-11-01T00:00:00Z");
    ledger.receipt(2, 2, 1, ReceiptResult::Imported, 11, "2026-11-01T00:00:00Z");
    assert_eq!(verdicts(), ["has", "lacks", "lacks"]);
    // A step back to an earlier release is the newest activation.
    ledger.receipt(1, 1, 2, ReceiptResult::Activated, 7, "2026-11-02T00:00:00Z");
    assert_eq!(verdicts(), ["lacks", "lacks", "lacks"]);
    // What only a lost branch told does not count.
    let next = ledger.instance(1, 9, Some(1), 2);
    ledger.package(next, 1, "2026-11-22T12:00:00Z", (2, 1));
    assert_eq!(verdicts(), ["has", "lacks", "lacks"]);
    // Nor what was not signed here for this site.
    ledger
        .sql()
        .execute_batch("UPDATE receipt SET matched = 0 WHERE instance = 1 AND number = 1")
        .unwrap();
    assert_eq!(verdicts(), ["lacks", "lacks", "lacks"]);
}

/// A site that has the release live and says nothing of what runs is believed nothing.
#[test]
fn what_was_signed_for_a_site_and_is_not_listed_there_is_in_doubt() {
    let ledger = Ledger::plants();
    assert_eq!(of(&rows(&ledger, &[]), "plant-7"), ("has".into(), None));
    ledger
        .sql()
        .execute_batch("DELETE FROM deployment_now WHERE site LIKE '%1'")
        .unwrap();
    assert_eq!(
        of(&rows(&ledger, &[]), "plant-7"),
        ("unknown".into(), Some("doubt".into()))
    );
    let table = ledger.said("human", &["vendor", "ledger", "who-lacks", CVE]);
    assert!(table.contains("in doubt: not listed by the site"), "{table}");
    // Nor where it lists one of two: the second one decides.
    let ledger = Ledger::plants();
    ledger.release(
        12,
        "12.0",
        &[],
        &Audience::ANY,
        &[(100, 1, 900, None), (101, 1, 901, None)],
    );
    assert_eq!(
        of(&rows(&ledger, &[]), "plant-7"),
        ("has".into(), None),
        "not live there"
    );
    let package = ledger.package(1, 93, "2026-11-21T12:00:00Z", (1, 3));
    ledger.receipt(1, 1, 3, ReceiptResult::Activated, 12, "2026-11-21T08:00:00Z");
    assert_eq!(
        of(&rows(&ledger, &[]), "plant-7"),
        ("unknown".into(), Some("doubt".into()))
    );
    ledger.deployment(1, uuid(1), uuid(101), Ok(uuid(901)), HEALTHY, package);
    assert_eq!(of(&rows(&ledger, &[]), "plant-7"), ("has".into(), None));
}

#[test]
fn a_site_speaks_for_its_own_deployments_only() {
    let ledger = Ledger::plants();
    // mill-2 says that plant-7's deployment, which runs the fix, is its own; and that a stranger's does.
    ledger
        .sql()
        .execute_batch("DELETE FROM deployment_now WHERE site LIKE '%2'")
        .unwrap();
    let package = ledger.package(2, 91, "2026-11-21T12:00:00Z", (1, 1));
    ledger.deployment(2, uuid(2), uuid(100), Ok(uuid(900)), HEALTHY, package);
    ledger.deployment(2, uuid(2), uuid(4711), Ok(uuid(900)), HEALTHY, package);
    let answer = ledger.json(&["vendor", "ledger", "who-lacks", CVE]);
    let mill = &answer["sites"][1];
    assert_eq!(mill["name"], "mill-2");
    assert_eq!(mill["deployments"], 0, "{mill}");
    assert_eq!(mill["fix"], "lacks", "by its receipts");
    // The twin: its own deployment with the revision of the fix.
    ledger.deployment(2, uuid(2), uuid(200), Ok(uuid(901)), HEALTHY, package);
    assert_eq!(of(&rows(&ledger, &[]), "mill-2"), ("has".into(), None));
    // A revision that no release gave it is none at or above the bar.
    ledger
        .sql()
        .execute(
            "UPDATE deployment_now SET runs = zeroblob(16) WHERE deployment = ?",
            [uuid(200).as_bytes()],
        )
        .unwrap();
    assert_eq!(of(&rows(&ledger, &[]), "mill-2"), ("lacks".into(), None));
}

#[test]
fn targets_that_were_made_at_a_site_count_as_those_that_they_follow() {
    let ledger = Ledger::plants();
    let package = ledger.package(1, 92, "2026-11-21T12:00:00Z", (1, 1));
    let local: Uuid = uuid(5000);
    ledger.target(1, local, "2026-11-21T11:00:00Z", Some(1), package);
    let deployment = Uuid::derived("local-deployment", &[&local.to_string(), &uuid(100).to_string()]);
    let revision = |of: u32| Uuid::derived("local-revision", &[&local.to_string(), &uuid(of).to_string()]);
    ledger.deployment(1, local, deployment, Ok(revision(700)), HEALTHY, package);
    let answer = ledger.json(&["vendor", "ledger", "who-lacks", CVE]);
    let plant = &answer["sites"][2];
    assert_eq!(
        (&plant["fix"], &plant["deployments"], &plant["lacking"]),
        (&"lacks".into(), &2.into(), &1.into())
    );
    assert_eq!(plant["runs"]["version"], "7.0");
    ledger
        .sql()
        .execute(
            "UPDATE deployment_now SET runs = ?, wanted = ? WHERE deployment = ?",
            [revision(900), revision(900), deployment].map(|id| *id.as_bytes()),
        )
        .unwrap();
    assert_eq!(of(&rows(&ledger, &[]), "plant-7"), ("has".into(), None));
    let shown = ledger.said("human", &["status", "show", "plant-7"]);
    assert!(
        shown.contains(&format!("unknown {local} (made there like hall-1)  web")),
        "{shown}"
    );
}

#[test]
fn a_deployment_of_two_channels_belongs_to_the_one_that_is_live() {
    let ledger = Ledger::plants();
    // The beta channel states the same deployments, as a hub's ids allow; nothing of it is live anywhere.
    ledger.release_in(
        "beta",
        20,
        "20.0",
        &["CVE-2026-7"],
        &Audience::ANY,
        &[(100, 1, 2000, None), (200, 2, 2001, None)],
    );
    let answer = ledger.json(&["vendor", "ledger", "who-lacks", "CVE-2026-7"]);
    let counts: Vec<_> = answer["sites"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["deployments"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [0, 0, 0]);
    assert_eq!(of(&rows(&ledger, &[]), "plant-7"), ("has".into(), None));
}
