//! Summaries from the site's sealed package to the vendor's answers, and what their messages say to do.
#![allow(clippy::disallowed_methods, reason = "a test's own files")]

use std::fs;
use std::process::Command;

use airlock::crypto::KeyFile;
use airlock::package::{
    Age, Sealer, SignedSummary, Summary, SummaryDeployments, SummaryRuns, SummaryState, dictated, received, series,
};
use data_encoding::BASE32_NOPAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::stage::Stage;
use crate::support::left_out::left_out;

/// A stage whose site has sealed a package that has not left, and the text of its summary.
fn sealed() -> (Stage, String) {
    let stage = Stage::new();
    let (bundle, _) = stage.bundle(1);
    stage.import(&bundle);
    let refused = stage.refused(&["status", "summary", "--state", "state"]);
    assert_eq!((refused.0.as_str(), refused.1.as_str()), ("E-STATE", "not-signed"));
    assert!(
        refused.2.contains("`airlock status export DIR --state state`"),
        "{}",
        refused.2
    );
    let serving = stage.serve();
    let mut agent = stage.agent(&serving);
    agent.round();
    agent.round();
    stage.export();
    let text = stage.human(&["status", "summary", "--state", "state"]);
    (stage, text)
}

/// What the summary of a text says, with the key that can sign another one.
fn opened(stage: &Stage, text: &str) -> (SignedSummary, airlock::crypto::SigningKey) {
    let key = KeyFile::read(&stage.path("state/identity/status.pem"))
        .unwrap()
        .signing_key(None)
        .unwrap();
    let site = stage.good(&["vendor", "sites", "-w", "w"])[0]["site"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let chain = airlock::crypto::Chain::parse(&fs::read(stage.path("w/root.json")).unwrap()).unwrap();
    let sealer = Sealer {
        domain: chain.domain(),
        site,
        key: key.public(),
    };
    let summary = SignedSummary::verify(&received(text.trim_end().as_bytes()).unwrap(), &[sealer]).unwrap();
    (summary, key)
}

fn changed(stage: &Stage, text: &str, change: impl FnOnce(&mut Summary)) -> String {
    let (signed, key) = opened(stage, text);
    let mut summary = signed.summary.clone();
    change(&mut summary);
    let again = SignedSummary::sign(summary, signed.domain, &signed.site, &key).unwrap();
    series(&again.bytes).join("\n")
}

fn verify(stage: &Stage, text: &str) -> Value {
    fs::write(stage.path("codes.txt"), text).unwrap();
    stage.good(&["status", "verify", "codes.txt", "-w", "w"])
}

#[track_caller]
fn refused(stage: &Stage, text: &str, class: &str, code: &str) -> String {
    fs::write(stage.path("codes.txt"), text).unwrap();
    let before: i64 = stage.ledger(
        "SELECT (SELECT count(*) FROM audit) * 1000 + (SELECT count(*) FROM summary)",
        |row| row.get(0),
    )[0];
    let (found, sub, remedy) = stage.refused(&["status", "verify", "codes.txt", "-w", "w"]);
    assert_eq!((found.as_str(), sub.as_str()), (class, code));
    let after: i64 = stage.ledger(
        "SELECT (SELECT count(*) FROM audit) * 1000 + (SELECT count(*) FROM summary)",
        |row| row.get(0),
    )[0];
    assert_eq!(after, before + 1000, "one row of the log and nothing else");
    remedy
}

#[test]
fn a_summary_tells_what_runs_until_the_package_comes() {
    let (stage, text) = sealed();
    // Of an instance that no package told of, it is kept and found.
    let taken = verify(&stage, &text);
    assert_eq!(
        (&taken[0]["known"], &taken[0]["instance_known"]),
        (&false.into(), &false.into())
    );
    let findings = stage.human(&["vendor", "ledger", "findings", "-w", "w"]);
    assert!(
        findings.contains("summary-instance: it ends when a package of that life of the site comes"),
        "{findings}"
    );
    let show = |format: &str| {
        let output = stage.run(format, &["status", "show", "plant", "-w", "w"]);
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = show("human");
    for part in [
        "as of        never: no package was taken in\n",
        "kept         a summary of package 1, as of ",
        "no package told of its instance yet, so nothing is concluded from it\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let apart = || serde_json::from_str::<Value>(&show("json")).unwrap()["summary_apart"]["number"].clone();
    assert_eq!(apart(), 1);
    assert_eq!(verify(&stage, &text)[0]["known"], true);
    // The package wins: what the site is comes from it.
    let package = stage.only("stick", &stage.packages()[0]);
    stage.good(&["status", "verify", &package, "-w", "w"]);
    let findings = stage.good(&["vendor", "ledger", "findings", "-w", "w"]);
    assert_eq!((&findings["findings"], apart()), (&serde_json::json!([]), Value::Null));
    let now = || {
        stage.ledger("SELECT state, runs IS NOT NULL FROM deployment_now", |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?))
        })
    };
    assert_eq!(now(), [("running".to_owned(), true)]);
    assert_eq!(verify(&stage, &text)[0]["is_newest"], false);
    // A later summary of the same instance is newer than the package.
    let later = changed(&stage, &text, |summary| {
        summary.number += 1;
        summary.head = [9; 16];
        let live = summary.releases[0].live.as_mut().unwrap();
        live.deployments = SummaryDeployments::Each(vec![SummaryState {
            state: 1,
            runs: SummaryRuns::Unknown,
            removed: false,
            age: Age::of_minutes(5),
        }]);
    });
    let taken = verify(&stage, &later);
    assert_eq!(
        (&taken[0]["is_newest"], &taken[0]["releases"][0]["not_wanted"]),
        (&true.into(), &1.into())
    );
    assert_eq!(now(), [("error".to_owned(), false)]);
    // It moves no coverage, and the base of the next bundle is not made of it.
    let covered: i64 = stage.ledger("SELECT count(*) FROM package", |row| row.get(0))[0];
    assert_eq!(covered, 1);
    let actions = stage.good(&["audit", "verify", "--state", "state"]);
    assert!(actions["rows"].as_u64().unwrap() > 0);
}

