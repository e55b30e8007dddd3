//! Layers that are copied in part from what a site holds: what arrives is what was made, or nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use airlock::encoding::{Base, Encoding};
use airlock::producer::{Producer, Sample};

use super::stage::Stage;
use crate::format::vectors::vectors;
use crate::support::appliance::{self, Ended, check, incoming, read, write};
use crate::support::bundles::{Made, SMALL_CHUNKS};
use crate::support::site::noise;
use crate::support::state_fingerprint::StateFingerprint;
use crate::support::travel::{self, Copied, GzipLayer};

/// A layer, and the same with something else inside it.
fn old_and_new() -> (Vec<u8>, Vec<u8>) {
    let old = noise(2_600_000, 1);
    let new = [&old[..1_000_000], &noise(70_000, 2)[..], &old[1_100_000..]].concat();
    (old, new)
}

impl Stage {
    fn blob(&self, layer: &[u8]) -> PathBuf {
        self.stored(&travel::base(layer, false).digest)
    }

    /// Release 2: `new`, copied from `old`, which release 1 brought, and something small beside it.
    fn update(&self, old: &[u8], new: &[u8], spoil: &dyn Fn(Vec<u8>) -> Vec<u8>) -> Made {
        let layers = [new.to_vec(), noise(500, 3)];
        self.vendor.copying(2, &layers, SMALL_CHUNKS, &mut |layer| {
            (layer == new).then(|| {
                let form = spoil(travel::copied(new, old));
                ((form, Encoding::Plain), vec![travel::base(old, false)])
            })
        })
    }

    fn base(&self, old: &[u8]) -> Made {
        self.vendor.bundle(1, &[old.to_vec(), noise(900, 4)], SMALL_CHUNKS)
    }

    fn verify(&self, made: &Made, base: &[&Path]) -> Ended {
        let trust = self.folder.path().join("trust.json");
        write(&trust, &self.vendor.chain_file());
        let mut command = Command::new(env!("CARGO_BIN_EXE_airlock"));
        command
            .args(["--format", "json", "bundle", "verify"])
            .arg(self.file("verified", &made.bytes))
            .arg("--trust")
            .arg(trust);
        for base in base {
            command.arg("--base").arg(base);
        }
        Ended::of(&command.output().unwrap())
    }
}

fn change_back(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).ok();
    write(path, bytes);
}

fn change(path: &Path) {
    let mut bytes = read(path);
    bytes[77] ^= 1;
    fs::remove_file(path).unwrap();
    write(path, &bytes);
}

/// Every file of a store, by its path and size.
fn files(state: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for folder in fs::read_dir(state.join("blobs/sha256")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap();
            found.push((file.path(), file.metadata().unwrap().len()));
        }
    }
    found.sort();
    found
}

#[test]
fn an_update_by_delta_arrives_byte_for_byte() {
    let (stage, (old, new)) = (Stage::new(), old_and_new());
    let (base, update) = (stage.base(&old), stage.update(&old, &new, &|form| form));
    assert!(update.bytes.len() < 100_000, "{}", update.bytes.len());
    stage.import(&base).assert_imported();
    // A dry run makes the layer and keeps nothing.
    let before = files(&stage.site.path());
    let bundle = stage.file("bundle", &update.bytes);
    let output = appliance::import_command(&stage.site.path(), &bundle)
        .arg("--dry-run")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(files(&stage.site.path()), before);
    stage.import(&update).assert_imported();
    assert!(read(&stage.blob(&new)) == new);
    // Served through the proofs of its pieces.
    assert_eq!(check(&stage.site.path(), &[&base, &update]), 2);
    assert_eq!(incoming(&stage.site.path()), Vec::<String>::new());
}

#[test]
fn what_no_manifest_refers_to_is_needed_while_it_is_imported_and_never_again() {
    let (stage, (old, new)) = (Stage::new(), old_and_new());
    let (base, update) = (stage.base(&old), stage.update(&old, &new, &|form| form));
    stage.import(&base).assert_imported();
    stage.import(&update).assert_imported();
    let digest = travel::base(&old, false).digest;
    let rows = |sequence: u64| -> u64 {
        let database = rusqlite::Connection::open(stage.site.path().join("airlock.db")).unwrap();
        let sql =
            "SELECT count(*) FROM release r JOIN release_blob rb ON rb.release = r.id JOIN blob b ON b.id = rb.blob
                   WHERE r.sequence = ? AND b.digest = ?";
        database
            .query_row(sql, rusqlite::params![sequence, digest], |row| row.get(0))
            .unwrap()
    };
    assert_eq!((rows(1), rows(2)), (1, 0));
    // The base is lost, and release 2 lacks nothing.
    fs::remove_file(stage.blob(&old)).unwrap();
    let again = stage.import(&update);
    assert_eq!((again.code, again.word()), (Some(0), "already"), "{}", again.stderr);
    assert!(!again.stderr.contains(&digest.to_string()), "{}", again.stderr);
}

