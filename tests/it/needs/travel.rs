//! What travels of a release of which the site has nearly all.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use airlock::bundle::OpenedBundle;
use airlock::domain::{Digest, DocumentType};
use serde_json::{Value, json};

use super::world::{Images, Site, Vendor, images, recorded_needs};
use crate::support::image_set::digest_of;
use crate::support::registry::{Behaviour, TestRegistry};

/// Digests that a bundle carries and those that it needs.
fn lines(vendor: &Vendor, name: &str) -> (BTreeSet<Digest>, BTreeSet<Digest>) {
    let source = airlock::media::open(&vendor.bundle(name), None).unwrap();
    let chain = airlock::crypto::Chain::parse(&read(vendor, "w/root.json")).unwrap();
    let signed = OpenedBundle::open(source.input).unwrap().verify(&chain).unwrap();
    let bundle = signed.read_index(|_, _| Ok(())).unwrap();
    let carried = bundle.index().blobs().iter().map(|blob| blob.digest).collect();
    let needed = bundle.index().needs().iter().map(|need| need.digest).collect();
    (carried, needed)
}

/// The acknowledgement that a bundle takes along: digest and size.
fn answer(vendor: &Vendor, name: &str) -> (Digest, u64) {
    let source = airlock::media::open(&vendor.bundle(name), None).unwrap();
    let chain = airlock::crypto::Chain::parse(&read(vendor, "w/root.json")).unwrap();
    let signed = OpenedBundle::open(source.input).unwrap().verify(&chain).unwrap();
    let entry = signed.head().document(DocumentType::Acknowledgement).unwrap();
    (entry.digest, entry.size)
}

#[expect(clippy::disallowed_methods, reason = "a test's own files")]
pub(super) fn read(vendor: &Vendor, name: &str) -> Vec<u8> {
    fs::read(vendor.folder.path(name)).unwrap()
}

/// Everything of a release but its layers, with one layer.
fn all_but_layers(images: &Images, changed: Digest) -> BTreeSet<Digest> {
    let layers: BTreeSet<&Digest> = images.own.iter().chain([&images.system]).collect();
    let documents = images.set.blobs.keys().filter(|digest| !layers.contains(digest));
    documents.copied().chain([changed]).collect()
}

