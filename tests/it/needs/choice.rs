//! Whose word counts: what must be true of a site and its newest package before anything is left out for it.
#![allow(clippy::disallowed_methods, reason = "tests copy what they made")]

use airlock::db::ledger::findings::{self, Found};
use airlock::db::sealed_log;
use airlock::domain::Timestamp;
use rusqlite::params;
use serde_json::{Value, json};

use super::world::{IMAGES, Images, Site, Vendor, images, recorded_needs, vendor_now};
use crate::support::image_set::{MANIFEST, digest};
use crate::support::site::noise;

const DAY: i64 = 86_400;

/// A vendor whose second release is to be made, and a site that has told of the first one, in package 7.
fn second_release() -> (Vendor, Site, Images) {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let first = images("1.0", None);
    vendor.release(1, &first);
    vendor.create("one.airlock", &[&plant], &[]);
    plant.import(&vendor.bundle("one.airlock")).assert_imported();
    plant.report(&vendor, 7);
    vendor.release(2, &images("2.0", Some(0)));
    (vendor, plant, first)
}

/// How many layers are left out, and why none is.
fn judged(plan: &Value) -> (u64, String) {
    let site = &plan["base"]["sites"][0];
    assert_eq!(site["used"], json!(site["reason"].is_null()), "{plan}");
    (
        plan["needs"].as_u64().unwrap(),
        site["reason"].as_str().unwrap_or_default().to_owned(),
    )
}

fn used(needs: u64) -> (u64, String) {
    (needs, String::new())
}

fn unused(reason: &str) -> (u64, String) {
    (0, reason.to_owned())
}

#[test]
fn for_any_site_and_with_full_nothing_is_left_out() {
    let (vendor, plant, _) = second_release();
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), used(6));
    let full = vendor.plan(&[&plant], &["--full"]);
    assert_eq!((&full["needs"], &full["base"]["choice"]), (&json!(0), &json!("full")));
    let path = vendor.folder.path("release.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    crate::support::appliance::write(&path, format!("{text}audience: any\n").as_bytes());
    let any = vendor.plan(&[], &[]);
    assert_eq!((&any["needs"], &any["base"]["choice"]), (&json!(0), &json!("any-site")));
    // A list in the file counts as --site does.
    crate::support::appliance::write(&path, format!("{text}audience: [plant-7]\n").as_bytes());
    assert_eq!(judged(&vendor.plan(&[], &[])), used(6));
}

#[test]
fn an_old_word_does_not_count_and_a_wrong_clock_makes_none_younger() {
    let (vendor, plant, _) = second_release();
    let sql = vendor.sql();
    let date = |made: i64, ingested: i64| {
        let (made, ingested) = (vendor_now() + made * DAY, vendor_now() + ingested * DAY);
        sql.execute(
            "UPDATE package SET made_at = ?, ingested_at = ?",
            params![made, ingested],
        )
        .unwrap();
    };
    for (made, ingested, max_age, expected) in [
        (-179, -170, "180d", used(6)),
        (-181, -1, "180d", unused("too-old")),
        (-181, -1, "26w", used(6)),
        (-2, -2, "12h", unused("too-old")),
        // A clock that runs ahead.
        (400, -181, "180d", unused("too-old")),
        (400, -1, "180d", used(6)),
    ] {
        date(made, ingested);
        let plan = vendor.plan(&[&plant], &["--base-max-age", max_age]);
        // 26 weeks are 182 days.
        assert_eq!(judged(&plan), expected, "{made} {ingested} {max_age}");
    }
    date(-181, -181);
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), unused("too-old"));
    let text = vendor.plan_text(&[&plant], &[]);
    assert!(
        text.contains("its newest package is 7 of ") && text.contains("more than 180 days ago (--base-max-age)"),
        "{text}"
    );
}

