//! Lines of containers, from the package files: each once, from any file that has it, and what of them is gone.
#![allow(clippy::disallowed_methods, reason = "tests take files away")]

use std::fs;
use std::path::PathBuf;

use airlock::domain::Hash;
use airlock::package::{Line, Log, LogWord, Numbers, Quoted, RecordCounts, Room, Statement, Switch};

use super::ask_made::Ledger;
use crate::package::made;
use crate::support::appliance::{read, write};

fn log(number: u64, text: &str) -> Line {
    Line::Log(Box::new(Log {
        at: made::time("11:00:02"),
        deployment: made::uuid(100),
        kind: LogWord::Word,
        number,
        resource: Quoted::text("web-1"),
        revision: made::uuid(900),
        severity: Quoted::text("stdout"),
        target: made::uuid(1),
        text: Quoted::text(text),
        time: "2026-11-21T11:00:01Z".parse().unwrap(),
    }))
}

/// Takes a package with these lines in, as far as its logs are concerned, and returns its file.
fn package(
    ledger: &Ledger,
    instance: i64,
    number: u64,
    previous: Option<Hash>,
    first: u64,
    lines: &[Line],
) -> (Hash, PathBuf) {
    let statement = Statement {
        firsts: Numbers {
            records: first,
            ..Numbers::all(1)
        },
        number,
        previous,
        ..made::statement(&[Switch::Logs, Switch::AgentLogs])
    };
    let lasts = Numbers {
        audit: 0,
        receipts: 0,
        records: first + lines.len() as u64 - 1,
    };
    let draft = made::write(statement, Room::default(), lines, lasts, RecordCounts::default()).unwrap();
    let bytes = made::sign(&draft.bytes);
    let opened = airlock::package::OpenedPackage::open(made::input(&bytes)).unwrap();
    let head = opened.head_digest();
    let opened = opened.known(head).unwrap();
    ledger.package_as(instance, number, head, "2026-11-21T12:00:00Z", opened.head_bytes());
    let folder = ledger.path("w/packages").join(made::site().as_str());
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("11112222-{number}-{}", &head.to_hex()[..8]));
    write(&file, &bytes);
    (head, file)
}

#[test]
fn lines_are_read_once_from_what_is_here_and_what_is_gone_is_said() {
    let ledger = Ledger::new();
    let site = made::site();
    ledger
        .sql()
        .execute(
            "INSERT INTO site (site, name, status, recipient, envelope, enrolled_at) VALUES (?, 'plant', zeroblob(32), zeroblob(32), x'', 0)",
            [site.as_str()],
        )
        .unwrap();
    ledger
        .sql()
        .execute(
            "INSERT INTO instance (id, site, instance, records, receipts, audit) VALUES (1, ?, ?, 1, 1, 1)",
            [site.as_str(), made::instance().as_str()],
        )
        .unwrap();
    let (one, first) = package(
        &ledger,
        1,
        1,
        None,
        1,
        &[log(1, "one"), made::agent_log(2, "two"), log(3, "three\u{1b}[2K")],
    );
    let (two, second) = package(&ledger, 1, 2, Some(one), 3, &[log(3, "three\u{1b}[2K"), log(4, "four")]);
    let texts = |words: &[&str]| -> Vec<String> {
        let json = ledger.json(&[&["status", "show", "plant", "--logs"][..], words].concat());
        let lines = json["logs"].as_array().unwrap();
        let missing = json["files_missing"].as_array().unwrap();
        lines
            .iter()
            .chain(missing)
            .map(|line| line["text"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = ["two", "one", "three\\1b[2K", "four"];
    assert_eq!(texts(&["--last", "all"]), all);
    assert_eq!(texts(&["--last", "1"]), ["two", "four"]);
    let human = ledger.said("human", &["status", "show", "plant", "--logs", "--last", "all"]);
    assert!(
        human.contains("#3 2026-11-21T11:00:01Z stdout three\\1b[2K\n"),
        "{human}"
    );
    assert!(!human.contains('\u{1b}'));
    // Without the option no file is read.
    assert!(ledger.json(&["status", "show", "plant"])["logs"].is_null());
    let facts = |words: &[&str]| ledger.said("jsonl", words).matches("\"fact\":\"log\"").count();
    assert_eq!(facts(&["status", "show", "plant", "--logs"]), 4);
    assert_eq!(facts(&["status", "show", "plant"]), 0);

    let bytes = read(&first);
    fs::remove_file(&first).unwrap();
    assert_eq!(texts(&["--last", "all"]), ["three\\1b[2K", "four", "file missing"]);
    let human = ledger.said("human", &["status", "show", "plant", "--logs"]);
    assert!(
        human.contains("package 1 of 2026-11-21 12:00, records 1 to 3: file missing\n"),
        "{human}"
    );
    // Another file in its place, and one with a flipped bit in what its head speaks of.
    write(&first, &read(&second));
    assert!(texts(&["--last", "all"])[2].starts_with("file damaged: the package has the head digest"));
    let mut flipped = bytes.clone();
    let at = flipped.len() - 1024 - 100;
    flipped[at] ^= 1;
    write(&first, &flipped);
    let damaged = texts(&["--last", "all"]);
    assert!(damaged.last().unwrap().starts_with("file damaged: "), "{damaged:?}");
    write(&first, &bytes);
    assert_eq!(texts(&["--last", "all"]), all);
    // A link that somebody planted is not followed.
    fs::remove_file(&second).unwrap();
    std::os::unix::fs::symlink(&first, &second).unwrap();
    let planted = texts(&["--last", "all"]);
    assert!(planted.last().unwrap().starts_with("file damaged: "), "{planted:?}");
    // Of a package without records no range is named.
    let (_, empty) = package(&ledger, 1, 3, Some(two), 5, &[]);
    fs::remove_file(&empty).unwrap();
    let human = ledger.said("human", &["status", "show", "plant", "--logs"]);
    assert!(human.contains("package 3 of 2026-11-21 12:00: file missing"), "{human}");
}

#[test]
fn what_an_instance_told_after_the_next_began_is_lost() {
    let ledger = Ledger::new();
    let site = made::site();
    ledger
        .sql()
        .execute_batch(&format!(
            "INSERT INTO site (site, name, status, recipient, envelope, enrolled_at) VALUES ('{site}', 'plant', zeroblob(32), zeroblob(32), x'', 0);
             INSERT INTO instance VALUES (1, '{site}', '{}', NULL, 1, 1, 1), (2, '{site}', '{:032x}', 1, 2, 1, 1);",
            made::instance(),
            2
        ))
        .unwrap();
    package(&ledger, 1, 1, None, 1, &[log(1, "one"), log(2, "lost")]);
    let json = ledger.json(&["status", "show", "plant", "--logs", "--last", "all"]);
    let lines = json["logs"].as_array().unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["text"], "one");
}