/// Of two packages of one number, whichever is told first.
#[test]
fn a_summary_that_came_first_is_compared_with_the_package() {
    let (stage, text) = sealed();
    let package = stage.only("stick", &stage.packages()[0]);
    let other = changed(&stage, &text, |summary| summary.head = [7; 16]);
    assert_eq!(verify(&stage, &other)[0]["known"], false);
    let (class, code, remedy) = stage.refused(&["status", "verify", &package, "-w", "w"]);
    assert_eq!((class.as_str(), code.as_str()), ("E-EQUIVOCATION", "package-number"));
    assert!(remedy.contains("`airlock recover --as restored`"), "{remedy}");
    assert_eq!(
        stage.ledger("SELECT count(*) FROM package", |row| row.get::<_, i64>(0)),
        [0]
    );
    let findings = stage.human(&["vendor", "ledger", "findings", "-w", "w"]);
    assert!(findings.contains("package-number"), "{findings}");
}

#[test]
fn codes_are_read_by_a_camera_and_lines_over_the_telephone() {
    let (stage, text) = sealed();
    let made = stage.good(&["status", "summary", "--qr", "codes.png", "--state", "state"]);
    assert_eq!(made["codes"][0], text.trim_end());
    let png = fs::read(stage.path("codes.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n"));
    let camera = Command::new("zbarimg")
        .args(["--quiet", "--raw"])
        .arg(stage.path("codes.png"))
        .output();
    if let Ok(read) = camera {
        assert_eq!(String::from_utf8_lossy(&read.stdout).trim_end(), text.trim_end());
    } else {
        left_out("zbarimg is not here: the picture was not read back");
    }
    let spoken = stage.human(&["status", "summary", "--spoken", "--state", "state"]);
    assert_eq!(
        received(spoken.as_bytes()).unwrap(),
        received(text.trim_end().as_bytes()).unwrap()
    );
    assert_eq!(verify(&stage, &spoken)[0]["known"], false);
    assert_eq!(verify(&stage, &text)[0]["known"], true);
}

