//! A vendor's workspace is gone, or a key is in doubt.

#![allow(clippy::disallowed_methods, reason = "a test's own files")]

use std::fs;
use std::process::Command;

use super::drill::{Drill, PASSPHRASE, STATE};

const KEEP: &str = "What to keep copies of";
const WORKSPACE: &str = "A vendor's workspace is gone";
const KEYS: &str = "A key is stolen or in doubt";

fn create(sequence: &str) -> Vec<String> {
    let file = format!("stick/made-{sequence}.airlock");
    let words = [
        "bundle",
        "create",
        "-f",
        "shop/release.yaml",
        "-w",
        "w",
        "-o",
        &file,
        "--next",
    ];
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// What was signed since the backup is told, is not used again, and is learned; so is what sites told.
#[test]
fn a_workspace_is_put_back_and_uses_no_number_twice() {
    let drill = Drill::new();
    let stage = &drill.stage;
    let made = drill.good(
        KEEP,
        "airlock vendor init",
        &[],
        &["--product", "x", "--vendor", "X", "other"],
    );
    assert!(!made.is_null());
    let (first, _) = stage.bundle(1);
    stage.import(&first);
    let put_in = [("DIR", "w"), ("FILE", "safe")];
    drill.good(KEEP, "airlock vendor backup -w DIR -o FILE", &put_in, &PASSPHRASE);
    let (second, _) = stage.bundle(2);
    stage.import(&second);
    let package = stage.export();
    fs::rename(stage.path("w"), stage.path("old")).unwrap();

    let put_in = [("FILE", "safe"), ("DIR", "w")];
    let more = [&PASSPHRASE[..], &["--against", "old", "--yes"]].concat();
    let restored = drill.good(WORKSPACE, "airlock vendor restore FILE DIR", &put_in, &more);
    assert_eq!(restored["signed_since"][0]["sequence"], 2, "{restored}");
    // Neither the same number, nor silently the next: the one behind what was signed since.
    fs::write(stage.path("shop/shop.env"), "SHOP_VERSION=1.0\nGREETING=other\n").unwrap();
    let same = [
        "bundle",
        "create",
        "-f",
        "shop/release.yaml",
        "-w",
        "w",
        "-o",
        "stick/same.airlock",
    ];
    let (class, code, remedy) = stage.refused(&same);
    assert_eq!((class.as_str(), code.as_str()), ("E-EQUIVOCATION", "number-used"));
    assert!(
        remedy.contains("airlock vendor ledger learn") && remedy.ends_with("raise sequence to 3"),
        "{remedy}"
    );
    let planned = stage.good(&[&words(&create("3"))[..], &["--dry-run"]].concat());
    assert_eq!(planned["next_free"]["sequence"], 3, "{planned}");

    // The bundles, and the packages, in a folder by their names.
    let file = [("*.airlock", second.to_str().unwrap())];
    drill.good(WORKSPACE, "airlock vendor ledger learn *.airlock -w acme", &file, &[]);
    let file = [("*.airlock-status", package.as_str())];
    let taken = drill.good(WORKSPACE, "airlock status verify *.airlock-status -w acme", &file, &[]);
    assert_eq!(taken[0]["result"], "taken-in", "{taken}");
    assert!(!taken.to_string().contains("foreign-release"), "{taken}");
    let (_, code, _) = stage.refused(&same);
    assert_eq!(code, "number-used");
    let made = stage.good(&words(&create("3")));
    assert_eq!(made["sequence"], 3, "{made}");
    assert_eq!(stage.import(&stage.path("stick/made-3.airlock"))["result"], "imported");
}

/// Where nobody knows what was signed since, that is asked; and where somebody knows it, it is said.
#[test]
fn a_workspace_that_is_put_back_alone_asks_for_its_newest_release() {
    let drill = Drill::new();
    let stage = &drill.stage;
    let (first, _) = stage.bundle(1);
    let put_in = [("DIR", "w"), ("FILE", "safe")];
    drill.good(KEEP, "airlock vendor backup -w DIR -o FILE", &put_in, &PASSPHRASE);
    let (second, _) = stage.bundle(2);
    fs::remove_dir_all(stage.path("w")).unwrap();
    let put_in = [("FILE", "safe"), ("DIR", "w")];
    let more = [&PASSPHRASE[..], &["--yes"]].concat();
    drill.good(WORKSPACE, "airlock vendor restore FILE DIR", &put_in, &more);
    fs::write(stage.path("shop/shop.env"), "SHOP_VERSION=1.0\nGREETING=other\n").unwrap();

    let next = create("next");
    let (class, code, remedy) = stage.refused(&words(&next));
    assert_eq!((class.as_str(), code.as_str()), ("E-POLICY", "restored"));
    assert!(
        remedy.ends_with("say so with --sequence 2, in place of --next"),
        "{remedy}"
    );
    assert!(!stage.path("stick/made-next.airlock").is_file());
    // What the backup had says nothing of what was signed since.
    stage.good(&["vendor", "ledger", "learn", first.to_str().unwrap(), "-w", "w"]);
    assert_eq!(stage.refused(&words(&next)).1, "restored");
    // Said: it is another workspace's business then.
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(stage.path("w")).arg(stage.path("v"));
    assert!(copy.status().unwrap().success());
    let put_in = [
        ("acme", "v"),
        ("release.yaml", "shop/release.yaml"),
        ("FILE", "stick/said.airlock"),
        ("8", "2"),
    ];
    let command = "airlock bundle create -f release.yaml -w acme --sequence 8 -o FILE";
    let said = drill.good(WORKSPACE, command, &put_in, &[]);
    assert_eq!(said["sequence"], 2, "{said}");
    // Learned: the next one is free, and it is not asked again.
    stage.good(&["vendor", "ledger", "learn", second.to_str().unwrap(), "-w", "w"]);
    let made = stage.good(&words(&next));
    assert_eq!(made["sequence"], 3, "{made}");
    let made = stage.good(&words(&create("later")));
    assert_eq!(made["sequence"], 4, "{made}");
}

/// A copy does not know that it is older; a site's package says so.
#[test]
fn what_a_site_tells_an_older_copy_of_a_workspace_stops_it_from_using_that_number() {
    let drill = Drill::new();
    let stage = &drill.stage;
    let (first, _) = stage.bundle(1);
    stage.import(&first);
    let copied = Command::new("cp")
        .arg("-a")
        .arg(stage.path("w"))
        .arg(stage.path("copy"))
        .status();
    assert!(copied.unwrap().success());
    let (second, _) = stage.bundle(2);
    stage.import(&second);
    let package = stage.export();
    fs::remove_dir_all(stage.path("w")).unwrap();
    fs::rename(stage.path("copy"), stage.path("w")).unwrap();
    fs::write(stage.path("shop/shop.env"), "SHOP_VERSION=1.0\nGREETING=other\n").unwrap();

    let taken = stage.good(&["status", "verify", &package, "-w", "w"]);
    assert!(taken.to_string().contains("foreign-release"), "{taken}");
    let next = create("next");
    let (class, code, remedy) = stage.refused(&words(&next));
    assert_eq!((class.as_str(), code.as_str()), ("E-EQUIVOCATION", "number-told"));
    assert!(remedy.contains("--sequence 3"), "{remedy}");
    // Nobody may mean a number that a site has seen with other content.
    let mut meant = words(&next);
    meant.pop();
    meant.extend(["--sequence", "2"]);
    assert_eq!(stage.refused(&meant).1, "number-told");
    assert!(!stage.path("stick/made-next.airlock").exists());
    // Behind it, as it says; and with the bundle, by itself.
    let copied = Command::new("cp")
        .arg("-a")
        .arg(stage.path("w"))
        .arg(stage.path("v"))
        .status();
    assert!(copied.unwrap().success());
    let words_of = [
        "bundle",
        "create",
        "-f",
        "shop/release.yaml",
        "-w",
        "v",
        "-o",
        "stick/v.airlock",
        "--sequence",
        "3",
    ];
    assert_eq!(stage.good(&words_of)["sequence"], 3);
    stage.good(&["vendor", "ledger", "learn", second.to_str().unwrap(), "-w", "w"]);
    assert_eq!(stage.good(&words(&next))["sequence"], 3);
}

/// Without root keys it is another vendor to everybody.
#[test]
fn a_new_root_is_pinned_by_its_fingerprint() {
    let drill = Drill::new();
    let stage = &drill.stage;
    stage.good(&["vendor", "init", "--product", "shop", "--vendor", "Again", "w2"]);
    let shown = stage.good(&["vendor", "trust", "show", "-w", "w2"]);
    let fingerprint = shown["fingerprint"].as_str().unwrap();
    let put_in = [("root.json", "w2/root.json"), ("HEX", fingerprint)];
    drill.good(
        WORKSPACE,
        "airlock trust add root.json --fingerprint HEX",
        &put_in,
        &STATE,
    );
    let pinned = stage.good(&["trust", "show", "--state", "state"]).to_string();
    assert!(pinned.contains("Again"), "{pinned}");
}

fn ids(shown: &serde_json::Value, role: &str) -> Vec<String> {
    let keys = shown["roles"][role][0]["keys"].as_array().unwrap();
    keys.iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn keys_in_doubt_are_replaced_as_printed() {
    let drill = Drill::new();
    let stage = &drill.stage;
    let (first, _) = stage.bundle(1);
    stage.import(&first);
    let shown = drill.good(KEYS, "airlock vendor trust show -w acme", &[], &[]);
    let [old, other] = ids(&shown, "release").try_into().unwrap();
    let key = [("KEY", old.as_str())];
    let rotated = drill.good(KEYS, "airlock vendor trust rotate release KEY -w acme", &key, &[]);
    let now = ids(&rotated, "release");
    assert!(!now.contains(&old) && now.contains(&other) && now.len() == 2, "{now:?}");

    // Root keys elsewhere: the new key comes from a file, and those who hold them sign.
    fs::create_dir(stage.path("away")).unwrap();
    for name in ["root-1.pem", "root-2.pem", "root-3.pem"] {
        fs::rename(stage.path("w/keys").join(name), stage.path("away").join(name)).unwrap();
    }
    let key = [("KEY", other.as_str())];
    let (class, code, _) = drill.refused(KEYS, "airlock vendor trust rotate release KEY -w acme", &key, &[]);
    assert_eq!((class.as_str(), code.as_str()), ("E-TRUST", "below-threshold"));
    // A key of another workspace stands for one that was made elsewhere.
    stage.good(&["vendor", "init", "--product", "x", "--vendor", "X", "v"]);
    let hex = fs::read_to_string(stage.path("v/keys/release-1.pub")).unwrap();
    let key = [
        ("KEY", other.as_str()),
        ("HEX", hex.trim()),
        ("root-2.json", "next.json"),
    ];
    let command = "airlock vendor trust propose -w acme --add-public release=HEX --remove release=KEY -o root-2.json";
    drill.good(KEYS, command, &key, &[]);
    for name in ["root-1.pem", "root-2.pem"] {
        stage.good(&["vendor", "trust", "sign", "--key", &format!("away/{name}"), "next.json"]);
    }
    let adopted = stage.good(&["vendor", "trust", "adopt", "-w", "w", "next.json"]);
    assert!(!ids(&adopted, "release").contains(&other), "{adopted}");

    // A root key leaves by the others.
    for name in ["root-1.pem", "root-2.pem", "root-3.pem"] {
        fs::rename(stage.path("away").join(name), stage.path("w/keys").join(name)).unwrap();
    }
    let leaves = ids(&adopted, "root").pop().unwrap();
    let key = [("KEY", leaves.as_str())];
    let without = drill.good(KEYS, "airlock vendor trust remove root KEY -w acme", &key, &[]);
    assert!(!ids(&without, "root").contains(&leaves), "{without}");
    let (second, _) = stage.bundle(2);
    assert_eq!(stage.import(&second)["result"], "imported");

    // A site's keys.
    let more = [&STATE[..], &["--yes"]].concat();
    let rotated = drill.good(KEYS, "airlock status rotate-key", &[], &more);
    assert!(!rotated.is_null());
    let enrolment = stage.only("state/outbox", "enrolment-");
    let put_in = [("FILE", enrolment.as_str())];
    drill.good(
        KEYS,
        "airlock vendor enroll FILE --replace plant-7 -w acme",
        &put_in,
        &["--yes"],
    );
    let (third, _) = stage.bundle(3);
    assert_eq!(stage.import(&third)["result"], "imported");
}
