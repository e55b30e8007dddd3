//! Remedies about what was typed: targets and their secrets, folders, keys, bundles that are looked at.

use super::follow::{Operator, commands};
use crate::support::appliance::{Serving, read, write};
use crate::support::bundles::{SMALL_CHUNKS, Vendor};
use crate::support::desired::{Desired, target_id};
use crate::support::site::noise;

fn with_target() -> Operator {
    let operator = Operator::new();
    let made = operator.vendor.with_targets(1, |image| Desired::docker(image, 1, "a"));
    operator.import(&made).succeeded();
    operator
}

#[test]
fn a_wrong_secret_is_issued_anew() {
    let operator = with_target();
    operator.run(&["target", "secret", "edge-0"]).succeeded();
    let connect = |secret: &str| {
        operator.run_with(
            &["target", "connect", "edge-0", "--secret-stdin"],
            secret.as_bytes(),
            true,
        )
    };
    let remedy = connect("not the secret").remedy("E-USAGE", "secret");
    let issued = operator.follow(&commands(&remedy)[0], &[]);
    connect(issued.succeeded()["secret"].as_str().unwrap()).succeeded();
    let remedy = operator
        .run(&["target", "connect", "edge-0"])
        .remedy("E-USAGE", "secret");
    let option = remedy.split_whitespace().last().unwrap();
    operator.run(&["target", "connect", "edge-0", option]).succeeded();
}

#[test]
fn what_follows_a_target_goes_first() {
    let operator = with_target();
    operator.run(&["target", "add", "mine", "--like", "edge-0"]).succeeded();
    let id = target_id("edge-0").to_string();
    let remove = || operator.run(&["target", "remove", "edge-0", "--yes"]);
    let free = || operator.run(&["target", "free", &id, "--yes"]);
    for refused in [remove(), free()] {
        let remedy = refused.remedy("E-USAGE", "template");
        assert_eq!(commands(&remedy), ["airlock target remove NAME"]);
    }
    // One made here is nobody's to be freed.
    let list = operator.run(&["target", "list"]);
    let all = list.succeeded()["targets"].as_array().unwrap();
    let mine = all.iter().find(|target| target["name"] == "mine").unwrap();
    let remedy = operator
        .run(&["target", "free", mine["id"].as_str().unwrap(), "--yes"])
        .remedy("E-USAGE", "uuid");
    for command in commands(&remedy) {
        operator.follow(&format!("{command} --yes"), &[]).succeeded();
    }
    remove().succeeded();
    free().succeeded();
}

#[test]
fn what_was_mistyped_is_guessed() {
    let operator = with_target();
    let undeploy = |application: &str| operator.run(&["target", "undeploy", "edge-0", application]);
    let remedy = undeploy("wed").remedy("E-USAGE", "application");
    let meant = remedy.split('"').nth(1).unwrap();
    let remedy = undeploy(meant).remedy("E-USAGE", "confirm");
    operator.follow(&commands(&remedy)[0], &[]).succeeded();
}

#[test]
fn freeing_is_confirmed_by_a_word() {
    let operator = with_target();
    let id = target_id("edge-0").to_string();
    let remedy = operator.run(&["target", "free", &id]).remedy("E-USAGE", "confirm");
    operator.follow(&commands(&remedy)[0], &[]).succeeded();
}

#[test]
fn init_is_answered_with_another_folder() {
    let operator = Operator::new();
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let folder = crate::support::appliance::scratch();
    let init = |state: &std::path::Path| {
        let words = [
            "init",
            "--site",
            "x",
            "--trust",
            root.to_str().unwrap(),
            "--state",
            state.to_str().unwrap(),
        ];
        operator.run(&words)
    };
    let remedy = init(&operator.state()).remedy("E-STATE", "already");
    assert!(remedy.contains("give another --state folder"), "{remedy}");
    // One half: a further vendor is pinned where the appliance is.
    let other = Vendor::new();
    let further = operator.file("other.json", &other.chain_file());
    let fingerprint = other.chain().fingerprint().to_hex();
    let at_hand = [("ROOT", further.to_str().unwrap()), ("HEX", fingerprint.as_str())];
    operator.follow(&commands(&remedy)[0], &at_hand).succeeded();
    write(&folder.path().join("something"), b"");
    let remedy = init(folder.path()).remedy("E-STATE", "not-empty");
    assert!(remedy.contains("another --state folder"), "{remedy}");
    init(&folder.path().join("new")).succeeded();
}

