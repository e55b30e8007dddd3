//! Questions about what real packages brought: from the site's signature to the answer.
#![allow(clippy::disallowed_methods, reason = "tests take files away")]

use std::fs;
use std::process::{Command, Output};

use airlock::crypto::ReceiptResult;
use airlock::db::ledger::{SignedContents, SignedDeployment, SignedTarget, record_contents, record_release};
use airlock::domain::{Audience, Counter, Hash, Scope, Signal, StatusKind};
use airlock::package::{Line, Log, LogWord, Quoted, StatusRecord, StatusRecordKind, Switch};
use serde_json::{Value, json};

use super::plant::{Kept, Plant, uuid};
use super::workshop::Workshop;
use crate::package::made;
use crate::support::appliance::AIRLOCK;

const HEAD: Hash = Hash([7; 32]);

fn run(shop: &Workshop, words: &[&str]) -> Output {
    Command::new(AIRLOCK)
        .args(["--format", "json"])
        .args(words)
        .args(["-w", "w"])
        .current_dir(shop.folder.path())
        .output()
        .unwrap()
}

fn ask(shop: &Workshop, words: &[&str]) -> Value {
    let output = run(shop, words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Signs release 1 of `shop/stable`, which fixes something and states the deployment of the first plant.
fn sign_release(shop: &Workshop, plant: &Plant) {
    let scope = Scope {
        domain: shop.domain(),
        product: "shop".parse().unwrap(),
        channel: "stable".parse().unwrap(),
    };
    let counter = Counter { epoch: 0, sequence: 1 };
    let application = "web".parse().unwrap();
    let contents = SignedContents {
        head: HEAD,
        bytes: b"{}",
        audience: &Audience::ANY,
        items: &[],
        content: Hash([2; 32]),
        scope: &scope,
        counter,
        fixes: &["CVE-2026-41234".parse().unwrap()],
        names: &[],
        targets: &[SignedTarget {
            target: uuid(1),
            site: Some(&plant.site),
            name: "berlin",
        }],
        deployments: &[SignedDeployment {
            deployment: uuid(100),
            site: Some(&plant.site),
            target: uuid(1),
            revision: uuid(900),
            application: &application,
        }],
    };
    let ledger = shop.workspace.ledger().unwrap();
    ledger
        .write(|tx| {
            record_release(tx, &scope, counter, HEAD, "1.0", shop.now)?;
            record_contents(tx, &contents)
        })
        .unwrap();
}

#[test]
fn what_packages_bring_is_answered_and_what_a_stranger_says_is_not_named() {
    let shop = Workshop::new();
    let (mut plant, mut mill) = (shop.plant(1), shop.plant(2));
    sign_release(&shop, &plant);
    plant.shows = vec![Switch::Logs, Switch::StatusText];
    plant.receipt(ReceiptResult::Imported, HEAD, 1);
    plant.receipt(ReceiptResult::Activated, HEAD, 1);
    plant.keep(Kept::Line(Line::Status(StatusRecord {
        text: Some(Quoted::text("up\u{1b}[2K")),
        ..made::status(1, StatusRecordKind::Transition)
    })));
    plant.keep(Kept::Line(Line::Log(Box::new(Log {
        at: made::time("11:00:02"),
        deployment: uuid(100),
        kind: LogWord::Word,
        number: 2,
        resource: Quoted::text("web-1"),
        revision: uuid(900),
        severity: Quoted::text("stdout"),
        target: uuid(1),
        text: Quoted::text("listening"),
        time: "2026-11-21T11:00:01Z".parse().unwrap(),
    }))));
    plant.releases = vec![plant.holds(HEAD, 1, 0, Hash([2; 32]))];
    plant.targets = Plant::target(1, 100);
    let package = plant.export();
    shop.take(&package);
    // The other site says the same of the same target, and has no receipt.
    mill.targets = Plant::target(1, 100);
    shop.take(&mill.export());

    let shown = ask(&shop, &["status", "show", "plant-1", "--logs"]);
    assert_eq!(shown["site"]["as_of"], "2026-11-21T12:00:00Z");
    let deployment = &shown["deployments"][0];
    assert_eq!(
        (&deployment["application"], &deployment["target_name"]),
        (&json!("web"), &json!("berlin"))
    );
    assert_eq!(
        (&deployment["release"]["version"], &deployment["state"]),
        (&json!("1.0"), &json!("running"))
    );
    assert_eq!(deployment["history"][0]["text"], "up\\1b[2K");
    assert_eq!(shown["logs"][0]["text"], "listening");
    assert_eq!(shown["holes"], json!([]));
    let stranger = ask(&shop, &["status", "show", "plant-2"]);
    assert_eq!(stranger["deployments"][0]["application"], Value::Null);
    assert_eq!(stranger["deployments"][0]["release"], Value::Null);
    let lacks = ask(&shop, &["vendor", "ledger", "who-lacks", "CVE-2026-41234"]);
    let fixes: Vec<&Value> = lacks["sites"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["fix"])
        .collect();
    assert_eq!(fixes, ["has", "lacks"]);
    let proof = ask(
        &shop,
        &["vendor", "ledger", "proof", "plant-1", "1.0", "-o", "proof.json"],
    );
    assert_eq!(proof["receipts"], 2);
    let statement: Value = serde_json::from_slice(&fs::read(shop.folder.path().join("proof.json")).unwrap()).unwrap();
    assert_eq!(statement["predicate"]["package"]["head"], package.head.to_hex());

    // Files that are gone are said, and facts stay.
    fs::remove_dir_all(shop.path("packages")).unwrap();
    let shown = ask(&shop, &["status", "show", "plant-1", "--logs"]);
    assert_eq!(
        (&shown["logs"], &shown["files_missing"][0]["text"]),
        (&json!([]), &json!("file missing"))
    );
    assert_eq!(shown["deployments"][0]["history"][0]["number"], 1);
    let facts = Command::new(AIRLOCK)
        .args(["status", "show", "--format", "jsonl", "--logs", "-w", "w"])
        .current_dir(shop.folder.path())
        .output()
        .unwrap();
    let facts = String::from_utf8(facts.stdout).unwrap();
    assert_eq!(facts.matches("\"fact\":\"receipt\"").count(), 2);
    assert_eq!(facts.matches("\"fact\":\"file-missing\"").count(), 2);
}

/// What fails is called as a release that was signed for this site calls it; another site's word for the same UUIDs names nothing.
#[test]
fn what_fails_in_a_package_is_named_as_a_signed_release_names_it() {
    let shop = Workshop::new();
    let (mut plant, mut mill) = (shop.plant(1), shop.plant(2));
    sign_release(&shop, &plant);
    let said = |plant: &mut Plant| {
        plant.targets = Plant::target(1, 100);
        let Line::Deployment(line) = &mut plant.targets[1] else {
            unreachable!()
        };
        (line.state, line.signal) = (Some(StatusKind::Error), Some(Signal::RolledBack));
        let file = shop.file(&plant.export().bytes);
        let output = Command::new(AIRLOCK)
            .args(["status", "verify", file.to_str().unwrap(), "-w", "w"])
            .current_dir(shop.folder.path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let own = said(&mut plant);
    assert!(
        own.contains("\n  fails     web on berlin: error, rolled-back, since "),
        "{own}"
    );
    let strange = said(&mut mill);
    let unnamed = format!("\n  fails     deployment {} on target {}: error, ", uuid(100), uuid(1));
    assert!(strange.contains(&unnamed) && !strange.contains("berlin"), "{strange}");
}

#[test]
fn a_lost_branch_of_real_packages_is_listed_apart() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    sign_release(&shop, &plant);
    plant.releases = vec![plant.holds(HEAD, 1, 0, Hash([2; 32]))];
    plant.targets = Plant::target(1, 100);
    plant.report(2);
    let mut restored = plant.clone();
    plant.report(2);
    shop.take(&plant.export());
    // A copy of the folder goes on from nothing that was acknowledged.
    restored.recover(9, "restored");
    restored.report(1);
    shop.take(&restored.export());
    let shown = ask(&shop, &["status", "show", "plant-1", "--last", "all"]);
    let numbers: Vec<u64> = shown["deployments"][0]["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [3, 2, 1]);
    let lost = shown["lost"].as_array().unwrap();
    assert!(
        lost.iter()
            .any(|lost| lost["class"] == "records" && lost["last_number"] == 4),
        "{lost:?}"
    );
    let findings = ask(&shop, &["vendor", "ledger", "findings"]);
    let codes: Vec<&Value> = findings["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["code"])
        .collect();
    assert!(codes.contains(&&json!("new-instance")), "{codes:?}");
}

/// The remedies of a proof that is not to be had: the site's next package, and taking a withdrawn site back.
#[test]
fn what_proves_nothing_yet_is_proven_as_the_messages_say() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    sign_release(&shop, &plant);
    plant.receipt(ReceiptResult::Refused, HEAD, 1);
    plant.receipt(ReceiptResult::Refused, HEAD, 1);
    let proof = ["vendor", "ledger", "proof", "plant-1", "1.0", "-o", "proof.json"];
    let refused = |code: &str, remedy: &str| {
        let talk = String::from_utf8(run(&shop, &proof).stderr).unwrap();
        assert!(
            talk.contains(&format!("\"code\":\"{code}\"")) && talk.contains(remedy),
            "{talk}"
        );
        assert!(!shop.folder.path().join("proof.json").exists());
    };
    refused(
        "no-receipt",
        "plant-1 sent no receipt that shop/stable 1 (1.0) was imported\"",
    );
    let file = shop.file(&plant.export().bytes);
    ask(&shop, &["status", "verify", file.to_str().unwrap()]);
    refused("no-receipt", "plant-1 refused shop/stable 1 (1.0): receipt 2 of ");
    refused("no-receipt", " says E-CONTENT not-carried, after 1 refusal before it");
    refused(
        "no-receipt",
        "\"remedy\":\"there is nothing to prove: put right what the site refused it for",
    );
    plant.receipt(ReceiptResult::Imported, HEAD, 1);
    let file = shop.file(&plant.export().bytes);
    ask(&shop, &["status", "verify", file.to_str().unwrap()]);
    assert_eq!(ask(&shop, &proof)["receipts"], 1);
    fs::remove_file(shop.folder.path().join("proof.json")).unwrap();

    ask(&shop, &["vendor", "withdraw-site", "plant-1"]);
    refused(
        "withdrawn-site",
        &format!("`airlock vendor enroll FILE --replace {}", plant.site),
    );
    let enrolment = shop.file(&plant.enrolment());
    ask(
        &shop,
        &[
            "vendor",
            "enroll",
            "--yes",
            enrolment.to_str().unwrap(),
            "--replace",
            plant.site.as_str(),
        ],
    );
    assert_eq!(ask(&shop, &proof)["receipts"], 1);
}
