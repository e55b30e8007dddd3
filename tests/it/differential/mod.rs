//! Two readers, one verdict: bundles that are forged under a good signature, judged by the product and by `bundle-spec/verify.py`.
//!
//! Each is made by the project's own builder, taken apart, changed in one place and signed again, so that every check behind the
//! signature is reached. Class, sub-code and step must be the same. `AIRLOCK_SLOW=1` tries 10,000 of them;
//! `AIRLOCK_DIFFERENTIAL_SEED` makes other ones than the default. [`package`] does the same for 3,000 status packages.

pub(crate) mod draft;
mod mutation;
mod package;
mod package_draft;
mod verifier;

use std::collections::BTreeMap;
use std::process::Command;

use airlock::crypto::{Chain, SigningKey};
use airlock::domain::oci;
use serde_json::Value;

use self::draft::{Changes, Draft, index_and_artifact, written};
use self::mutation::{Random, near, spoil, spoil_frame};
use self::verifier::{AT, Verifier};
use crate::format::vectors::{judge, load};
use crate::support::bundles::{SMALL_CHUNKS, Vendor};
use crate::support::desired::Desired;
use crate::support::left_out::left_out;
use crate::support::slow::share;

/// The seed of every run that names no other.
const SEED: u64 = 2026;
/// What of a bundle is changed, in turn.
const KINDS: [&str; 6] = ["manifest", "desired state", "head", "index page", "container", "chunk"];

/// Bundles to change, and who signs them.
struct Forge<'a> {
    key: &'a SigningKey,
    plain: Draft,
    targets: Draft,
}

impl<'a> Forge<'a> {
    fn new(vendor: &'a Vendor) -> Self {
        let text = b"a layer that compresses well ".repeat(100);
        Self {
            key: vendor.key(),
            plain: Draft::of(&vendor.bundle(7, &[b"a layer".to_vec(), text], SMALL_CHUNKS).bytes),
            targets: Draft::of(&vendor.with_targets(7, |image| Desired::both(image, 2, "a")).bytes),
        }
    }

    fn make(&self, kind: &str, random: &mut Random) -> Vec<u8> {
        let none = Changes::default;
        match kind {
            "manifest" => self.manifest(random),
            "desired state" => {
                let mut draft = self.targets.clone();
                let documents = draft.head["documents"].as_array().unwrap();
                let state = documents.iter().find(|entry| entry["type"] == "desired-state").unwrap();
                let digest = state["digest"].clone();
                let place = draft.find(|line, _| line["digest"] == digest);
                let changed = near(&json_of(&draft.blobs[place].1), random);
                draft.replace(place, changed);
                draft.build(self.key, none())
            }
            "head" => {
                let mut change = |head: Vec<u8>| near(&json_of(&head), random);
                let draft = &self.targets;
                draft.build(
                    self.key,
                    Changes {
                        head: Some(&mut change),
                        ..none()
                    },
                )
            }
            "index page" => {
                let mut change = |lines: &mut Vec<Vec<u8>>| {
                    let (at, other) = (random.below(lines.len()), random.below(lines.len()));
                    match random.below(5) {
                        0 => drop(lines.remove(at)),
                        1 => lines.insert(other, lines[at].clone()),
                        2 => lines.swap(at, other),
                        _ => lines[at] = near(&json_of(&lines[at]), random),
                    }
                };
                self.plain.build(
                    self.key,
                    Changes {
                        lines: Some(&mut change),
                        ..none()
                    },
                )
            }
            "container" => {
                let mut bundle = self.plain.build(self.key, none());
                for _ in 0..=random.below(2) {
                    spoil(&mut bundle, random);
                }
                bundle
            }
            _ => {
                let compressed = random.one_in(4);
                let mut change = |number: usize, plain: &[u8]| {
                    if number == 0 && compressed {
                        let mut other = plain.to_vec();
                        let at = random.below(other.len());
                        other[at] ^= 1;
                        return ("none", other);
                    }
                    let mut frame = zstd::bulk::compress(plain, 3).unwrap();
                    if number > 0 {
                        spoil_frame(&mut frame, random);
                    }
                    ("zstd", frame)
                };
                self.plain.build(
                    self.key,
                    Changes {
                        chunk: Some(&mut change),
                        ..none()
                    },
                )
            }
        }
    }