#[test]
fn a_base_that_is_gone_or_damaged_is_told_before_anything_is_written() {
    let (stage, (old, new)) = (Stage::new(), old_and_new());
    let (base, update) = (stage.base(&old), stage.update(&old, &new, &|form| form));
    let refused = |class: &str, code: &str| {
        let before = (files(&stage.site.path()), StateFingerprint::of(&stage.site.path()));
        stage.import(&update).assert_refused(class, code, "X10");
        let after = (files(&stage.site.path()), StateFingerprint::of(&stage.site.path()));
        assert_eq!(incoming(&stage.site.path()), Vec::<String>::new());
        (before, after)
    };
    // Nobody brought it.
    let (before, after) = refused("E-DEPENDENCY", "needs");
    assert_eq!(before.0, after.0);
    assert_eq!(after.1.differs_from(&before.1, true, false), None);
    stage.import(&base).assert_imported();
    // Somebody did, and the store has lost it.
    let path = stage.blob(&old);
    let bytes = read(&path);
    fs::remove_file(&path).unwrap();
    let (before, after) = refused("E-DEPENDENCY", "needs");
    assert_eq!(before.0, after.0);
    // Other bytes under its name are set aside, as by whoever else meets them.
    write(&path, &bytes);
    change(&path);
    let (before, after) = refused("E-STATE", "base-damaged");
    let left: Vec<_> = before.0.into_iter().filter(|(file, _)| *file != path).collect();
    assert_eq!(after.0, left);
    // The bundle that brought it brings it again, as the message says.
    change_back(&path, &bytes);
    change(&path);
    let remedy = stage.import(&update).remedy();
    assert!(
        remedy.starts_with("import the bundle of release 1 ") && remedy.ends_with("; or ask the vendor for a full one"),
        "{remedy}"
    );
    let again = stage.import(&base);
    assert_eq!((again.code, again.word()), (Some(0), "already"), "{}", again.stderr);
    stage.import(&update).assert_imported();
    assert!(read(&stage.blob(&new)) == new);
}

/// Two gzip layers of a producer whose plains have much in common.
fn gzips() -> (GzipLayer, GzipLayer) {
    let text = Sample::Tar.plain()[..40_000].repeat(3);
    let other = [&text[..50_000], &noise(3_000, 8)[..], &text[52_000..]].concat();
    let of = |plain| GzipLayer::of(Producer::Go1Level6, plain);
    (of(text), of(other))
}

#[test]
fn gzip_layers_are_copied_from_what_is_compressed_in_others() {
    let (stage, (old, new)) = (Stage::new(), gzips());
    let base = stage.base(&old.file);
    stage.import(&base).assert_imported();
    let layers = [new.file.clone(), noise(500, 3)];
    let made = |change: &dyn Fn(&mut Base)| {
        stage.vendor.copying(2, &layers, SMALL_CHUNKS, &mut |layer| {
            let (form, mut bases) = new.copied_from(&old, false);
            change(&mut bases[0]);
            (layer == new.file).then_some((form, bases))
        })
    };
    // Another plain than the one that is compressed in it: nothing is left of that.
    let before = files(&stage.site.path());
    for wrong in [old.gzip.plain_size - 1, old.gzip.plain_size + 1] {
        let bad = made(&|base| base.inflated = Some(wrong));
        stage.import(&bad).assert_refused("E-INTEGRITY", "base-plain", "X11");
        assert_eq!(files(&stage.site.path()), before);
    }
    let good = made(&|_| ());
    assert!(good.bytes.len() < new.file.len() + 20_000);
    stage.import(&good).assert_imported();
    assert!(read(&stage.blob(&new.file)) == new.file);
    assert_eq!(check(&stage.site.path(), &[&base, &good]), 2);
}

