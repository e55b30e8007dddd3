//! Updates whose layers are copied in part from what a site holds: chosen by what it reported, or by the bundle that is named.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use airlock::db::{Db, Schema, ledger};
use airlock::domain::{Digest, Hash};
use airlock::producer::{Producer, Sample};
use serde_json::{Value, json};

use super::world::{Site, Vendor, images, images_of, own_layer};
use crate::support::image_set::{ImageSet, MANIFEST, digest_of};
use crate::support::site::noise;
use crate::support::travel::GzipLayer;

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
    assert_eq!(fs::metadata(plant.blob(&new)).unwrap().len(), 100 << 10);
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

#[test]
fn a_base_is_named_by_its_number_or_by_a_state_folder() {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let (first, second) = (images("1.0", None), images("2.0", Some(2)));
    vendor.release(1, &first);
    vendor.create("one.airlock", &[&plant], &["--encodings", "auto"]);
    plant.import(&vendor.bundle("one.airlock")).assert_imported();
    vendor.release(2, &second);
    let state = plant.state();
    let state = state.to_str().unwrap();
    let read = |name: &str| super::travel::read(&vendor, name);
    let ways: [(&str, &[&str]); 3] = [
        ("number.airlock", &["--base", "1"]),
        ("state.airlock", &["--base", state, "--no-cache"]),
        ("bundle.airlock", &["--base", "one.airlock", "--no-cache"]),
    ];
    for (name, words) in ways {
        let made = vendor.create(name, &[&plant], &[&["--encodings", "auto"], words].concat());
        assert_eq!(of(&made, &second.own[2])["encoding"], "delta", "{name}");
        assert_eq!(
            (&made["needs"], &made["base"]["named"]),
            (&json!(6), &json!([words[1]]))
        );
        assert_eq!(made["encodings"]["lacking"], json!([]));
        assert!(read(name) == read("number.airlock"), "{name}");
    }
    plant.import(&vendor.bundle("number.airlock")).assert_imported();
    // A release that was not signed here is named by its bundle.
    let asked = |base: &'static str| {
        let words = [
            "bundle",
            "create",
            "-f",
            "release.yaml",
            "-w",
            "w",
            "-o",
            "three.airlock",
        ];
        [&words[..], &["--site", "plant-7", "--sequence", "3", "--base", base]].concat()
    };
    let (class, code, event) = vendor.folder.refused(&asked("7"));
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "base"));
    assert_eq!(event["remedy"], "name its bundle: --base FILE");
    assert!(!vendor.bundle("three.airlock").exists());
    assert_eq!(vendor.folder.good(&asked("one.airlock"))["needs"], 6);
}

/// Runs a command that must succeed; returns its result, and what it said besides.
fn said(vendor: &Vendor, words: &[&str]) -> (Value, String) {
    let output = vendor.folder.run(words);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    (serde_json::from_slice(&output.stdout).unwrap(), said)
}

const CREATE: [&str; 9] = [
    "bundle",
    "create",
    "-f",
    "release.yaml",
    "-w",
    "w",
    "--site",
    "plant-7",
    "-o",
];