#[test]
fn a_key_that_others_may_read_is_protected_as_the_message_says() {
    use std::os::unix::fs::PermissionsExt as _;
    let operator = Operator::new();
    let key = operator.state().join("identity/status.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    let remedy = operator.import(&made).remedy("E-STATE", "status-key");
    let command = remedy.split("then ").nth(1).unwrap().split(',').next().unwrap();
    assert!(command.starts_with("chmod 600 "), "{remedy}");
    assert!(
        std::process::Command::new("sh")
            .args(["-c", command])
            .status()
            .unwrap()
            .success()
    );
    operator.import(&made).succeeded();
}

#[test]
fn a_wrong_fingerprint_is_answered_with_the_right_file() {
    let operator = Operator::new();
    let (wrong, right) = (Vendor::new(), Vendor::new());
    let told = right.chain().fingerprint().to_hex();
    let add = |vendor: &Vendor| {
        let file = operator.file("root.json", &vendor.chain_file());
        operator.run(&["trust", "add", file.to_str().unwrap(), "--fingerprint", &told])
    };
    let remedy = add(&wrong).remedy("E-TRUST", "fingerprint");
    assert_eq!(remedy, "do not trust the file; ask the vendor for the right one");
    add(&right).succeeded();
}

#[test]
fn a_bundle_is_looked_at_with_the_chain_of_its_vendor() {
    let operator = Operator::new();
    let bundle = operator.bundle(&operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS));
    let bundle = bundle.to_str().unwrap();
    let right = operator.file("root.json", &operator.vendor.chain_file());
    let right = right.to_str().unwrap();
    let wrong = operator.file("wrong.json", &Vendor::new().chain_file());
    let remedy = operator
        .run(&["bundle", "inspect", bundle, "--list"])
        .remedy("E-USAGE", "list");
    let option = remedy.split_whitespace().find(|word| word.starts_with("--")).unwrap();
    operator
        .run(&["bundle", "inspect", bundle, "--list", option, right])
        .succeeded();
    let remedy = operator
        .run(&["bundle", "verify", bundle, "--trust", wrong.to_str().unwrap()])
        .remedy("E-TRUST", "unknown-domain");
    assert_eq!(remedy, "give the chain file of the vendor who made it");
    operator
        .run(&["bundle", "verify", bundle, "--trust", right])
        .succeeded();
}

#[test]
fn signatures_that_do_not_hold_are_fetched_or_made_again() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    let at = made
        .bytes
        .windows(7)
        .position(|window| window == b"\"sig\":\"")
        .unwrap()
        + 12;
    let mut bad = made.clone();
    bad.bytes[at] = if bad.bytes[at] == b'A' { b'B' } else { b'A' };
    let remedy = operator.import(&bad).remedy("E-SIGNATURE", "bad-signature");
    assert!(remedy.starts_with("fetch the document again"), "{remedy}");
    operator.import(&made).succeeded();
    // Signed by nobody whom the pinned root knows.
    let mut vendor = Vendor::new();
    let old = vendor.bundle_of("erp", "registry.two/b", 1, &[noise(100, 2)]);
    vendor.replace_release_key();
    let root = operator.file("root.json", &vendor.chain_file());
    let told = vendor.chain().fingerprint().to_hex();
    operator
        .run(&["trust", "add", root.to_str().unwrap(), "--fingerprint", &told])
        .succeeded();
    let remedy = operator.import(&old).remedy("E-SIGNATURE", "below-threshold");
    assert!(remedy.starts_with("have it signed with the vendor's keys"), "{remedy}");
    operator
        .import(&vendor.bundle_of("erp", "registry.two/b", 1, &[noise(100, 2)]))
        .succeeded();
}

#[test]
fn a_feed_that_fell_silent_is_started_again() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(3_000_000, 1)], SMALL_CHUNKS);
    let half = &made.bytes[..made.bytes.len() / 2];
    let import = |bytes: &[u8], ends| operator.run_with(&["import", "-", "--stall-secs", "1"], bytes, ends);
    let remedy = import(half, false).remedy("E-INCOMPLETE", "stall");
    assert!(remedy.starts_with("start the feed"), "{remedy}");
    import(&made.bytes, true).succeeded();
}

#[test]
fn an_address_in_use_is_answered_with_another() {
    let operator = Operator::new();
    let serving = Serving::start(&operator.state());
    let taken = serving.address.to_string();
    let remedy = operator.run(&["serve", "--listen", &taken]).remedy("E-IO", "bind");
    assert!(remedy.starts_with("choose another address"), "{remedy}");
    // Another address: one that the system chooses.
    Serving::start(&operator.state());
    assert!(!read(&operator.state().join("marks")).is_empty());
}

/// A command of a shell that a remedy names, done.
fn shell(command: &str) {
    let ended = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(ended.success(), "{command}");
}

#[test]
fn what_others_put_or_wrote_into_the_state_folder_is_undone_as_the_message_says() {
    use std::os::unix::fs::PermissionsExt as _;
    let operator = Operator::new();
    let made = |n| operator.vendor.bundle(n, &[noise(100, n)], SMALL_CHUNKS);
    let lock = operator.state().join("lock");
    std::fs::remove_file(&lock).ok();
    std::os::unix::fs::symlink("/dev/null", &lock).unwrap();
    let remedy = operator.import(&made(1)).remedy("E-STATE", "planted");
    let away = crate::support::appliance::scratch();
    let command = remedy.split(['(', ')']).nth(1).unwrap();
    shell(&command.replace('…', away.path().to_str().unwrap()));
    operator.import(&made(1)).succeeded();
    let marks = operator.state().join("marks");
    std::fs::set_permissions(&marks, std::fs::Permissions::from_mode(0o666)).unwrap();
    let remedy = operator.import(&made(2)).remedy("E-STATE", "writable");
    shell(remedy.split("then ").nth(1).unwrap());
    operator.import(&made(2)).succeeded();
    // A release that is not there is looked up.
    let none = format!("sha256:{}", "ab".repeat(32));
    let remedy = operator.run(&["release", "show", &none]).remedy("E-USAGE", "release");
    let list = operator.follow(&commands(&remedy)[0], &[]);
    let head = list.succeeded()["releases"][0]["head"].as_str().unwrap().to_owned();
    operator.run(&["release", "show", &head]).succeeded();
}