#[test]
fn while_something_stands_against_a_site_nothing_is_left_out_for_it() {
    let (vendor, plant, _) = second_release();
    let ledger = vendor.ledger();
    let raise = |code: &str| {
        let found = Found {
            site: &plant.id,
            code,
            detail: "two instances report",
            package: None,
            at: Timestamp::EPOCH,
        };
        ledger
            .write(|transaction| findings::raise(transaction, &found))
            .unwrap();
    };
    // What says nothing about the inventory.
    raise("clock-ahead");
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), used(6));
    raise("branches");
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), unused("finding"));
    let end = || {
        let open = ledger
            .read(|connection| findings::open(connection, Some(&plant.id)))
            .unwrap();
        let alarm = open.iter().find(|finding| finding.code != "clock-ahead").unwrap();
        let text = vendor.plan_text(&[&plant], &[]);
        assert!(
            text.contains(&format!("the finding {} ({}) is open", alarm.id, alarm.code)),
            "{text}"
        );
        ledger
            .write(|transaction| findings::end(transaction, alarm.id, Timestamp::EPOCH))
            .unwrap();
    };
    end();
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), used(6));
    // A package that was refused as another one under the same number.
    let refuse = |class: &str, site: &str| {
        let detail =
            json!({"class": class, "code": "package-number", "found": "two packages 7", "site": site, "step": "V5"});
        ledger
            .write(|transaction| sealed_log::append(transaction, Timestamp::EPOCH, findings::REFUSE, &detail))
            .unwrap();
    };
    refuse("E-SIGNATURE", plant.id.as_str());
    refuse("E-EQUIVOCATION", &"f".repeat(32));
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), used(6));
    refuse("E-EQUIVOCATION", plant.id.as_str());
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), unused("finding"));
    end();
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), used(6));
}

#[test]
fn the_newest_package_of_the_shown_instance_decides_and_of_it_what_was_signed_here() {
    let (vendor, plant, first) = second_release();
    let sql = vendor.sql();
    let id = plant.id.as_str();
    // Damaged there.
    sql.execute("INSERT INTO damaged VALUES (?, ?)", params![id, &first.system.0.0[..]])
        .unwrap();
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), used(5));
    sql.execute("DELETE FROM damaged", []).unwrap();
    // Another content than was signed under this head, or a head that nobody here knows.
    sql.execute("UPDATE held SET agrees = 0", []).unwrap();
    let plan = vendor.plan(&[&plant], &[]);
    assert_eq!(
        (judged(&plan), &plan["base"]["sites"][0]["unknown_releases"]),
        (used(0), &json!(1))
    );
    let text = vendor.plan_text(&[&plant], &[]);
    assert!(
        text.contains("plant-7 holds 1 release whose content this ledger does not know"),
        "{text}"
    );
    sql.execute("UPDATE held SET agrees = 1", []).unwrap();
    // A newer package shows less: the site let the release go.
    let newer = |number: u8, instance: i64| {
        let now = vendor_now();
        sql.execute(
            "INSERT INTO package (head, instance, number, made_at, ingested_at, bytes) SELECT ?, ?, ?, ?, ?, bytes FROM package LIMIT 1",
            params![&[number; 32][..], instance, number, now, now],
        )
        .unwrap();
    };
    newer(8, 1);
    sql.execute("DELETE FROM held", []).unwrap();
    let plan = vendor.plan(&[&plant], &[]);
    assert_eq!(
        (judged(&plan), &plan["base"]["sites"][0]["package"]),
        (used(0), &json!(8))
    );
    plant.report(&vendor, 9);
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), used(6));
    // What came since is a summary: it names releases and no damage.
    let instance: String = sql
        .query_row("SELECT instance FROM instance", [], |row| row.get(0))
        .unwrap();
    sql.execute(
        "INSERT INTO summary VALUES (x'01', ?, substr(?, 1, 16), 10, x'', 0, 0, x'')",
        params![id, instance],
    )
    .unwrap();
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), unused("only-summary"));
    newer(10, 1);
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), used(6));
    // Another life of the site is shown, of which no package came.
    sql.execute(
        "INSERT INTO instance (site, instance, parent, records, receipts, audit) VALUES (?, ?, 1, 5, 5, 5)",
        params![id, "9".repeat(32)],
    )
    .unwrap();
    assert_eq!(judged(&vendor.plan(&[&plant], &[])), unused("never-reported"));
    newer(1, 2);
    let plan = vendor.plan(&[&plant], &[]);
    assert_eq!(
        (judged(&plan), &plan["base"]["sites"][0]["package"]),
        (used(6), &json!(1))
    );
    // A site that was withdrawn gets nothing at all; one that is not enrolled here gets everything.
    vendor.folder.good(&["vendor", "withdraw-site", "plant-7", "-w", "w"]);
    let words = [
        "bundle",
        "create",
        "-f",
        "release.yaml",
        "-w",
        "w",
        "--dry-run",
        "--site",
    ];
    let (class, _, event) = vendor.folder.refused(&[&words[..], &["plant-7"]].concat());
    assert!(
        class == "E-USAGE" && event["found"].as_str().unwrap().contains("was withdrawn"),
        "{event}"
    );
    let stranger = "a".repeat(32);
    let plan = vendor.folder.good(&[&words[..], &[&stranger]].concat());
    assert_eq!(judged(&plan), unused("not-enrolled"));
}