#[test]
fn one_kilobyte_changed_in_one_of_six_images_travels_as_its_layer_and_the_documents() {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let first = images("1.0", None);
    vendor.release(1, &first);
    let whole = vendor.create("one.airlock", &[&plant], &[]);
    assert_eq!(
        (&whole["needs"], &whole["base"]["sites"][0]["reason"]),
        (&json!(0), &json!("never-reported"))
    );
    plant.import(&vendor.bundle("one.airlock")).assert_imported();
    plant.report(&vendor, 1);

    let patched = 2;
    let second = images("2.0", Some(patched));
    vendor.release(2, &second);
    let made = vendor.create("two.airlock", &[&plant], &[]);
    let changed = second.own[patched];
    let (carried, needed) = lines(&vendor, "two.airlock");
    let (answer, answer_bytes) = answer(&vendor, "two.airlock");
    let mut travels = all_but_layers(&second, changed);
    travels.insert(answer);
    assert_eq!(carried, travels);
    let held: BTreeSet<Digest> = first.own.iter().copied().chain([first.system]).collect();
    let expected: BTreeSet<Digest> = held
        .iter()
        .filter(|digest| **digest != first.own[patched])
        .copied()
        .collect();
    assert_eq!(needed, expected);
    assert_eq!(recorded_needs(&vendor, &made["head_digest"]), expected);

    // Counted: the layer, configs and manifests; what the container adds lies in its head, index and reserve.
    let layer = second.set.blobs[&changed].len() as u64;
    let content = layer + second.documents + answer_bytes;
    let needed_bytes: u64 = expected
        .iter()
        .map(|digest| second.set.blobs[digest].len() as u64)
        .sum();
    let (bytes, reserve) = (made["bytes"].as_u64().unwrap(), 256 << 10);
    let stated = format!(
        "the second bundle has {bytes} bytes, {} without its reserve: a layer of {layer}, {} of configs and manifests, {answer_bytes} of acknowledgement; the first has {}, \
         and {needed_bytes} bytes of layers stayed out",
        bytes - reserve,
        second.documents,
        whole["bytes"]
    );
    println!("{stated}");
    assert_eq!(made["content_bytes"], content, "{stated}");
    assert_eq!(made["needed_bytes"], needed_bytes, "{stated}");
    assert_eq!(
        made["content_bytes"].as_u64().unwrap() - answer_bytes + needed_bytes,
        whole["content_bytes"].as_u64().unwrap(),
        "{stated}"
    );
    assert!(bytes - reserve < content + (24 << 10), "{stated}");

    // The plan says the same and does nothing.
    let ledger = read(&vendor, "w/ledger.db");
    let plan = vendor.plan(&[&plant], &[]);
    assert_eq!(
        (&plan["result"], &plan["base"]["choice"]),
        (&json!("dry-run"), &json!("as-signed"))
    );
    assert_eq!(
        (&plan["content_bytes"], &plan["needed_bytes"]),
        (&json!(content), &json!(needed_bytes))
    );
    assert_eq!(read(&vendor, "w/ledger.db"), ledger);

    // Both other readers take it.
    let root = vendor.folder.path("w/root.json");
    let specification = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-spec");
    let judged = |program: &std::ffi::OsStr, words: &[&std::ffi::OsStr]| {
        let output = Command::new(program).args(words).output().unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "{said}");
        said
    };
    let bundle = vendor.bundle("two.airlock");
    judged(
        crate::support::python::python().get_program(),
        &[
            specification.join("verify.py").as_os_str(),
            bundle.as_os_str(),
            "--trust".as_ref(),
            root.as_os_str(),
        ],
    );
    judged(
        "bash".as_ref(),
        &[
            specification.join("audit.sh").as_os_str(),
            bundle.as_os_str(),
            root.as_os_str(),
        ],
    );
    let (file, pin) = (bundle.to_str().unwrap(), root.to_str().unwrap());
    let verified = vendor.folder.good(&["bundle", "verify", file, "--trust", pin]);
    assert_eq!(
        (&verified["needs"], &verified["needed_bytes"]),
        (&json!(expected.len()), &json!(needed_bytes))
    );
    let inspected = vendor
        .folder
        .good(&["bundle", "inspect", file, "--trust", pin, "--list"]);
    assert_eq!(inspected["head"]["totals"]["needs"], json!(expected.len()));
    let listed: BTreeSet<Digest> = inspected["needs"]
        .as_array()
        .unwrap()
        .iter()
        .map(crate::support::image_set::digest)
        .collect();
    assert_eq!(listed, expected);

    // The site looks first, then takes it, and serves what it had and what came as one.
    let dry = plant.import_with(&vendor.bundle("two.airlock"), &["--dry-run"]);
    assert_eq!((dry.word(), &dry.result["needs"]), ("dry-run", &json!(expected.len())));
    let imported = plant.import(&vendor.bundle("two.airlock"));
    imported.assert_imported();
    assert_eq!(imported.result["needed_bytes"], json!(needed_bytes));
    for digest in second.set.blobs.keys() {
        #[expect(clippy::disallowed_methods, reason = "a test's own files")]
        let bytes = fs::read(plant.blob(digest)).unwrap();
        assert_eq!(digest_of(&bytes), *digest);
    }
    // What a later bundle may leave out: of both.
    plant.report(&vendor, 2);
    vendor.release(3, &images("3.0", Some(patched)));
    let third = vendor.plan(&[&plant], &[]);
    assert_eq!(
        (&third["content_bytes"], &third["needs"]),
        (&json!(second.documents + answer_bytes), &json!(7))
    );
}

