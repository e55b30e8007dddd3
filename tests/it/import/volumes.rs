//! Bundles in volumes: in any order, all at once or one medium at a time; and what is refused of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::appliance::{
    self, AIRLOCK, Appliance, Ended, audit_actions, check, import_command, incoming, read, write,
};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::site::noise;
use crate::support::travel;

/// A release in three volumes, the files of which lie in one folder.
pub(super) struct Set {
    pub(super) vendor: Vendor,
    pub(super) site: Appliance,
    pub(super) folder: tempfile::TempDir,
    pub(super) made: Made,
    pub(super) files: Vec<PathBuf>,
}

pub(super) fn layers() -> Vec<Vec<u8>> {
    vec![noise(700_000, 1), noise(2_500_000, 2), noise(900_000, 3)]
}

impl Set {
    pub(super) fn new() -> Self {
        Self::of(&layers(), 1_900_000, |_| None)
    }

    fn of(layers: &[Vec<u8>], most: u64, travels: fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        let (vendor, folder) = (Vendor::new(), appliance::scratch());
        let (made, volumes) = vendor.volumes(1, layers, most, travels);
        assert_eq!(volumes.len(), 3);
        let mut files = Vec::new();
        for (number, bytes) in (1..).zip(&volumes) {
            let file = folder.path().join(format!("crm-1.{number}-of-3.airlock"));
            write(&file, bytes);
            files.push(file);
        }
        Self {
            site: Appliance::init(&vendor),
            vendor,
            folder,
            made,
            files,
        }
    }

    pub(super) fn import(&self, volumes: &[usize]) -> Ended {
        let files: Vec<&Path> = volumes.iter().map(|volume| self.files[volume - 1].as_path()).collect();
        self.import_files(&files, &[])
    }

    pub(super) fn import_files(&self, files: &[&Path], more: &[&str]) -> Ended {
        let mut command = import_command(&self.site.path(), files[0]);
        Ended::of(&command.args(&files[1..]).args(more).output().unwrap())
    }

    /// What is good is kept, and the volume that is missing is asked for.
    #[track_caller]
    pub(super) fn waits_for(&self, ended: &Ended, volume: usize) {
        ended.assert_refused("E-INCOMPLETE", "volumes", "X11");
        assert!(
            ended.stderr.contains(&format!("volume {volume} of 3 is missing")),
            "{}",
            ended.stderr
        );
        assert!(
            ended.remedy().starts_with(&format!("give volume {volume} too")),
            "{}",
            ended.remedy()
        );
        assert_eq!(check(&self.site.path(), &[&self.made]), 0);
        assert_eq!(audit_actions(&self.site.path()).last().unwrap(), "refuse");
        assert_eq!(incoming(&self.site.path()).len(), 1);
    }

    #[track_caller]
    pub(super) fn arrives(&self, ended: &Ended) {
        ended.assert_imported();
        assert_eq!(check(&self.site.path(), &[&self.made]), 1);
        assert_eq!(incoming(&self.site.path()), Vec::<String>::new());
    }

    /// Names of volumes that wait for their turn.
    pub(super) fn kept(&self) -> Vec<String> {
        let head = self.site.path().join("incoming").join(&incoming(&self.site.path())[0]);
        let entries = fs::read_dir(head).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut kept: Vec<String> = names.filter(|name| name.starts_with("volume")).collect();
        kept.sort();
        kept
    }
}

#[test]
fn volumes_come_one_medium_at_a_time_in_any_order() {
    // In order: nothing is written twice.
    let set = Set::new();
    set.waits_for(&set.import(&[1]), 2);
    assert_eq!(set.kept(), [""; 0]);
    let second = set.import(&[2]);
    set.waits_for(&second, 3);
    // What the room is of, beside what is here by now.
    assert!(
        second
            .stderr
            .contains("(the whole bundle brings 3.9 MiB in 6 files: the rest is here, or its room is taken)"),
        "{}",
        second.stderr
    );
    assert_eq!(set.kept(), [""; 0]);
    // The same once more is harmless.
    set.waits_for(&set.import(&[2]), 3);
    set.waits_for(&set.import(&[1]), 3);
    let ended = set.import(&[3]);
    set.arrives(&ended);
    // From the end to the beginning.
    let set = Set::new();
    set.waits_for(&set.import(&[3]), 1);
    assert_eq!(set.kept(), ["volume-3"]);
    set.waits_for(&set.import(&[2]), 1);
    assert_eq!(set.kept(), ["volume-2", "volume-3"]);
    set.arrives(&set.import(&[1]));
    // The middle one first, then both others at once.
    let set = Set::new();
    set.waits_for(&set.import(&[2]), 1);
    set.arrives(&set.import(&[3, 1]));
    // The first and the last, then the middle.
    let set = Set::new();
    set.waits_for(&set.import(&[3, 1]), 2);
    assert_eq!(set.kept(), ["volume-3"]);
    set.arrives(&set.import(&[2]));
}

