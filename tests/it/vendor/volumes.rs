//! `--volume-size`: bundles in several files, from the vendor's command to the site's.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::cli::CommandFolder;
use crate::support::image_set::ImageSet;
use crate::support::site::noise;

const CREATE: [&str; 8] = ["bundle", "create", "-f", "release.yaml", "-w", "w", "-o", "out.airlock"];

/// A workspace and a release of an image with a layer of 9 MB that does not compress.
fn vendor() -> CommandFolder {
    let folder = CommandFolder::new();
    let mut set = ImageSet::default();
    let image = set.image("linux/amd64", &noise(9_000_000, 7));
    set.tag("1.0", &image);
    set.write_folder(&folder.path("layout"), &[image]);
    folder.release_file("oci:layout");
    folder
}

fn create(folder: &CommandFolder, more: &[&str]) -> Value {
    folder.good(&[&CREATE[..], &["--encodings", "none"], more].concat())
}

fn names(folder: &CommandFolder) -> Vec<String> {
    let entries = fs::read_dir(folder.path(".")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("airlock")).collect();
    names.sort();
    names
}

#[test]
fn volumes_are_written_and_read_from_the_command_line() {
    let folder = vendor();
    let made = create(&folder, &["--volume-size", "6M"]);
    let files: Vec<&str> = made["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(files, ["out.1-of-2.airlock", "out.2-of-2.airlock"]);
    assert_eq!(names(&folder), files, "nothing else is left");
    let mut bytes = 0;
    for file in &files {
        let size = fs::metadata(folder.path(file)).unwrap().len();
        assert!(size <= 6 << 20, "{size}");
        bytes += size;
    }
    assert_eq!(made["bytes"], bytes);
    assert_eq!(made["reader"], "0.2.0");
    let verify = |more: &[&str]| folder.good(&[&["bundle", "verify"], more, &["--trust", "w/root.json"]].concat());
    assert_eq!(verify(&[files[1], files[0]])["head_digest"], made["head_digest"]);
    // The same inputs give the same bytes; what stood there is replaced, and one file takes the name of the bundle itself.
    let before: Vec<Vec<u8>> = files.iter().map(|file| fs::read(folder.path(file)).unwrap()).collect();
    create(&folder, &["--volume-size", "6M"]);
    for (file, bytes) in files.iter().zip(&before) {
        assert!(fs::read(folder.path(file)).unwrap() == *bytes, "{file}");
    }
}

#[test]
fn one_volume_is_the_bundle_itself() {
    let folder = vendor();
    create(&folder, &[]);
    let whole = fs::read(folder.path("out.airlock")).unwrap();
    let made = create(&folder, &["--volume-size", "dvd"]);
    assert_eq!(made["files"], serde_json::json!(["out.airlock"]));
    assert_eq!(names(&folder), ["out.airlock"]);
    assert!(fs::read(folder.path("out.airlock")).unwrap() == whole);
}

#[test]
fn a_volume_size_is_corrected_as_the_messages_say() {
    let folder = vendor();
    let with = |more: &[&'static str]| [&CREATE[..], &["--encodings", "none"], more].concat();
    let (class, code, event) = folder.refused(&with(&["--volume-size", "3M"]));
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "volume-size"));
    assert_eq!(event["remedy"], "give a larger --volume-size");
    assert_eq!(names(&folder), Vec::<String>::new());
    let pipe = [
        "bundle",
        "create",
        "-f",
        "release.yaml",
        "-w",
        "w",
        "-o",
        "-",
        "--volume-size",
        "6M",
    ];
    let (class, code, event) = folder.refused(&pipe);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "volume-size"));
    assert_eq!(event["remedy"], "leave --volume-size out, or give -o FILE");
    // 4G is what FAT takes: one byte less than 4 GiB.
    create(&folder, &["--volume-size", "4G"]);
    assert!(Path::new(&folder.path("out.airlock")).is_file());
}
