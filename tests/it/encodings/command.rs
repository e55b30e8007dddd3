//! `bundle create --encodings`: what it makes, says and keeps.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use airlock::producer::Sample;
use serde_json::{Value, json};

use crate::support::image_set::{ImageSet, MANIFEST};
use crate::support::python::python;
use crate::support::site::noise;
use crate::vendor::cli::CommandFolder;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

struct Desk {
    folder: CommandFolder,
    /// Digests of the layers: one that repeats itself, one small, one of noise, one that is said to be gzip, one that a program made so.
    layers: Vec<String>,
}

/// What a program of this machine makes of 150,000 bytes that repeat themselves farther away than deflate reaches.
fn zipped() -> Vec<u8> {
    let program = "import gzip, sys; sys.stdout.buffer.write(gzip.compress(sys.stdin.buffer.read(), 6, mtime=0))";
    let mut child = python()
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = [&Sample::Text.plain()[..30_000], &noise(20_000, 8)].concat().repeat(3);
    child.stdin.take().unwrap().write_all(&text).unwrap();
    child.wait_with_output().unwrap().stdout
}

impl Desk {
    fn new() -> Self {
        let folder = CommandFolder::new();
        let mut set = ImageSet::default();
        let gzip = [b"\x1f\x8b\x08\0", &noise(90_000, 4)[..]].concat();
        let contents = [
            noise(900_000, 1).repeat(4),
            vec![7; 3000],
            noise(200_000, 3),
            gzip,
            zipped(),
        ];
        let layers: Vec<Value> = contents.iter().map(|bytes| set.blob(LAYER, bytes)).collect();
        let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}});
        let config = set.blob(
            "application/vnd.oci.image.config.v1+json",
            config.to_string().as_bytes(),
        );
        let manifest =
            set.manifest(&json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}));
        set.tag("1", &manifest);
        set.write_folder(&folder.path("layout"), &[manifest]);
        let text = "product: app\nchannel: stable\nversion: \"1\"\nsequence: 1\nexpires: 2099-01-01T00:00:00Z\naudience: any\nimages:\n  \
                    - source: oci:layout:1\n    name: registry.test/acme/web:1\n";
        fs::write(folder.path("release.yaml"), text).unwrap();
        let layers = layers.iter().map(|layer| layer["digest"].as_str().unwrap().to_owned());
        Self {
            layers: layers.collect(),
            folder,
        }
    }

    fn create(&self, out: &str, more: &[&str]) -> Value {
        let words = ["bundle", "create", "-f", "release.yaml", "-w", "w", "-o", out];
        self.folder.good(&[&words[..], more].concat())
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path(name)).unwrap()
    }
}

