//! Remedies of the site's side that are acts of a person: another copy, another name, a set clock, free space.

use airlock::db::{Db, Schema};

use super::follow::{Operator, commands};
use crate::support::appliance::{read, write};
use crate::support::bundles::SMALL_CHUNKS;
use crate::support::site::noise;

/// A copy that is damaged anywhere is refused with the word to copy again; the copy that is whole comes in.
#[test]
fn a_damaged_copy_is_copied_again() {
    let operator = Operator::new();
    let layer = noise(900_000, 1);
    let made = operator
        .vendor
        .bundle(1, &[layer.clone(), noise(900_000, 2)], SMALL_CHUNKS);
    let at = |needle: &[u8]| {
        made.bytes
            .windows(needle.len())
            .position(|window| window == needle)
            .unwrap()
    };
    let change = |place: usize| {
        let mut bytes = made.bytes.clone();
        bytes[place] ^= 1;
        bytes
    };
    let cases: [(Vec<u8>, &str, &str); 6] = [
        (change(at(&layer[1000..1064])), "E-INTEGRITY", "stored-hash"),
        (change(at(b"05-index") + 600), "E-INTEGRITY", "page-hash"),
        (change(made.bytes.len() - 700), "E-FORMAT", "end"),
        (
            [made.bytes.clone(), b"x".to_vec()].concat(),
            "E-FORMAT",
            "trailing-data",
        ),
        (
            made.bytes[..made.bytes.len() - 400_000].to_vec(),
            "E-INCOMPLETE",
            "truncated",
        ),
        (change(at(&layer[..16]) - 500), "E-FORMAT", "header"),
    ];
    for (bytes, class, code) in cases {
        let operator = operator.fresh();
        let bad = operator.file("bad", &bytes);
        let remedy = operator.run(&["import", bad.to_str().unwrap()]).remedy(class, code);
        assert!(remedy.contains("copy"), "{code}: {remedy}");
        if code == "truncated" {
            assert!(
                remedy.ends_with("; an import goes on from what the one before it verified"),
                "{remedy}"
            );
            // Who only looks keeps nothing, and is told of no import.
            let root = operator.file("root.json", &operator.vendor.chain_file());
            let (bad, root) = (bad.to_str().unwrap(), root.to_str().unwrap());
            let verified = operator.run(&["bundle", "verify", bad, "--trust", root]);
            assert_eq!(verified.remedy(class, code), "copy it again, and try again");
        }
        operator.import(&made).succeeded();
    }
}

/// A folder without a bundle, or with two, is answered with what to name; naming it helps.
#[test]
fn a_folder_is_answered_with_what_to_name() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    let folder = crate::support::appliance::scratch();
    let import = |path: &std::path::Path| operator.run(&["import", path.to_str().unwrap()]);
    let remedy = import(folder.path()).remedy("E-FORMAT", "source");
    assert_eq!(remedy, "check that the right medium is mounted");
    for name in ["a.airlock", "b.airlock"] {
        write(&folder.path().join(name), &made.bytes);
    }
    let remedy = import(folder.path()).remedy("E-FORMAT", "source");
    assert_eq!(remedy, "name the bundle file itself");
    import(&folder.path().join("a.airlock")).succeeded();
    std::fs::remove_file(folder.path().join("b.airlock")).unwrap();
    import(folder.path()).succeeded();
}

/// A damaged blob that was damaged a thousand times: its evidence is moved away as the message says, and it heals again.
#[test]
fn evidence_that_is_full_is_moved_away() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(4000, 1)], SMALL_CHUNKS);
    operator.import(&made).succeeded();
    let (state, hex) = (operator.state(), made.layers[0].0.to_hex());
    let blob = state.join("blobs/sha256").join(&hex[..2]).join(&hex);
    for number in 1..1000 {
        write(&state.join(format!("evidence/{hex}.blob-{number}")), b"");
    }
    let mut bytes = read(&blob);
    bytes[0] ^= 1;
    std::fs::remove_file(&blob).unwrap();
    write(&blob, &bytes);
    let remedy = operator.import(&made).remedy("E-STATE", "evidence-full");
    let away = crate::support::appliance::scratch();
    let from = remedy.split("out of ").nth(1).unwrap().split(" and").next().unwrap();
    let pattern = remedy.split("the files ").nth(1).unwrap().split(' ').next().unwrap();
    let moved = format!("mv {from}/{pattern} {}", away.path().display());
    assert!(
        std::process::Command::new("sh")
            .args(["-c", &moved])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(operator.import(&made).succeeded()["restored_blobs"], 1);
}

