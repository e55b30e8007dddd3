//! A bundle unpacked: the very bytes under their names, or nothing at all; a second run goes on where the first stopped.
#![allow(clippy::disallowed_methods, reason = "tests put files where a stop leaves them")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use airlock::stream::LockFile;

use super::workbench::{Workbench, names, read_layout};
use crate::support::appliance::{Ended, read, write};
use crate::support::bundles::{Made, REPOSITORY, SMALL_CHUNKS};
use crate::support::desired::Desired;
use crate::support::site::{digest, noise};

/// Two layers, one of them of several chunks.
fn layers() -> Vec<Vec<u8>> {
    vec![noise(2_600_000, 1), noise(700, 2)]
}

fn made(bench: &Workbench) -> Made {
    bench.vendor.bundle(3, &layers(), SMALL_CHUNKS)
}

fn assert_is(layout: &Path, made: &Made, layers: &[Vec<u8>]) {
    let (names, blobs) = read_layout(layout);
    let manifest = made.manifest.to_string();
    let expected = [format!("{REPOSITORY}:latest"), format!("{REPOSITORY}:v3")];
    assert_eq!(names, expected.map(|name| (name, manifest.clone())).into());
    // The manifest, its config and its layers: no document of the release.
    assert_eq!(blobs.len(), 2 + layers.len());
    for layer in layers {
        assert!(blobs[&digest(layer).0.to_hex()] == *layer);
    }
}

#[test]
fn a_bundle_becomes_a_layout_of_the_same_bytes() {
    let bench = Workbench::new();
    let made = made(&bench);
    let ended = bench.extract(&made, "out", &[]);
    assert_eq!((ended.code, ended.word()), (Some(0), "extracted"), "{}", ended.stderr);
    assert_eq!(ended.result["names"], 2);
    assert_is(&bench.path("out"), &made, &layers());
    assert_eq!(bench.left(), ["out".to_owned()].into());
    let mode = |path: &str| fs::metadata(bench.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("out"), mode("out/blobs/sha256")), (0o755, 0o755));
}

#[test]
fn documents_of_the_release_are_no_part_of_it() {
    let bench = Workbench::new();
    let made = bench
        .vendor
        .with_targets(3, |image| Desired::docker(image, 1, "a text of the compose file"));
    assert_eq!(bench.extract(&made, "out", &[]).code, Some(0));
    let (names, blobs) = read_layout(&bench.path("out"));
    assert!(
        names.contains_key("registry.test/distr/docker-agent:3.1.0"),
        "{names:?}"
    );
    for bytes in blobs.values() {
        assert!(!String::from_utf8_lossy(bytes).contains("a text of the compose file"));
    }
}

#[test]
fn what_stands_there_is_never_written_into() {
    let bench = Workbench::new();
    let made = made(&bench);
    for (name, make) in [
        ("out", (|path| fs::create_dir(path).unwrap()) as fn(&Path)),
        ("out", |path| write(path, b"mine")),
        ("out", |path| std::os::unix::fs::symlink("/nowhere", path).unwrap()),
        ("out.partial", |path| {
            fs::create_dir(path).unwrap();
            write(&path.join("mine"), b"mine");
        }),
        ("out.partial", |path| write(path, b"mine")),
        ("out.partial", |path| std::os::unix::fs::symlink("/tmp", path).unwrap()),
    ] {
        make(&bench.path(name));
        bench.extract(&made, "out", &[]).assert_refused("E-USAGE", "output", "");
        assert_eq!(bench.left(), [name.to_owned()].into());
        let looked = fs::symlink_metadata(bench.path(name)).unwrap();
        if looked.is_dir() {
            let inside = fs::read_dir(bench.path(name)).unwrap().count();
            assert_eq!(inside, usize::from(name != "out"));
            fs::remove_dir_all(bench.path(name)).unwrap();
        } else {
            fs::remove_file(bench.path(name)).unwrap();
        }
    }
    assert_eq!(
        bench.extract(&made, "out/", &[]).code,
        Some(0),
        "a slash at the end changes nothing"
    );
    assert_is(&bench.path("out"), &made, &layers());
}

#[test]
fn a_spoilt_bundle_leaves_nothing() {
    let bench = Workbench::new();
    let good = made(&bench);
    let at = good.bytes.len() - 1_900;
    let mut bad = good.clone();
    bad.bytes[at] ^= 1;
    bench
        .extract(&bad, "out", &[])
        .assert_refused("E-INTEGRITY", "stored-hash", "X11");
    assert_eq!(bench.left(), [].into());
    // Somebody else's trust.
    write(&bench.path("root.json"), &Workbench::new().vendor.chain_file());
    bench
        .extract(&good, "out", &[])
        .assert_refused("E-TRUST", "unknown-domain", "X3");
    assert_eq!(bench.left(), [].into());
    write(&bench.path("root.json"), &bench.vendor.chain_file());
    assert_eq!(bench.extract(&good, "out", &[]).code, Some(0));
}