#[test]
fn a_base_whose_layers_are_copied_from_what_is_not_named_is_told() {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let versions = [images("1.0", None), images("2.0", Some(2))];
    // Of the layer that changed something else once more.
    let third = images_of("3.0", &|n| {
        let mut bytes = own_layer(n, n == 2);
        if n == 2 {
            bytes[90..95].copy_from_slice(b"other");
        }
        bytes
    });
    vendor.release(1, &versions[0]);
    vendor.create("one.airlock", &[&plant], &["--encodings", "auto"]);
    vendor.release(2, &versions[1]);
    let on_one = ["--encodings", "auto", "--base", "one.airlock"];
    vendor.create("two.airlock", &[&plant], &on_one);
    vendor.release(3, &third);
    let layer = third.own[2];
    let base = ["--base", "two.airlock"];
    let create = |out: &'static str, more: &[&'static str]| {
        let words: Vec<&str> = CREATE.iter().chain([&out]).chain(&base).chain(more).copied().collect();
        words
    };
    // Nobody has the bytes of what the second was copied from.
    let (made, told) = said(&vendor, &create("three.airlock", &["--no-cache"]));
    let lacking = versions[1].own[2];
    assert_eq!(
        made["encodings"]["lacking"],
        json!([{"digest": lacking, "size": 100 << 10}])
    );
    assert_eq!(of(&made, &layer)["reason"], "no-gain");
    assert!(
        told.contains(&format!("for their bytes are not at hand: {lacking}")),
        "{told}"
    );
    // With them it is the same release in other bytes, and the message says so.
    let (class, code, event) = vendor.folder.refused(&create("again.airlock", &[]));
    assert_eq!((class.as_str(), code.as_str()), ("E-EQUIVOCATION", "number-used"));
    let found = event["found"].as_str().unwrap();
    assert!(
        found.contains("with the same content, but its layers travelled otherwise"),
        "{found}"
    );
    let remedy = "pass on the bundle that was signed then; or make it as it was made then, with --no-cache where the cache was empty; or \
                  raise the sequence number";
    assert_eq!(event["remedy"], remedy);
    said(&vendor, &create("again.airlock", &["--no-cache"]));
    let read = |name: &str| super::travel::read(&vendor, name);
    assert!(read("three.airlock") == read("again.airlock"));
    // The other way round: it was made with the cache, and that is lost.
    let (made, _) = said(&vendor, &create("four.airlock", &["--sequence", "4"]));
    assert_eq!(of(&made, &layer)["encoding"], "delta");
    fs::remove_dir_all(vendor.bundle("w/cache")).unwrap();
    let (class, code, event) = vendor.folder.refused(&create("five.airlock", &["--sequence", "4"]));
    assert_eq!((class.as_str(), code.as_str()), ("E-EQUIVOCATION", "number-used"));
    let found = event["found"].as_str().unwrap();
    assert!(
        found.contains(&format!("1 older layer, for their bytes are not at hand: {lacking}")),
        "{found}"
    );
    let remedy = "pass on the bundle that was signed then; or make the bundles again that these layers came with, which brings them back into the \
                  cache; or raise the sequence number";
    assert_eq!(event["remedy"], remedy);
    vendor.release(2, &versions[1]);
    vendor.create("two-again.airlock", &[&plant], &on_one);
    vendor.release(3, &third);
    said(&vendor, &create("five.airlock", &["--sequence", "4"]));
    assert!(read("four.airlock") == read("five.airlock"));
    said(&vendor, &create("six.airlock", &["--sequence", "6"]));
    // In whatever order they are named.
    let both = [
        "--base",
        "one.airlock",
        "--base",
        "two.airlock",
        "--sequence",
        "7",
        "--no-cache",
    ];
    let words = |out: &'static str, both: &[&'static str]| -> Vec<&str> {
        CREATE.iter().chain([&out]).chain(both).copied().collect()
    };
    let (made, told) = said(&vendor, &words("seven.airlock", &both));
    assert_eq!(of(&made, &layer)["encoding"], "delta");
    assert!(!told.contains("not at hand"), "{told}");
    let turned = [&both[2..4], &both[..2], &both[4..]].concat();
    said(&vendor, &words("eight.airlock", &turned));
    assert!(read("seven.airlock") == read("eight.airlock"));
}

#[test]
fn a_site_without_any_release_of_this_vendor_is_no_base() {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let (first, second) = (images("1.0", None), images("2.0", Some(2)));
    vendor.release(1, &first);
    vendor.create("one.airlock", &[&plant], &["--encodings", "auto"]);
    vendor.release(2, &second);
    let state = plant.state();
    let words: Vec<&str> = CREATE
        .into_iter()
        .chain(["two.airlock", "--base", state.to_str().unwrap()])
        .collect();
    let (class, code, event) = vendor.folder.refused(&words);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "base"));
    let remedy = "leave it out, or name a site that has imported one of this vendor's releases";
    assert_eq!(event["remedy"], remedy);
    plant.import(&vendor.bundle("one.airlock")).assert_imported();
    assert_eq!(vendor.folder.good(&words)["needs"], 6);
}

