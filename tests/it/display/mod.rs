//! What people and programs see of text from outside: nothing moves a cursor, turns the direction of writing, hides, or pretends to be
//! the next line, whatever its way in; and nothing of it is lost to a program.
#![allow(clippy::disallowed_methods, reason = "tests write what commands read")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::appliance::{AIRLOCK, scratch, write};
use crate::support::bundles::{Made, Vendor};
use crate::support::python::python;
use crate::support::vendor_folder::VendorFolder;

/// What may stand in a vendor's name and a release's label, by the grammar of canonical JSON.
const HOSTILE: &str = "Z\u{fc}rich\u{202e}lave\u{2066}\u{9b}31m\u{200b}\u{2028}\u{61c}\u{e0041}\u{feff}";
/// The same as it is shown.
const SHOWN: &str = "Z\u{fc}rich\\u202elave\\u2066\\u009b31m\\u200b\\u2028\\u061c\\udb40\\udc41\\ufeff";
/// Words that need no escape.
const PLAIN: &str = "Z\u{fc}rich \u{6771}\u{4eac} \"7\" \\u{41}";

/// Whether a terminal could take it for something else than a letter; a second opinion, not the product's table.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || ('\u{e0000}'..='\u{e0fff}').contains(&c)
}

/// Everything that a command says, after a look at it.
struct Said {
    code: i32,
    out: String,
    err: String,
}

fn said(output: Output) -> Said {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let said = Said {
        code: output.status.code().unwrap(),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    for text in [&said.out, &said.err] {
        let strange: Vec<char> = text.chars().filter(|c| *c != '\n' && is_hostile(*c)).collect();
        assert!(strange.is_empty(), "{strange:?} in {text}");
    }
    said
}

fn airlock(folder: &Path, format: &str, arguments: &[&str]) -> Said {
    let mut command = Command::new(AIRLOCK);
    command.args(["--format", format]).args(arguments).current_dir(folder);
    said(command.env_remove("AIRLOCK_STATE").output().unwrap())
}

/// A vendor's root and a release, in files, with these words wherever their grammars let them be.
fn release_with(words: &str, folder: &Path) -> Made {
    let mut vendor = Vendor::new();
    vendor.rotate(|root| words.clone_into(&mut root.vendor));
    let made = vendor.bundle_as("crm", 1, |release| words.clone_into(&mut release.version));
    write(&folder.join("root.json"), &vendor.chain_file());
    write(&folder.join("b.airlock"), &made.bytes);
    made
}

/// Every command that shows a vendor's name or a release's label.
const SHOWING: [&[&str]; 9] = [
    &["init", "--trust", "root.json", "--site", "plant", "--state", "state"],
    &["trust", "show", "--state", "state"],
    &["bundle", "inspect", "b.airlock"],
    &["bundle", "verify", "b.airlock", "--trust", "root.json"],
    &["import", "b.airlock", "--dry-run", "--state", "state"],
    &["import", "b.airlock", "--state", "state"],
    &["import", "b.airlock", "--state", "state"],
    &["release", "list", "--state", "state"],
    &["release", "show", "1", "--state", "state"],
];

fn strings(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Value::Object(members) => members.values().for_each(|member| strings(member, into)),
        _ => {}
    }
}

#[test]
fn words_of_a_vendor_are_shown_and_obeyed_by_no_terminal() {
    for (words, shown) in [(HOSTILE, SHOWN), (PLAIN, PLAIN)] {
        for format in ["human", "json"] {
            let folder = scratch();
            release_with(words, folder.path());
            let mut seen = Vec::new();
            for arguments in SHOWING {
                let said = airlock(folder.path(), format, arguments);
                assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
                if format == "human" {
                    seen.push(said.out + &said.err);
                } else {
                    // A parser reads what the vendor wrote.
                    let documents = std::iter::once(said.out.as_str()).chain(said.err.lines());
                    for document in documents.filter(|text| !text.trim().is_empty()) {
                        strings(&serde_json::from_str(document).unwrap(), &mut seen);
                    }
                }
            }
            let wanted = if format == "human" { shown } else { words };
            assert!(
                seen.iter().filter(|text| text.contains(wanted)).count() >= 6,
                "{wanted}: {seen:#?}"
            );
        }
    }
}