    /// A manifest, an index or an artifact with a subject.
    fn manifest(&self, random: &mut Random) -> Vec<u8> {
        let mut draft = self.plain.clone();
        let place = draft.find(|line, _| line["media_type"] == oci::OCI_MANIFEST);
        let bytes = draft.blobs[place].1.clone();
        let document = json_of(&bytes);
        let of = [(document.clone(), oci::OCI_MANIFEST)]
            .into_iter()
            .chain(index_and_artifact(&bytes, &document["config"], &document["layers"][0]));
        let made: Vec<_> = of.collect();
        let which = random.below(made.len());
        let changed = near(&made[which].0, random);
        if which == 0 {
            draft.replace(place, changed);
        } else {
            draft.add(&changed, made[which].1, "other");
        }
        draft.build(self.key, Changes::default())
    }
}

fn json_of(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).unwrap().parse().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "kept for who looks into a difference")]
fn keep(number: usize, bundle: &[u8]) {
    let path = format!("{}/differential-{number}.airlock", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(path, bundle).unwrap();
}

/// What the product says: in this process, or as the program where the time of issue counts.
fn product(bundle: Vec<u8>, pins: &[Chain], program: Option<&verifier::Files>) -> String {
    if let Some(files) = program {
        files.put(&bundle);
        let output = Command::new(env!("CARGO_BIN_EXE_airlock"))
            .env_clear()
            .args(["--format", "json", "bundle", "verify"])
            .arg(files.bundle())
            .arg("--trust")
            .arg(files.pin())
            .args(["--at", AT])
            .output()
            .unwrap();
        if output.status.success() {
            return "good".into();
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let line = text
            .lines()
            .rfind(|line| line.contains("\"refused\""))
            .unwrap_or_else(|| panic!("{text}"));
        return verifier::verdict(&json_of(line.as_bytes()));
    }
    match judge(bundle, pins) {
        Ok(()) => "good".into(),
        Err(error) => {
            let step = error.step().map_or_else(String::new, |step| step.to_string());
            format!("{} {} at {step}", error.class(), error.code())
        }
    }
}

#[test]
fn the_product_and_the_independent_verifier_agree_on_forged_bundles() {
    let vendor = Vendor::new();
    let Some(mut other) = Verifier::start(&vendor.chain_file()) else {
        left_out("python3 or zstd is not here");
        return;
    };
    let seed = std::env::var("AIRLOCK_DIFFERENTIAL_SEED").map_or(SEED, |text| text.parse().unwrap());
    let (count, more) = share().map_or((200, 0), |share| share.random(10_000));
    let seed = seed + more;
    println!("seed {seed}, {count} bundles");
    let forge = Forge::new(&vendor);
    let pins = [Chain::parse(&vendor.chain_file()).unwrap()];
    for draft in [&forge.plain, &forge.targets] {
        let bundle = draft.build(forge.key, Changes::default());
        assert_eq!(other.judge(&bundle), "good", "what is not changed is good");
        assert_eq!(product(bundle, &pins, None), "good");
    }
    let mut random = Random::new(seed);
    let mut seen: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    let mut differ: BTreeMap<(&str, String, String), (usize, usize)> = BTreeMap::new();
    for number in 0..count {
        let kind = KINDS[number % KINDS.len()];
        let bundle = forge.make(kind, &mut random);
        let theirs = other.judge(&bundle);
        let program = (kind == "head").then_some(other.files());
        let ours = product(bundle.clone(), &pins, program);
        *seen.entry((kind, ours == "good")).or_default() += 1;
        if ours != theirs {
            keep(number, &bundle);
            differ.entry((kind, ours, theirs)).or_insert((number, 0)).1 += 1;
        }
    }
    for ((kind, good), count) in &seen {
        println!("{kind}: {count} {}", if *good { "accepted" } else { "refused" });
    }
    for kind in KINDS {
        assert!(seen.contains_key(&(kind, false)), "{kind}: nothing was refused");
    }
    assert!(
        seen.contains_key(&("manifest", true)),
        "no changed manifest was accepted"
    );
    assert!(
        differ.is_empty(),
        "seed {seed}: kind, product, verifier: first number, how often\n{differ:#?}"
    );
}

#[test]
fn every_vector_of_the_verifier_is_judged_alike_over_the_pipe() {
    // The feed itself: a long-lived verifier forgets one bundle before it judges the next.
    let vector = crate::format::vectors::vectors("good")
        .into_iter()
        .find(|vector| vector.name == "k12-three-roots")
        .unwrap();
    let Some(mut other) = Verifier::start(&load(&vector.pin_paths()[0])) else {
        left_out("python3 or zstd is not here");
        return;
    };
    for _ in 0..2 {
        assert_eq!(other.judge(&vector.bundle()), "good");
        assert_eq!(other.judge(&vector.bundle()[..3000]), "E-FORMAT truncated at X2");
    }
    assert_eq!(
        written(&serde_json::json!({"b": 1, "a": 2})),
        br#"{"a":2,"b":1}"#,
        "drafts are written canonically"
    );
}
