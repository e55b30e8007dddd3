//! What runs where since when, what failed and why, what is stale, what was lost.

use airlock::crypto::ReceiptResult;
use airlock::domain::Audience;
use serde_json::{Value, json};

use super::ask_made::{Ledger, python, site, uuid};

/// Ages that no clock that runs these tests makes stale.
const FRESH: [&str; 4] = ["--as-of-max", "100000w", "--seen-max", "100000w"];

#[test]
fn an_empty_ledger_answers_everything() {
    let ledger = Ledger::new();
    for (words, said) in [
        (&["status", "show"][..], "no site is enrolled\n"),
        (&["vendor", "ledger", "show"], "no release was signed here\n"),
        (&["vendor", "ledger", "sites"], "no site is enrolled\n"),
        (
            &["vendor", "ledger", "findings", "--all"],
            "nothing is to be looked at\n",
        ),
    ] {
        assert_eq!(ledger.said("human", words), said);
        assert!(ledger.json(words).is_object());
    }
    assert_eq!(ledger.said("jsonl", &["status", "show"]), "");
    assert_eq!(ledger.said("csv", &["status", "show"]).lines().count(), 1);
    for words in [
        &["status", "show", "plant-7"][..],
        &[
            "vendor",
            "ledger",
            "report",
            "plant-7",
            "--since",
            "2026-01-01T00:00:00Z",
        ],
        &["vendor", "ledger", "proof", "plant-7", "0.9", "-o", "x"],
    ] {
        assert_eq!(ledger.refused(words), ("E-USAGE".into(), "no-site".into()));
    }
    // A site that never sent a package.
    ledger.enrol(1, "plant-7");
    let shown = ledger.said("human", &["status", "show", "plant-7"]);
    assert_eq!(
        shown,
        format!(
            "plant-7 (site {})\nas of        never: no package was taken in\n",
            site(1)
        )
    );
    let all = ledger.said("human", &["status", "show"]);
    assert!(
        all.contains("plant-7  –        –     –      –            never\n"),
        "{all}"
    );
    assert!(
        all.contains("1 site, 0 stale (older than 30 d), 1 that never reported;"),
        "{all}"
    );
}

#[test]
fn all_sites_stand_in_one_table_with_what_failed() {
    let ledger = Ledger::plants();
    ledger
        .sql()
        .execute_batch("UPDATE deployment_now SET state = 'error', signal = 'rolled-back' WHERE site LIKE '%2'")
        .unwrap();
    ledger.receipt(2, 2, 2, ReceiptResult::Refused, 9, "2026-11-17T10:00:00Z");
    let said = ledger.said("human", &[&["status", "show"][..], &FRESH].concat());
    assert_eq!(
        said,
        "SITE     PRODUCT   RUNS     SINCE       DEPLOYMENTS  AS OF             NOTE\n\
         dock-1   –         –        –           –            never\n\
         mill-2   acme-erp  7 (7.0)  2026-10-01  1 failed     2026-11-18 07:30\n\
         plant-7  acme-erp  9 (9.1)  2026-11-20  1 healthy    2026-11-21 12:00\n\
         \n\
         failed:\n  \
         mill-2  web on hall-2: error (rolled-back) since 2026-10-02 00:00, reported 3 times\n  \
         mill-2  release 9 of acme-erp/stable refused 2026-11-17 10:00: E-CONTENT not-carried (receipt 2)\n\
         \n\
         3 sites, 0 stale (older than 700000 d), 1 that never reported; every line is as of its own time\n"
    );
    let json = ledger.json(&[&["status", "show"][..], &FRESH].concat());
    let mill = &json["sites"][1];
    assert_eq!(mill["failed"][0]["release"]["version"], "7.0");
    assert_eq!(mill["refused"][0]["error_code"], "not-carried");
    assert_eq!(
        (&mill["stale"], &mill["as_of"]),
        (&json!(false), &json!("2026-11-18T07:30:00Z"))
    );
    // Sites stand in a column of their own.
    ledger
        .sql()
        .execute_batch("UPDATE deployment_now SET state = 'error', signal = 'rolled-back'")
        .unwrap();
    let both = ledger.said("human", &[&["status", "show"][..], &FRESH].concat());
    assert!(
        both.contains("\n  mill-2   web on hall-2: ") && both.contains("\n  plant-7  web on hall-1: "),
        "{both}"
    );
    // A release as new that came in later answers the refusal; an older one does not.
    ledger.receipt(2, 2, 3, ReceiptResult::Imported, 7, "2026-11-17T11:00:00Z");
    assert!(ledger.said("human", &["status", "show"]).contains("refused"));
    ledger.receipt(2, 2, 4, ReceiptResult::Imported, 9, "2026-11-17T12:00:00Z");
    assert!(!ledger.said("human", &["status", "show"]).contains("refused"));
    // Limits that everything is beyond.
    let old = ledger.said("human", &["status", "show", "--as-of-max", "0m", "--seen-max", "0m"]);
    assert_eq!(old.matches("stale: ").count(), 2, "{old}");
    assert_eq!(old.matches("1 target not heard").count(), 2, "{old}");
    ledger.withdraw(2);
    let withdrawn = ledger.said("human", &["status", "show"]);
    assert!(
        withdrawn
            .lines()
            .any(|line| line.starts_with("mill-2") && line.contains("withdrawn")),
        "{withdrawn}"
    );
}

