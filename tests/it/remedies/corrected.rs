//! "Have the vendor make it again": the vectors' bad bundles and root, and the same release as it should have been.
//!
//! Each is refused by a real import on an appliance that trusts its vendor, with these words; the good one comes in there after all that
//! shall become it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::follow::Ran;
use crate::format::vectors::{Vector, vectors};
use crate::support::appliance::{AIRLOCK, read, scratch};

/// A bad bundle, its class and sub-code, how its remedy begins, and the good one: a small one where the one at the limit takes seconds, which
/// is imported among the twins of the catalogue.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("product-not-in-root", "E-AUDIENCE", "product", "have the vendor issue a root that names it", "one-image"),
    ("k03-no-keys", "E-TRUST", "threshold", "have the vendor issue a correct root", "one-image"),
    ("desired-agent-name", "E-CONTENT", "desired-state", "have the vendor make the release again; `airlock bundle create`", "desired-state"),
    ("k23-other-kind", "E-CONTENT", "derived-uuid", "have the vendor build the bundle again without this id", "desired-derived"),
    ("j10-image-absent", "E-CONTENT", "image", "have the vendor build the bundle again; it must carry everything that its targets need", "desired-state"),
    ("j14-algorithm", "E-CONTENT", "verifier", "have the vendor leave the verifier out", "desired-state"),
    ("j06-unlisted", "E-CONTENT", "unlisted", "have the vendor build the bundle again; it must carry everything it refers to", "one-image"),
    ("j07-foreign", "E-CONTENT", "nondistributable", "rebuild the image with ordinary layers", "one-image"),
    ("j07-urls", "E-CONTENT", "urls", "rebuild the image without foreign layers", "one-image"),
    ("j02-home-host", "E-FORMAT", "home-hosts", "have the vendor correct `home_hosts` in the release file", "one-image"),
    ("b05-home-hosts", "E-LIMIT", "home-hosts", "have the vendor name fewer `home_hosts` in the release file", "one-image"),
    ("j17-annotations", "E-LIMIT", "annotations", "have the vendor leave some of these documents out", "j17-annotations"),
    ("j17-edges", "E-LIMIT", "edges", "have the vendor make several releases of it", "one-image"),
    ("j17-names", "E-LIMIT", "names", "have the vendor name the same images in fewer repositories", "one-image"),
    ("j06-nesting", "E-LIMIT", "nesting", "have the vendor name the inner indexes themselves", "one-image"),
    ("j16-release", "E-LIMIT", "rendered", "make these documents smaller, or share the deployments out", "j16-rendered"),
    ("j02-desired-items", "E-LIMIT", "items", "have the vendor make several products of it", "desired-state"),
    ("b11-window-31", "E-LIMIT", "window", "have the vendor make the bundle with airlock", "one-chunk-compressed"),
    ("b13-other-content", "E-INTEGRITY", "content-digest", "tell the vendor: the bundle was built wrong", "one-image"),
    ("b12-cut-frame", "E-INTEGRITY", "frame", "ask the vendor for a bundle made by another builder", "one-chunk-compressed"),
    ("k10-links-stripped", "E-TRUST", "missing-link", "get the bundle again from the vendor: its root links were removed", "k12-three-roots"),
    ("j01-space", "E-FORMAT", "non-canonical", "copy the file again, or use another copy", "one-image"),
    ("secret-requires-nothing", "E-FORMAT", "requires", "have the vendor make the release again", "secrets"),
    ("sealed-two", "E-CONTENT", "secrets", "have the vendor make the release again", "secrets"),
    ("sealed-257", "E-LIMIT", "secrets", "have the vendor make bundles for fewer sites each", "secrets"),
    ("j02-unknown", "E-FORMAT", "grammar", "copy the file again, or use another copy", "one-image"),
];

/// An appliance that trusts the vendor of a bundle.
fn trusting(vector: &Vector, state: &Path) {
    let mut command = Command::new(AIRLOCK);
    command.args(["--format", "json", "init", "--site", "plant"]);
    for pin in vector.pin_paths() {
        command.arg("--trust").arg(pin);
    }
    let made = command.arg("--state").arg(state).output().unwrap();
    Ran::of(&made).succeeded();
}

fn import(vector: &Vector, state: &Path) -> Ran {
    let mut command = Command::new(AIRLOCK);
    command.args(["--format", "json", "import"]).arg(vector.bundle_path());
    Ran::of(&command.arg("--state").arg(state).output().unwrap())
}

#[test]
fn what_the_vendor_made_again_comes_in() {
    let (bad, good) = (vectors("bad"), vectors("good"));
    let find = |list: &[Vector], name: &str| list.iter().position(|vector| vector.name == name).unwrap();
    let mut sites = BTreeMap::new();
    for (name, class, code, says, twin) in CASES {
        let refused = &bad[find(&bad, name)];
        let pins: Vec<_> = refused.pin_paths().iter().map(|path| read(path)).collect();
        let (folder, _) = sites.entry((*twin, pins)).or_insert_with(|| {
            let folder = scratch();
            trusting(refused, &folder.path().join("state"));
            (folder, &good[find(&good, twin)])
        });
        let remedy = import(refused, &folder.path().join("state")).remedy(class, code);
        assert!(remedy.starts_with(says), "{name}: {remedy}");
    }
    for (folder, right) in sites.values() {
        import(right, &folder.path().join("state")).succeeded();
    }
}