#[test]
fn for_several_sites_what_all_of_them_hold_is_left_out() {
    let (vendor, plant, first) = second_release();
    let mill = Site::new(&vendor, "mill-2");
    let both = [&plant, &mill];
    let plan = vendor.plan(&both, &[]);
    assert_eq!(plan["needs"], 0, "one of them never reported");
    let sites = plan["base"]["sites"].as_array().unwrap();
    let of = |name: &str| sites.iter().find(|site| site["name"] == name).unwrap().clone();
    assert_eq!(
        (&of("plant-7")["used"], &of("mill-2")["reason"]),
        (&json!(true), &json!("never-reported"))
    );
    // The other one has the release, and lost a layer of it.
    let base = vendor.create("mill.airlock", &[&mill], &["--sequence", "2", "--full"]);
    mill.import(&vendor.bundle("mill.airlock")).assert_imported();
    mill.report(&vendor, 1);
    assert_eq!(base["needs"], 0);
    assert_eq!(vendor.plan(&both, &["--sequence", "3"])["needs"], 6);
    let sql = vendor.sql();
    sql.execute(
        "INSERT INTO damaged VALUES (?, ?)",
        params![mill.id.as_str(), &first.own[3].0.0[..]],
    )
    .unwrap();
    let made = vendor.create("three.airlock", &both, &["--sequence", "3"]);
    assert_eq!(
        (
            &made["needs"],
            vendor.plan(&[&plant], &["--sequence", "4"])["needs"].as_u64()
        ),
        (&json!(5), Some(6))
    );
    let needs = recorded_needs(&vendor, &made["head_digest"]);
    assert!(!needs.contains(&first.own[3]) && needs.contains(&first.own[4]));
    for site in both {
        site.import(&vendor.bundle("three.airlock")).assert_imported();
    }
    let text = vendor.plan_text(&both, &["--sequence", "4"]);
    assert!(
        text.contains("were it not for what the sites hold; base: ") && text.contains("mill-2 package 1 of 20"),
        "{text}"
    );
}

#[test]
fn a_number_is_made_again_as_it_was_signed_whatever_was_told_since() {
    let (vendor, plant, _) = second_release();
    let made = vendor.create("two.airlock", &[&plant], &[]);
    let bytes = |name: &str| std::fs::read(vendor.bundle(name)).unwrap();
    vendor.sql().execute("DELETE FROM held", []).unwrap();
    let again = vendor.create("again.airlock", &[&plant], &[]);
    assert_eq!(
        (&again["head_digest"], &again["base"]["choice"]),
        (&made["head_digest"], &json!("as-signed"))
    );
    assert_eq!(bytes("again.airlock"), bytes("two.airlock"));
    let mut full = vec![
        "bundle",
        "create",
        "-f",
        "release.yaml",
        "-w",
        "w",
        "-o",
        "full.airlock",
        "--full",
    ];
    full.extend(["--site", "plant-7"]);
    let (class, code, _) = vendor.folder.refused(&full);
    assert_eq!((class.as_str(), code.as_str()), ("E-EQUIVOCATION", "number-used"));
    assert!(!vendor.bundle("full.airlock").try_exists().unwrap());
}

