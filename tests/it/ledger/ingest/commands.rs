//! `airlock status verify FILE… -w DIR`: order, exit codes, what people and programs see.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use airlock::crypto::ReceiptResult;
use airlock::domain::Hash;
use airlock::package::{Line, SignedReceipt};
use serde_json::{Value, json};

use super::super::plant::{Exported, Plant};
use super::super::workshop::Workshop;
use crate::support::appliance::AIRLOCK;

fn command(shop: &Workshop, format: &str, files: &[&Path]) -> Command {
    let mut command = Command::new(AIRLOCK);
    command.args(["--format", format, "status", "verify"]).args(files);
    command.arg("-w").arg(shop.folder.path().join("w"));
    command
}

fn run(shop: &Workshop, format: &str, packages: &[&Exported]) -> Output {
    let files: Vec<_> = packages.iter().map(|package| shop.file(&package.bytes)).collect();
    let files: Vec<&Path> = files.iter().map(std::path::PathBuf::as_path).collect();
    command(shop, format, &files).output().unwrap()
}

fn words(output: &Output) -> Vec<(String, u64)> {
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = list.as_array().unwrap().iter();
    list.map(|said| {
        (
            said["result"].as_str().unwrap().to_owned(),
            said["number"].as_u64().unwrap_or(0),
        )
    })
    .collect()
}

#[test]
fn several_packages_follow_each_other_and_the_worst_is_the_exit_code() {
    let shop = Workshop::new();
    let (mut one, mut two) = (shop.plant(1), shop.plant(2));
    let mut clone = one.clone();
    let packages: Vec<_> = (0..3)
        .map(|_| {
            one.report(1);
            one.export()
        })
        .collect();
    let (first, second, third) = (&packages[0], &packages[1], &packages[2]);
    let of_two = two.export();
    let stranger = Plant::new(9, shop.domain()).export();
    let output = run(&shop, "json", &[third, &of_two, first, &stranger, second, third]);
    let word = |word: &str, number| (word.to_owned(), number);
    assert_eq!(
        words(&output),
        [
            word("taken-in", 1),
            word("taken-in", 2),
            word("taken-in", 3),
            word("already", 3),
            word("taken-in", 1),
            word("refused", 0)
        ]
    );
    assert_eq!(output.status.code(), Some(13));
    assert_eq!(shop.count("finding"), 0);
    clone.report(5);
    let output = run(&shop, "json", &[&stranger, &clone.export(), &stranger]);
    let refused: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(16));
    assert_eq!(
        (
            &refused[0]["class"],
            &refused[0]["code"],
            &refused[0]["step"],
            &refused[0]["site"]
        ),
        (
            &json!("E-EQUIVOCATION"),
            &json!("package-number"),
            &json!("V5"),
            &json!(one.site)
        )
    );
    assert_eq!(refused[1]["site"], Value::Null);
    let output = run(&shop, "json", &[third]);
    assert_eq!(
        (words(&output), output.status.code()),
        (vec![word("already", 3)], Some(0))
    );
}

#[test]
fn a_pipe_and_standard_input_bring_packages_too() {
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    let package = plant.export();
    let mut child = command(&shop, "json", &[Path::new("-")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &package.bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(words(&output), [("taken-in".to_owned(), 1)]);
}

/// M-113: no text of a site reaches a terminal as it came.
#[test]
fn hostile_words_of_a_site_move_no_cursor() {
    const HOSTILE: &str = "v1\u{202e}2\u{9b}31m\u{200b}";
    let shop = Workshop::new();
    let mut plant = shop.plant(1);
    plant.receipt(ReceiptResult::Imported, Hash([1; 32]), 1);
    let Line::Receipt(line) = &plant.receipts[0] else {
        unreachable!()
    };
    let mut receipt = line.receipt.clone();
    receipt.version = HOSTILE.into();
    let signed = SignedReceipt::unverified(&receipt.sign(&plant.key())).unwrap();
    plant.receipts[0] = Line::Receipt(Box::new(signed));
    plant.export();
    plant.recover(5, HOSTILE);
    let packages = [plant.export()];
    for format in ["human", "json"] {
        let shop = shop.copy();
        // Another life is known, so that the reason is told.
        let mut known = Plant::new(1, shop.domain());
        shop.take(&known.export());
        let output = run(&shop, format, &[&packages[0]]);
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(text.contains("202e") && text.contains("new-instance"), "{text}");
        let strange = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{200b}' | '\u{202e}'));
        assert!(!text.contains(strange), "{text:?}");
    }
}

#[test]
fn people_see_what_is_new() {
    let shop = Workshop::new();
    let (head, content) = shop.sign(1, None);
    let mut plant = shop.plant(1);
    plant.receipt(ReceiptResult::Imported, head, 1);
    plant.releases = vec![plant.holds(head, 1, 1, content)];
    plant.targets = Plant::target(1, 100);
    plant.report(3);
    plant.export();
    let output = run(&shop, "human", &[&plant.export()]);
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "package 2 of plant-1 is taken in, as of 2026-11-21T12:00:00Z",
        "new       3 status records, 0 gaps, 1 receipt, 2 log rows",
        "receipt   imported on 2026-11-21T12:00:00Z: release 1 (v1) of shop/stable",
        "holds     release 1 of shop/stable: active",
        "finding   package-missing: package 2 of the instance",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
}
