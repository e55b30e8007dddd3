//! What layers are copied from, named to who judges or unpacks a bundle without a site: in any order, of the right vendor, whole, and of the
//! size that is stated.

use std::path::{Path, PathBuf};
use std::process::Command;

use airlock::encoding::Encoding;
use serde_json::Value;

use super::stage::Stage;
use crate::import::disk_full::{Disk, in_namespace};
use crate::support::appliance::{AIRLOCK, Ended, read, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::python::python;
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
    let whole = read(&one);
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

/// What the independent verifier says, and the words of a refusal.
fn independently(stage: &Stage, file: &Path, bases: &[&Path]) -> (String, u64, String) {
    let trust = stage.folder.path().join("trust.json");
    write(&trust, &stage.vendor.chain_file());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-spec/verify.py");
    let mut command = python();
    command
        .arg("-B")
        .arg(script)
        .arg(file)
        .arg("--json")
        .arg("--trust")
        .arg(trust);
    for base in bases {
        command.arg("--base").arg(base);
    }
    let output = command.output().unwrap();
    let said: Value = serde_json::from_str(&String::from_utf8_lossy(&output.stdout)).unwrap();
    let word = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    let verdict = format!("{} {} {}", word("verdict"), word("class"), word("code"));
    let unproven = said["not_restored"]["blobs"].as_u64().unwrap_or(0);
    (verdict.trim().to_owned(), unproven, word("found"))
}

#[test]
fn the_independent_verifier_takes_bases_as_the_program_does() {
    let stage = Stage::new();
    let [one, two, three] = stage.chain();
    let said = |bases: &[&Path]| independently(&stage, &three, bases);
    let good = |unproven| ("good".to_owned(), unproven, String::new());
    assert_eq!(said(&[&two, &one]), good(0));
    assert_eq!(said(&[&one, &two]), good(0));
    assert_eq!((said(&[&two]), said(&[])), (good(1), good(1)));
    // Damage of a base is its own.
    let mut bytes = read(&one);
    let middle = bytes.len() - 700_000;
    bytes[middle] ^= 1;
    let damaged = stage.file("damaged", &bytes);
    let (verdict, _, found) = said(&[&two, &damaged]);
    assert_eq!(verdict, "refused E-INTEGRITY stored-hash");
    assert!(
        found.starts_with(&format!("the base {}: ", damaged.display())),
        "{found}"
    );
    let other = Stage::new();
    let strange = other.file("strange", &other.vendor.bundle(1, &[noise(900, 1)], SMALL_CHUNKS).bytes);
    assert_eq!(said(&[&strange]).0, "refused E-TRUST unknown-domain");
}

#[test]
fn a_base_in_volumes_is_named_by_all_of_them_or_by_their_folder() {
    let stage = Stage::new();
    let old = noise(2_600_000, 1);
    let new = [&old[..400_000], &noise(5_000, 2)[..], &old[401_000..]].concat();
    let (_, volumes) = stage.vendor.volumes(1, std::slice::from_ref(&old), 1_900_000, |_| None);
    assert_eq!(volumes.len(), 2);
    let folder = stage.folder.path().join("volumes");
    std::fs::create_dir(&folder).unwrap();
    let file = |number: usize| {
        let file = folder.join(format!("one.{number}-of-2.airlock"));
        write(&file, &volumes[number - 1]);
        file
    };
    let (first, second) = (file(1), file(2));
    let two = stage.file("two", &update(&stage.vendor, 2, &new, &old).bytes);
    for bases in [&[folder.as_path()][..], &[&first, &second], &[&second, &first]] {
        let verified = stage.judged(&two, bases);
        assert_eq!(verified.result["not_restored"]["blobs"], 0, "{}", verified.stderr);
        let extracted = stage.extracted(&two, bases);
        assert_eq!(extracted.code, Some(0), "{}", extracted.stderr);
        assert_eq!(
            independently(&stage, &two, bases),
            ("good".to_owned(), 0, String::new())
        );
    }
    let refused = stage.judged(&two, &[&first]);
    refused.assert_refused("E-INCOMPLETE", "volumes", "X11");
    assert!(
        refused
            .remedy()
            .starts_with("give volume 2 too, by itself or in a folder"),
        "{}",
        refused.remedy()
    );
    let (verdict, _, found) = independently(&stage, &two, &[&first]);
    assert_eq!(verdict, "refused E-INCOMPLETE volumes");
    assert!(found.starts_with("the base "), "{found}");
}

#[test]
fn a_folder_that_is_no_site_of_this_vendor_is_no_base() {
    let stage = Stage::new();
    let [one, two, _] = stage.chain();
    // Another vendor's site has the same layer: it is not this vendor's.
    let other = Stage::new();
    let theirs = other.vendor.bundle(1, &versions()[..1], SMALL_CHUNKS);
    other
        .site
        .import(&other.file("theirs", &theirs.bytes))
        .assert_imported();
    let state = other.site.path();
    for ended in [stage.judged(&two, &[&state]), stage.extracted(&two, &[&state])] {
        ended.assert_refused("E-USAGE", "base", "");
        assert!(
            ended.stderr.contains("without any release of this vendor"),
            "{}",
            ended.stderr
        );
    }
    // An image layout looks like a store.
    let layout = stage.folder.path().join("layout");
    std::fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    let refused = stage.judged(&two, &[&layout]);
    refused.assert_refused("E-USAGE", "base", "");
    assert_eq!(
        refused.remedy(),
        "name the state folder of a site, or a bundle that was imported there: --base FILE"
    );
    assert_eq!(stage.judged(&two, &[&one]).result["not_restored"]["blobs"], 0);
    stage.site.import(&one).assert_imported();
    let own = stage.site.path();
    assert_eq!(stage.judged(&two, &[&own]).result["not_restored"]["blobs"], 0);
    // Both verifiers, with both vendors pinned: a bundle of the other one is not copied from.
    let (mine, both) = (
        stage.folder.path().join("mine.json"),
        stage.folder.path().join("both.json"),
    );
    write(&mine, &stage.vendor.chain_file());
    write(&both, &other.vendor.chain_file());
    let strange = stage.file("strange", &theirs.bytes);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-spec/verify.py");
    let mut command = python();
    command
        .arg("-B")
        .arg(script)
        .arg(&two)
        .arg("--json")
        .args(["--base".as_ref(), strange.as_path()]);
    command
        .args(["--trust".as_ref(), mine.as_path()])
        .args(["--trust".as_ref(), both.as_path()]);
    let said: Value = serde_json::from_str(&String::from_utf8_lossy(&command.output().unwrap().stdout)).unwrap();
    assert_eq!(
        (&said["class"], &said["code"]),
        (&Value::from("E-TRUST"), &Value::from("unknown-domain"))
    );
}

#[test]
fn what_stands_in_the_blocks_of_a_record_is_judged_where_it_is_decoded() {
    // A frame of one compressed block whose sequences have a reserved bit set: nothing but decoding shows that.
    let stage = Stage::new();
    let old = noise(90_000, 1);
    let words = b"all work and no play makes a dull boy ".repeat(60);
    let new = [&old[..40_000], &words, &old[40_000..]].concat();
    let made = stage
        .vendor
        .copying(2, &[new.clone(), noise(500, 3)], SMALL_CHUNKS, &mut |layer| {
            (layer == new).then(|| {
                let mut form = travel::copied(&new, &old);
                let literals = form.split_off(form.len() - words.len() - 4);
                assert_eq!(&literals[4..], words);
                let mut frame = zstd::bulk::compress(&words, 3).unwrap();
                set_reserved_mode(&mut frame);
                form.extend_from_slice(&u32::try_from(frame.len()).unwrap().to_le_bytes());
                form.extend_from_slice(&frame);
                ((form, Encoding::Plain), vec![travel::base(&old, false)])
            })
        });
    let file = stage.file("reserved", &made.bytes);
    assert_eq!(stage.judged(&file, &[]).result["not_restored"]["blobs"], 1);
    assert_eq!(independently(&stage, &file, &[]), ("good".to_owned(), 1, String::new()));
    let base = stage.vendor.bundle(1, std::slice::from_ref(&old), SMALL_CHUNKS);
    let base = stage.file("base", &base.bytes);
    stage
        .judged(&file, &[&base])
        .assert_refused("E-INTEGRITY", "frame", "X11");
    assert_eq!(independently(&stage, &file, &[&base]).0, "refused E-INTEGRITY frame");
}

/// Sets a reserved bit of the modes of the sequences in the one block of a frame whose literals are compressed or raw (RFC 8878, 3.1.1.3).
fn set_reserved_mode(frame: &mut [u8]) {
    let content = match frame[4] >> 6 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => 8,
    };
    assert_eq!(
        frame[4] & 0b11_1111,
        0b10_0000,
        "a single segment, without checksum and dictionary"
    );
    let block = 5 + content + 3;
    let literals = &frame[block..];
    let (head, length) = match (literals[0] & 3, literals[0] >> 2 & 3) {
        (0, 0 | 2) => (1, usize::from(literals[0] >> 3)),
        (0, 1) => (2, usize::from(u16::from_le_bytes([literals[0], literals[1]]) >> 4)),
        (2, 0 | 1) => (
            3,
            (u32::from_le_bytes([literals[0], literals[1], literals[2], 0]) >> 14) as usize,
        ),
        other => panic!("literals of the form {other:?}"),
    };
    let sequences = block + head + length;
    assert!((1..128).contains(&frame[sequences]), "few sequences");
    frame[sequences + 1] |= 1;
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