#[test]
fn a_folder_of_volumes_is_one_bundle() {
    let set = Set::new();
    // What an interrupted create leaves, and a copy of one of them, are no bundles of their own.
    write(
        &set.folder.path().join("crm-2.1.airlock.partial"),
        &read(&set.files[0])[..700_000],
    );
    fs::copy(&set.files[1], set.folder.path().join("copy.airlock")).unwrap();
    let dry = set.import_files(&[set.folder.path()], &["--dry-run"]);
    assert_eq!((dry.code, dry.word()), (Some(0), "dry-run"), "{}", dry.stderr);
    assert_eq!(check(&set.site.path(), &[&set.made]), 0);
    let ended = set.import_files(&[set.folder.path()], &[]);
    assert!(ended.stderr.contains("volume 2 once more"), "{}", ended.stderr);
    set.arrives(&ended);
    // It heals from the folder, and from the volume alone that has what is lost.
    let lost = set.made.layers[2].0.to_hex();
    let lost = set.site.path().join("blobs/sha256").join(&lost[..2]).join(&lost);
    for source in [set.folder.path(), set.files[2].as_path()] {
        fs::remove_file(&lost).unwrap();
        let ended = set.import_files(&[source], &[]);
        assert_eq!((ended.code, ended.word()), (Some(0), "already"), "{}", ended.stderr);
        assert_eq!(ended.result["restored_blobs"], 1);
        assert_eq!(check(&set.site.path(), &[&set.made]), 1);
    }
    fs::remove_file(&lost).unwrap();
    let refused = set.import(&[1]);
    refused.assert_refused("E-INCOMPLETE", "volumes", "X11");
    assert!(
        refused.stderr.contains("volume 3 of 3 is missing"),
        "{}",
        refused.stderr
    );
    assert_eq!(set.import(&[3]).result["restored_blobs"], 1);
}

#[test]
fn a_dry_run_of_a_set_that_is_not_complete_says_what_is_missing_and_keeps_nothing() {
    let set = Set::new();
    let refused = set.import_files(&[&set.files[2], &set.files[0]], &["--dry-run"]);
    refused.assert_refused("E-INCOMPLETE", "volumes", "X11");
    assert_eq!(refused.remedy(), "name volume 2 too, or a folder with all of them");
    assert_eq!(incoming(&set.site.path()), Vec::<String>::new());
    let all = [set.files[2].as_path(), &set.files[0], &set.files[1]];
    assert_eq!(set.import_files(&all, &["--dry-run"]).word(), "dry-run");
}

#[test]
fn an_encoded_layer_over_volumes_waits_for_the_rest_of_it() {
    // Travels in more than three chunks, over every border.
    let layers = vec![noise(300_000, 1), [noise(3_400_000, 2), vec![5; 900_000]].concat()];
    let set = || {
        Set::of(&layers, 1_600_000, |layer| {
            travel::plain(layer).filter(|form| form.len() > 1 << 20)
        })
    };
    let whole = set();
    whole.arrives(&whole.import(&[3, 2, 1]));
    let one = set();
    one.waits_for(&one.import(&[1]), 2);
    assert_eq!(one.kept(), ["volume-1"]);
    one.waits_for(&one.import(&[2]), 3);
    assert_eq!(one.kept(), ["volume-1", "volume-2"]);
    one.arrives(&one.import(&[3]));
}