#[test]
fn names_of_files_are_shown_once_and_in_one_line() {
    let folder = scratch();
    release_with(PLAIN, folder.path());
    let name = "x\nairlock: all is well\u{1b}[2K\u{202e}";
    let shown = "x\\u000aairlock: all is well\\u001b[2K\\u202e";
    for arguments in [
        &["bundle", "verify", name, "--trust", "root.json"][..],
        &["bundle", "verify", "b.airlock", "--trust", name],
        &["bundle", "inspect", name],
        &["init", "--trust", name, "--site", "plant", "--state", "state"],
        &["bundle", "create", "-f", "r.yaml", "-w", name, "-o", "out"],
    ] {
        let said = airlock(folder.path(), "human", arguments);
        assert_ne!(said.code, 0);
        assert_eq!(said.err.matches(shown).count(), 1, "{arguments:?}: {}", said.err);
        assert!(!said.err.contains("\nairlock: all"), "{}", said.err);
    }
    // As a program reads it, it is what was typed.
    let said = airlock(folder.path(), "json", &["bundle", "inspect", name]);
    let event: Value = serde_json::from_str(said.err.trim_end()).unwrap();
    assert!(event["found"].as_str().unwrap().contains(name), "{event}");
    assert!(event["remedy"].is_string() && event["expected"].is_string(), "{event}");
    // Twin: a name without anything strange is shown as it is.
    let said = airlock(folder.path(), "human", &["bundle", "inspect", "Z\u{fc}rich.airlock"]);
    assert!(said.err.contains("cannot open Z\u{fc}rich.airlock: "), "{}", said.err);
}

#[test]
fn a_result_about_a_file_keeps_its_line() {
    let folder = scratch();
    release_with(PLAIN, folder.path());
    let state = "st\nsite id      0000\u{1b}[1m";
    let said = airlock(
        folder.path(),
        "human",
        &["init", "--trust", "root.json", "--site", "plant", "--state", state],
    );
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out
            .starts_with("appliance in st\\u000asite id      0000\\u001b[1m\n"),
        "{}",
        said.out
    );
}

#[test]
fn lists_of_problems_have_a_line_each_and_no_more() {
    let mut vendor = VendorFolder::new();
    vendor.write(
        "app/compose.yaml",
        "services:\n  a:\n    build: .\n  b:\n    build: \"x\\n  all is well\"\n  c:\n    build: .\n",
    );
    let rest = "applications:\n- {name: app, version: \"1\", compose: app/compose.yaml}\n";
    let (class, code, sentence) = vendor.refused(rest, 1);
    assert_eq!(class, "E-CONTENT", "{code}: {sentence}");
    let lines: Vec<&str> = sentence.lines().collect();
    assert!(
        lines.len() >= 4 && lines[1..4].iter().all(|line| line.starts_with("  ")),
        "{sentence}"
    );
    assert!(
        !sentence.contains("\\u000a  ") && !sentence.contains("\\u{a}"),
        "{sentence}"
    );
    let said = airlock(
        &vendor.path(""),
        "human",
        &[
            "bundle",
            "create",
            "-f",
            "release.yaml",
            "-w",
            "w",
            "-o",
            "out.airlock",
            "--sequence",
            "1",
        ],
    );
    assert_eq!(said.code, 22, "{}", said.err);
    assert!(
        said.err.lines().filter(|line| line.starts_with("  ")).count() >= 3,
        "{}",
        said.err
    );
}

#[test]
fn the_command_line_itself_is_quoted_safely() {
    let folder = scratch();
    for arguments in [
        &["b\u{1b}[31mogus"][..],
        &["bundle", "--\u{202e}\nx"],
        &["import", "x", "--date", "\u{9b}1m"],
    ] {
        let said = airlock(folder.path(), "human", arguments);
        assert_eq!(said.code, 2, "{}", said.err);
        assert!(said.err.contains("\\u") && !said.err.contains("\nx"), "{}", said.err);
    }
    let help = airlock(folder.path(), "human", &["--help"]);
    assert!(help.code == 0 && help.out.contains("Usage: airlock"));
}

