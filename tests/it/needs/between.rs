//! What happens to a base while a bundle that builds on it comes in, and what one vendor learns of another's content.

use std::fs;
use std::sync::Arc;

use airlock::appliance::{Appliance, Event, Options};
use airlock::crypto::Receipt;
use airlock::domain::{Digest, SystemClock};
use serde_json::json;

use crate::differential::draft::{Changes, Draft};
use crate::support::appliance::{self, import_here, import_here_telling, scratch, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::site::noise;
use crate::support::state_fingerprint::StateFingerprint;
use crate::support::streams;

/// A vendor's base and the release that builds on it: the base's layer is needed, another one of several chunks comes.
fn base_and_delta(vendor: &Vendor) -> (Made, Vec<u8>) {
    let shared = noise(40_000, 1);
    let base = vendor.bundle(1, std::slice::from_ref(&shared), SMALL_CHUNKS);
    let full = vendor.bundle(2, &[shared, noise(300_000, 2)], SMALL_CHUNKS);
    let mut delta = Draft::of(&full.bytes);
    let layer = base.layers[0].to_string();
    let at = delta.find(|line, _| line["digest"] == layer.as_str());
    let (line, _) = delta.blobs.remove(at);
    delta
        .names
        .push(json!({"kind": "need", "digest": layer, "size": line["size"]}));
    (base, delta.build(vendor.key(), Changes::default()))
}

fn blob(state: &std::path::Path, digest: &Digest) -> std::path::PathBuf {
    let hex = digest.0.to_hex();
    state.join("blobs/sha256").join(&hex[..2]).join(hex)
}

#[test]
fn a_base_that_goes_while_the_bundle_is_read_stops_it_before_anything_is_visible() {
    let vendor = Vendor::new();
    let site = appliance::Appliance::init(&vendor);
    let (base, delta) = base_and_delta(&vendor);
    let folder = scratch();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    write(&one, &base.bytes);
    write(&two, &delta);
    site.import(&one).assert_imported();
    let before = StateFingerprint::of(&site.path());
    let opened = Appliance::open(&site.path(), Arc::new(SystemClock)).unwrap();
    let (needed, aside) = (blob(&site.path(), &base.layers[0]), folder.path().join("aside"));
    let (mut looked, mut taken) = (false, false);
    let refused = import_here_telling(
        &opened,
        &two,
        &Options::default(),
        &SystemClock,
        &mut |event| match event {
            Event::Checked { done, total } => looked = done == total && total == 40_000,
            // The first chunk is in: X10 is over.
            Event::Progress { .. } if !taken => {
                assert!(looked, "what is needed is hashed first");
                rustix::fs::rename(&needed, &aside).unwrap();
                taken = true;
            }
            _ => {}
        },
    );
    let error = refused.unwrap_err();
    let step = error.step().map(|step| step.to_string());
    assert_eq!(
        (error.class().name(), error.code(), step.as_deref()),
        ("E-DEPENDENCY", "needs", Some("X14")),
        "{error}"
    );
    drop(opened);
    rustix::fs::rename(&aside, &needed).unwrap();
    assert_eq!(
        StateFingerprint::of(&site.path()).differs_from(&before, false, false),
        None
    );
    let told = streams::only(&site.path()).receipts.pop().unwrap();
    assert_eq!(
        (told.class.as_deref(), told.step.as_deref()),
        (Some("E-DEPENDENCY"), Some("X14"))
    );
    site.import(&two).assert_imported();
}

/// What the vendor of a refused bundle and the person at the site are told, without times and seals.
fn answers(state: &std::path::Path, vendor: &Vendor, bundle: &std::path::Path) -> (String, Vec<String>) {
    let opened = Appliance::open(state, Arc::new(SystemClock)).unwrap();
    let error = import_here(&opened, bundle, &Options::default(), &SystemClock).unwrap_err();
    drop(opened);
    let stream = streams::of(state, vendor.chain().domain());
    let told = stream.receipts.iter().map(|receipt: &Receipt| {
        format!(
            "{} {} {:?} {:?} {:?} {:?}",
            receipt.number, receipt.head, receipt.result, receipt.class, receipt.code, receipt.step
        )
    });
    (format!("{error:?}"), told.collect())
}

#[test]
fn what_only_another_vendor_brought_is_as_what_nobody_did() {
    let (ours, theirs) = (Vendor::new(), Vendor::new());
    let (base, delta) = base_and_delta(&ours);
    let folder = scratch();
    let (bundle, other) = (folder.path().join("delta"), folder.path().join("theirs"));
    write(&bundle, &delta);
    // Byte for byte the layer that we need, in a release of theirs.
    let same = theirs.bundle(1, &[noise(40_000, 1)], SMALL_CHUNKS);
    assert_eq!(same.layers, base.layers);
    write(&other, &same.bytes);
    let root = folder.path().join("root.json");
    write(&root, &theirs.chain_file());
    let site = appliance::Appliance::init(&ours);
    let fingerprint = theirs.chain().fingerprint().to_hex();
    let mut trust = std::process::Command::new(appliance::AIRLOCK);
    trust
        .args(["trust", "add"])
        .arg(&root)
        .args(["--fingerprint", &fingerprint, "--state"])
        .arg(site.path());
    assert!(trust.output().unwrap().status.success());
    let without = site.copy();
    site.import(&other).assert_imported();
    assert!(
        fs::symlink_metadata(blob(&site.path(), &base.layers[0])).is_ok(),
        "the very bytes are here"
    );
    let with = answers(&site.path(), &ours, &bundle);
    assert_eq!(with, answers(&without.path(), &ours, &bundle));
    assert!(
        with.0.contains("E-DEPENDENCY needs @X10") && with.0.contains("no release of this vendor that is here has it"),
        "{}",
        with.0
    );

    // Once we brought it ourselves it counts, and stands there once.
    let own = folder.path().join("base");
    write(&own, &base.bytes);
    site.import(&own).assert_imported();
    site.import(&bundle).assert_imported();
}

#[test]
fn a_release_that_builds_on_another_is_healed_as_far_as_its_bundle_goes() {
    let vendor = Vendor::new();
    let site = appliance::Appliance::init(&vendor);
    let (base, delta) = base_and_delta(&vendor);
    let folder = scratch();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    write(&one, &base.bytes);
    write(&two, &delta);
    site.import(&one).assert_imported();
    site.import(&two).assert_imported();
    let own = crate::support::image_set::digest_of(&noise(300_000, 2));
    for digest in [&base.layers[0], &own] {
        fs::remove_file(blob(&site.path(), digest)).unwrap();
    }
    let again = site.import(&two);
    assert_eq!(again.word(), "already", "{}", again.stderr);
    assert_eq!(
        (&again.result["restored_blobs"], &again.result["still_damaged"]),
        (&json!(1), &json!(1))
    );
    let warning = again.stderr.lines().find(|line| line.contains("\"warning\"")).unwrap();
    assert!(
        warning.contains(&base.layers[0].to_string()) && warning.contains("import the bundle of release 1"),
        "{warning}"
    );
    let base_again = site.import(&one);
    assert_eq!(base_again.result["restored_blobs"], 1);
    let whole = site.import(&two);
    assert_eq!(
        (&whole.result["restored_blobs"], &whole.result["still_damaged"]),
        (&json!(0), &json!(0))
    );
}