#[test]
fn volumes_that_are_damaged_of_another_set_or_two_of_one_number_are_named() {
    let set = Set::new();
    // Of another set.
    let other = Set::of(
        &[noise(700_000, 1), noise(2_500_000, 9), noise(900_000, 3)],
        1_900_000,
        |_| None,
    );
    let foreign = set.folder.path().join("foreign.airlock");
    fs::copy(&other.files[1], &foreign).unwrap();
    let refused = set.import_files(&[&set.files[0], &foreign], &[]);
    refused.assert_refused("E-FORMAT", "volumes", "X2");
    assert!(refused.stderr.contains("foreign.airlock"), "{}", refused.stderr);
    assert_eq!(refused.remedy(), "name the volumes of one set");
    fs::remove_file(&foreign).unwrap();
    // Two of one number, one of which ends early.
    let short = set.folder.path().join("short.airlock");
    let second = read(&set.files[1]);
    write(&short, &second[..second.len() - 512]);
    let refused = set.import_files(&[set.folder.path()], &[]);
    refused.assert_refused("E-FORMAT", "volumes", "X5");
    assert_eq!(refused.remedy(), "copy volume 2 again, and name that one alone");
    fs::remove_file(&short).unwrap();
    assert_eq!(incoming(&set.site.path()), Vec::<String>::new());
    // Two of one number, of one size, one of which lost its signatures.
    let unsigned = set.folder.path().join("unsigned.airlock");
    let mut bytes = second.clone();
    let at = bytes.windows(5).position(|part| part == b"\"sig\"").unwrap();
    bytes[at + 8] ^= 1;
    write(&unsigned, &bytes);
    let refused = set.import_files(&[&set.files[0], &set.files[1], &unsigned], &[]);
    refused.assert_refused("E-FORMAT", "volumes", "X5");
    assert!(
        refused.stderr.contains("are both volume 2 of 3, and differ"),
        "{}",
        refused.stderr
    );
    // What a volume says of its vendor is judged whichever it is in.
    for volume in [1, 2, 3] {
        let good = read(&set.files[volume - 1]);
        let at = good[..16_384]
            .windows(10)
            .position(|part| part == b"\"domain\":\"")
            .unwrap()
            + 11;
        let mut bytes = good.clone();
        // Another digit: what the domain is differs from set to set.
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        write(&set.files[volume - 1], &bytes);
        let refused = set.import(&[1, 2, 3]);
        refused.assert_refused("E-TRUST", "unknown-domain", "X3");
        // The remedy: it is copied again.
        write(&set.files[volume - 1], &good);
        let files: Vec<&Path> = set.files.iter().map(PathBuf::as_path).collect();
        let good = set.import_files(&files, &["--dry-run"]);
        assert_eq!(good.code, Some(0), "{}", good.stderr);
    }
    assert_eq!(incoming(&set.site.path()), Vec::<String>::new());
    // What is no bundle at all is named, and so is one that is damaged before its head.
    let refused = set.import_files(&[&set.files[0], Path::new(AIRLOCK)], &[]);
    refused.assert_refused("E-FORMAT", "source", "X1");
    assert!(refused.stderr.contains("airlock is no bundle"), "{}", refused.stderr);
    bytes[100] ^= 1;
    write(&unsigned, &bytes);
    let refused = set.import_files(&[&set.files[0], &unsigned], &[]);
    refused.assert_refused("E-FORMAT", "header", "X2");
    assert!(refused.stderr.contains("unsigned.airlock"), "{}", refused.stderr);
    assert_eq!(incoming(&set.site.path()), Vec::<String>::new());
}