#[test]
fn what_is_a_layer_there_and_a_config_here_travels() {
    let vendor = Vendor::new();
    let plant = Site::new(&vendor, "plant-7");
    let mut first = images("1.0", None);
    // An artifact whose layer is what an image of the next release has as its config.
    let config = first
        .set
        .blob("application/vnd.example.config.v1+json", b"{\"both\":true}");
    let plain = first.set.blob("application/vnd.oci.empty.v1+json", b"{}");
    let artifact = first.set.manifest(&json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "text/plain", "config": plain, "layers": [config.clone()],
    }));
    first.set.tag(&format!("{}-1.0", IMAGES[0]), &artifact);
    first.manifests[0] = artifact;
    vendor.release(1, &first);
    vendor.create("one.airlock", &[&plant], &[]);
    plant.import(&vendor.bundle("one.airlock")).assert_imported();
    plant.report(&vendor, 1);
    let mut second = images("2.0", None);
    let layer = second.set.blob("application/vnd.example.layer.v1", &noise(500, 77));
    let image = second.set.manifest(&json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "text/plain", "config": config, "layers": [layer],
    }));
    second.set.blobs.insert(digest(&config), b"{\"both\":true}".to_vec());
    second.set.tag(&format!("{}-2.0", IMAGES[0]), &image);
    second.manifests[0] = image;
    vendor.release(2, &second);
    let made = vendor.create("two.airlock", &[&plant], &[]);
    assert!(!recorded_needs(&vendor, &made["head_digest"]).contains(&digest(&config)));
    plant.import(&vendor.bundle("two.airlock")).assert_imported();
}

#[test]
fn a_ledger_that_was_restored_builds_on_what_it_knows_and_on_the_rest_once_it_is_learned() {
    let (vendor, plant, first) = second_release();
    let second = images("2.0", Some(0));
    let (ledger, copy) = (vendor.folder.path("w/ledger.db"), vendor.folder.path("old.db"));
    std::fs::copy(&ledger, &copy).unwrap();
    vendor.create("two.airlock", &[&plant], &[]);
    plant.import(&vendor.bundle("two.airlock")).assert_imported();
    plant.report(&vendor, 8);
    // The copy knows of package 7 and of release 1 alone; what it signs next the site takes, for it has both.
    std::fs::copy(&copy, &ledger).unwrap();
    for beside in ["w/ledger.db-wal", "w/ledger.db-shm"] {
        std::fs::remove_file(vendor.folder.path(beside)).ok();
    }
    vendor.release(3, &images("3.0", Some(0)));
    let plan = vendor.plan(&[&plant], &[]);
    assert_eq!(
        (judged(&plan), &plan["base"]["sites"][0]["package"]),
        (used(6), &json!(7))
    );
    // Its next package names a release that nobody here signed: nothing builds on that one, until its bundle is learned.
    plant.report(&vendor, 9);
    let plan = vendor.plan(&[&plant], &[]);
    assert_eq!(
        (judged(&plan), &plan["base"]["sites"][0]["unknown_releases"]),
        (used(6), &json!(1))
    );
    vendor
        .folder
        .good(&["vendor", "ledger", "learn", "two.airlock", "-w", "w"]);
    plant.report(&vendor, 10);
    let made = vendor.create("three.airlock", &[&plant], &[]);
    let needs = recorded_needs(&vendor, &made["head_digest"]);
    assert!(
        needs.contains(&second.own[0]) && !needs.contains(&first.own[0]),
        "{needs:?}"
    );
    assert_eq!(needs.len(), 7);
    plant.import(&vendor.bundle("three.airlock")).assert_imported();
}