#[test]
fn one_site_is_shown_by_name_or_id_with_its_history_on_the_shown_line() {
    let ledger = Ledger::plants();
    ledger.record(
        1,
        1,
        uuid(100),
        "2026-11-19T09:00:00Z",
        "progressing",
        Some("pulling\\0aimages"),
    );
    ledger.record(1, 2, uuid(100), "2026-11-20T09:00:00Z", "healthy", None);
    // Of the first instance above where the second begins: lost.
    ledger.record(1, 12, uuid(100), "2026-11-20T10:00:00Z", "error", None);
    ledger.told(1, 1, 1, 12);
    let next = ledger.instance(1, 0x12, Some(1), 11);
    ledger.package(next, 1, "2026-11-22T12:00:00Z", (3, 2));
    ledger.record(next, 12, uuid(100), "2026-11-21T09:00:00Z", "running", None);
    ledger.told(next, 1, 12, 14);
    let site_id = site(1).to_string();
    let by_name = ledger.said("human", &[&["status", "show", "plant-7"][..], &FRESH].concat());
    assert_eq!(
        by_name,
        ledger.said("human", &[&["status", "show", &site_id][..], &FRESH].concat())
    );
    let history = by_name.split("history, the newest first:\n").nth(1).unwrap();
    assert_eq!(
        history,
        "  web on hall-1\n    \
         #12 2026-11-21 09:00 running (well)\n    \
         #2 2026-11-20 09:00 healthy (well)\n    \
         #1 2026-11-19 09:00 progressing (well): pulling\\0aimages\n"
    );
    assert!(by_name.contains("record 11 was never told here\n"), "{by_name}");
    assert!(
        by_name.contains(
            "records 11 to 12 stand on a lost branch, instance 00000000000000000000000000000011, and do not count"
        ),
        "{by_name}"
    );
    assert!(
        by_name.contains("TARGET  APPLICATION  RUNS     SINCE             STATE    SEEN"),
        "{by_name}"
    );
    let json = ledger.json(&["status", "show", "plant-7", "--last", "1"]);
    assert_eq!(json["deployments"][0]["history"].as_array().unwrap().len(), 1);
    assert_eq!(json["deployments"][0]["history"][0]["number"], 12);
    assert_eq!(json["deployments"][0]["release"]["sequence"], 9);
    assert_eq!(json["lost"][0]["last_number"], 12);
    let all = ledger.json(&["status", "show", "plant-7", "--last", "all"]);
    assert_eq!(all["deployments"][0]["history"].as_array().unwrap().len(), 3);
    let sites = ledger.json(&["vendor", "ledger", "sites"]);
    let plant = &sites["sites"][2];
    assert_eq!(
        (&plant["reach"]["records"], &plant["packages"]),
        (&json!(10), &json!(2))
    );
    assert_eq!(plant["lineage"].as_array().unwrap().len(), 2);
}

