//! Repair files: what a site reports as damaged, made small at the vendor, and whole again at the site.

use std::path::{Path, PathBuf};
use std::process::Command;

use airlock::bundle::OpenedBundle;
use airlock::domain::Class;
use serde_json::{Value, json};

use super::ward::{Damage, Ward, airlock as over_state, assert_whole, audited, blob_path, receipts, release, stored};
use crate::support::appliance::{AIRLOCK, Appliance, Ended, Serving, import_command, read, wait_for, write};
use crate::support::bundles::Vendor;
use crate::support::client::get;
use crate::support::site::noise;
use crate::support::state_fingerprint::StateFingerprint;

/// Runs a command of the vendor's, which has no state.
pub(crate) fn bundle_command(words: &[&str], paths: &[&Path]) -> Ended {
    let mut command = Command::new(AIRLOCK);
    command.args(["--format", "json", "bundle"]).args(words).args(paths);
    Ended::of(&command.output().unwrap())
}

/// What a site with this state says is damaged, written into a file.
#[track_caller]
pub(crate) fn report_of(state: &Path, path: &Path) -> Value {
    let words = ["scrub", "--rate", "0", "--report", path.to_str().unwrap()];
    let output = over_state(state, &[&["--format", "json"], &words[..]].concat());
    let said: Value = serde_json::from_str(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    // Whoever runs it unattended notices.
    let code = if said["damage"].as_array().unwrap().is_empty() {
        0
    } else {
        27
    };
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

fn document(path: &Path) -> Value {
    serde_json::from_str(std::str::from_utf8(&read(path)).unwrap()).unwrap()
}

/// Makes a repair file of a bundle and a report.
pub(crate) fn repair(bundle: &Path, report: &Path, output: &Path) -> Ended {
    bundle_command(
        &["repair"],
        &[bundle, "--report".as_ref(), report, "-o".as_ref(), output],
    )
}

impl Ward {
    fn beside(&self, name: &str) -> PathBuf {
        self.state.join("..").join(name)
    }

    /// The repair file for all that is damaged now.
    #[track_caller]
    fn repaired(&self) -> (PathBuf, Value) {
        let (report, output) = (self.beside("damage.json"), self.beside("repair"));
        std::fs::remove_file(&output).ok();
        report_of(&self.state, &report);
        let made = repair(&self.bundle, &report, &output);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        (output, made.result)
    }
}

#[test]
fn a_repair_file_mends_what_the_site_reported() {
    let ward = Ward::new();
    let Ward { state, made, .. } = &ward;
    let files = stored(state);
    let serving = Serving::start(state);
    // A small layer, and the large one, which lies in chunks of its own.
    let (small, large) = (&made.layers[1], &made.layers[7]);
    for (lost, restored, most) in [(&[small][..], 1, 1 << 20), (&[small, large], 2, 6 << 20)] {
        Damage::Flipped.strike(&blob_path(state, lost[0]));
        if let [_, large] = lost {
            Damage::Gone.strike(&blob_path(state, large));
        }
        let (file, said) = ward.repaired();
        assert_eq!(said["blobs"], restored, "{said}");
        let size = std::fs::metadata(&file).unwrap().len();
        assert_eq!(said["bytes"], size);
        assert!(size < most && size < made.bytes.len() as u64, "{size}");
        wait_for("the damage in /readyz", || {
            get(serving.address, "/readyz").status == 503
        });
        let dry = Ended::of(&import_command(state, &file).arg("--dry-run").output().unwrap());
        assert_eq!(
            (dry.word(), &dry.result["restored_blobs"]),
            ("already", &restored.into()),
            "{}",
            dry.stderr
        );
        assert!(!blob_path(state, small).try_exists().unwrap());
        let healed = ward.appliance.import(&file);
        assert_eq!(
            (healed.word(), &healed.result["restored_blobs"]),
            ("already", &restored.into()),
            "{}",
            healed.stderr
        );
        assert_eq!(healed.result["still_damaged"], 0);
        assert_whole(state, &files);
        wait_for("the end of the damage", || {
            get(serving.address, "/readyz").status == 200
        });
    }
    serving.assert_serves(made);
    assert_eq!(receipts(state).len(), 3);
    assert_eq!(
        audited(state).iter().filter(|(action, _)| action == "restore").count(),
        2
    );
    // Where all is whole there is nothing to report, and nothing to do.
    let report = ward.beside("nothing.json");
    assert_eq!(report_of(state, &report)["report"], Value::Null);
    assert!(!report.try_exists().unwrap());
    let again = ward.appliance.import(&ward.beside("repair"));
    assert_eq!(
        (again.word(), &again.result["restored_blobs"]),
        ("already", &0.into()),
        "{}",
        again.stderr
    );
}

/// Of a large blob the pieces that are lost travel, and the others are taken from what was set aside; where that is gone, it is not mended.
#[test]
fn of_a_large_blob_only_lost_pieces_travel() {
    let ward = Ward::new();
    let (state, large) = (&ward.state, &ward.made.layers[7]);
    let files = stored(state);
    let path = blob_path(state, large);
    // In the third and the last of six pieces.
    let damage = || {
        let mut bytes = read(&path);
        let end = bytes.len() - 5;
        (bytes[(5 << 19) + 1], bytes[end]) = (!bytes[(5 << 19) + 1], !bytes[end]);
        std::fs::remove_file(&path).unwrap();
        write(&path, &bytes);
    };
    damage();
    let (file, said) = ward.repaired();
    assert_eq!(said["chunks"], 2, "{said}");
    assert!(std::fs::metadata(&file).unwrap().len() < (3 << 20));
    let report = document(&ward.beside("damage.json"));
    let pieces = json!({"bytes": 1 << 20, "lost": "3-3,6-6"});
    assert_eq!(report["damage"][0]["pieces"][large.to_string()], pieces, "{report}");
    assert_eq!(ward.appliance.import(&file).result["restored_blobs"], 1);
    assert_whole(state, &files);
    Serving::start(state).assert_serves(&ward.made);
    // The same once more, and what was set aside is gone.
    damage();
    let (file, _) = ward.repaired();
    for entry in std::fs::read_dir(state.join("evidence")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let refused = ward.appliance.import(&file);
    refused.assert_refused("E-DEPENDENCY", "repair", "X10");
    assert!(
        refused.remedy().contains("airlock scrub --report FILE"),
        "{}",
        refused.remedy()
    );
    let (file, said) = ward.repaired();
    assert_eq!(said["chunks"], 6, "{said}");
    assert_eq!(ward.appliance.import(&file).result["restored_blobs"], 1);
    assert_whole(state, &files);
}

/// Everything that can be lost at once, pages and documents too, and what is known without hashing anew.
#[test]
fn all_of_a_release_is_mended_by_a_repair_file() {
    let ward = Ward::new();
    let state = &ward.state;
    let files = stored(state);
    for path in &files {
        Damage::Gone.strike(path);
    }
    let report = ward.beside("known.json");
    let words = ["scrub", "--known", "--report", report.to_str().unwrap()];
    let said = String::from_utf8(over_state(state, &words).stdout).unwrap();
    assert!(said.starts_with("nothing was hashed anew\nDAMAGED"), "{said}");
    let file = ward.beside("repair");
    let made = repair(&ward.bundle, &report, &file);
    assert_eq!(
        (made.code, made.result["index_pages"].as_u64()),
        (Some(0), Some(1)),
        "{}",
        made.stderr
    );
    let healed = ward.appliance.import(&file);
    assert_eq!(healed.result["restored_blobs"], files.len(), "{}", healed.stderr);
    assert_whole(state, &files);
    // An index page alone needs no chunk.
    let page = files.iter().find(|path| {
        let bytes = read(path);
        bytes.starts_with(b"{")
            && bytes.ends_with(b"}\n")
            && bytes.windows(14).any(|part| part == b"\"kind\":\"chunk\"")
    });
    Damage::Flipped.strike(page.unwrap());
    let (file, said) = ward.repaired();
    assert_eq!((&said["repair"], &said["chunks"]), (&"0-0".into(), &0.into()));
    assert_eq!(ward.appliance.import(&file).result["restored_blobs"], 1);
    assert_whole(state, &files);
}

#[test]
fn a_repair_file_says_what_it_is_and_is_judged_without_a_site() {
    let ward = Ward::new();
    Damage::Gone.strike(&blob_path(&ward.state, &ward.made.layers[7]));
    let (file, said) = ward.repaired();
    let root = ward.beside("root.json");
    write(&root, &ward.vendor.chain_file());
    let inspected = bundle_command(&["inspect", "--list"], &[&file, "--trust".as_ref(), &root]);
    assert_eq!(inspected.result["repair"], said["repair"], "{}", inspected.stderr);
    let verify = |file: &Path| bundle_command(&["verify"], &[file, "--trust".as_ref(), &root]);
    let good = verify(&file);
    assert_eq!(
        (&good.result["result"], &good.result["repair"]),
        (&"good".into(), &said["repair"]),
        "{}",
        good.stderr
    );
    assert_eq!(good.result["chunks"], said["chunks"]);
    let damaged = ward.beside("damaged");
    let mut bytes = read(&file);
    let at = bytes.len() - 4000;
    bytes[at] ^= 1;
    write(&damaged, &bytes);
    verify(&damaged).assert_refused("E-INTEGRITY", "stored-hash", "X11");
    write(&damaged, &[&read(&file)[..], b"x"].concat());
    verify(&damaged).assert_refused("E-FORMAT", "trailing-data", "X12");
    // It is no bundle for who reads one, or signs one; the bundle is.
    let out = ward.beside("layout");
    let extract = |file: &Path| bundle_command(&["extract"], &[file, "--trust".as_ref(), &root, "-o".as_ref(), &out]);
    let refused = extract(&file);
    refused.assert_refused("E-INCOMPLETE", "repair", "X11");
    assert!(
        refused.remedy().starts_with("name the bundle itself"),
        "{}",
        refused.remedy()
    );
    assert_eq!(extract(&ward.bundle).code, Some(0));
    let open = |path: &Path| OpenedBundle::open(Box::new(std::io::Cursor::new(read(path)))).unwrap();
    let error = open(&file).into_unsigned().unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Usage, "repair"));
    open(&ward.bundle).into_unsigned().unwrap();
    // And it stands beside no volume.
    let chain = ward.vendor.chain();
    let error = open(&file).with_volume(open(&file)).unwrap().verify(chain).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Format, "volumes"));
    open(&file).verify(chain).unwrap();
}