#[test]
fn a_run_that_was_stopped_is_gone_on_with() {
    let bench = Workbench::new();
    let good = made(&bench);
    let mut cut = good.clone();
    cut.bytes.truncate(good.bytes.len() - 200_000);
    bench
        .extract(&cut, "out", &[])
        .assert_refused("E-INCOMPLETE", "truncated", "X11");
    assert_eq!(bench.left(), ["out.partial".to_owned()].into());
    // Nobody works in it twice.
    let lock = fs::File::open(bench.path("out.partial/extract.lock")).unwrap();
    let lock = LockFile::new(lock);
    lock.try_lock().unwrap();
    bench.extract(&good, "out", &[]).assert_refused("E-BUSY", "extract", "");
    drop(lock);
    let ended = bench.extract(&good, "out", &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.resumed_bytes() > 1_500_000, "{}", ended.result);
    assert_is(&bench.path("out"), &good, &layers());
    assert_eq!(bench.left(), ["out".to_owned()].into());
}

/// A run that ended behind the last chunk: everything is unpacked, and nothing has its name.
fn stopped_at_the_end() -> (Workbench, Made) {
    let bench = Workbench::new();
    let good = made(&bench);
    let mut cut = good.clone();
    cut.bytes.truncate(good.bytes.len() - 200);
    bench
        .extract(&cut, "out", &[])
        .assert_refused("E-INCOMPLETE", "truncated", "X12");
    (bench, good)
}

#[test]
fn a_layout_that_got_no_name_is_taken_apart_and_made_again() {
    let (bench, good) = stopped_at_the_end();
    // As a stop between the last byte and the name leaves it: one blob was no part of the layout.
    let partial = bench.path("out.partial");
    fs::create_dir_all(partial.join("layout")).unwrap();
    fs::create_dir_all(partial.join("rest")).unwrap();
    fs::rename(partial.join("blobs"), partial.join("layout/blobs")).unwrap();
    let hex = digest(&layers()[0]).0.to_hex();
    let blob = partial.join("layout/blobs/sha256").join(&hex);
    fs::rename(blob, partial.join("rest").join(&hex)).unwrap();
    write(&partial.join("layout/index.json"), b"half");
    assert_eq!(bench.extract(&good, "out", &[]).code, Some(0));
    assert_is(&bench.path("out"), &good, &layers());
    assert_eq!(bench.left(), ["out".to_owned()].into());
}

#[test]
fn content_that_an_earlier_run_lost_is_told_and_unpacked_again() {
    let (bench, good) = stopped_at_the_end();
    let hex = digest(&layers()[0]).0.to_hex();
    fs::remove_file(bench.path("out.partial/blobs/sha256").join(&hex)).unwrap();
    let again = bench.extract(&good, "out", &[]);
    again.assert_refused("E-STATE", "staging", "");
    assert!(
        again.remedy().starts_with("give the same command again"),
        "{}",
        again.remedy()
    );
    assert_eq!(bench.left(), [].into());
    assert_eq!(bench.extract(&good, "out", &[]).code, Some(0));
    assert_is(&bench.path("out"), &good, &layers());
}

#[test]
fn content_that_changed_since_an_earlier_run_is_told_and_unpacked_again() {
    let (bench, good) = stopped_at_the_end();
    // Of its old length: nothing but its hash tells.
    let hex = digest(&layers()[0]).0.to_hex();
    let blob = bench.path("out.partial/blobs/sha256").join(&hex);
    let mut bytes = layers()[0].clone();
    bytes[7] ^= 1;
    fs::remove_file(&blob).unwrap();
    write(&blob, &bytes);
    bench
        .extract(&good, "out", &[])
        .assert_refused("E-STATE", "staging", "");
    assert_eq!(bench.left(), [].into());
    assert_eq!(bench.extract(&good, "out", &[]).code, Some(0));
    assert_is(&bench.path("out"), &good, &layers());
}

#[test]
fn an_archive_begins_when_everything_was_checked() {
    let bench = Workbench::new();
    let good = made(&bench);
    let bundle = bench.file("bundle", &good.bytes);
    let output = bench.extract_command(&bundle, "-", &[]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut archive = tar::Archive::new(&output.stdout[..]);
    let mut seen = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let bytes = airlock::stream::read_bounded(entry, 1 << 30, "an entry").unwrap();
        if name == "index.json" {
            assert_eq!(names(&bytes).len(), 2);
        } else if let Some(hex) = name.strip_prefix("blobs/sha256/") {
            assert_eq!(digest(&bytes).0.to_hex(), hex);
        }
        seen.push(name);
    }
    assert_eq!(
        (seen[0].as_str(), seen[1].as_str(), seen.len()),
        ("oci-layout", "index.json", 6)
    );
    assert_eq!(bench.left(), [].into(), "the work folder is gone");
    // The same bytes each time; of a spoilt bundle none.
    assert!(bench.extract_command(&bundle, "-", &[]).output().unwrap().stdout == output.stdout);
    let mut bytes = read(&bundle);
    let at = bytes.len() - 1_900;
    bytes[at] ^= 1;
    let bad = bench.file("bundle", &bytes);
    let output = bench.extract_command(&bad, "-", &[]).output().unwrap();
    Ended::of(&output).assert_refused("E-INTEGRITY", "stored-hash", "X11");
    assert!(output.stdout.is_empty());
    assert_eq!(bench.left(), [].into());
}