/// A state folder that is none, and one whose store is gone: the right folder helps.
#[test]
fn a_wrong_state_folder_is_answered_with_the_right_one() {
    let operator = Operator::new();
    let list = |state: &std::path::Path| operator.run(&["release", "list", "--state", state.to_str().unwrap()]);
    let empty = crate::support::appliance::scratch();
    let remedy = list(empty.path()).remedy("E-STATE", "database-missing");
    assert!(remedy.contains("--state"), "{remedy}");
    list(&operator.state()).succeeded();
    // Nothing is in it: the appliance is made there.
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let made = crate::support::appliance::scratch();
    let at_hand = [("ROOT.JSON", root.to_str().unwrap()), ("NAME", "x")];
    for command in commands(&list(made.path()).remedy("E-STATE", "database-missing")) {
        operator.follow(&command, &at_hand).succeeded();
    }
    list(made.path()).succeeded();
    let other = operator.fresh();
    for name in ["airlock.db", "airlock.db-wal", "airlock.db-shm"] {
        std::fs::remove_file(other.state().join(name)).ok();
    }
    drop(Db::create(&other.state().join("airlock.db"), &Schema::STATUS).unwrap());
    let remedy = list(&other.state()).remedy("E-STATE", "other-database");
    assert!(remedy.ends_with("or point --state at the right one"), "{remedy}");
    list(&operator.state()).succeeded();
}

/// What the vendor is asked for: the bundle as it should have been comes in where the other one was refused.
#[test]
fn what_the_vendor_is_asked_for_helps() {
    use airlock::bundle::ReleaseStatement;
    use airlock::domain::{Audience, Version};
    type Change<'a> = &'a dyn Fn(&mut ReleaseStatement);
    let operator = Operator::new();
    let cases: [(Change<'_>, &str, &str, &str); 4] = [
        (
            &|release| {
                release.expires = "2026-11-10T00:00:00Z".parse().unwrap();
            },
            "E-EXPIRED",
            "bundle",
            "ask the vendor for a newer bundle",
        ),
        (
            &|release| release.audience = Audience::Sites(vec!["ab".repeat(16).parse().unwrap()]),
            "E-AUDIENCE",
            "site",
            "ask the vendor for this site's bundle",
        ),
        (
            &|release| release.minimum_appliance = Version::new(99, 0, 0),
            "E-AUDIENCE",
            "appliance-version",
            "update airlock on this appliance first",
        ),
        (
            &|release| {
                release.issued_at = "2101-01-01T00:00:00Z".parse().unwrap();
                release.expires = "2190-01-01T00:00:00Z".parse().unwrap();
            },
            "E-CLOCK",
            "issued-after-root",
            "ask the vendor for a bundle with the right date",
        ),
    ];
    for (change, class, code, says) in cases {
        let operator = operator.fresh();
        let bad = operator.vendor.bundle_as("crm", 2, change);
        let remedy = operator.import(&bad).remedy(class, code);
        assert!(remedy.contains(says), "{code}: {remedy}");
        operator
            .import(&operator.vendor.bundle_as("crm", 2, |_| ()))
            .succeeded();
    }
}

/// A date that lies ahead is confirmed with the option and the date that the message gives.
#[test]
fn a_date_ahead_is_confirmed_as_the_message_says() {
    let operator = Operator::new();
    let made = operator.vendor.bundle_as("crm", 1, |release| {
        release.issued_at = "2030-01-01T00:00:00Z".parse().unwrap();
        release.expires = "2040-01-01T00:00:00Z".parse().unwrap();
    });
    let remedy = operator.import(&made).remedy("E-CLOCK", "issued-ahead");
    let option = remedy.split("import with ").nth(1).unwrap().split(';').next().unwrap();
    let file = operator.bundle(&made);
    let words: Vec<&str> = ["import", file.to_str().unwrap()]
        .into_iter()
        .chain(option.split(' '))
        .collect();
    operator.run(&words).succeeded();
}

/// A product that the configuration does not take is taken once it stands there.
#[test]
fn a_product_is_accepted_in_the_configuration() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    let file = operator.bundle(&made);
    let import = |accept: &str| {
        let config = operator.file("airlock.toml", format!("accept = [{accept}]\n").as_bytes());
        operator.run(&["import", file.to_str().unwrap(), "--config", config.to_str().unwrap()])
    };
    let remedy = import("\"erp/stable\"").remedy("E-AUDIENCE", "scope");
    assert!(remedy.contains("under `accept`"), "{remedy}");
    import("\"erp/stable\", \"crm/stable\"").succeeded();
}