/// Another vendor's, another release's, one that mends nothing of what is damaged, a damaged one: each is refused by name, and nothing but the
/// log changes. Then the right one.
#[test]
fn a_repair_file_that_is_not_for_this_site_changes_nothing() {
    let ward = Ward::new();
    let (state, made) = (&ward.state, &ward.made);
    let files = stored(state);
    let file = |name: &str, bytes: &[u8]| {
        let path = ward.beside(name);
        write(&path, bytes);
        path
    };
    Damage::Gone.strike(&blob_path(state, &made.layers[7]));
    let (right, _) = ward.repaired();
    let right = file("right", &read(&right));

    // What another site, which has it, lost of another release, or of another vendor's.
    let repair_elsewhere = |vendor: &Vendor, sequence: u64| {
        let other = Appliance::init(vendor);
        let made = release(vendor, sequence);
        let bundle = file("elsewhere", &made.bytes);
        other.import(&bundle).assert_imported();
        Damage::Gone.strike(&blob_path(&other.path(), &made.layers[1]));
        let (report, output) = (ward.beside("other.json"), ward.beside(&format!("other-{sequence}")));
        report_of(&other.path(), &report);
        let made = repair(&bundle, &report, &output);
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        (bundle, output)
    };
    let (next_bundle, of_next) = repair_elsewhere(&ward.vendor, 2);
    let next_bundle = file("next", &read(&next_bundle));
    let (_, of_other) = repair_elsewhere(&Vendor::new(), 3);
    // Of the same release, with what is not lost here.
    let twin = ward.appliance.copy();
    Damage::Gone.strike(&blob_path(&twin.path(), &made.layers[0]));
    write(&blob_path(&twin.path(), &made.layers[7]), &noise((5 << 20) + 11, 151));
    let (report, in_vain) = (ward.beside("vain.json"), ward.beside("vain"));
    report_of(&twin.path(), &report);
    assert_eq!(repair(&ward.bundle, &report, &in_vain).code, Some(0));
    let mut bytes = read(&right);
    let at = bytes.len() - 4000;
    bytes[at] ^= 1;
    let damaged = file("damaged", &bytes);

    for (path, class, code, step) in [
        (&of_next, "E-DEPENDENCY", "release", "X7"),
        (&of_other, "E-TRUST", "unknown-domain", "X3"),
        (&in_vain, "E-DEPENDENCY", "repair", "X10"),
        (&damaged, "E-INTEGRITY", "stored-hash", "X11"),
    ] {
        let before = StateFingerprint::of(state);
        ward.appliance.import(path).assert_refused(class, code, step);
        assert_eq!(
            StateFingerprint::of(state).differs_from(&before, false, step == "X11"),
            None,
            "{code}"
        );
        assert!(!blob_path(state, &made.layers[7]).try_exists().unwrap());
    }
    // What the refusals say helps.
    let healed = ward.appliance.import(&right);
    assert_eq!(healed.result["restored_blobs"], 1, "{}", healed.stderr);
    assert_whole(state, &files);
    let refused = ward.appliance.import(&of_next);
    assert!(
        refused
            .remedy()
            .starts_with("import the whole bundle: `airlock import FILE"),
        "{}",
        refused.remedy()
    );
    ward.appliance.import(&next_bundle).assert_imported();
}

