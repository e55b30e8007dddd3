//! A site that does not hold what a bundle builds on: nothing of the bundle is taken in, and the next one brings it.

use std::fs;

use airlock::appliance::Appliance;
use airlock::db::site::damage;
use airlock::domain::{Digest, SystemClock};
use rusqlite::params;
use serde_json::json;

use super::world::{Images, Site, Vendor, images};
use crate::support::appliance::{Ended, audit_actions, incoming, read};
use crate::support::image_set::digest_of;
use crate::support::state_fingerprint::StateFingerprint;
use crate::support::streams;

/// A site with the first of two releases, the second of which builds on it.
fn two_releases() -> (Vendor, Site, Images, Images) {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let (first, second) = (images("1.0", None), images("2.0", Some(5)));
    vendor.release(1, &first);
    vendor.create("one.airlock", &[&plant], &[]);
    plant.import(&vendor.bundle("one.airlock")).assert_imported();
    plant.report(&vendor, 1);
    vendor.release(2, &second);
    let made = vendor.create("two.airlock", &[&plant], &[]);
    assert_eq!(made["needs"], 6);
    (vendor, plant, first, second)
}

fn found(ended: &Ended) -> (String, String) {
    let refused = ended
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let refused = refused.into_iter().find(|event| event["event"] == "refused").unwrap();
    let word = |member: &str| refused[member].as_str().unwrap_or_default().to_owned();
    (word("found"), word("remedy"))
}

#[track_caller]
fn assert_told(site: &Site, receipts: usize) {
    let stream = streams::only(&site.state());
    assert_eq!(stream.receipts.len(), receipts);
    let last = stream.receipts.last().unwrap();
    let said = (
        last.result.as_str(),
        last.class.as_deref(),
        last.code.as_deref(),
        last.step.as_deref(),
    );
    assert_eq!(said, ("refused", Some("E-DEPENDENCY"), Some("needs"), Some("X10")));
}

#[test]
fn a_site_without_the_base_takes_nothing_in_and_is_told_everything_that_it_lacks() {
    let (vendor, plant, first, _) = two_releases();
    // Enrolled, in the audience of both, and without the first one.
    let mill = Site::new(&vendor, "mill-2");
    vendor.release(3, &images("3.0", Some(5)));
    let sql = vendor.sql();
    mill.report(&vendor, 1);
    let one: Vec<u8> = sql.query_row("SELECT head FROM held", [], |row| row.get(0)).unwrap();
    sql.execute(
        "INSERT INTO held (site, head, product, channel, epoch, sequence, state, agrees, source) VALUES (?, ?, 'app', 'stable', 0, 1, 'active', 1, zeroblob(32))",
        params![mill.id.as_str(), one],
    )
    .unwrap();
    let made = vendor.create("three.airlock", &[&plant, &mill], &[]);
    assert_eq!(made["needs"], 6);
    let before = StateFingerprint::of(&mill.state());
    let dry = mill.import_with(&vendor.bundle("three.airlock"), &["--dry-run"]);
    dry.assert_refused("E-DEPENDENCY", "needs", "X10");
    assert_eq!(
        StateFingerprint::of(&mill.state()).differs_from(&before, false, false),
        None
    );
    assert_eq!(
        streams::only(&mill.state()).receipts.len(),
        0,
        "a dry run is told to nobody"
    );

    let before = StateFingerprint::of(&mill.state());
    let refused = mill.import(&vendor.bundle("three.airlock"));
    refused.assert_refused("E-DEPENDENCY", "needs", "X10");
    assert_eq!(refused.code, Some(21));
    let after = StateFingerprint::of(&mill.state());
    assert_eq!(after.differs_from(&before, false, false), None);
    assert!(incoming(&mill.state()).is_empty());
    assert_told(&mill, 1);
    let (said, remedy) = found(&refused);
    for digest in first.own[..5].iter().chain([&first.system]) {
        assert!(said.contains(&format!("{digest} (")), "{said}");
    }
    assert_eq!(said.lines().count(), 7, "{said}");
    assert_eq!(
        said.matches("no release of this vendor that is here has it").count(),
        6,
        "{said}"
    );
    assert_eq!(
        remedy,
        "import the base bundle first, where it was never imported here; where it was let go, ask the vendor for a full one"
    );
    // The base first, then the same bundle.
    vendor.release(1, &first);
    vendor.create("base.airlock", &[&mill], &["--sequence", "4", "--full"]);
    // What the vendor learns by the next package: the refusal, and that nothing is held.
    mill.report(&vendor, 2);
    vendor.release(5, &images("5.0", Some(5)));
    assert_eq!(vendor.plan(&[&mill], &[])["needs"], 0);
    plant.import(&vendor.bundle("three.airlock")).assert_imported();
}