#[test]
fn what_was_misread_misheard_or_left_out_is_given_again_as_the_message_says() {
    let (stage, text) = sealed();
    let (signed, _) = opened(&stage, &text);
    let lines = dictated(&signed.bytes).unwrap();
    let mut misheard = lines.clone();
    misheard[1] = misheard[1].replacen(|letter: char| letter.is_ascii_uppercase(), "7", 1);
    let remedy = refused(&stage, &misheard.join("\n"), "E-INTEGRITY", "series");
    assert_eq!(remedy, "ask for that line again");
    let remedy = refused(&stage, &lines[1..].join("\n"), "E-INCOMPLETE", "series");
    assert_eq!(remedy, "give all lines of the summary, in their order");
    // A last line that was heard as it was said, and is none.
    let (number, letters) = ("01", "A");
    let check = BASE32_NOPAD.encode(&Sha256::digest(format!("{number}{letters}")));
    let remedy = refused(
        &stage,
        &format!("{number} {letters} {}", &check[..2]),
        "E-FORMAT",
        "base32",
    );
    assert_eq!(remedy, "ask for the last line again");
    // Codes: one that is no base45, one of another summary, one that is missing.
    let many = series(&[&signed.bytes[..], &signed.bytes, &signed.bytes, &signed.bytes].concat());
    assert!(many.len() > 1);
    let remedy = refused(&stage, &many[0], "E-INCOMPLETE", "series");
    assert_eq!(remedy, "scan the missing codes, and give all of them together");
    let start = text.split(':').next().unwrap();
    let remedy = refused(&stage, &format!("{start}::::"), "E-FORMAT", "base45");
    assert_eq!(remedy, "scan that code again");
    let remedy = refused(&stage, &format!("{text}{}", many[0]), "E-INTEGRITY", "series");
    assert_eq!(remedy, "scan the codes again, all of one summary");
    // Summaries go by themselves.
    let package = stage.only("stick", &stage.packages()[0]);
    fs::write(stage.path("codes.txt"), &text).unwrap();
    let (class, code, remedy) = stage.refused(&["status", "verify", "codes.txt", &package, "-w", "w"]);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "summaries"));
    assert_eq!(
        remedy,
        "give the summaries in a command of their own, without --dry-run"
    );
    // As it was said and shown, it is taken.
    assert_eq!(verify(&stage, &lines.join("\n"))[0]["known"], false);
    assert_eq!(verify(&stage, &text)[0]["known"], true);
}