#[test]
fn what_is_left_out_is_not_asked_for_and_may_be_gone_from_its_source() {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let first = images("1.0", None);
    vendor.release(1, &first);
    vendor.create("one.airlock", &[&plant], &[]);
    plant.import(&vendor.bundle("one.airlock")).assert_imported();
    plant.report(&vendor, 1);

    let mut second = images("2.0", Some(0));
    let registry = TestRegistry::start(second.set.clone(), Behaviour::default());
    let tags: Vec<String> = second.set.tags.keys().cloned().collect();
    let mut text = String::from(
        "product: app\nchannel: stable\nversion: \"2\"\nsequence: 2\nexpires: 2099-01-01T00:00:00Z\nimages:\n",
    );
    for tag in &tags {
        text += &format!(
            "  - source: {}\n    name: registry.test/acme/app:{tag}\n",
            registry.image(&format!(":{tag}"))
        );
    }
    crate::support::appliance::write(&vendor.folder.path("release.yaml"), text.as_bytes());
    let made = vendor.create("two.airlock", &[&plant], &[]);
    assert_eq!(made["needs"], 6);
    let asked = |digest: &Digest| {
        registry
            .log()
            .iter()
            .any(|line| line.contains(&format!("blobs/{digest}")))
    };
    assert!(asked(&second.own[0]), "the layer that changed is read");
    for digest in second.own[1..].iter().chain([&second.system]) {
        assert!(!asked(digest), "{digest} is neither looked for nor read");
    }
    plant.import(&vendor.bundle("two.airlock")).assert_imported();

    // In a layout that does not have them any more.
    let third = images("3.0", Some(0));
    for digest in third.own[1..].iter().chain([&third.system]) {
        second.set.blobs.remove(digest);
    }
    let gone = Images {
        set: second.set,
        ..images("2.0", Some(0))
    };
    vendor.release(3, &gone);
    let made = vendor.create("three.airlock", &[&plant], &[]);
    assert_eq!(made["needs"], 6);
    let mut full = vec![
        "bundle",
        "create",
        "-f",
        "release.yaml",
        "-w",
        "w",
        "-o",
        "four.airlock",
        "--sequence",
        "4",
        "--full",
    ];
    full.extend(["--site", "plant-7"]);
    let (class, code, event) = vendor.folder.refused(&full);
    assert_eq!((class.as_str(), code.as_str()), ("E-CONTENT", "missing"), "{event}");
    let missing = event["found"].as_str().unwrap();
    assert!(missing.contains(&third.system.to_string()), "{missing}");
}

#[test]
fn a_plan_says_what_a_person_wants_to_know() {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    vendor.release(1, &images("1.0", None));
    let text = vendor.plan_text(&[&plant], &[]);
    assert!(
        text.contains("next bundle for plant-7: ") && text.contains("nothing is left out"),
        "{text}"
    );
    assert!(
        text.contains("nothing is left out for plant-7: no package of it was taken in yet"),
        "{text}"
    );
    assert!(text.contains("number       1; the next free one is 1"), "{text}");
    vendor.create("one.airlock", &[&plant], &[]);
    plant.import(&vendor.bundle("one.airlock")).assert_imported();
    plant.report(&vendor, 7);
    vendor.release(2, &images("2.0", Some(1)));
    let text = vendor.plan_text(&[&plant], &[]);
    assert!(
        text.contains("were it not for what the site holds; base: package 7 of 20"),
        "{text}"
    );
    assert!(
        text.contains("collects     registry.test/acme/api:2.0  sha256:"),
        "{text}"
    );
    assert!(text.contains("nothing was written, signed or recorded"), "{text}");
    // Where the file says no number, a plan takes the next free one; a bundle is refused.
    let path = vendor.folder.path("release.yaml");
    #[expect(clippy::disallowed_methods, reason = "a test's own files")]
    let unnumbered = fs::read_to_string(&path).unwrap().replace("sequence: 2\n", "");
    crate::support::appliance::write(&path, unnumbered.as_bytes());
    let plan: Value = vendor.plan(&[&plant], &[]);
    assert_eq!(
        (&plan["sequence"], &plan["next_free"]["sequence"]),
        (&json!(2), &json!(2))
    );
    let create = [
        "bundle",
        "create",
        "-f",
        "release.yaml",
        "-w",
        "w",
        "-o",
        "x.airlock",
        "--site",
        "plant-7",
    ];
    assert_eq!(vendor.folder.refused(&create).1, "missing-key");
    // Without a place to write to there is nothing but a plan.
    assert_eq!(
        vendor
            .folder
            .run(&["bundle", "create", "-f", "release.yaml", "-w", "w"])
            .status
            .code(),
        Some(2)
    );
}