#[test]
fn a_damaged_volume_is_copied_again_and_what_the_others_brought_stays() {
    type Change<'a> = (&'a dyn Fn(&[u8]) -> Vec<u8>, &'a str, &'a str);
    let flipped = |bytes: &[u8], at: usize| {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1;
        damaged
    };
    let header = |bytes: &[u8]| bytes.windows(12).position(|part| part == b"chunks/00000").unwrap();
    // A chunk, a header, the end, and bytes behind that.
    let changes: [Change<'_>; 4] = [
        (
            &|bytes| flipped(bytes, bytes.len() - 4000),
            "E-INTEGRITY",
            "stored-hash",
        ),
        (&|bytes| flipped(bytes, header(bytes) + 100), "E-FORMAT", "header"),
        (&|bytes| flipped(bytes, bytes.len() - 1), "E-FORMAT", "end"),
        (&|bytes| [bytes, b"x"].concat(), "E-FORMAT", "trailing-data"),
    ];
    for (change, class, code) in changes {
        let set = Set::new();
        let second = read(&set.files[1]);
        write(&set.files[1], &change(&second));
        let refused = set.import_files(&[set.folder.path()], &[]);
        refused.assert_refused(class, code, "X11");
        assert!(
            refused
                .remedy()
                .starts_with("copy the file of volume 2 of 3 (\"crm-1.2-of-3.airlock\") again"),
            "{}",
            refused.remedy()
        );
        assert_eq!(check(&set.site.path(), &[&set.made]), 0);
        // What volume 1 brought is here: it is asked for no more.
        write(&set.files[1], &second);
        set.waits_for(&set.import(&[2]), 3);
        set.arrives(&set.import(&[3]));
    }
    let set = Set::new();
    let second = read(&set.files[1]);
    let end = second.len();
    // One that comes before its turn keeps what is here, too.
    let third = read(&set.files[2]);
    write(&set.files[2], &flipped(&third, third.len() - 4000));
    set.waits_for(&set.import(&[1]), 2);
    set.import(&[3]).assert_refused("E-INTEGRITY", "stored-hash", "X11");
    assert_eq!(set.kept(), [""; 0]);
    write(&set.files[2], &third);
    set.waits_for(&set.import(&[3]), 2);
    // A medium that ends early keeps what came.
    write(&set.files[1], &second[..end - 300_000]);
    let refused = set.import(&[2]);
    refused.assert_refused("E-INCOMPLETE", "truncated", "X11");
    assert!(
        refused.stderr.contains("the file of volume 2 of 3 ends too early"),
        "{}",
        refused.stderr
    );
    write(&set.files[1], &second);
    set.arrives(&set.import(&[2]));
}

#[test]
fn a_bundle_in_one_file_that_is_damaged_leaves_nothing() {
    let (vendor, folder) = (Vendor::new(), appliance::scratch());
    let site = Appliance::init(&vendor);
    let mut bytes = vendor.bundle(1, &layers(), SMALL_CHUNKS).bytes;
    let at = bytes.len() - 4000;
    bytes[at] ^= 1;
    let file = folder.path().join("crm-1.airlock");
    write(&file, &bytes);
    site.import(&file).assert_refused("E-INTEGRITY", "stored-hash", "X11");
    assert_eq!(incoming(&site.path()), Vec::<String>::new());
}

/// Runs the program without a state; returns how it ended.
fn run(arguments: &[&std::ffi::OsStr]) -> Ended {
    let mut command = Command::new(AIRLOCK);
    Ended::of(
        &command
            .args(["--format", "json", "bundle"])
            .args(arguments)
            .output()
            .unwrap(),
    )
}

#[test]
fn each_volume_is_looked_at_and_verified_by_itself() {
    let set = Set::new();
    let root = set.folder.path().join("root.json");
    write(&root, &set.vendor.chain_file());
    let inspected = run(&[
        "inspect".as_ref(),
        set.files[1].as_ref(),
        "--trust".as_ref(),
        root.as_ref(),
    ]);
    assert_eq!(inspected.code, Some(0), "{}", inspected.stderr);
    assert_eq!(inspected.result["volumes_at_hand"], serde_json::json!([2]));
    assert_eq!(inspected.result["head"]["volumes"].as_array().map(Vec::len), Some(3));
    assert_eq!(inspected.result["head"]["reader"], "0.2.0");
    let verify = |files: &[&Path]| {
        let mut arguments = vec!["verify".as_ref()];
        arguments.extend(files.iter().map(|file| file.as_os_str()));
        arguments.extend(["--trust".as_ref(), root.as_os_str()]);
        run(&arguments)
    };
    let refused = verify(&[&set.files[1]]);
    refused.assert_refused("E-INCOMPLETE", "volumes", "X11");
    assert!(refused.stderr.contains("volume 2 is good"), "{}", refused.stderr);
    assert_eq!(refused.remedy(), "name volume 1 too, or a folder with all of them");
    let good = verify(&[set.folder.path()]);
    assert_eq!(
        (good.code, &good.result["result"]),
        (Some(0), &Value::from("good")),
        "{}",
        good.stderr
    );
    let good = verify(&[&set.files[2], &set.files[0], &set.files[1]]);
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    let mut damaged = read(&set.files[1]);
    let at = damaged.len() - 4000;
    damaged[at] ^= 1;
    write(&set.files[1], &damaged);
    verify(&[&set.files[1]]).assert_refused("E-INTEGRITY", "stored-hash", "X11");
}