#[test]
fn the_command_says_what_became_of_every_layer() {
    let desk = Desk::new();
    let said = desk.create("a", &["--encodings", "auto"]);
    let blobs = said["encodings"]["blobs"].as_array().unwrap();
    let of = |n: usize| blobs.iter().find(|blob| blob["digest"] == desk.layers[n]).unwrap();
    assert_eq!(of(0)["encoding"], "chained");
    assert!(of(0)["travel_size"].as_u64().unwrap() < 1_000_000, "{}", of(0));
    // What is too small to be looked at is in the sums alone.
    assert!(blobs.iter().all(|blob| blob["digest"] != desk.layers[1]));
    assert!(said["encodings"]["as_it_is"]["small"]["blobs"].as_u64().unwrap() >= 1);
    assert_eq!(of(2)["reason"], "no-gain");
    assert_eq!(of(3)["reason"], "unknown-producer");
    assert_eq!(of(4)["encoding"], "gzip-recipe");
    assert_eq!((&of(4)["producer"], &of(4)["pieces"]), (&json!("zlib-1-6"), &json!(1)));
    assert_eq!(said["encodings"]["producers"]["zlib-1-6"]["blobs"], 1);
    assert_eq!(said["encodings"]["encoded"]["blobs"], 2);
    assert_eq!(
        said["encodings"]["as_it_is"]["no-gain"],
        json!({"blobs": 1, "bytes": 200_000})
    );
    assert_eq!(said["reader"], "0.2.0");
    let trust = ["--trust", "w/root.json"];
    desk.folder.good(&[&["bundle", "verify", "a"][..], &trust].concat());
    let seen = desk
        .folder
        .good(&[&["bundle", "inspect", "a", "--list"][..], &trust].concat());
    assert_eq!(seen["head"]["requires"], json!(["encoding-1", "gzip-zlib-1-6"]));
    let encoded = seen["encoded"].as_array().unwrap();
    let line = |n: usize| encoded.iter().find(|blob| blob["digest"] == desk.layers[n]).unwrap();
    assert_eq!(line(0)["encoding"], json!({"form": "plain"}));
    assert_eq!(line(4)["encoding"]["plain_size"], 150_000);
    let text = desk.folder.run_as("human", &["bundle", "inspect", "a"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("needs encoding-1, gzip-zlib-1-6"), "{text}");
    assert!(text.contains(", for airlock 0.2.0 or newer"), "{text}");
}

#[test]
fn with_or_without_cache_the_bytes_are_the_same_and_without_encodings_those_of_before() {
    let desk = Desk::new();
    desk.create("a", &["--encodings", "auto"]);
    let kept = fs::read_dir(desk.folder.path("w/cache/travel")).unwrap().count();
    assert_eq!(kept, 6, "two forms with their entries, and two reasons");
    desk.create("b", &["--encodings", "auto"]);
    desk.create("c", &["--encodings", "auto", "--no-cache"]);
    assert!(desk.bytes("a") == desk.bytes("b") && desk.bytes("a") == desk.bytes("c"));
    // What was spoilt in the cache is made anew.
    for entry in fs::read_dir(desk.folder.path("w/cache/travel")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "travel") {
            let mut bytes = fs::read(&path).unwrap();
            bytes[9] ^= 1;
            fs::remove_file(&path).unwrap();
            fs::write(&path, bytes).unwrap();
        }
    }
    desk.create("d", &["--encodings", "auto"]);
    assert!(desk.bytes("a") == desk.bytes("d"));
    fs::remove_dir_all(desk.folder.path("w/cache")).unwrap();
    desk.create("e", &["--encodings", "auto", "--cache-limit", "0"]);
    assert!(desk.bytes("a") == desk.bytes("e"));
}

#[test]
fn how_large_the_bundle_gets_is_said_before_it_is_packed() {
    let desk = Desk::new();
    let words = ["bundle", "create", "-f", "release.yaml", "-w", "w", "-o", "a"];
    let output = desk.folder.run_as("human", &words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let words = "next bundle: content of 3.8 MiB travels in ";
    let line = said.lines().find(|line| line.starts_with(words));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    let most = line[words.len()..].strip_suffix(" MiB at most").unwrap();
    let most: f64 = most.parse().unwrap();
    // The bundle has its head, its index and its reserve besides.
    let size = u32::try_from(desk.bytes("a").len()).unwrap();
    assert!(f64::from(size) / f64::from(1 << 20) < most + 0.5, "{size}: {line}");
    assert!(most < 2.0, "{line}");
}

#[test]
fn none_is_what_it_was_and_says_so() {
    let desk = Desk::new();
    let said = desk.create("a", &["--encodings", "none"]);
    assert_eq!(said["encodings"]["as_it_is"]["disabled"]["blobs"], 5);
    assert_eq!(said["encodings"]["blobs"].as_array().unwrap().len(), 0);
    assert_eq!(said["reader"], "0.1.0");
    assert!(!desk.folder.path("w/cache").exists());
    let seen = desk.folder.good(&["bundle", "inspect", "a"]);
    assert_eq!(seen["head"]["requires"], json!([]));
}