#[test]
fn a_base_that_the_bundle_carries_is_in_the_store_before_it_is_used() {
    let (stage, (old, new)) = (Stage::new(), old_and_new());
    let (gzip, newer) = gzips();
    let small = noise(70_000, 5);
    let grown = [&small[..], b"more"].concat();
    let layers = [
        old.clone(),
        new.clone(),
        small.clone(),
        grown.clone(),
        gzip.file.clone(),
        newer.file.clone(),
        noise(500, 3),
    ];
    let plain =
        |form, base: &[u8]| -> Option<Copied> { Some(((form, Encoding::Plain), vec![travel::base(base, true)])) };
    let made = stage.vendor.copying(1, &layers, SMALL_CHUNKS, &mut |layer| {
        if layer == new {
            plain(travel::copied(&new, &old), &old)
        } else if layer == grown {
            plain(travel::copied(&grown, &small), &small)
        } else if layer == gzip.file {
            Some((gzip.travel(), Vec::new()))
        } else {
            (layer == newer.file).then(|| newer.copied_from(&gzip, true))
        }
    });
    // Nothing is stored in a dry run, so nothing can be copied.
    let bundle = stage.file("bundle", &made.bytes);
    let output = appliance::import_command(&stage.site.path(), &bundle)
        .arg("--dry-run")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && said.contains("3 blobs of the bundle: judged, and not made"),
        "{said}"
    );
    // Who keeps nothing proves it all the same: what is copied from travels along.
    assert_eq!(stage.verify(&made, &[]).result["not_restored"]["blobs"], 0);
    // A stop behind the first of them: the next try finds its base where that one left it.
    let stopped = stage
        .site
        .import(&stage.file("cut", &made.bytes[..made.bytes.len() - 2_000]));
    stopped.assert_refused("E-INCOMPLETE", "truncated", "X11");
    stage.import(&made).assert_imported();
    for layer in &layers {
        assert!(read(&stage.blob(layer)) == *layer);
    }
    assert_eq!(check(&stage.site.path(), &[&made]), 1);
    // What is lost of them comes back from the same bundle, bases and what is copied from them.
    for layer in [&old, &new, &newer.file] {
        fs::remove_file(stage.blob(layer)).unwrap();
    }
    let healed = stage.import(&made);
    assert_eq!((healed.code, healed.word()), (Some(0), "already"), "{}", healed.stderr);
    for layer in &layers {
        assert!(read(&stage.blob(layer)) == *layer);
    }
}

#[test]
fn the_same_bundle_heals_what_was_copied_while_its_base_is_here() {
    let (stage, (old, new)) = (Stage::new(), old_and_new());
    let (base, update) = (stage.base(&old), stage.update(&old, &new, &|form| form));
    stage.import(&base).assert_imported();
    stage.import(&update).assert_imported();
    change(&stage.blob(&new));
    let healed = stage.import(&update);
    assert_eq!((healed.code, healed.word()), (Some(0), "already"), "{}", healed.stderr);
    assert!(read(&stage.blob(&new)) == new);
    // Without the base nothing is written.
    fs::remove_file(stage.blob(&new)).unwrap();
    fs::remove_file(stage.blob(&old)).unwrap();
    stage.import(&update).assert_refused("E-DEPENDENCY", "needs", "X10");
    assert!(!stage.blob(&new).try_exists().unwrap());
    assert_eq!(stage.import(&base).code, Some(0));
    assert_eq!(stage.import(&update).code, Some(0));
    assert!(read(&stage.blob(&new)) == new);
}

#[test]
fn without_its_bases_a_bundle_is_judged_as_far_as_its_bytes_allow() {
    let (stage, (old, new)) = (Stage::new(), old_and_new());
    let (base, update) = (stage.base(&old), stage.update(&old, &new, &|form| form));
    stage.import(&base).assert_imported();
    let missing = &stage.verify(&update, &[]).result["not_restored"];
    assert_eq!((&missing["blobs"], &missing["bytes"]), (&1.into(), &new.len().into()));
    let brought = stage.file("base", &base.bytes);
    for base in [brought.as_path(), stage.site.path().as_path()] {
        let verified = stage.verify(&update, &[base]);
        assert_eq!(verified.result["not_restored"]["blobs"], 0, "{}", verified.stderr);
    }
    // Other literals: seen by whoever has the base, and by nobody else.
    let bad = stage.update(&old, &new, &|mut form| {
        *form.last_mut().unwrap() ^= 1;
        form
    });
    assert_eq!(stage.verify(&bad, &[]).code, Some(0));
    stage
        .verify(&bad, &[&brought])
        .assert_refused("E-INTEGRITY", "content-digest", "X11");
    stage
        .import(&bad)
        .assert_refused("E-INTEGRITY", "content-digest", "X11");
    assert_eq!(incoming(&stage.site.path()), Vec::<String>::new());
    // Another script is refused by both.
    let bad = stage.update(&old, &new, &|mut form| {
        form[4] ^= 1;
        form
    });
    for base in [&[][..], &[brought.as_path()]] {
        stage.verify(&bad, base).assert_refused("E-FORMAT", "script", "X11");
    }
}

