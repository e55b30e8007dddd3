//! What a summary tells stands beside what packages told, with its own time and source.

use std::process::Command;

use airlock::domain::Hash;
use airlock::package::{Age, SignedSummary, Summary, SummaryDeployments, SummaryLive, SummaryRelease};
use airlock::vendor_side::ledger::take_summary;
use serde_json::{Value, json};

use super::plant::Plant;
use super::workshop::Workshop;
use crate::support::appliance::AIRLOCK;

fn said(shop: &Workshop, format: &str, words: &[&str]) -> String {
    let output = Command::new(AIRLOCK)
        .args(words)
        .args(["--format", format, "-w"])
        .arg(shop.path(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A summary of a package that did not come, in which a release is live.
fn summary(plant: &Plant, number: u64, live: Hash) -> Vec<u8> {
    let instance = plant.instance.as_str();
    let bytes = data_encoding::HEXLOWER.decode(instance.as_bytes()).unwrap();
    let summary = Summary {
        site: plant.site.to_bytes()[..4].try_into().unwrap(),
        instance: bytes[..8].try_into().unwrap(),
        number,
        head: [9; 16],
        made_at: plant.now,
        records: 0,
        receipts: 0,
        audit: 1,
        seal: [1; 8],
        lost: 0,
        damaged: 0,
        refused: 0,
        releases: vec![SummaryRelease {
            head: live.0[..6].try_into().unwrap(),
            age: Age::from_byte(0),
            live: Some(SummaryLive {
                deployments: SummaryDeployments::Counted {
                    by_state: [0, 0, 0, 0, 1, 2],
                    not_wanted: 0,
                },
                local: Vec::new(),
            }),
        }],
    };
    SignedSummary::sign(summary, plant.domain, &plant.site, &plant.key())
        .unwrap()
        .bytes
}

#[test]
fn a_summary_has_its_own_time_and_source_and_accuses_nobody() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let ((first, content), (second, _)) = (shop.sign(1, None), shop.sign(2, None));
    plant.releases = vec![plant.holds(first, 1, 1, content)];
    shop.take(&plant.export());
    plant.now = plant.now.plus_seconds(600);
    let taken = take_summary(&shop.workspace, &summary(&plant, 2, second), shop.now).unwrap();
    assert!(taken.is_newest);
    let told = serde_json::to_value(&taken).unwrap();
    assert_eq!(
        told["releases"][0]["by_state"],
        json!({"no_status": 0, "error": 0, "stale": 0, "progressing": 0, "running": 1, "healthy": 2})
    );

    let shown: Value = serde_json::from_str(&said(&shop, "json", &["status", "show", "plant-1"])).unwrap();
    let facts = |sequence: usize| {
        let release = &shown["releases"][sequence - 1];
        ["state", "agrees", "source", "as_of", "since", "imported_at"].map(|member| release[member].clone())
    };
    let time = json!(plant.now);
    assert_eq!(
        facts(2),
        [
            json!("active"),
            Value::Null,
            json!("summary"),
            time.clone(),
            time.clone(),
            Value::Null
        ]
    );
    let imported = json!(plant.now.plus_seconds(-600));
    assert_eq!(
        facts(1),
        [
            json!("retired"),
            json!(true),
            json!("summary"),
            time.clone(),
            Value::Null,
            imported
        ]
    );
    assert_eq!(shown["summary"], json!({"number": 2, "as_of": time}));
    let text = said(&shop, "human", &["status", "show", "plant-1"]);
    assert!(
        text.contains("shop/stable 2 (v1) active since 2026-11-21 12:10, by a summary as of 2026-11-21 12:10"),
        "{text}"
    );
    assert!(
        text.contains("summary      of package 2, as of ") && !text.contains("not as it was signed"),
        "{text}"
    );
    let all = said(&shop, "human", &["status", "show"]);
    assert!(all.contains("2026-11-21 12:10  by a summary"), "{all}");

    // The package comes, and wins.
    plant.releases = vec![plant.holds(second, 2, 1, content)];
    plant.number = 2;
    let package = plant.export();
    let verdict = shop.verdict(&package, false);
    assert!(
        matches!(verdict, airlock::vendor_side::ledger::Outcome::Taken(_)),
        "{verdict:?}"
    );
    let shown: Value = serde_json::from_str(&said(&shop, "json", &["status", "show", "plant-1"])).unwrap();
    assert_eq!(
        (&shown["summary"], &shown["releases"][0]["source"]),
        (&Value::Null, &json!("package"))
    );
}

/// The first word of a site, before any package: kept, and concluded from once a package told of its instance.
#[test]
fn a_summary_before_every_package_counts_from_the_first_package_on() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let ((first, content), (second, _)) = (shop.sign(1, None), shop.sign(2, None));
    plant.releases = vec![plant.holds(first, 1, 1, content)];
    let package = plant.export();
    let before = plant.now;
    plant.now = plant.now.plus_seconds(600);
    let bytes = summary(&plant, 2, second);
    plant.now = before;
    let take = || take_summary(&shop.workspace, &bytes, shop.now).unwrap();
    let taken = take();
    assert_eq!(
        (taken.known, taken.instance_known, taken.is_newest),
        (false, false, false)
    );
    assert_eq!(
        (shop.count("held"), shop.count("coverage"), shop.count("instance")),
        (0, 0, 0)
    );
    assert_eq!(shop.found(&package).1, ["summary-instance"]);
    let live = || {
        let shown: Value = serde_json::from_str(&said(&shop, "json", &["status", "show", "plant-1"])).unwrap();
        shown["releases"]
            .as_array()
            .unwrap()
            .iter()
            .find(|release| release["state"] == "active")
            .unwrap()["sequence"]
            .clone()
    };
    assert_eq!(live(), 2);
    let covered = shop.count("coverage");
    let taken = take();
    assert_eq!((taken.known, taken.instance_known, taken.is_newest), (true, true, true));
    assert_eq!((live(), shop.count("coverage")), (json!(2), covered));
}

/// As of a package: told, and nothing is refused.
#[test]
fn a_summary_from_the_future_is_a_finding() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let (release, _) = shop.sign(1, None);
    shop.take(&plant.export());
    let finding = "finding WHERE code = 'clock-ahead'";
    plant.now = shop.now.plus_seconds(86_400);
    let taken = take_summary(&shop.workspace, &summary(&plant, 2, release), shop.now).unwrap();
    assert_eq!((taken.clock_ahead, shop.count(finding)), (None, 0));
    plant.now = shop.now.plus_seconds(90_000);
    let taken = take_summary(&shop.workspace, &summary(&plant, 3, release), shop.now).unwrap();
    let said = taken.clock_ahead.unwrap();
    assert!(
        said.starts_with("a summary of package 3 was made at ") && said.contains("1 d 1 h ahead of the clock here"),
        "{said}"
    );
    assert_eq!(shop.query::<String>(&format!("SELECT detail FROM {finding}")), said);
}
