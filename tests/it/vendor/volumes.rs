//! `--volume-size`: bundles in several files, from the vendor's command to the site's.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::cli::{CREATE, CommandFolder};
use crate::import::disk_full::{Disk, in_namespace};
use crate::support::image_set::ImageSet;
use crate::support::left_out::left_out;
use crate::support::site::noise;

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
    // One volume is enough to compare by, and the size is that of all.
    let compared = folder.good(&["bundle", "diff", files[0], files[0], "--trust", "w/root.json"]);
    assert!(
        compared["a"]["bundle_bytes"].as_u64().unwrap() > 9_000_000,
        "{compared}"
    );
    // The same inputs give the same bytes; what stood there is replaced, and one file takes the name of the bundle itself.
    let before: Vec<Vec<u8>> = files.iter().map(|file| fs::read(folder.path(file)).unwrap()).collect();
    create(&folder, &["--volume-size", "6M"]);
    for (file, bytes) in files.iter().zip(&before) {
        assert!(fs::read(folder.path(file)).unwrap() == *bytes, "{file}");
    }
}

#[test]
fn a_signed_number_in_other_volumes_is_told_as_that() {
    let folder = vendor();
    create(&folder, &["--volume-size", "6M"]);
    let otherwise = [&CREATE[..], &["--encodings", "none", "--replace"]].concat();
    let (class, code, event) = folder.refused(&otherwise);
    assert_eq!((class.as_str(), code.as_str()), ("E-EQUIVOCATION", "number-used"));
    let found = event["found"].as_str().unwrap();
    assert!(found.contains("it was in 2 files then and is in 1 file now"), "{found}");
    assert!(event["expected"].as_str().unwrap().contains("--volume-size"), "{event}");
    create(&folder, &["--volume-size", "6M", "--replace"]);
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

#[test]
fn a_medium_that_fills_up_is_told_and_the_next_run_begins_anew() {
    if !in_namespace("vendor::volumes::a_medium_that_fills_up_is_told_and_the_next_run_begins_anew") {
        return;
    }
    let folder = vendor();
    let disk = Disk::mount("tmpfs").unwrap();
    disk.fill(7 << 20);
    let output = disk.path().join("out.airlock").display().to_string();
    let in_volumes = ["--volume-size", "5000000"];
    for more in [&in_volumes[..], &[]] {
        let create = [&CREATE[..7], &[&output, "--encodings", "none"], more].concat();
        let (class, code, event) = folder.refused(&create);
        assert_eq!((class.as_str(), code.as_str()), ("E-SPACE", "no-space"), "{event}");
        assert_eq!(
            event["remedy"],
            "free space there, or name another place with -o; nothing of it is left, and the next run writes it anew"
        );
        assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1, "nothing is left");
    }
    disk.empty();
    let made = folder.good(&[&CREATE[..7], &[&output, "--encodings", "none"], &in_volumes].concat());
    assert_eq!(made["files"].as_array().unwrap().len(), 3);
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 3);
    let place = disk.path().display().to_string();
    assert_eq!(
        folder.good(&["bundle", "verify", &place, "--trust", "w/root.json"])["head_digest"],
        made["head_digest"]
    );
}

/// A stick: an image of a FAT file system, which mtools write and read.
#[cfg(feature = "site")]
struct Stick {
    image: PathBuf,
}

#[cfg(feature = "site")]
impl Stick {
    fn new(image: PathBuf) -> Self {
        let stick = Self { image };
        // 6 MiB in sectors.
        stick.run("mformat", &["-C", "-T", "12288", "::"]);
        stick
    }

    fn run(&self, program: &str, more: &[&str]) {
        let mut command = Command::new(program);
        let output = command.arg("-i").arg(&self.image).args(more).output().unwrap();
        assert!(output.status.success(), "{program}: {output:?}");
    }

    fn put(&self, file: &Path) {
        self.run("mcopy", &[file.to_str().unwrap(), "::"]);
    }

    fn take(&self, folder: &Path) {
        self.run("mcopy", &["::*.airlock", folder.to_str().unwrap()]);
    }
}

#[cfg(feature = "site")]
#[test]
fn three_sticks_arrive_one_at_a_time_in_any_order() {
    if Command::new("mcopy").arg("--version").output().is_err() {
        left_out("mtools are not installed");
        return;
    }
    let folder = vendor();
    let made = create(&folder, &["--volume-size", "5000000"]);
    let files = made["files"].as_array().unwrap();
    assert_eq!(files.len(), 3);
    let stick = |(number, file): (usize, &Value)| {
        let stick = Stick::new(folder.path(&format!("stick-{number}")));
        let file = folder.path(file.as_str().unwrap());
        stick.put(&file);
        fs::remove_file(file).unwrap();
        stick
    };
    let sticks: Vec<Stick> = (1..).zip(files).map(stick).collect();
    // Another order in every run.
    let mut orders = vec![[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let order = orders.swap_remove(std::process::id() as usize % orders.len());
    folder.good(&["init", "--site", "plant", "--state", "state", "--trust", "w/root.json"]);
    let mut here = Vec::new();
    for number in order {
        let medium = folder.path("medium");
        fs::create_dir(&medium).unwrap();
        sticks[number].take(&medium);
        here.push(number);
        let import = ["import", "medium", "--state", "state"];
        if here.len() == 3 {
            let imported = folder.good(&import);
            assert_eq!(imported["head"], made["head_digest"], "{order:?}");
        } else {
            let (class, code, event) = folder.refused(&import);
            assert_eq!(
                (class.as_str(), code.as_str()),
                ("E-INCOMPLETE", "volumes"),
                "{order:?}"
            );
            let missing = (0..3).find(|number| !here.contains(number)).unwrap() + 1;
            let found = event["found"].as_str().unwrap();
            assert!(
                found.contains(&format!("volume {missing} of 3 is missing")),
                "{order:?}: {found}"
            );
        }
        fs::remove_dir_all(&medium).unwrap();
    }
    let list = folder.good(&["release", "list", "--state", "state"]);
    assert_eq!(list["releases"].as_array().map(Vec::len), Some(1), "{list}");
}