#[test]
fn every_changed_byte_of_a_signed_script_is_refused_or_the_same() {
    let stage = Stage::new();
    let old = noise(90_000, 1);
    let new = [&old[..40_000], b"something else", &old[41_000..]].concat();
    stage.import(&stage.base(&old)).assert_imported();
    let length = travel::copied(&new, &old).len();
    let before = files(&stage.site.path());
    let all = std::env::var_os("AIRLOCK_SLOW").is_some();
    for at in (0..length).step_by(if all { 1 } else { 4 }) {
        let bad = stage.update(&old, &new, &|mut form| {
            form[at] ^= 0x41;
            form
        });
        let ended = stage.import(&bad);
        assert_ne!(ended.code, Some(0), "{at}: {}", ended.stderr);
        let refusal = ["E-FORMAT", "E-INTEGRITY", "E-LIMIT"];
        assert!(
            refusal.iter().any(|class| ended.stderr.contains(class)),
            "{at}: {}",
            ended.stderr
        );
        assert!(!ended.stderr.contains("panic"), "{at}: {}", ended.stderr);
        assert_eq!(files(&stage.site.path()), before, "{at}");
    }
    stage.import(&stage.update(&old, &new, &|form| form)).assert_imported();
}

#[test]
fn a_base_that_changes_while_the_bundle_is_read_leaves_nothing() {
    let (stage, (old, new)) = (Stage::new(), gzips());
    let base = stage.base(&old.file);
    stage.import(&base).assert_imported();
    // What stands before the copied layer is more than a pipe holds: once all but the last chunk is written, the needs were looked at.
    let first = noise(1_500_000, 9);
    let layers = [first.clone(), new.file.clone()];
    let made = stage.vendor.copying(2, &layers, SMALL_CHUNKS, &mut |layer| {
        (layer == new.file).then(|| new.copied_from(&old, false))
    });
    let path = stage.blob(&old.file);
    let whole = read(&path);
    let before = files(&stage.site.path());
    let meanwhile: [&dyn Fn(); 2] = [&|| change(&path), &|| fs::remove_file(&path).unwrap()];
    for meanwhile in meanwhile {
        let pipe = stage.folder.path().join("pipe");
        fs::remove_file(&pipe).ok();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let mut command = appliance::import_command(&stage.site.path(), &pipe);
        let child = command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut feed = fs::File::options().write(true).open(&pipe).unwrap();
        let (most, rest) = made.bytes.split_at(made.bytes.len() - 3_000);
        std::io::Write::write_all(&mut feed, most).unwrap();
        meanwhile();
        std::io::Write::write_all(&mut feed, rest).ok();
        drop(feed);
        let ended = Ended::of(&child.wait_with_output().unwrap());
        ended.assert_refused("E-STATE", "base-damaged", "X11");
        let remedy = ended.remedy();
        assert!(
            remedy.starts_with("import the same bundle once more: `airlock import FILE"),
            "{remedy}"
        );
        assert_eq!(incoming(&stage.site.path()), Vec::<String>::new());
        change_back(&path, &whole);
        assert_eq!(files(&stage.site.path()), before);
    }
    stage.import(&made).assert_imported();
    assert!(read(&stage.blob(&new.file)) == new.file);
}

#[test]
fn without_encodings_comes_what_a_bad_delta_kept_out() {
    let none = "ask the vendor for a bundle made with --encodings none";
    let wrong = format!("{none}, and tell them that this one was built wrong");
    for (name, says) in [
        ("enc-base-unknown", wrong.as_str()),
        ("enc-bases-none", none),
        (
            "enc-base-work",
            "ask the vendor for a bundle made with --encodings recipes",
        ),
        ("script-cut", &wrong),
        ("script-ranges", none),
        ("script-size-frame", none),
        ("script-head", &wrong),
        ("delta-base-plain", &wrong),
    ] {
        let bad = vectors("bad").into_iter().find(|vector| vector.name == name).unwrap();
        let ended = Ended::of(&super::delta_vectors::verify(&bad, true));
        assert_eq!(ended.remedy(), says, "{name}");
    }
    let (stage, (old, new)) = (Stage::new(), old_and_new());
    stage.import(&stage.base(&old)).assert_imported();
    let bad = stage.update(&old, &new, &|form| [form, vec![0]].concat());
    stage.import(&bad).assert_refused("E-FORMAT", "travel", "X11");
    let plain = stage.vendor.bundle(2, &[new.clone(), noise(500, 3)], SMALL_CHUNKS);
    assert_eq!(plain.layers, bad.layers);
    stage.import(&plain).assert_imported();
    assert!(read(&stage.blob(&new)) == new);
}