#[test]
fn what_no_release_states_for_the_site_is_unknown() {
    let ledger = Ledger::plants();
    let package = ledger.package(1, 93, "2026-11-21T12:00:00Z", (1, 1));
    // The target of mill-2, and one of nobody; both say that they run what is known.
    let healthy = ("healthy", "well", "2026-11-20T09:00:00Z");
    for (target, deployment) in [(2, 200), (77, 770)] {
        ledger.target(1, uuid(target), "2026-11-21T11:00:00Z", None, package);
        ledger.deployment(1, uuid(target), uuid(deployment), Ok(uuid(901)), healthy, package);
    }
    let json = ledger.json(&["status", "show", "plant-7"]);
    let of = |list: &str, id: u32, member: &str| {
        let rows = json[list].as_array().unwrap();
        let row = rows.iter().find(|row| row[member] == uuid(id).to_string()).unwrap();
        (
            row["target_name"].clone(),
            row["application"].clone(),
            row["release"].clone(),
        )
    };
    for (target, deployment) in [(2, 200), (77, 770)] {
        assert_eq!(of("targets", target, "target").0, Value::Null);
        assert_eq!(
            of("deployments", deployment, "deployment"),
            (Value::Null, Value::Null, Value::Null)
        );
    }
    assert_eq!(of("deployments", 100, "deployment").1, "web");
    let human = ledger.said("human", &["status", "show", "plant-7"]);
    assert!(
        human.contains(&format!("unknown {}  unknown {}", uuid(2), uuid(200))),
        "{human}"
    );
    assert!(!human.contains("hall-2"));
}

#[test]
fn what_was_signed_is_listed_with_the_sites_that_have_it() {
    let ledger = Ledger::plants();
    ledger.release(10, "10.0", &[], &Audience::Sites(vec![site(1), site(2)]), &[]);
    ledger.held(1, 7, "retired", "2026-11-20T08:00:00Z");
    let shown = ledger.json(&["vendor", "ledger", "show"]);
    let rows: Vec<_> = shown["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["sequence"].clone(),
                row["audience"].clone(),
                row["sites"]["active"].clone(),
                row["sites"]["retired"].clone(),
            )
        })
        .collect();
    let row = |sequence: u64, audience: Value, active: u64, retired: u64| {
        (json!(sequence), audience, json!(active), json!(retired))
    };
    assert_eq!(
        rows,
        [
            row(10, json!(2), 0, 0),
            row(9, json!("any"), 1, 0),
            row(7, json!("any"), 1, 1)
        ]
    );
    assert_eq!(shown["releases"][1]["fixes"], json!(["CVE-2026-41234"]));
    let human = ledger.said("human", &["vendor", "ledger", "show"]);
    assert!(
        human.contains("acme-erp/stable  9 (9.1)    any      1     0      0 "),
        "{human}"
    );
}

#[test]
fn findings_are_listed_and_ended_by_name() {
    let ledger = Ledger::plants();
    ledger
        .sql()
        .execute(
            "INSERT INTO finding (site, code, detail, count, at) VALUES (?, 'branches', 'two lives report', 2, 1790000000)",
            [site(1).as_str()],
        )
        .unwrap();
    let listed = ledger.said("human", &["vendor", "ledger", "findings"]);
    assert_eq!(
        listed,
        "FINDING  SITE     CODE      COUNT  SINCE             WHAT\n\
         F1       plant-7  branches  2      2026-09-21 14:13  two lives report\n\
         \n\
         what to do; what was looked at ends with `airlock vendor ledger end FINDING -w w`:\n  \
         branches: ask the site which of its state folders goes on: `airlock recover --as cloned` there lets its next package be \
         what is shown; have the other one taken out of use, or recovered as well\n"
    );
    assert_eq!(
        ledger.refused(&["vendor", "ledger", "end", "F2"]),
        ("E-USAGE".into(), "finding".into())
    );
    assert_eq!(
        ledger.refused(&["vendor", "ledger", "end", "7"]),
        ("E-USAGE".into(), "finding".into())
    );
    let ended = ledger.json(&["vendor", "ledger", "end", "F1"]);
    assert_eq!(
        (&ended["code"], &ended["site"]),
        (&json!("branches"), &json!(site(1).to_string()))
    );
    assert_eq!(ledger.json(&["vendor", "ledger", "findings"])["findings"], json!([]));
    let all = ledger.json(&["vendor", "ledger", "findings", "--all"]);
    assert!(all["findings"][0]["ended_at"].is_string());
    let actions: String = ledger
        .sql()
        .query_row("SELECT group_concat(action) FROM audit", [], |row| row.get(0))
        .unwrap();
    assert_eq!(actions, "finding-end");
}