#[test]
fn older_layers_whose_bytes_nobody_has_are_told() {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let (first, second) = (images("1.0", None), images("2.0", Some(2)));
    vendor.release(1, &first);
    vendor.create("one.airlock", &[&plant], &["--encodings", "auto", "--no-cache"]);
    plant.import(&vendor.bundle("one.airlock")).assert_imported();
    plant.report(&vendor, 1);
    vendor.release(2, &second);
    let create = |more: &[&str]| {
        let words = [
            "bundle",
            "create",
            "-f",
            "release.yaml",
            "-w",
            "w",
            "-o",
            "two.airlock",
            "--site",
            "plant-7",
        ];
        let output = vendor.folder.run(&[&words[..], more].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        (serde_json::from_slice::<Value>(&output.stdout).unwrap(), said)
    };
    let told = format!(
        "nothing is copied from 1 older layer that the sites hold, for their bytes are not at hand: {}; to copy from them, name a bundle \
         that carries them with --base FILE, and those that it is copied from itself",
        first.own[2]
    );
    let (made, said) = create(&[]);
    assert_eq!(of(&made, &second.own[2])["reason"], "no-gain");
    assert_eq!(
        made["encodings"]["lacking"],
        json!([{"digest": first.own[2], "size": 100 << 10}])
    );
    assert!(said.contains(&told), "{said}");
    let (made, said) = create(&["--sequence", "3", "--replace", "--base", "one.airlock"]);
    assert_eq!(of(&made, &second.own[2])["encoding"], "delta");
    assert!(!said.contains("not at hand"), "{said}");
    // Nobody asks for older layers where nothing is copied.
    let (_, said) = create(&["--sequence", "4", "--replace", "--encodings", "recipes"]);
    assert!(!said.contains("not at hand"), "{said}");
}

#[test]
fn a_version_of_an_image_is_copied_from_the_one_before_in_the_same_bundle() {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let changed = |layer: &[u8]| [&layer[..70_001], b"something more", &layer[70_001..]].concat();
    let (noisy, text) = (
        noise(200_000, 1),
        [&Sample::Text.plain()[..30_000], &noise(60_000, 8)].concat().repeat(2),
    );
    let zipped = |plain: &[u8]| GzipLayer::of(Producer::Go1Level6, plain.to_vec()).file;
    let versions = [
        [noisy.clone(), zipped(&text)],
        [changed(&noisy), zipped(&changed(&text))],
    ];
    let mut set = ImageSet::default();
    let mut manifests = Vec::new();
    for (version, layers) in versions.iter().enumerate() {
        let config = json!({"os": "linux", "architecture": "amd64", "author": version, "rootfs": {"type": "layers", "diff_ids": []}});
        let config = set.blob(
            "application/vnd.oci.image.config.v1+json",
            config.to_string().as_bytes(),
        );
        let layers: Vec<Value> = layers
            .iter()
            .map(|layer| set.blob("application/vnd.oci.image.layer.v1.tar", layer))
            .collect();
        let manifest =
            set.manifest(&json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}));
        set.tag(&format!("1.{version}"), &manifest);
        manifests.push(manifest);
    }
    set.write_folder(&vendor.folder.path("layout"), &manifests);
    let images =
        ["1.0", "1.1"].map(|tag| format!("  - source: oci:layout:{tag}\n    name: registry.test/acme/web:{tag}\n"));
    let release = format!(
        "product: app\nchannel: stable\nversion: \"1\"\nsequence: 1\nexpires: 2099-01-01T00:00:00Z\naudience: any\nimages:\n{}",
        images.concat()
    );
    fs::write(vendor.folder.path("release.yaml"), release).unwrap();
    let made = vendor.create("cold.airlock", &[], &["--encodings", "auto"]);
    for (old, new) in versions[0].iter().zip(&versions[1]) {
        let found = of(&made, &digest_of(new));
        assert_eq!(
            (&found["encoding"], &found["bases"]),
            (&json!("delta"), &json!([digest_of(old)]))
        );
        assert!(found["travel_size"].as_u64().unwrap() < 2_000, "{found}");
    }
    assert_eq!(made["needs"], 0);
    // The bytes are the same whatever was kept.
    let read = |name: &str| super::travel::read(&vendor, name);
    vendor.create("warm.airlock", &[], &["--encodings", "auto"]);
    vendor.create("bare.airlock", &[], &["--encodings", "auto", "--no-cache"]);
    assert!(read("cold.airlock") == read("warm.airlock") && read("cold.airlock") == read("bare.airlock"));
    plant.import(&vendor.bundle("cold.airlock")).assert_imported();
    for layer in versions.iter().flatten() {
        assert!(fs::read(plant.blob(&digest_of(layer))).unwrap() == *layer);
    }
    // What is copied from such a bundle is copied from what was made of it.
    let third = [changed(&versions[1][0]), zipped(&changed(&changed(&text)))];
    let mut set = ImageSet::default();
    let config = set.blob(
        "application/vnd.oci.image.config.v1+json",
        br#"{"os":"linux","architecture":"amd64"}"#,
    );
    let layers: Vec<Value> = third
        .iter()
        .map(|layer| set.blob("application/vnd.oci.image.layer.v1.tar", layer))
        .collect();
    let manifest =
        set.manifest(&json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}));
    set.tag("1.2", &manifest);
    set.write_folder(&vendor.folder.path("next"), &[manifest]);
    let release = "product: app\nchannel: stable\nversion: \"2\"\nsequence: 2\nexpires: 2099-01-01T00:00:00Z\naudience: any\nimages:\n  \
                   - source: oci:next:1.2\n    name: registry.test/acme/web:1.2\n";
    fs::write(vendor.folder.path("release.yaml"), release).unwrap();
    let words = ["--encodings", "auto", "--no-cache", "--base", "cold.airlock"];
    let made = vendor.create("next.airlock", &[], &words);
    assert_eq!(made["encodings"]["encoded"]["blobs"], 2);
    for layer in &third {
        let found = of(&made, &digest_of(layer));
        assert!(found["travel_size"].as_u64().unwrap() < 2_000, "{found}");
    }
    plant.import(&vendor.bundle("next.airlock")).assert_imported();
}
