//! What layers are copied from, named to who judges or unpacks a bundle without a site: in any order, of the right vendor, whole, and of the
//! size that is stated.

use std::path::{Path, PathBuf};
use std::process::Command;

use airlock::encoding::Encoding;

use super::stage::Stage;
use crate::import::disk_full::{Disk, in_namespace};
use crate::support::appliance::{AIRLOCK, Ended, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::site::noise;
use crate::support::travel;

/// Three versions of a layer, each with something else inside it.
fn versions() -> [Vec<u8>; 3] {
    let first = noise(1_300_000, 1);
    let changed = |of: &[u8], seed| [&of[..400_000], &noise(5_000, seed)[..], &of[401_000..]].concat();
    let second = changed(&first, 2);
    let third = changed(&second, 3);
    [first, second, third]
}

/// Release `sequence`: `new`, copied in part from `old`, whose size it states as `size`.
fn copied(vendor: &Vendor, sequence: u64, (new, old): (&[u8], &[u8]), size: u64) -> Made {
    let layers = [new.to_vec(), noise(500, 9)];
    vendor.copying(sequence, &layers, SMALL_CHUNKS, &mut |layer| {
        let mut base = travel::base(old, false);
        base.size = size;
        (layer == new).then(|| ((travel::copied(new, old), Encoding::Plain), vec![base]))
    })
}

fn update(vendor: &Vendor, sequence: u64, new: &[u8], old: &[u8]) -> Made {
    copied(vendor, sequence, (new, old), old.len() as u64)
}

impl Stage {
    fn command(&self, words: &[&str], file: &Path, bases: &[&Path]) -> Command {
        let trust = self.folder.path().join("trust.json");
        write(&trust, &self.vendor.chain_file());
        let mut command = Command::new(AIRLOCK);
        command.args(["--format", "json", "bundle"]).args(words).arg(file);
        command.arg("--trust").arg(trust);
        for base in bases {
            command.arg("--base").arg(base);
        }
        command
    }

    fn judged(&self, file: &Path, bases: &[&Path]) -> Ended {
        Ended::of(&self.command(&["verify"], file, bases).output().unwrap())
    }

    fn extracted(&self, file: &Path, bases: &[&Path]) -> Ended {
        let out = self.folder.path().join("out");
        std::fs::remove_dir_all(&out).ok();
        let mut command = self.command(&["extract"], file, bases);
        Ended::of(&command.arg("-o").arg(out).output().unwrap())
    }

    /// The bundles of three releases, of which each is copied from the one before.
    fn chain(&self) -> [PathBuf; 3] {
        let [first, second, third] = versions();
        let one = self.vendor.bundle(1, std::slice::from_ref(&first), SMALL_CHUNKS);
        let two = update(&self.vendor, 2, &second, &first);
        let three = update(&self.vendor, 3, &third, &second);
        [("one", one), ("two", two), ("three", three)].map(|(name, made)| self.file(name, &made.bytes))
    }
}

#[test]
fn bases_are_chained_in_any_order() {
    let stage = Stage::new();
    let [one, two, three] = stage.chain();
    for (bases, unproven) in [
        (&[one.as_path(), &two][..], 0),
        (&[&two, &one], 0),
        (&[&two], 1),
        (&[&one], 1),
    ] {
        let verified = stage.judged(&three, bases);
        assert_eq!(
            verified.result["not_restored"]["blobs"], unproven,
            "{}",
            verified.stderr
        );
    }
    for bases in [[one.as_path(), &two], [&two, &one]] {
        let extracted = stage.extracted(&three, &bases);
        assert_eq!(extracted.code, Some(0), "{}", extracted.stderr);
    }
    // A site that holds the first is as good as its bundle.
    stage.site.import(&one).assert_imported();
    let verified = stage.judged(&three, &[&two, &stage.site.path()]);
    assert_eq!(verified.result["not_restored"]["blobs"], 0, "{}", verified.stderr);
}

#[test]
fn a_fault_of_a_base_is_told_as_the_bases() {
    let stage = Stage::new();
    let [one, two, three] = stage.chain();
    let whole = crate::support::appliance::read(&one);
    let mut damaged = whole.clone();
    let middle = damaged.len() - 700_000;
    damaged[middle] ^= 1;
    for (bytes, class, code) in [
        (&damaged[..], "E-INTEGRITY", "stored-hash"),
        (&whole[..whole.len() - 5_000], "E-INCOMPLETE", "truncated"),
    ] {
        write(&one, bytes);
        for ended in [stage.judged(&three, &[&two, &one]), stage.extracted(&two, &[&one])] {
            ended.assert_refused(class, code, "X11");
            assert!(
                ended.stderr.contains(&format!("the base {}: ", one.display())),
                "{}",
                ended.stderr
            );
            let remedy = ended.remedy();
            let says = format!(
                "; this is about the base {}, and not about the bundle that is copied from it",
                one.display()
            );
            assert!(remedy.contains("copy") && remedy.ends_with(&says), "{remedy}");
        }
    }
    // What the message says helps.
    write(&one, &whole);
    assert_eq!(stage.judged(&three, &[&two, &one]).code, Some(0));
    assert_eq!(stage.extracted(&two, &[&one]).code, Some(0));
}

#[test]
fn a_base_of_another_vendor_is_told_as_that() {
    let stage = Stage::new();
    let [one, two, _] = stage.chain();
    let other = Stage::new();
    let strange = other.file("strange", &other.vendor.bundle(1, &[noise(900, 1)], SMALL_CHUNKS).bytes);
    for ended in [stage.judged(&two, &[&strange]), stage.extracted(&two, &[&strange])] {
        ended.assert_refused("E-TRUST", "unknown-domain", "X3");
        assert!(
            ended.stderr.contains(&format!("the base {}: ", strange.display())),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.remedy(), "name a bundle of the vendor whose chain file it is");
    }
    assert_eq!(stage.judged(&two, &[&one]).result["not_restored"]["blobs"], 0);
}

#[test]
fn a_need_of_another_size_is_refused_wherever_what_it_needs_is() {
    let stage = Stage::new();
    let [first, second, _] = versions();
    let [one, two, _] = stage.chain();
    let lying = copied(&stage.vendor, 2, (&second, &first), first.len() as u64 + 1);
    let lying = stage.file("lying", &lying.bytes);
    stage.site.import(&one).assert_imported();
    let remedy = "ask the vendor for a full one, and tell them that this one was built wrong";
    let says = format!("({} bytes): ", first.len() + 1);
    for ended in [
        stage.judged(&lying, &[&one]),
        stage.judged(&lying, &[&stage.site.path()]),
        stage.extracted(&lying, &[&one]),
        stage.site.import(&lying),
    ] {
        ended.assert_refused("E-DEPENDENCY", "needs", "X10");
        assert_eq!(ended.remedy(), remedy);
        let here = format!("with {} bytes", first.len());
        assert!(
            ended.stderr.contains(&says) && ended.stderr.contains(&here),
            "{}",
            ended.stderr
        );
    }
    // Without its base nobody sees that, and a right one comes in.
    assert_eq!(stage.judged(&lying, &[]).result["not_restored"]["blobs"], 1);
    stage.site.import(&two).assert_imported();
}

#[test]
fn a_full_one_is_what_a_need_of_another_size_is_answered_with() {
    let stage = Stage::new();
    let [first, second, _] = versions();
    let [one, ..] = stage.chain();
    stage.site.import(&one).assert_imported();
    let lying = copied(&stage.vendor, 2, (&second, &first), 5);
    stage.import(&lying).assert_refused("E-DEPENDENCY", "needs", "X10");
    let full = stage.vendor.bundle(3, std::slice::from_ref(&second), SMALL_CHUNKS);
    stage.import(&full).assert_imported();
}

#[test]
fn where_layers_stand_that_others_are_copied_from_is_told_where_it_is_full() {
    if !in_namespace("encodings::bases::where_layers_stand_that_others_are_copied_from_is_told_where_it_is_full") {
        return;
    }
    let stage = Stage::new();
    let [one, two, _] = stage.chain();
    let disk = Disk::mount("tmpfs").unwrap();
    disk.fill(500_000);
    let judged = |folder: &Path| {
        let mut command = stage.command(&["verify"], &two, &[&one]);
        Ended::of(&command.env("TMPDIR", folder).output().unwrap())
    };
    let full = judged(&disk.path());
    full.assert_refused("E-SPACE", "no-space", "X11");
    let place = disk.path().display().to_string();
    assert!(full.stderr.contains(&format!("a blob in {place}")), "{}", full.stderr);
    assert_eq!(
        full.remedy(),
        format!(
            "free space in {place}, where layers stand while others are copied from them, or name another folder with TMPDIR"
        )
    );
    assert_eq!(judged(stage.folder.path()).code, Some(0));
    disk.empty();
    assert_eq!(judged(&disk.path()).code, Some(0));
}