#[test]
fn a_summary_that_says_what_was_not_signed_or_two_things_is_answered_as_the_message_says() {
    let (stage, text) = sealed();
    let package = stage.only("stick", &stage.packages()[0]);
    // A deployment more than was signed: the package says it all.
    let more = changed(&stage, &text, |summary| {
        let SummaryDeployments::Each(states) = &mut summary.releases[0].live.as_mut().unwrap().deployments else {
            panic!()
        };
        states.push(states[0]);
    });
    let remedy = refused(&stage, &more, "E-CONTENT", "summary-release");
    assert_eq!(remedy, "ask the site for the status package itself");
    assert_eq!(
        stage.good(&["status", "verify", &package, "-w", "w"])[0]["result"],
        "taken-in"
    );
    // Another package of the same number.
    let other = changed(&stage, &text, |summary| summary.head = [7; 16]);
    let remedy = refused(&stage, &other, "E-EQUIVOCATION", "package-number");
    assert!(remedy.contains("`airlock recover --as restored`"), "{remedy}");
    // Given again, however it was written down, it is the same story; another one is another.
    let bytes = received(other.as_bytes()).unwrap();
    refused(
        &stage,
        &dictated(&bytes).unwrap().join("\n"),
        "E-EQUIVOCATION",
        "package-number",
    );
    let count = || stage.good(&["vendor", "ledger", "findings", "-w", "w"])["findings"][0]["count"].clone();
    assert_eq!(count(), 1);
    let third = changed(&stage, &text, |summary| summary.head = [8; 16]);
    refused(&stage, &third, "E-EQUIVOCATION", "package-number");
    assert_eq!(count(), 2);
    stage.good(&["recover", "--yes", "--as", "cloned", "--state", "state"]);
    let next = stage.export();
    assert_eq!(
        stage.good(&["status", "verify", &next, "-w", "w"])[0]["result"],
        "taken-in"
    );
    // A workspace that does not know the release learns it from its bundle.
    stage.good(&[
        "vendor",
        "init",
        "--product",
        "x",
        "--vendor",
        "Unused",
        "unused",
        "--expires",
        "2100-01-01T00:00:00Z",
    ]);
    let ledger = rusqlite::Connection::open(stage.path("w/ledger.db")).unwrap();
    ledger
        .execute_batch(
            "PRAGMA foreign_keys = OFF; DELETE FROM signed_fleet; DELETE FROM signed_release; DELETE FROM signed_blob; DELETE FROM signed_audience;
             DELETE FROM signed_fix; DELETE FROM signed_revision; DELETE FROM signed_name; DELETE FROM signed_target; DELETE FROM signed_deployment;
             DELETE FROM signed_agent; DELETE FROM signed_need; DELETE FROM signed_head;",
        )
        .unwrap();
    drop(ledger);
    let remedy = refused(&stage, &text, "E-CONTENT", "summary-release");
    assert!(
        remedy.starts_with("learn the release from its bundle with `airlock vendor ledger learn FILE -w "),
        "{remedy}"
    );
    stage.good(&["vendor", "ledger", "learn", "stick/release-1.airlock", "-w", "w"]);
    assert_eq!(verify(&stage, &text)[0]["known"], false);
}

/// By standard input, in small letters, with and without blanks, as decoders print it; what is no line is named, and a picture is none.
#[test]
fn a_summary_is_taken_however_it_was_written_down() {
    let (stage, text) = sealed();
    let (signed, _) = opened(&stage, &text);
    let lines = dictated(&signed.bytes).unwrap();
    let spoken = lines.join("\n");
    let without_blanks = spoken.replace(' ', "");
    for (number, written) in [
        spoken.clone(),
        format!("\n \n{}\n\n", spoken.to_lowercase()),
        without_blanks,
        format!("QR-Code:{}\n", text.trim_end().replace('\n', "\nQR-Code:")),
    ]
    .iter()
    .enumerate()
    {
        let taken = verify(&stage, written);
        assert_eq!(taken[0]["known"], number > 0, "{written}");
        let piped = Command::new(crate::support::appliance::AIRLOCK)
            .args(["--format", "json", "status", "verify", "-", "-w", "w"])
            .current_dir(stage.path("."))
            .stdin(fs::File::open(stage.path("codes.txt")).unwrap())
            .output()
            .unwrap();
        let said: Value = serde_json::from_slice(&piped.stdout).unwrap_or_default();
        assert_eq!(said[0]["known"], true, "{}", String::from_utf8_lossy(&piped.stderr));
    }
    fs::write(stage.path("codes.txt"), format!("\n{}\nwell\n", lines[0])).unwrap();
    let output = stage.run("json", &["status", "verify", "codes.txt", "-w", "w"]);
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(talk.contains("line 3 of the text is none of a summary"), "{talk}");
    fs::write(stage.path("codes.txt"), b"\x89PNG\r\n\x1a\n").unwrap();
    let (class, code, remedy) = stage.refused(&["status", "verify", "codes.txt", "-w", "w"]);
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "picture"));
    assert!(remedy.contains("`zbarimg --raw`"), "{remedy}");
    // A package comes by standard input as before.
    let package = fs::File::open(stage.path(&stage.only("stick", &stage.packages()[0])));
    let piped = Command::new(crate::support::appliance::AIRLOCK)
        .args(["--format", "json", "status", "verify", "-", "-w", "w"])
        .current_dir(stage.path("."))
        .stdin(package.unwrap())
        .output()
        .unwrap();
    assert!(piped.status.success(), "{}", String::from_utf8_lossy(&piped.stderr));
}
