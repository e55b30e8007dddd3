//! Layers that come from a registry: each byte is fetched once, and is at hand for the next bundle.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::fs;

use airlock::producer::{Producer, Sample};
use serde_json::{Value, json};

use crate::support::image_set::{ImageSet, MANIFEST, digest_of};
use crate::support::registry::{Behaviour, TestRegistry};
use crate::support::site::noise;
use crate::support::travel::GzipLayer;
use crate::vendor::cli::CommandFolder;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

fn registry(layers: &[Vec<u8>]) -> TestRegistry {
    let mut set = ImageSet::default();
    let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}});
    let config = set.blob(
        "application/vnd.oci.image.config.v1+json",
        config.to_string().as_bytes(),
    );
    let layers: Vec<Value> = layers.iter().map(|layer| set.blob(LAYER, layer)).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    let manifest = set.manifest(&manifest);
    set.tag("1.0", &manifest);
    TestRegistry::start(set, Behaviour::default())
}

#[test]
fn no_layer_is_fetched_twice_and_the_next_bundle_copies_from_it() {
    let folder = CommandFolder::new();
    let create = |registry: &TestRegistry, sequence: u64, more: &[&str]| {
        let text = format!(
            "product: app\nchannel: stable\nversion: \"1\"\nsequence: {sequence}\nexpires: 2099-01-01T00:00:00Z\naudience: any\nimages:\n  \
             - source: {}\n    name: registry.test/acme/app:1.0\n",
            registry.image(":1.0")
        );
        fs::write(folder.path("release.yaml"), text).unwrap();
        let out = format!("{sequence}.airlock");
        let words = ["bundle", "create", "-f", "release.yaml", "-w", "w", "-o", &out];
        folder.good(&[&words[..], more].concat())
    };
    let text = [&Sample::Text.plain()[..30_000], &noise(60_000, 8)].concat().repeat(2);
    let zipped = |plain: &[u8]| GzipLayer::of(Producer::Go1Level6, plain.to_vec()).file;
    let old = [
        noise(200_000, 1),
        noise(300_000, 2).repeat(2),
        [b"\x1f\x8b\x08\0".as_slice(), &noise(90_000, 4)].concat(),
        zipped(&text),
    ];
    let fetched = |registry: &TestRegistry, layer: &[u8]| {
        let path = format!("blobs/{}", digest_of(layer));
        let log = registry.log();
        log.iter()
            .filter(|line| line.starts_with("GET") && line.contains(&path))
            .count()
    };
    let first = registry(&old);
    create(&first, 1, &[]);
    for layer in &old {
        assert_eq!(fetched(&first, layer), 1, "{}", digest_of(layer));
    }
    // The older layers are asked for by nobody, and are nowhere but in the workspace.
    let changed = |layer: &[u8]| [&layer[..70_001], b"something more", &layer[70_001..]].concat();
    let new = [changed(&old[0]), changed(&old[1]), zipped(&changed(&text))];
    let second = registry(&new);
    drop(first);
    let made = create(&second, 2, &["--base", "1"]);
    for layer in &new {
        let digest = digest_of(layer).to_string();
        let blobs = made["encodings"]["blobs"].as_array().unwrap();
        let found = blobs.iter().find(|blob| blob["digest"] == digest).unwrap();
        assert_eq!(found["encoding"], "delta", "{found}");
        assert!(found["travel_size"].as_u64().unwrap() < 2_000, "{found}");
        assert_eq!(fetched(&second, layer), 1, "{digest}");
    }
    assert_eq!(made["encodings"]["lacking"], json!([]));
}
