//! What a layer is copied from is chosen by what stands in it, and looked at once for all layers.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::fs;

use airlock::domain::Digest;
use airlock::producer::Producer;
use serde_json::{Value, json};

use super::world::{Site, Vendor};
use crate::support::image_set::{ImageSet, MANIFEST, digest_of};
use crate::support::site::noise;
use crate::support::travel::GzipLayer;

/// A layer of four files that are called the same in all of them.
fn layer(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (number, body) in bodies.iter().enumerate() {
        let mut header = tar::Header::new_gnu();
        header.set_size(body.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1_700_000_000);
        tar.append_data(&mut header, format!("app/f{number}.bin"), &body[..])
            .unwrap();
    }
    tar.into_inner().unwrap()
}

fn bodies(seed: u64) -> Vec<Vec<u8>> {
    (0..4).map(|number| noise(50_000, seed + number)).collect()
}

const ANY: &str = "audience: any\n";

impl Vendor {
    /// Lays an image of these layers out, and the file of the release that carries it.
    fn layers(&self, (sequence, audience): (u64, &str), layers: &[Vec<u8>]) {
        let mut set = ImageSet::default();
        let config = json!({"os": "linux", "architecture": "amd64", "author": sequence.to_string()});
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
        set.tag("now", &manifest);
        let layout = format!("layers-{sequence}");
        set.write_folder(&self.folder.path(&layout), &[manifest]);
        let text = format!(
            "product: app\nchannel: stable\nversion: \"{sequence}\"\nsequence: {sequence}\nexpires: 2099-01-01T00:00:00Z\n\
             {audience}images:\n  - source: oci:{layout}:now\n    name: registry.test/acme/web:{sequence}\n"
        );
        fs::write(self.folder.path("release.yaml"), text).unwrap();
    }
}

/// How a layer travels, and what it is copied from.
fn of(made: &Value, layer: &[u8]) -> (u64, Vec<Digest>) {
    let digest = digest_of(layer).to_string();
    let blobs = made["encodings"]["blobs"].as_array().unwrap();
    let blob = blobs.iter().find(|blob| blob["digest"] == digest).unwrap();
    let bases = serde_json::from_value(blob["bases"].clone()).unwrap_or_default();
    (blob["travel_size"].as_u64().unwrap_or(u64::MAX), bases)
}

#[test]
fn an_older_base_of_the_same_names_takes_no_place() {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let mut changed = bodies(50);
    let (old, right) = (layer(&bodies(10)), layer(&changed));
    changed[0].extend(b"another");
    let new = layer(&changed);
    for (sequence, name, layer) in [(1, "old.airlock", &old), (2, "right.airlock", &right)] {
        vendor.layers((sequence, ANY), std::slice::from_ref(layer));
        vendor.create(name, &[], &["--encodings", "auto"]);
        plant.import(&vendor.bundle(name)).assert_imported();
    }
    plant.report(&vendor, 1);
    vendor.layers((3, ""), std::slice::from_ref(&new));
    let small = |made: &Value, what: &str| {
        let (size, bases) = of(made, &new);
        assert!(size < 1_000, "{what}: {made}");
        assert_eq!(bases, [digest_of(&right)], "{what}");
    };
    // The sites say what they hold, and the cache has it.
    small(
        &vendor.create("three.airlock", &[&plant], &["--encodings", "auto"]),
        "held",
    );
    vendor.layers((3, ANY), std::slice::from_ref(&new));
    // Named, in whatever order, with and without the cache.
    for (number, bases) in [["old.airlock", "right.airlock"], ["right.airlock", "old.airlock"]]
        .into_iter()
        .enumerate()
    {
        for cache in [&[][..], &["--no-cache"]] {
            let sequence = (4 + number * 2 + cache.len()).to_string();
            let words = [
                "--encodings",
                "auto",
                "--base",
                bases[0],
                "--base",
                bases[1],
                "--sequence",
                &sequence,
            ];
            let out = format!("{sequence}.airlock");
            small(&vendor.create(&out, &[], &[&words[..], cache].concat()), &sequence);
        }
    }
    plant.import(&vendor.bundle("three.airlock")).assert_imported();
    assert!(fs::read(plant.blob(&digest_of(&new))).unwrap() == new);
    // What was tried and is of no use is told as that.
    let words = ["--encodings", "auto", "--base", "old.airlock", "--sequence", "9"];
    let made = vendor.create("nine.airlock", &[], &words);
    assert_eq!(made["encodings"]["as_it_is"]["no-gain"]["blobs"], 1);
    assert_eq!(made["encodings"]["bases"]["layers"], 1);
}

#[test]
fn a_base_is_inflated_and_looked_through_once_for_all_layers() {
    let vendor = Vendor::new();
    let plain = layer(&bodies(10));
    let base = GzipLayer::of(Producer::Go1Level6, plain.clone()).file;
    vendor.layers((1, ANY), &[base]);
    vendor.create("one.airlock", &[], &["--encodings", "auto"]);
    let other = |number: u64| {
        let half = usize::try_from(number).unwrap() * 20_000;
        [&noise(3_000, 90 + number)[..], &plain[half..half + 100_000]].concat()
    };
    let layers: Vec<Vec<u8>> = (0..4).map(other).collect();
    vendor.layers((2, ANY), &layers);
    for (sequence, cache) in [("2", &[][..]), ("3", &["--no-cache"])] {
        let words = ["--encodings", "auto", "--base", "one.airlock", "--sequence", sequence];
        let made = vendor.create(&format!("{sequence}.airlock"), &[], &[&words[..], cache].concat());
        for layer in &layers {
            let (size, bases) = of(&made, layer);
            assert!(size < 4_000 && bases.len() == 1, "{made}");
        }
        let once = plain.len();
        assert_eq!(
            made["encodings"]["bases"],
            json!({"layers": 1, "inflated_bytes": once, "indexed_bytes": once})
        );
    } // A plan reads it as well: what is wrong with it is told there, in its own words.
    let words = ["--encodings", "auto", "--base", "one.airlock", "--sequence", "4"];
    assert_eq!(vendor.plan(&[], &words)["sequence"], 4);
    let whole = fs::read(vendor.bundle("one.airlock")).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() - 100_000;
    damaged[middle] ^= 1;
    let stranger = Vendor::new();
    stranger.layers((1, ANY), &[noise(100, 1)]);
    stranger.create("one.airlock", &[], &[]);
    let foreign = fs::read(stranger.bundle("one.airlock")).unwrap();
    for (bytes, expected) in [
        (&damaged[..], ("E-INTEGRITY", "stored-hash")),
        (&whole[..whole.len() - 5_000], ("E-INCOMPLETE", "truncated")),
        (&foreign, ("E-TRUST", "unknown-domain")),
    ] {
        fs::write(vendor.bundle("one.airlock"), bytes).unwrap();
        let planned = ["bundle", "create", "-f", "release.yaml", "-w", "w", "--dry-run"];
        let (class, code, event) = vendor.folder.refused(&[&planned[..], &words].concat());
        assert_eq!((class.as_str(), code.as_str()), expected, "{event}");
        assert!(
            event["found"].as_str().unwrap().starts_with("the base one.airlock: "),
            "{event}"
        );
    }
}