/// What a repair file does not hold all of stays damaged, and is said; another one mends it.
#[test]
fn what_was_lost_since_is_named_and_mended_by_another_file() {
    let ward = Ward::new();
    let (state, made) = (&ward.state, &ward.made);
    let files = stored(state);
    Damage::Gone.strike(&blob_path(state, &made.layers[6]));
    let (first, _) = ward.repaired();
    let first = {
        let kept = ward.beside("first");
        std::fs::copy(first, &kept).unwrap();
        kept
    };
    Damage::Gone.strike(&blob_path(state, &made.layers[7]));
    let half = ward.appliance.import(&first);
    assert_eq!(
        (
            half.word(),
            &half.result["restored_blobs"],
            &half.result["still_damaged"]
        ),
        ("already", &1.into(), &1.into()),
        "{}",
        half.stderr
    );
    let named = made.layers[7].to_string();
    assert!(
        half.stderr.contains(&named) && half.stderr.contains("airlock scrub --report FILE"),
        "{}",
        half.stderr
    );
    ward.appliance
        .import(&first)
        .assert_refused("E-DEPENDENCY", "repair", "X10");
    let (second, _) = ward.repaired();
    assert_eq!(ward.appliance.import(&second).result["restored_blobs"], 1);
    assert_whole(state, &files);
}