#[test]
fn a_vendors_name_of_two_lines_is_a_mistake_on_the_command_line() {
    let folder = scratch();
    for name in ["Ac\nme", "", "\u{7f}", &"x".repeat(201)] {
        let said = airlock(
            folder.path(),
            "json",
            &["vendor", "init", "--product", "app", "--vendor", name, "w"],
        );
        let event: Value = serde_json::from_str(said.err.trim_end()).unwrap();
        assert_eq!((said.code, &event["class"]), (2, &"E-USAGE".into()), "{event}");
        assert!(event["remedy"].is_string(), "{event}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    let said = airlock(
        folder.path(),
        "json",
        &["vendor", "init", "--product", "app", "--vendor", "Z\u{fc}rich AG", "w"],
    );
    assert_eq!(said.code, 0, "{}", said.err);
}

/// A file that is no bundle, and copies that were damaged on the way: each says what was expected and what to do.
#[test]
fn every_refusal_of_a_file_says_what_to_do() {
    let folder = scratch();
    let made = release_with(PLAIN, folder.path());
    let flipped = |at: usize| {
        let mut bytes = made.bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    let place = |text: &str| {
        made.bytes
            .windows(text.len())
            .position(|part| part == text.as_bytes())
            .unwrap()
    };
    let vectors = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("bundle-spec/vectors");
    let root: &str = "root.json";
    let mut cases: Vec<(String, Vec<u8>, String, i32, &str)> = vec![
        ("tiny".into(), b"hi".to_vec(), root.into(), 10, "nothing of it was kept"),
        ("empty".into(), Vec::new(), root.into(), 10, "nothing of it was kept"),
        (
            "signatures".into(),
            flipped(place("keyid") + 2),
            root.into(),
            12,
            "compare its SHA-256",
        ),
        (
            "trust".into(),
            flipped(place("{\"domain\"") + 3),
            root.into(),
            13,
            "compare its SHA-256",
        ),
        ("format".into(), flipped(514), root.into(), 10, "right file"),
        (
            "chunk".into(),
            flipped(made.bytes.len() - 1100),
            root.into(),
            0,
            "copy the bundle again",
        ),
    ];
    cases.retain(|case| case.3 != 0);
    for (name, code) in [
        ("j02-home-host", 10),
        ("desired-name-twice", 22),
        ("b05-home-hosts", 11),
        ("j10-image-absent", 22),
    ] {
        let vector: Value =
            serde_json::from_slice(&fs::read(vectors.join(format!("bad/{name}/vector.json"))).unwrap()).unwrap();
        let pin = vectors
            .join("bad")
            .join(name)
            .join(vector["trust"][0].as_str().unwrap());
        let bytes = fs::read(vectors.join(format!("bad/{name}/bundle.airlock"))).unwrap();
        cases.push((name.to_owned(), bytes, pin.display().to_string(), code, "e"));
    }
    for (name, bytes, pin, code, remedy) in cases {
        write(&folder.path().join("case"), &bytes);
        let said = airlock(folder.path(), "json", &["bundle", "verify", "case", "--trust", &pin]);
        let event: Value = serde_json::from_str(said.err.lines().last().unwrap()).unwrap();
        assert_eq!(said.code, code, "{name}: {event}");
        let advice = event["remedy"]
            .as_str()
            .unwrap_or_else(|| panic!("{name} has no remedy: {event}"));
        assert!(advice.contains(remedy), "{name}: {advice}");
        assert!(!advice.contains("was verified is kept"), "{name}: {advice}");
    }
    let good = airlock(
        folder.path(),
        "json",
        &["bundle", "verify", "b.airlock", "--trust", "root.json"],
    );
    assert_eq!(good.code, 0, "{}", good.err);
}

/// The two programs that share nothing with the product show the same in the same way.
#[test]
fn the_programs_of_the_specification_show_the_same() {
    let specification = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("bundle-spec");
    for (words, shown) in [(HOSTILE, SHOWN), (PLAIN, PLAIN)] {
        let folder = scratch();
        release_with(words, folder.path());
        let run = |mut command: Command, script: &str, arguments: &[&str]| {
            command
                .arg(specification.join(script))
                .args(arguments)
                .current_dir(folder.path());
            said(command.env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap())
        };
        let verified = run(python(), "verify.py", &["b.airlock", "--trust", "root.json"]);
        assert!(
            verified.code == 0 && verified.out.contains(shown),
            "{}{}",
            verified.out,
            verified.err
        );
        let verified = run(python(), "verify.py", &["b.airlock", "--trust", "root.json", "--json"]);
        let value: Value = serde_json::from_str(&verified.out).unwrap();
        assert_eq!(value["version"], words);
        let audited = run(Command::new("bash"), "audit.sh", &["b.airlock", "root.json"]);
        assert!(
            audited.code == 0 && audited.out.matches(shown).count() == 2,
            "{}{}",
            audited.out,
            audited.err
        );
    }
    let folder = scratch();
    release_with(PLAIN, folder.path());
    let name = "x\nrefused: no\u{1b}[2K\u{202e}";
    for arguments in [
        &[name, "--trust", "root.json"][..],
        &["b", "--trust", name],
        &[name, "--at", name, "--trust", "t"],
    ] {
        let mut command = python();
        command
            .arg(specification.join("verify.py"))
            .args(arguments)
            .current_dir(folder.path());
        let said = said(command.env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap());
        assert!(said.code != 0 && (said.out + &said.err).contains("x\\u000arefused: no\\u001b[2K\\u202e"));
    }
}

/// What the parser does not understand is a refusal like every other for machines, and its own text for people.
#[test]
fn a_command_line_that_is_not_understood_is_told_to_machines_too() {
    let folder = scratch();
    for arguments in [&["import"][..], &["audit", "show", "--sinse", "7d"]] {
        let told = airlock(folder.path(), "json", arguments);
        let refused: Value = serde_json::from_str(&told.err).unwrap();
        assert_eq!(
            (told.code, &refused["class"], &refused["code"], &refused["exit"]),
            (2, &"E-USAGE".into(), &"command-line".into(), &2.into())
        );
        let human = airlock(folder.path(), "human", arguments);
        assert_eq!(human.code, 2);
        assert!(
            human.err.starts_with("error: ") && human.err.contains("Usage: "),
            "{}",
            human.err
        );
        assert_eq!(airlock(folder.path(), "json", &["import", "--help"]).code, 0);
    }
}
