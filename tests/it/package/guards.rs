//! `airlock status verify` without a ledger: what a guard at the boundary and an auditor see, and what they must not let through.

use std::io::Cursor;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use airlock::crypto::{Enrolment, Key, RecipientKey, SigningKey};
use airlock::package::UnsignedPackage;
use serde_json::{Value, json};

use super::made::{self, DOMAIN, input, key, site};
use crate::support::appliance::{AIRLOCK, scratch, write};

/// The site's approvers.
fn approver(n: u8) -> SigningKey {
    SigningKey::from_secret(&[100 + n; 32])
}

/// A folder with an enrolment file, a file of keys, and a package with so many approvals.
fn bench(approvals: &[u8]) -> tempfile::TempDir {
    let folder = scratch();
    let enrolment = |status: &SigningKey| {
        Enrolment::sign(
            site(),
            DOMAIN,
            RecipientKey::x25519([9; 32]),
            made::time("08:00:00"),
            status,
        )
    };
    let earlier = SigningKey::from_secret(&[8; 32]);
    write(&folder.path().join("site.json"), &enrolment(&key()));
    write(&folder.path().join("replaced.json"), &enrolment(&earlier));
    let keys: Vec<Key> = [1, 2].map(|n| Key::of(approver(n).public())).into();
    write(
        &folder.path().join("keys.json"),
        &serde_json::to_vec_pretty(&json!({"keys": keys})).unwrap(),
    );
    write(&folder.path().join("p.airlock-status"), &approved(approvals));
    folder
}

/// The least package, approved and signed.
fn approved(approvals: &[u8]) -> Vec<u8> {
    let bytes = made::least_bytes();
    let mut package = UnsignedPackage::open(input(&bytes)).unwrap();
    for n in approvals {
        package.add_approval(package.approval().sign(&approver(*n)));
    }
    let mut out = Vec::new();
    package.write(&mut Cursor::new(&bytes), &mut out).unwrap();
    out
}