/// What the vendor's command refuses, and what it says to do about it.
#[test]
fn reports_and_bundles_are_named_as_the_messages_say() {
    let ward = Ward::new();
    let (state, report, output) = (&ward.state, ward.beside("damage.json"), ward.beside("out"));
    Damage::Gone.strike(&blob_path(state, &ward.made.layers[0]));
    write(&report, b"{\"damage\": 1}");
    let refused = repair(&ward.bundle, &report, &output);
    refused.assert_refused("E-USAGE", "report", "");
    assert_eq!(
        refused.remedy(),
        "have the site write one: `airlock scrub --report FILE`"
    );
    std::fs::remove_file(&report).unwrap();
    let said = report_of(state, &report);
    // Nothing but digests leaves: several vendors may read it.
    let text = document(&report);
    let head = said["damage"][0]["head"].clone();
    assert_eq!(
        text,
        json!({"damage": [{"content": [ward.made.layers[0]], "head": head, "pieces": {}, "signed_head": false}]})
    );
    let other = ward.beside("other");
    write(&other, &release(&ward.vendor, 2).bytes);
    let refused = repair(&other, &report, &output);
    refused.assert_refused("E-USAGE", "report", "");
    assert!(refused.stderr.contains(head.as_str().unwrap()), "{}", refused.stderr);
    assert!(
        refused
            .remedy()
            .starts_with("name the bundle of a release that the report names")
    );
    assert!(!output.try_exists().unwrap());
    // What scrub prints is as good; a file that is there stays.
    write(&report, said.to_string().as_bytes());
    assert_eq!(repair(&ward.bundle, &report, &output).code, Some(0));
    repair(&ward.bundle, &report, &output).assert_refused("E-USAGE", "output", "");
    let paths: [&Path; 5] = [&ward.bundle, "--report".as_ref(), &report, "-o".as_ref(), &output];
    assert_eq!(bundle_command(&["repair", "--replace"], &paths).code, Some(0));
    // Pieces that the blob does not have.
    let digest = ward.made.layers[0].to_string();
    let mut asks = json!({"damage": [{"head": head, "content": [digest], "pieces": {}}]});
    asks["damage"][0]["pieces"][&digest] = json!({"bytes": 1 << 20, "lost": "1-1,900-901"});
    write(&report, asks.to_string().as_bytes());
    let refused = bundle_command(&["repair", "--replace"], &paths);
    refused.assert_refused("E-USAGE", "pieces", "");
    assert!(
        refused.stderr.contains("1-1,900-901") && refused.stderr.contains(&digest),
        "{}",
        refused.stderr
    );
    assert!(refused.remedy().ends_with("`airlock scrub --report FILE`"));
    // Content that this bundle only needs came with another.
    let only = json!({"damage": [{"head": head, "content": [format!("sha256:{}", "ab".repeat(32))]}]});
    write(&report, only.to_string().as_bytes());
    let refused = bundle_command(&["repair", "--replace"], &paths);
    refused.assert_refused("E-USAGE", "report", "");
    assert_eq!(
        refused.remedy(),
        "make one of the bundle of each other release that the report names"
    );
}

