//! What a bundle needs comes from `--base`, or nothing is unpacked.

use std::path::Path;

use airlock::encoding::Encoding;

use super::workbench::{Workbench, read_layout};
use crate::support::appliance::Appliance;
use crate::support::bundles::{Made, SMALL_CHUNKS};
use crate::support::site::{digest, noise};
use crate::support::travel;

/// Three versions of a layer, each with something else inside it.
fn versions() -> [Vec<u8>; 3] {
    let first = noise(1_300_000, 1);
    let changed = |of: &[u8], seed| [&of[..400_000], &noise(5_000, seed)[..], &of[401_000..]].concat();
    let second = changed(&first, 2);
    let third = changed(&second, 3);
    [first, second, third]
}

/// Release `sequence`: `new`, copied in part from `old`.
fn copied(bench: &Workbench, sequence: u64, new: &[u8], old: &[u8]) -> Made {
    let layers = [new.to_vec(), noise(500, 9)];
    bench.vendor.copying(sequence, &layers, SMALL_CHUNKS, &mut |layer| {
        (layer == new).then(|| {
            (
                (travel::copied(new, old), Encoding::Plain),
                vec![travel::base(old, false)],
            )
        })
    })
}

fn assert_holds(layout: &Path, layer: &[u8], not: &[u8]) {
    let (_, blobs) = read_layout(layout);
    assert!(blobs[&digest(layer).0.to_hex()] == layer);
    assert!(
        !blobs.contains_key(&digest(not).0.to_hex()),
        "what is only copied from stays out"
    );
}

#[test]
fn layers_that_are_copied_from_others_are_made_of_their_bases() {
    let bench = Workbench::new();
    let [first, second, third] = versions();
    let one = bench.vendor.bundle(1, std::slice::from_ref(&first), SMALL_CHUNKS);
    let (two, three) = (copied(&bench, 2, &second, &first), copied(&bench, 3, &third, &second));
    let (base_1, base_2) = (bench.file("base-1", &one.bytes), bench.file("base-2", &two.bytes));

    // Without them: what is missing, and nothing left.
    let alone = bench.extract(&two, "out", &[]);
    alone.assert_refused("E-DEPENDENCY", "needs", "");
    assert!(alone.stderr.contains(&digest(&first).to_string()), "{}", alone.stderr);
    assert_eq!(bench.left(), [].into());

    let ended = bench.extract(&two, "two", &[&base_1]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_holds(&bench.path("two"), &second, &first);

    // One that builds on another: both, the oldest first.
    bench
        .extract(&three, "out", &[&base_2])
        .assert_refused("E-DEPENDENCY", "needs", "");
    assert!(!bench.path("out.partial").try_exists().unwrap());
    let ended = bench.extract(&three, "three", &[&base_1, &base_2]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_holds(&bench.path("three"), &third, &second);
}

#[test]
fn a_state_folder_is_a_base_too() {
    let bench = Workbench::new();
    let [first, second, _] = versions();
    let one = bench.vendor.bundle(1, std::slice::from_ref(&first), SMALL_CHUNKS);
    let two = copied(&bench, 2, &second, &first);
    let site = Appliance::init(&bench.vendor);
    bench
        .extract(&two, "out", &[&site.path()])
        .assert_refused("E-USAGE", "base", "");
    site.import(&bench.file("base-1", &one.bytes)).assert_imported();
    let ended = bench.extract(&two, "out", &[&site.path()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_holds(&bench.path("out"), &second, &first);
}

#[test]
fn a_base_that_was_taken_need_not_be_named_again() {
    let bench = Workbench::new();
    let [first, second, _] = versions();
    let one = bench.vendor.bundle(1, std::slice::from_ref(&first), SMALL_CHUNKS);
    let base = bench.file("base-1", &one.bytes);
    let two = copied(&bench, 2, &second, &first);
    let mut cut = two.clone();
    cut.bytes.truncate(two.bytes.len() - 200);
    bench
        .extract(&cut, "out", &[&base])
        .assert_refused("E-INCOMPLETE", "truncated", "X12");
    let ended = bench.extract(&two, "out", &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_holds(&bench.path("out"), &second, &first);
}
