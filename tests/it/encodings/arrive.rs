//! Encoded layers at a site: stored and served as the bytes that they are, also after a stop, damage, and other ways of travelling.

use std::path::Path;

use super::stage::Stage;
use crate::support::appliance::{self, check, incoming, read, write};
use crate::support::bundles::{Made, SMALL_CHUNKS};
use crate::support::site::noise;

/// A text that repeats itself at long distance, so that a chunk alone would not become smaller.
fn far_repeats(length: usize, seed: u64) -> Vec<u8> {
    noise(700_000, seed).repeat(length.div_ceil(700_000))[..length].to_vec()
}

/// Several to a chunk, restored ones below and above a chunk among them, one that spans chunks, and others between.
fn layers() -> Vec<Vec<u8>> {
    vec![
        noise(2000, 1),
        vec![3; 80_000],
        far_repeats(3 << 20, 4),
        vec![5; 5_000_001],
        noise(900, 6),
        [noise(2_300_000, 7), vec![8; 1_500_000]].concat(),
        noise(1_200_000, 9),
        vec![10; 70_000],
    ]
}

impl Stage {
    fn encoded(&self, sequence: u64, layers: &[Vec<u8>]) -> Made {
        self.vendor.encoded(sequence, layers, SMALL_CHUNKS, &mut |form| form)
    }
}

fn damage(path: &Path) {
    let mut bytes = read(path);
    bytes[77] ^= 1;
    std::fs::remove_file(path).unwrap();
    write(path, &bytes);
}

#[test]
fn encoded_layers_arrive_byte_for_byte() {
    let (stage, layers) = (Stage::new(), layers());
    let made = stage.encoded(1, &layers);
    let whole: usize = layers.iter().map(Vec::len).sum();
    assert!(made.bytes.len() * 2 < whole, "{} of {whole}", made.bytes.len());
    stage.import(&made).assert_imported();
    // Served whole, through the proofs of their pieces.
    assert_eq!(check(&stage.site.path(), &[&made]), 1);
    for (digest, layer) in made.layers.iter().zip(&layers) {
        assert!(read(&stage.stored(digest)) == *layer);
    }
    assert_eq!(incoming(&stage.site.path()), Vec::<String>::new());
}

#[test]
fn a_dry_run_restores_and_stores_nothing() {
    let stage = Stage::new();
    let made = stage.encoded(1, &layers());
    let bundle = stage.file("bundle", &made.bytes);
    let mut command = appliance::import_command(&stage.site.path(), &bundle);
    let output = command.arg("--dry-run").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!stage.stored(&made.layers[1]).try_exists().unwrap());
}

#[test]
fn a_stop_inside_an_encoded_layer_goes_on_behind_the_one_before() {
    let (stage, layers) = (Stage::new(), layers());
    let made = stage.encoded(1, &layers);
    // Inside the layer that spans chunks: one of its pieces came whole.
    let cut = made.bytes.len() - 1_200_000 - 400_000;
    let stopped = stage.site.import(&stage.file("cut", &made.bytes[..cut]));
    stopped.assert_refused("E-INCOMPLETE", "truncated", "X11");
    let staging = stage
        .site
        .path()
        .join("incoming")
        .join(&incoming(&stage.site.path())[0]);
    let journal = String::from_utf8(read(&staging.join("journal"))).unwrap();
    assert!(!journal.contains("part"), "{journal}");
    assert!(
        !stage.stored(&made.layers[5]).try_exists().unwrap() && stage.stored(&made.layers[3]).try_exists().unwrap()
    );
    let ended = stage.import(&made);
    ended.assert_imported();
    assert!(ended.resumed_bytes() > 0);
    assert_eq!(check(&stage.site.path(), &[&made]), 1);
    // The twin: another way of travelling finds them all.
    let again = stage.vendor.bundle(2, &layers, SMALL_CHUNKS);
    stage.import(&again).assert_imported();
    assert_eq!(check(&stage.site.path(), &[&made, &again]), 2);
}

#[test]
fn what_the_store_holds_is_not_restored_and_what_is_damaged_there_is() {
    let (stage, layers) = (Stage::new(), layers());
    let plain = stage.vendor.bundle(1, &layers, SMALL_CHUNKS);
    stage.import(&plain).assert_imported();
    let (held, damaged) = (stage.stored(&plain.layers[5]), stage.stored(&plain.layers[3]));
    let before = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&held).unwrap());
    damage(&damaged);
    let made = stage.encoded(2, &layers);
    stage.import(&made).assert_imported();
    assert_eq!(
        std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&held).unwrap()),
        before
    );
    assert!(read(&damaged) == layers[3]);
    assert_eq!(check(&stage.site.path(), &[&plain, &made]), 2);
}

#[test]
fn the_same_bundle_heals_encoded_layers() {
    let (stage, layers) = (Stage::new(), layers());
    let made = stage.encoded(1, &layers);
    stage.import(&made).assert_imported();
    damage(&stage.stored(&made.layers[2]));
    damage(&stage.stored(&made.layers[1]));
    std::fs::remove_file(stage.stored(&made.layers[5])).unwrap();
    let ended = stage.import(&made);
    assert_eq!((ended.code, ended.word()), (Some(0), "already"), "{}", ended.stderr);
    for (digest, layer) in made.layers.iter().zip(&layers) {
        assert!(read(&stage.stored(digest)) == *layer);
    }
    assert_eq!(check(&stage.site.path(), &[&made]), 1);
}