#[test]
fn a_base_that_was_lost_or_changed_is_told_and_the_bundle_that_brought_it_heals_it() {
    let (vendor, plant, first, _) = two_releases();
    let (gone, changed) = (first.system, first.own[1]);
    fs::remove_file(plant.blob(&gone)).unwrap();
    plant.flip(&changed);
    let before = StateFingerprint::of(&plant.state());
    // A dry run says the same and leaves what is damaged where it is.
    let dry = plant.import_with(&vendor.bundle("two.airlock"), &["--dry-run"]);
    dry.assert_refused("E-DEPENDENCY", "needs", "X10");
    assert_eq!(
        StateFingerprint::of(&plant.state()).differs_from(&before, false, false),
        None
    );
    assert!(fs::symlink_metadata(plant.blob(&changed)).is_ok());

    let before = everything(&plant);
    let refused = plant.import(&vendor.bundle("two.airlock"));
    refused.assert_refused("E-DEPENDENCY", "needs", "X10");
    let (said, remedy) = found(&refused);
    assert!(
        said.contains(&format!("{gone} (307200 bytes) of release 1 (1): ")),
        "{said}"
    );
    assert!(
        said.contains(&format!(
            "{changed} (102400 bytes) of release 1 (1): it has another hash"
        )),
        "{said}"
    );
    assert_eq!(said.lines().count(), 3, "only what is not whole: {said}");
    assert!(
        remedy.starts_with("import the bundle of release 1 (1) of ")
            && remedy.ends_with("; or ask the vendor for a full one"),
        "{remedy}"
    );
    // Nothing of the bundle is here; what had other bytes was set aside, so that the next package does not call it held.
    assert_told(&plant, 3);
    assert!(incoming(&plant.state()).is_empty());
    let mut after = everything(&plant);
    after.insert(changed);
    assert_eq!(after, before);
    assert_eq!(damaged(&plant), [changed]);
    assert_eq!(
        audit_actions(&plant.state()).iter().rev().take(2).collect::<Vec<_>>(),
        ["refuse", "set-aside"]
    );

    plant.report(&vendor, 2);
    let again = plant.import(&vendor.bundle("one.airlock"));
    assert_eq!(
        (again.word(), &again.result["restored_blobs"]),
        ("already", &json!(2)),
        "{}",
        again.stderr
    );
    plant.import(&vendor.bundle("two.airlock")).assert_imported();
    assert!(damaged(&plant).is_empty());
}

#[test]
fn after_a_refusal_the_next_bundle_brings_what_was_lacked_whatever_the_inventory_says() {
    let (vendor, plant, first, _) = two_releases();
    fs::remove_file(plant.blob(&first.system)).unwrap();
    plant
        .import(&vendor.bundle("two.airlock"))
        .assert_refused("E-DEPENDENCY", "needs", "X10");
    plant.report(&vendor, 2);
    // Whatever it says.
    let sql = vendor.sql();
    sql.execute("DELETE FROM damaged", []).unwrap();
    vendor.release(3, &images("3.0", Some(5)));
    let plan = vendor.plan(&[&plant], &[]);
    assert_eq!(
        (&plan["needs"], &plan["base"]["sites"][0]["lacked"]),
        (&json!(0), &json!(6))
    );
    let text = vendor.plan_text(&[&plant], &[]);
    assert!(
        text.contains("6 layers travel again: plant-7 refused a bundle that needed them"),
        "{text}"
    );
    // It brings what was lacked; the receipt of it is as good as a newer package.
    let made = vendor.create("three.airlock", &[&plant], &[]);
    assert_eq!(made["needs"], 0);
    plant.import(&vendor.bundle("three.airlock")).assert_imported();
    assert_eq!(digest_of(&read(&plant.blob(&first.system))), first.system);
    assert!(
        Appliance::open(&plant.state(), std::sync::Arc::new(SystemClock))
            .unwrap()
            .damage()
            .unwrap()
            .is_empty(),
        "healed"
    );
    vendor.release(4, &images("4.0", Some(5)));
    let before_it_is_told = vendor.plan(&[&plant], &[]);
    assert_eq!(before_it_is_told["needs"], 0);
    plant.report(&vendor, 3);
    let told = vendor.plan(&[&plant], &[]);
    assert_eq!(
        (&told["needs"], &told["base"]["sites"][0]["lacked"]),
        (&json!(7), &json!(0))
    );
}

#[test]
fn a_newer_package_than_the_one_that_told_of_the_refusal_is_believed_again() {
    let (vendor, plant, first, _) = two_releases();
    let lost = plant.blob(&first.system);
    let aside = lost.with_extension("aside");
    rustix::fs::rename(&lost, &aside).unwrap();
    plant
        .import(&vendor.bundle("two.airlock"))
        .assert_refused("E-DEPENDENCY", "needs", "X10");
    rustix::fs::rename(&aside, &lost).unwrap();
    vendor.release(3, &images("3.0", Some(5)));
    plant.report(&vendor, 2);
    assert_eq!(vendor.plan(&[&plant], &[])["base"]["sites"][0]["lacked"], 6);
    plant.report(&vendor, 3);
    let plan = vendor.plan(&[&plant], &[]);
    assert_eq!(
        (&plan["needs"], &plan["base"]["sites"][0]["lacked"]),
        (&json!(6), &json!(0))
    );
}

fn everything(site: &Site) -> std::collections::BTreeSet<Digest> {
    let mut found = std::collections::BTreeSet::new();
    for folder in fs::read_dir(site.state().join("blobs/sha256")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            found.insert(format!("sha256:{name}").parse().unwrap());
        }
    }
    found
}

fn damaged(site: &Site) -> Vec<Digest> {
    let db = airlock::db::Db::open(&site.state().join("airlock.db"), &airlock::db::Schema::SITE).unwrap();
    let rows = db.read(damage::list).unwrap();
    rows.into_iter().map(|row| row.digest).collect()
}