fn run(folder: &Path, words: &str) -> Output {
    Command::new(AIRLOCK)
        .args(["--format", "json", "status", "verify"])
        .args(words.split_whitespace())
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn result(output: &Output) -> Value {
    serde_json::from_str(&String::from_utf8_lossy(&output.stdout))
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn good(folder: &Path, words: &str) -> Value {
    let output = run(folder, words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    result(&output)["packages"][0].clone()
}

/// Class, code and step of the last event, and the exit code.
fn refused(output: &Output) -> (String, String, String, i32) {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let event: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let word = |name: &str| event[name].as_str().unwrap_or("").to_owned();
    (word("class"), word("code"), word("step"), output.status.code().unwrap())
}

fn told(class: &str, code: &str, step: &str, exit: i32) -> (String, String, String, i32) {
    (class.into(), code.into(), step.into(), exit)
}

#[test]
fn a_guard_sees_who_what_and_how_much() {
    let folder = bench(&[]);
    let package = good(folder.path(), "p.airlock-status --enrolment site.json");
    assert_eq!(package["result"], "good");
    assert_eq!((&package["site"], &package["domain"]), (&json!(site()), &json!(DOMAIN)));
    assert_eq!((&package["number"], &package["shows"]), (&json!(1), &json!([])));
    assert_eq!(package["records"]["last"], 240);
    assert_eq!(package["line_counts"]["receipt"], 2);
    assert_eq!(
        package["approvals"],
        json!({"carried": [], "good": null, "unknown": null, "wanted": null})
    );
    let output = run(folder.path(), "p.airlock-status --enrolment site.json");
    assert_eq!(result(&output)["skipped"], json!(["V5", "V9", "V10", "V11"]));
    let human = Command::new(AIRLOCK)
        .args(["status", "verify", "p.airlock-status", "--enrolment", "site.json"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8(human.stdout).unwrap();
    for part in [
        "good: p.airlock-status, 16.0 KiB",
        "package      1 of the site 0123456789abcdef0123456789abcdef",
        "shows        the least",
        "records      1 to 240 = 2 shown + 238 withheld + 0 in gaps + 0 unexplained",
        "receipts     1 to 2; audit rows 1 to 3",
        "approvals    none",
        "not judged without a ledger",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn fewer_approvals_than_are_asked_for_are_refused() {
    let asked = "p.airlock-status --enrolment site.json --site-keys keys.json --approvals 2";
    for (approvals, good_ones) in [(&[][..], 0), (&[1], 1), (&[1, 3], 1)] {
        let folder = bench(approvals);
        let output = run(folder.path(), asked);
        assert_eq!(refused(&output), told("E-POLICY", "approvals", "V4", 23));
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        for part in [
            &format!("this guard asks for 2 approvals, the file has {good_ones}"),
            "`airlock approve DRAFT --key FILE` before it is exported",
        ] {
            assert!(talk.contains(part), "{part}: {talk}");
        }
        let stranger = approver(3).public().id().to_string();
        let is_said = talk.contains(&format!("and 1 by keys that --site-keys does not name: {stranger}"));
        assert_eq!(is_said, approvals.contains(&3), "{talk}");
        // Whoever asks for none takes it.
        good(folder.path(), "p.airlock-status --enrolment site.json");
    }
    let folder = bench(&[1, 2]);
    let package = good(folder.path(), asked);
    let mut ids = [1, 2].map(|n| approver(n).public().id());
    ids.sort();
    assert_eq!(
        package["approvals"],
        json!({"carried": ids, "good": ids, "unknown": [], "wanted": 2})
    );
    // Enough, and one more by nobody of the site: it is said, and counts for nothing.
    let folder = bench(&[1, 2, 3]);
    let stranger = approver(3).public().id();
    let package = good(folder.path(), asked);
    assert_eq!(
        (&package["approvals"]["good"], &package["approvals"]["unknown"]),
        (&json!(ids), &json!([stranger]))
    );
    let mut human = Command::new(AIRLOCK);
    human
        .args(["status", "verify"])
        .args(asked.split_whitespace())
        .current_dir(folder.path());
    let text = String::from_utf8(human.output().unwrap().stdout).unwrap();
    let said = format!("not counted, by keys that --site-keys does not name: {stranger}");
    assert!(text.contains(&said), "{text}");
    for words in [
        "p.airlock-status --enrolment site.json --site-keys keys.json",
        "p.airlock-status --enrolment site.json --approvals 1",
        "p.airlock-status --enrolment site.json --site-keys keys.json --approvals 0",
        "p.airlock-status",
    ] {
        assert_eq!(run(folder.path(), words).status.code(), Some(2), "{words}");
    }
}

#[test]
fn the_key_in_force_is_that_of_the_last_file_of_a_site() {
    let folder = bench(&[]);
    good(
        folder.path(),
        "p.airlock-status --enrolment replaced.json --enrolment site.json",
    );
    let output = run(
        folder.path(),
        "p.airlock-status --enrolment site.json --enrolment replaced.json",
    );
    assert_eq!(refused(&output), told("E-SIGNATURE", "replaced-key", "V3", 12));
    let output = run(folder.path(), "p.airlock-status --enrolment replaced.json");
    assert_eq!(refused(&output), told("E-SIGNATURE", "below-threshold", "V3", 12));
}

#[test]
fn each_of_several_has_its_verdict_and_the_worst_is_the_exit_code() {
    let folder = bench(&[]);
    let bytes = approved(&[]);
    let mut flipped = bytes.clone();
    let last = bytes.len() - 1600;
    flipped[last] ^= 1;
    write(&folder.path().join("flipped"), &flipped);
    write(&folder.path().join("cut"), &bytes[..bytes.len() - 512]);
    write(&folder.path().join("note"), b"a note");
    let output = run(folder.path(), "note flipped p.airlock-status cut --enrolment site.json");
    let packages = result(&output)["packages"].clone();
    let verdicts: Vec<_> = packages.as_array().unwrap().iter().collect();
    assert_eq!(
        verdicts
            .iter()
            .map(|one| one["result"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["refused", "refused", "good", "refused"]
    );
    assert_eq!(verdicts[0]["class"], "E-FORMAT");
    assert_eq!(
        (&verdicts[1]["class"], &verdicts[1]["step"]),
        (&json!("E-INTEGRITY"), &json!("V7"))
    );
    assert_eq!(
        (&verdicts[3]["class"], &verdicts[3]["exit"]),
        (&json!("E-INCOMPLETE"), &json!(20))
    );
    assert_eq!(refused(&output), told("E-INCOMPLETE", "truncated", "V7", 20));
    // Nobody else's package is taken.
    let other = Enrolment::sign(
        "f".repeat(32).parse().unwrap(),
        DOMAIN,
        RecipientKey::x25519([9; 32]),
        made::time("08:00:00"),
        &key(),
    );
    write(&folder.path().join("other.json"), &other);
    let output = run(folder.path(), "p.airlock-status --enrolment other.json");
    assert_eq!(refused(&output), told("E-TRUST", "unknown-site", "V2", 13));
    assert!(String::from_utf8_lossy(&output.stderr).contains("with --enrolment once more"));
    good(
        folder.path(),
        "p.airlock-status --enrolment other.json --enrolment site.json",
    );
}

/// A stick has the packages of several sites and vendors: each is judged once its enrolment file is given.
#[test]
fn a_package_is_judged_once_its_enrolment_file_is_given_too() {
    let folder = bench(&[]);
    let of_vendor = Enrolment::sign(
        site(),
        airlock::domain::Hash([0xdd; 32]),
        RecipientKey::x25519([9; 32]),
        made::time("08:00:00"),
        &key(),
    );
    write(&folder.path().join("vendor.json"), &of_vendor);
    let output = run(folder.path(), "p.airlock-status --enrolment vendor.json");
    assert_eq!(refused(&output), told("E-TRUST", "unknown-domain", "V2", 13));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("another vendor of the site") && said.contains("with --enrolment once more"),
        "{said}"
    );
    good(
        folder.path(),
        "p.airlock-status --enrolment vendor.json --enrolment site.json",
    );
}
