//! Which volume is damaged, which file stands twice, and which does not belong there: told by number and file, the same by both verifiers.

#![allow(clippy::disallowed_methods, reason = "tests copy what they wrote")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::volumes::Set;
use crate::support::appliance::{AIRLOCK, Ended, incoming, read, write};
use crate::support::bundles::SMALL_CHUNKS;
use crate::support::python::python;
use crate::support::site::noise;

impl Set {
    fn all(&self) -> Vec<&Path> {
        self.files.iter().map(PathBuf::as_path).collect()
    }

    fn import_all(&self) -> Ended {
        self.import_files(&self.all(), &[])
    }

    /// What the independent verifier says: verdict, class, code and step.
    fn independently(&self, files: &[&Path]) -> String {
        let root = self.folder.path().join("root.json");
        write(&root, &self.vendor.chain_file());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-spec/verify.py");
        let mut command = python();
        command
            .arg("-B")
            .arg(script)
            .args(files)
            .arg("--json")
            .arg("--trust")
            .arg(&root);
        let said: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        fs::remove_file(root).unwrap();
        let words = ["verdict", "class", "code", "step"].map(|name| said[name].as_str().unwrap_or_default().to_owned());
        words.join(" ").trim().to_owned()
    }
}

/// Changes a byte behind the first place where some bytes stand.
fn flipped(bytes: &[u8], what: &[u8], behind: usize) -> Vec<u8> {
    let at = bytes.windows(what.len()).position(|part| part == what).unwrap() + what.len() + behind;
    let mut changed = bytes.to_vec();
    changed[at] ^= 1;
    changed
}

#[test]
fn damage_before_the_index_is_told_with_number_and_file() {
    let set = Set::new();
    for (entry, behind, class, step) in [
        (&b"01-signatures.json"[..], 494, "E-SIGNATURE", "X4"),
        (b"02-trust.json", 499, "E-TRUST", "X3"),
        (b"04-approvals.json", 495, "E-POLICY", "X9"),
    ] {
        for volume in [1, 2, 3] {
            let good = read(&set.files[volume - 1]);
            // The first byte of its content: no document begins otherwise than with a brace.
            write(&set.files[volume - 1], &flipped(&good, entry, behind));
            let refused = set.import_all();
            refused.assert_refused(class, "grammar", step);
            let told = format!("volume {volume} of 3 (");
            let file = format!("crm-1.{volume}-of-3.airlock");
            assert!(
                refused.stderr.contains(&told) && refused.stderr.contains(&file),
                "{entry:?} {volume}: {}",
                refused.stderr
            );
            assert_eq!(set.independently(&set.all()), format!("refused {class} grammar {step}"));
            write(&set.files[volume - 1], &good);
        }
    }
    // A head that is another one than the others have.
    for volume in [1, 2, 3] {
        let good = read(&set.files[volume - 1]);
        write(&set.files[volume - 1], &flipped(&good, b"\"audience\"", 3));
        let refused = set.import_all();
        refused.assert_refused("E-FORMAT", "volumes", "X2");
        let told = format!("crm-1.{volume}-of-3.airlock\\\" is volume {volume} of another set");
        assert!(refused.stderr.contains(&told), "{}", refused.stderr);
        assert_eq!(set.independently(&set.all()), "refused E-FORMAT volumes X2");
        write(&set.files[volume - 1], &good);
    }
    // And a chunk.
    let good = read(&set.files[1]);
    let mut damaged = good.clone();
    let at = damaged.len() - 4000;
    damaged[at] ^= 1;
    write(&set.files[1], &damaged);
    let refused = set.import_all();
    refused.assert_refused("E-INTEGRITY", "stored-hash", "X11");
    assert!(
        refused
            .remedy()
            .starts_with("copy the file of volume 2 of 3 (\"crm-1.2-of-3.airlock\") again"),
        "{}",
        refused.remedy()
    );
    write(&set.files[1], &good);
    set.arrives(&set.import_all());
}

