//! Two bundles compared: what the later one has that the earlier one has not.

use serde_json::{Value, json};

use super::workbench::Workbench;
use crate::support::appliance::Ended;
use crate::support::bundles::{REPOSITORY, SMALL_CHUNKS};
use crate::support::desired::Desired;
use crate::support::site::{digest, noise};

#[test]
fn names_layers_and_sizes_are_compared() {
    let bench = Workbench::new();
    let (kept, old, new) = (noise(2_000_000, 1), noise(900, 2), noise(1_100, 3));
    let a = bench.vendor.bundle(1, &[kept.clone(), old.clone()], SMALL_CHUNKS);
    let b = bench.vendor.bundle(2, &[kept, new.clone()], SMALL_CHUNKS);
    let ended = Ended::of(&bench.diff(&a, &b, "json"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let found = &ended.result;
    assert_eq!(
        (&found["same"], &found["a"]["sequence"], &found["b"]["sequence"]),
        (&json!(false), &json!(1), &json!(2))
    );
    // `latest` moved, and `v1` became `v2`.
    let tags = |member: &str| -> Vec<&Value> {
        let changed = found["names"]["changed"].as_array().unwrap().iter();
        changed.map(|changed| &changed[member]["tag"]).collect()
    };
    assert_eq!(
        (tags("from"), tags("to")),
        (
            vec![&json!("latest"), &json!("v1")],
            vec![&json!("latest"), &json!("v2")]
        )
    );
    for changed in found["names"]["changed"].as_array().unwrap() {
        let layer = |layer: &[u8]| json!([{"digest": digest(layer), "size": layer.len()}]);
        assert_eq!(
            changed["layers"],
            json!({"added": layer(&new), "removed": layer(&old), "same": 1})
        );
    }
    assert_eq!(
        (&found["names"]["added"], &found["names"]["removed"]),
        (&json!([]), &json!([]))
    );
    // Layer, config, manifest, notes.
    assert_eq!(found["content"]["added"].as_array().unwrap().len(), 4);
    let human = String::from_utf8(bench.diff(&a, &b, "human").stdout).unwrap();
    assert!(
        human.contains(&format!(
            "~ {REPOSITORY} v1 -> v2: 1 layer new (1.1 KiB), 1 gone (900 B), 1 the same"
        )),
        "{human}"
    );
}

#[test]
fn a_bundle_is_the_same_as_itself() {
    let bench = Workbench::new();
    let a = bench.vendor.bundle(1, &[noise(900, 2)], SMALL_CHUNKS);
    let ended = Ended::of(&bench.diff(&a, &a, "json"));
    let found = &ended.result;
    assert_eq!(
        (&found["same"], &found["names"]["same"]),
        (&json!(true), &json!(2)),
        "{}",
        ended.stderr
    );
    assert_eq!(found["content"], json!({"added": [], "removed": []}));
}

#[test]
fn applications_and_targets_are_compared() {
    let bench = Workbench::new();
    let a = bench.vendor.with_targets(1, |image| Desired::docker(image, 2, "one"));
    let b = bench.vendor.with_targets(2, |image| Desired::docker(image, 3, "two"));
    let ended = Ended::of(&bench.diff(&a, &b, "json"));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let targets = &ended.result["targets"];
    let names = |list: &Value| -> Vec<String> {
        let each = list.as_array().unwrap().iter();
        each.map(|target| target["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&targets["added"]), ["edge-2"]);
    assert_eq!(names(&targets["removed"]), Vec::<String>::new());
    let mut changed = names(&targets["changed"]);
    changed.sort();
    assert_eq!(changed, ["edge-0", "edge-1"]);
    let application = &targets["changed"][0]["changes"];
    assert!(
        application
            .as_array()
            .unwrap()
            .iter()
            .any(|change| change.get("revised").is_some()),
        "{application}"
    );
    let human = String::from_utf8(bench.diff(&a, &b, "human").stdout).unwrap();
    assert!(
        human.contains("targets      2 changed, 1 added, 0 no longer stated, 0 the same"),
        "{human}"
    );
    // Backwards: what was added is no longer stated.
    let back = Ended::of(&bench.diff(&b, &a, "json"));
    assert_eq!(names(&back.result["targets"]["removed"]), ["edge-2"]);
    // An application that comes or goes is none that changes.
    let none = bench.vendor.bundle(3, &[noise(900, 2)], SMALL_CHUNKS);
    for (pair, counts, line) in [
        (
            [&none, &a],
            "applications 0 changed, 1 added, 0 no longer stated, 0 the same",
            "\n  + ",
        ),
        (
            [&a, &none],
            "applications 0 changed, 0 added, 1 no longer stated, 0 the same",
            "\n  - ",
        ),
        (
            [&a, &b],
            "applications 1 changed, 0 added, 0 no longer stated, 0 the same",
            "\n  ~ ",
        ),
    ] {
        let human = String::from_utf8(bench.diff(pair[0], pair[1], "human").stdout).unwrap();
        let (_, below) = human.split_once(counts).unwrap_or_else(|| panic!("{human}"));
        assert!(below.starts_with(line), "{human}");
    }
}

#[test]
fn neither_is_read_that_is_not_good() {
    let bench = Workbench::new();
    let a = bench.vendor.bundle(1, &[noise(900, 2)], SMALL_CHUNKS);
    let mut b = bench.vendor.bundle(2, &[noise(900, 3)], SMALL_CHUNKS);
    let other = Workbench::new().vendor.bundle(2, &[noise(900, 3)], SMALL_CHUNKS);
    let ended = Ended::of(&bench.diff(&a, &other, "json"));
    ended.assert_refused("E-TRUST", "unknown-domain", "X3");
    // The first chunk holds what is compared.
    let at = b.bytes.len() - 3_050;
    b.bytes[at] ^= 1;
    let ended = Ended::of(&bench.diff(&a, &b, "json"));
    assert_eq!(
        ended.refusal.as_ref().map(|(class, ..)| class.as_str()),
        Some("E-INTEGRITY"),
        "{}",
        ended.stderr
    );
}