#[test]
fn lines_for_other_tools_carry_everything_and_the_table_the_same() {
    let ledger = Ledger::plants();
    ledger.record(
        1,
        1,
        uuid(100),
        "2026-11-19T09:00:00Z",
        "progressing",
        Some("=1+1, \"x\""),
    );
    ledger.told(1, 1, 1, 4);
    ledger.told(1, 1, 7, 9);
    ledger
        .sql()
        .execute_batch(&format!(
            "INSERT INTO site_gap VALUES (1, 2, NULL, 'metrics', 'folded', 2, 1, 3, 4, 1790000000, 1790000100);
             INSERT INTO metrics_day VALUES ('{0}', zeroblob(16), 20000, 1440, '[1,2,3]', '[4,5,6]', 7);
             INSERT INTO finding (site, code, detail, count, at) VALUES ('{0}', 'branches', '@two', 2, 1790000000);",
            site(1)
        ))
        .unwrap();
    let lines = ledger.said("jsonl", &["status", "show", "plant-7"]);
    let facts: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut kinds: Vec<&str> = facts.iter().map(|fact| fact["fact"].as_str().unwrap()).collect();
    kinds.dedup();
    assert_eq!(
        kinds,
        [
            "site",
            "release",
            "target",
            "deployment",
            "metrics-day",
            "receipt",
            "record",
            "gap",
            "hole",
            "finding"
        ]
    );
    let all = ledger.said("jsonl", &["status", "show"]);
    let sites: Vec<&str> = all.lines().filter(|line| line.contains("\"fact\":\"site\"")).collect();
    assert_eq!(sites.len(), 3);

    // A reader that knows nothing of airlock: as many rows, each member in its column.
    let csv = ledger.path("facts.csv");
    let jsonl = ledger.path("facts.jsonl");
    crate::support::appliance::write(&csv, ledger.said("csv", &["status", "show"]).as_bytes());
    crate::support::appliance::write(&jsonl, all.as_bytes());
    let script = "
import csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1], newline='', encoding='utf-8')))
facts = [json.loads(line) for line in open(sys.argv[2], encoding='utf-8')]
assert len(rows) == len(facts), (len(rows), len(facts))
for row, fact in zip(rows, facts):
    assert None not in row
    for member, value in fact.items():
        cell = row[member]
        if value is None: assert cell == '', (member, cell)
        elif isinstance(value, bool): assert cell == str(value).lower()
        elif isinstance(value, int): assert cell.lstrip(\"'\") == str(value) or member == 'age_seconds' or member == 'seen_age_seconds'
        elif isinstance(value, str): assert cell == (\"'\" if value[:1] in '=+-@\\t' and value else '') + value, (cell, value)
        else: assert json.loads(cell) == value
    assert not any(cell[:1] in ('=', '+', '-', '@', '\\t') for cell in row.values() if cell)
print(len(rows))
";
    let rows: usize = python(script, &[&csv, &jsonl]).trim().parse().unwrap();
    assert!(rows > 12, "{rows}");
    // The formats of this command are its own.
    for words in [&["vendor", "ledger", "show"][..], &["vendor", "sites"]] {
        assert_eq!(ledger.run("jsonl", words).status.code(), Some(2));
    }
}