/// Of a bundle in volumes, those suffice that hold what is lost.
#[test]
fn a_repair_file_is_made_of_the_volumes_that_hold_what_is_lost() {
    let vendor = Vendor::new();
    let site = Appliance::init(&vendor);
    let layers = [noise(700_000, 1), noise(2_500_000, 2), noise(900_000, 3)];
    let (made, volumes) = vendor.volumes(1, &layers, 1_900_000, |_| None);
    let folder = crate::support::appliance::scratch();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        write(&path, bytes);
        path
    };
    let files: Vec<PathBuf> = (1..)
        .zip(&volumes)
        .map(|(n, bytes)| file(&format!("v{n}"), bytes))
        .collect();
    let mut import = import_command(&site.path(), &files[0]);
    Ended::of(&import.args(&files[1..]).output().unwrap()).assert_imported();
    let stored = stored(&site.path());
    Damage::Gone.strike(&blob_path(&site.path(), &made.layers[2]));
    let (report, output) = (folder.path().join("damage.json"), folder.path().join("repair"));
    report_of(&site.path(), &report);
    repair(&files[0], &report, &output).assert_refused("E-INCOMPLETE", "volumes", "X11");
    let done = repair(&files[2], &report, &output);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(site.import(&output).result["restored_blobs"], 1);
    assert_whole(&site.path(), &stored);
}

/// A log that breaks while it is served is told, and holds again when it does.
#[test]
fn a_log_that_breaks_while_it_is_served_is_told_until_it_holds_again() {
    use airlock::db::SqlResult as _;

    let ward = Ward::new();
    let serving = Serving::start(&ward.state);
    let audit = || get(serving.address, "/readyz").json()["checks"]["audit"].clone();
    wait_for("the check of the start", || audit() == "ok");
    let change = |text: &str| {
        let db = airlock::db::Db::open(&ward.state.join("airlock.db"), &airlock::db::Schema::SITE).unwrap();
        db.write(|tx| tx.execute_batch(text).sql("change")).unwrap();
    };
    change("UPDATE audit SET at = at + 1 WHERE number = 1");
    wait_for("the broken log", || audit() == "E-STATE audit-broken");
    assert_eq!(get(serving.address, "/readyz").status, 503);
    serving.assert_serves(&ward.made);
    change("UPDATE audit SET at = at - 1 WHERE number = 1");
    wait_for("the log that holds again", || audit() == "ok");
    // Rows that come while it is served count too.
    ward.appliance.import(&ward.bundle);
    change("UPDATE audit SET at = at + 1 WHERE number = (SELECT max(number) FROM audit)");
    wait_for("the broken row", || audit() == "E-STATE audit-broken");
}