#[test]
fn a_volume_that_stands_twice_is_one_where_it_is_the_same() {
    let set = Set::new();
    let good = read(&set.files[1]);
    let mut damaged = good.clone();
    let at = damaged.len() - 4000;
    damaged[at] ^= 1;
    // Whatever they are called, and whichever of them is damaged.
    for name in ["a.airlock", "z.airlock"] {
        let copy = set.folder.path().join(name);
        for (own, other) in [(&good, &damaged), (&damaged, &good)] {
            write(&set.files[1], own);
            write(&copy, other);
            let files = [&set.all()[..], &[copy.as_path()]].concat();
            let refused = set.import_files(&files, &[]);
            refused.assert_refused("E-FORMAT", "volumes", "X5");
            assert!(
                refused.stderr.contains(name) && refused.stderr.contains("crm-1.2-of-3.airlock"),
                "{}",
                refused.stderr
            );
            assert_eq!(set.independently(&files), "refused E-FORMAT volumes X5");
        }
        write(&set.files[1], &good);
        write(&copy, &good);
        let files = [&set.all()[..], &[copy.as_path()]].concat();
        assert_eq!(set.independently(&files), "good");
        let dry = set.import_files(&files, &["--dry-run"]);
        assert_eq!(dry.code, Some(0), "{}", dry.stderr);
        fs::remove_file(copy).unwrap();
    }
    assert_eq!(incoming(&set.site.path()), Vec::<String>::new());
    set.arrives(&set.import_all());
}

#[test]
fn what_stands_among_volumes_and_is_none_is_named() {
    let set = Set::new();
    let single = set.vendor.bundle(7, &[noise(500, 1)], SMALL_CHUNKS);
    let inside = set.folder.path().join("zz-single.airlock");
    write(&inside, &single.bytes);
    let refused = set.import_files(&[set.folder.path()], &[]);
    refused.assert_refused("E-FORMAT", "source", "X1");
    assert!(refused.stderr.contains("zz-single.airlock"), "{}", refused.stderr);
    // Where they lie apart, each is told with its place.
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = elsewhere.path().join("single.airlock");
    fs::copy(&inside, &outside).unwrap();
    fs::remove_file(&inside).unwrap();
    let refused = set.import_files(&[&set.all()[..], &[outside.as_path()]].concat(), &[]);
    refused.assert_refused("E-FORMAT", "source", "X1");
    assert!(
        refused.stderr.contains(&outside.display().to_string()) && refused.stderr.contains("several bundles are named"),
        "{}",
        refused.stderr
    );
    // Links alone are no bundle, and that is why.
    std::os::unix::fs::symlink(&set.files[0], elsewhere.path().join("link.airlock")).unwrap();
    fs::remove_file(outside).unwrap();
    let refused = set.import_files(&[elsewhere.path()], &[]);
    refused.assert_refused("E-FORMAT", "source", "X1");
    assert!(
        refused.stderr.contains("passed over link.airlock"),
        "{}",
        refused.stderr
    );
}

#[test]
fn too_few_descriptors_are_told_as_that() {
    let set = Set::new();
    let root = set.folder.path().join("root.json");
    write(&root, &set.vendor.chain_file());
    // Each that is named is opened, also where it is one that was named before.
    let files: Vec<&Path> = set
        .all()
        .into_iter()
        .chain(std::iter::repeat_n(set.files[0].as_path(), 40))
        .collect();
    let verify = |limit: u32| {
        let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, AIRLOCK, "--format", "json", "bundle", "verify"]);
        command.args(&files).arg("--trust").arg(&root);
        Ended::of(&command.output().unwrap())
    };
    let refused = verify(24);
    refused.assert_refused("E-SPACE", "descriptors", "X1");
    assert_eq!(
        refused.remedy(),
        "raise the limit with `ulimit -n`, or with LimitNOFILE= in the unit"
    );
    let good = verify(200);
    assert_eq!(good.code, Some(0), "{}", good.stderr);
}
