//! `airlock status list`: what was made for a vendor, and how far each package is.
#![allow(clippy::disallowed_methods, reason = "tests remove what they made")]

use std::process::Command;

use serde_json::{Value, json};

use super::both::Both;
use crate::support::appliance::AIRLOCK;

fn states(listed: &Value) -> Vec<(u64, String, bool, bool)> {
    let packages = listed["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|one| {
            (
                one["number"].as_u64().unwrap(),
                one["state"].as_str().unwrap().to_owned(),
                one["acknowledged"].as_bool().unwrap(),
                one["has_file"].as_bool().unwrap(),
            )
        })
        .collect()
}

#[test]
fn the_list_says_how_far_each_package_is() {
    let both = Both::new();
    assert_eq!(both.bench.good("status list"), json!({"packages": []}));
    for _ in 0..3 {
        both.bench.good("status export first.airlock-status");
        both.bench.good("status verify first.airlock-status");
        both.issue();
        both.bench.good("status acknowledge issued.ack");
        std::fs::remove_file(both.bench.path("first.airlock-status")).unwrap();
    }
    for _ in 0..2 {
        both.bench.good("status export last.airlock-status");
        std::fs::remove_file(both.bench.path("last.airlock-status")).unwrap();
    }
    both.bench.good("status preview");
    let listed = both.bench.good("status list");
    let word = |state: &str| state.to_owned();
    let list = states(&listed);
    assert_eq!(list.len(), 6, "{listed}");
    assert_eq!((&list[0].1, list[0].2), (&word("exported"), true));
    assert_eq!(list[4], (5, word("exported"), false, true));
    assert_eq!(list[5], (6, word("draft"), false, true));
    // What it says can leave once more leaves; what was let go and what was never made is answered with the list.
    both.bench.good("status export again.airlock-status --again 5");
    let gone = list
        .iter()
        .find(|one| one.2 && !one.3)
        .expect("an acknowledged package without a file")
        .0;
    for number in [gone, 9] {
        let refused = both.bench.refused(
            &format!("status export more.airlock-status --again {number}"),
            "E-USAGE",
            "again",
        );
        assert!(refused.stderr.contains("`airlock status list"), "{}", refused.stderr);
    }
    let mut command = Command::new(AIRLOCK);
    command.args(["status", "list", "--state"]).arg(both.bench.state());
    let human = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert!(
        human.starts_with("VENDOR ") && human.contains("acknowledged") && human.contains("draft"),
        "{human}"
    );
}
