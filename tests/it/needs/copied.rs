//! Updates whose layers are copied in part from what a site holds: chosen by what it reported, or by the bundle that is named.

use std::collections::BTreeSet;
use std::process::Command;

use airlock::db::{Db, Schema, ledger};
use airlock::domain::{Digest, Hash};
use serde_json::{Value, json};

use super::world::{Site, Vendor, images};

/// What became of a layer.
fn of<'a>(made: &'a Value, layer: &Digest) -> &'a Value {
    let blobs = made["encodings"]["blobs"].as_array().unwrap();
    let found = blobs.iter().find(|blob| blob["digest"] == layer.to_string());
    found.unwrap_or_else(|| panic!("{made}"))
}

#[test]
fn a_layer_of_which_a_site_has_nearly_all_travels_as_what_changed() {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let (first, second) = (images("1.0", None), images("2.0", Some(2)));
    vendor.release(1, &first);
    vendor.create("one.airlock", &[&plant], &["--encodings", "auto"]);
    plant.import(&vendor.bundle("one.airlock")).assert_imported();
    plant.report(&vendor, 1);
    vendor.release(2, &second);
    // Another workspace of the vendor, which has not signed what comes.
    let copied = Command::new("cp")
        .arg("-r")
        .args([vendor.bundle("w"), vendor.bundle("other")])
        .status();
    assert!(copied.unwrap().success());
    let made = vendor.create("two.airlock", &[&plant], &["--encodings", "auto"]);
    let (old, new) = (first.own[2], second.own[2]);
    let copied = of(&made, &new);
    assert_eq!(
        (&copied["encoding"], &copied["bases"]),
        (&json!("delta"), &json!([old.to_string()]))
    );
    assert!(copied["travel_size"].as_u64().unwrap() < 4_000, "{copied}");
    // The old layer is no content of the release: not for who signed it, and not for who learns of it from the bundle.
    let words = ["vendor", "ledger", "learn", "two.airlock", "-w", "other"];
    assert_eq!(vendor.folder.good(&words)[0]["result"], "learned");
    let needs = |workspace: &str| -> BTreeSet<Digest> {
        let head: Hash = serde_json::from_value(made["head_digest"].clone()).unwrap();
        let ledger = Db::open(&vendor.bundle(workspace).join("ledger.db"), &Schema::LEDGER).unwrap();
        let needs = ledger.read(|connection| ledger::needs_of(connection, head)).unwrap();
        needs.unwrap().into_keys().collect()
    };
    assert!(needs("w") == needs("other") && needs("w").len() == 6 && !needs("w").contains(&old));
    // Without deltas it travels whole.
    let whole = vendor.create(
        "whole.airlock",
        &[&plant],
        &["--encodings", "recipes", "--sequence", "3"],
    );
    assert_eq!(of(&whole, &new)["reason"], "no-gain");
    plant.import(&vendor.bundle("two.airlock")).assert_imported();
    assert_eq!(std::fs::metadata(plant.blob(&new)).unwrap().len(), 100 << 10);
    // What nothing refers to any more is no need of a later release.
    plant.report(&vendor, 2);
    vendor.release(4, &second);
    let again = vendor.create("four.airlock", &[&plant], &["--encodings", "auto"]);
    assert_eq!(again["encodings"]["encoded"]["blobs"], 0);
    plant.import(&vendor.bundle("four.airlock")).assert_imported();
}

#[test]
fn a_bundle_that_is_named_is_what_sites_hold() {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let (first, second, third) = (images("1.0", None), images("2.0", Some(2)), images("3.0", Some(4)));
    vendor.release(1, &first);
    vendor.create("one.airlock", &[&plant], &["--encodings", "auto"]);
    vendor.release(2, &second);
    let named = ["--encodings", "auto", "--base", "one.airlock"];
    let made = vendor.create("two.airlock", &[&plant], &named);
    assert_eq!(of(&made, &second.own[2])["encoding"], "delta");
    assert_eq!(made["needs"], 6, "every layer but the one that changed");
    // The bytes are the same without a cache, and with another one.
    let words = [&named[..], &["--no-cache"]].concat();
    vendor.create("again.airlock", &[&plant], &words);
    let read = |name: &str| super::travel::read(&vendor, name);
    assert!(read("two.airlock") == read("again.airlock"));
    // The third builds on both.
    vendor.release(3, &third);
    let words = [&named[..], &["--base", "two.airlock", "--no-cache"]].concat();
    let made = vendor.create("three.airlock", &[&plant], &words);
    assert_eq!(of(&made, &third.own[4])["bases"], json!([first.own[4].to_string()]));
    let trust = ["--trust", "w/root.json"];
    let verify = |base: &[&str]| {
        let words = [&["bundle", "verify", "two.airlock"], &trust[..], base].concat();
        vendor.folder.good(&words)["not_restored"]["blobs"].clone()
    };
    assert_eq!((verify(&[]), verify(&["--base", "one.airlock"])), (json!(1), json!(0)));
    // A site without the first refuses, and with it takes all of them.
    let refused = plant.import(&vendor.bundle("two.airlock"));
    refused.assert_refused("E-DEPENDENCY", "needs", "X10");
    for name in ["one.airlock", "two.airlock", "three.airlock"] {
        plant.import(&vendor.bundle(name)).assert_imported();
    }
}
