//! What came of a bundle in volumes waits: beside other imports, for a dry run of the rest, and where somebody has planted something.

#![allow(clippy::disallowed_methods, reason = "tests look at what is there")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::disk_full::{Disk, in_namespace};
use super::volumes::{Set, layers};
use crate::support::appliance::{AIRLOCK, Appliance, Ended, check, import_command, incoming, read, write};
use crate::support::bundles::{SMALL_CHUNKS, Vendor};
use crate::support::site::noise;

impl Set {
    /// The last volume of another release, which is asked for the others.
    fn other(&self, sequence: u64, more: &[&str]) -> Ended {
        let layers = [
            noise(700_000, sequence),
            noise(2_500_000, 20 + sequence),
            noise(900_000, 3),
        ];
        let (_, volumes) = self.vendor.volumes(sequence, &layers, 1_900_000, |_| None);
        let file = self.folder.path().join(format!("other-{sequence}.airlock"));
        write(&file, volumes.last().unwrap());
        let ended = self.import_files(&[&file], more);
        ended.assert_refused("E-INCOMPLETE", "volumes", "X11");
        fs::remove_file(file).unwrap();
        ended
    }

    fn has_its_layers(&self) {
        for (layer, bytes) in self.made.layers.iter().zip(layers()) {
            let hex = layer.0.to_hex();
            let blob = self.site.path().join("blobs/sha256").join(&hex[..2]).join(hex);
            assert!(read(&blob) == bytes);
        }
    }

    /// Where its own volumes wait, the only ones that do.
    fn waiting(&self) -> PathBuf {
        let heads = incoming(&self.site.path());
        assert_eq!(heads.len(), 1, "{heads:?}");
        self.site.path().join("incoming").join(&heads[0])
    }
}

#[test]
fn what_came_of_a_release_waits_beside_the_imports_of_others() {
    let set = Set::new();
    set.waits_for(&set.import(&[3]), 1);
    let kept = set.waiting().join("volume-3");
    for sequence in 2..=4 {
        let ended = set.other(sequence, &[]);
        assert!(!ended.stderr.contains("goes for this one"), "{}", ended.stderr);
        assert!(kept.is_file());
    }
    assert_eq!(incoming(&set.site.path()).len(), 4);
    // A dry run of a fifth lets nothing go.
    set.other(5, &["--dry-run"]);
    assert!(kept.is_file() && incoming(&set.site.path()).len() == 4);
    set.import(&[2]).assert_refused("E-INCOMPLETE", "volumes", "X11");
    set.import(&[1]).assert_imported();
    set.has_its_layers();
    assert_eq!(incoming(&set.site.path()).len(), 3, "those of the others");
}

#[test]
fn what_goes_for_a_fifth_release_is_told_by_its_name() {
    let set = Set::new();
    set.waits_for(&set.import(&[3]), 1);
    let kept = set.waiting().join("volume-3");
    for sequence in 2..=4 {
        set.other(sequence, &[]);
    }
    let ended = set.other(5, &[]);
    assert!(
        ended.stderr.contains("what a stopped import of release 1 (")
            && ended.stderr.contains("kept goes for this one"),
        "{}",
        ended.stderr
    );
    assert!(!kept.exists() && incoming(&set.site.path()).len() == 4);
    // Given whole it comes in.
    set.import(&[1, 2, 3]).assert_imported();
    set.has_its_layers();
}

#[test]
fn a_dry_run_of_the_last_volume_knows_those_that_came() {
    // Those before it were taken in, or wait.
    for (came, last) in [([1, 2], 3), ([3, 2], 1), ([1, 3], 2)] {
        let set = Set::new();
        let dry = |volumes: &[usize]| {
            let files: Vec<&Path> = volumes.iter().map(|volume| set.files[volume - 1].as_path()).collect();
            set.import_files(&files, &["--dry-run"])
        };
        set.import(&came[..1]).assert_refused("E-INCOMPLETE", "volumes", "X11");
        let refused = dry(&[last]);
        refused.assert_refused("E-INCOMPLETE", "volumes", "X11");
        let missing = format!("volume {} of 3 is missing", came[1]);
        assert!(refused.stderr.contains(&missing), "{came:?}: {}", refused.stderr);
        set.import(&came[1..]).assert_refused("E-INCOMPLETE", "volumes", "X11");
        let before = incoming(&set.site.path());
        let good = dry(&[last]);
        assert_eq!(
            (good.code, good.word()),
            (Some(0), "dry-run"),
            "{came:?}: {}",
            good.stderr
        );
        assert_eq!(incoming(&set.site.path()), before);
        assert_eq!(check(&set.site.path(), &[&set.made]), 0);
        set.arrives(&set.import(&[last]));
    }
}

#[test]
fn a_link_beside_what_is_kept_stays_and_nothing_goes_for_it() {
    let set = Set::new();
    set.waits_for(&set.import(&[3]), 1);
    let (link, kept) = (set.waiting().join("volume-1"), set.waiting().join("volume-3"));
    symlink("/etc/hostname", &link).unwrap();
    let refused = set.import(&[2]);
    refused.assert_refused("E-STATE", "planted", "X10");
    assert!(link.is_symlink() && kept.is_file(), "{}", refused.stderr);
    // The next one meets it too.
    set.import(&[2]).assert_refused("E-STATE", "planted", "X10");
    fs::remove_file(link).unwrap();
    set.waits_for(&set.import(&[2]), 1);
    set.arrives(&set.import(&[1]));
}

#[test]
fn a_full_disk_says_what_stopped_imports_keep_there() {
    if !in_namespace("import::volumes_kept::a_full_disk_says_what_stopped_imports_keep_there") {
        return;
    }
    let Some(disk) = Disk::mount("tmpfs") else { return };
    let (vendor, state, bundles) = (Vendor::new(), disk.path().join("state"), tempfile::tempdir().unwrap());
    Appliance::init_in(&state, &vendor);
    let import = |name: &str, bytes: &[u8]| {
        let file = bundles.path().join(name);
        write(&file, bytes);
        Ended::of(&import_command(&state, &file).output().unwrap())
    };
    let (_, volumes) = vendor.volumes(1, &[noise(700_000, 1), noise(9_000_000, 2)], 6_000_000, |_| None);
    import("last", volumes.last().unwrap()).assert_refused("E-INCOMPLETE", "volumes", "X11");
    let next = vendor.bundle(2, &[noise(4_000_000, 3)], SMALL_CHUNKS);
    disk.fill(34 << 20);
    let refused = import("next", &next.bytes);
    refused.assert_refused("E-SPACE", "no-space", "X10");
    let remedy = refused.remedy();
    assert!(
        remedy.starts_with(
            "free space on that file system and import again; what stopped imports of other releases keep there goes with \
             `airlock gc --abandon-imports"
        ),
        "{remedy}"
    );
    let mut gc = Command::new(AIRLOCK);
    gc.args(["gc", "--yes", "--abandon-imports", "--state"]).arg(&state);
    assert!(gc.output().unwrap().status.success());
    import("next", &next.bytes).assert_imported();
}
