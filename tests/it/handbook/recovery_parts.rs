//! Something of a site is lost or wrong: content, a database, the token key, the log, the clock.

#![allow(clippy::disallowed_methods, reason = "a test's own files")]

use std::fs;
use std::path::PathBuf;

use airlock::db::{Db, Schema, SqlResult as _};
use airlock::domain::{Clock as _, SystemClock};

use super::drill::{Drill, STATE, rounds};
use crate::support::client::get;

const CONTENT: &str = "Content is damaged";
const DATABASE: &str = "A database is damaged or missing";
const TOKEN: &str = "The token key is lost";
const LOG: &str = "The audit log does not hold";
const CLOCK: &str = "The clock was wrong";

fn sql(drill: &Drill, text: &str) {
    let db = Db::open(&drill.stage.path("state/airlock.db"), &Schema::SITE).unwrap();
    db.write(|tx| tx.execute_batch(text).sql("change")).unwrap();
}

/// Everything that is stored.
fn blobs(drill: &Drill) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in fs::read_dir(drill.stage.path("state/blobs/sha256")).unwrap() {
        found.extend(
            fs::read_dir(folder.unwrap().path())
                .unwrap()
                .map(|blob| blob.unwrap().path()),
        );
    }
    found
}

/// Content that an earlier bundle brought: each command that meets it says so, names that bundle, and ends with an error until it is there.
#[test]
fn content_comes_back_with_the_bundles_that_are_named_and_nothing_ends_well_before() {
    let drill = Drill::new();
    let (first, _) = drill.stage.bundle(1);
    drill.stage.import(&first);
    let serving = drill.stage.serve();
    rounds(&mut drill.stage.agent(&serving));
    drill.tell();
    let (second, _) = drill.stage.bundle(2);
    drill.stage.import(&second);
    drill.good(CONTENT, "airlock scrub", &[], &STATE);

    // Something that the second bundle left out, for the site held it.
    let all = blobs(&drill);
    let mut lost = all.iter().filter(|blob| {
        let aside = drill.stage.path("aside");
        fs::rename(blob, &aside).unwrap();
        let words = ["import", second.to_str().unwrap(), "--dry-run", "--state", "state"];
        let is_left_out = !drill.stage.run("json", &words).status.success();
        fs::rename(&aside, blob).unwrap();
        is_left_out
    });
    fs::remove_file(lost.next().expect("the second bundle builds on the first")).unwrap();
    let (class, code, _) = drill.refused(CONTENT, "airlock scrub", &[], &STATE);
    assert_eq!((class.as_str(), code.as_str()), ("E-STATE", "content-damaged"));
    for command in ["airlock release list", "airlock target list"] {
        let said = drill.good(CONTENT, command, &[], &STATE).to_string();
        assert!(said.contains("import the bundle of release 1 "), "{command}: {said}");
    }
    let file = [("FILE", second.to_str().unwrap())];
    let (class, code, remedy) = drill.refused(CONTENT, "airlock import FILE", &file, &STATE);
    assert_eq!((class.as_str(), code.as_str()), ("E-STATE", "content-damaged"));
    assert!(remedy.contains("the oldest first"), "{remedy}");
    let file = [("FILE", first.to_str().unwrap())];
    let healed = drill.good(CONTENT, "airlock import FILE", &file, &STATE);
    assert_eq!(healed["restored_blobs"], 1, "{healed}");
    drill.good(CONTENT, "airlock scrub", &[], &STATE);
    let file = [("FILE", second.to_str().unwrap())];
    drill.good(CONTENT, "airlock import FILE", &file, &STATE);
}

#[test]
fn a_database_comes_back_with_a_whole_copy_and_that_of_statuses_begins_anew() {
    let drill = Drill::new();
    let (first, _) = drill.stage.bundle(1);
    drill.stage.import(&first);
    let (state, copy) = (drill.stage.path("state"), drill.stage.path("copy"));
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(&state)
        .arg(&copy)
        .status();
    assert!(copied.unwrap().success());
    let list = ["release", "list", "--state", "state"];
    fs::remove_file(state.join("airlock.db")).unwrap();
    assert_eq!(drill.stage.refused(&list).1, "database-missing");
    fs::write(state.join("airlock.db"), [7; 8192]).unwrap();
    assert_eq!(drill.stage.refused(&list).1, "database-damaged");
    fs::remove_dir_all(&state).unwrap();
    fs::rename(&copy, &state).unwrap();
    drill.stage.good(&list);

    for damage in [Some([7; 8192].as_slice()), None] {
        let path = state.join("status.db");
        match damage {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        for end in ["-wal", "-shm"] {
            fs::remove_file(state.join(format!("status.db{end}"))).ok();
        }
        let serving = drill.serve(BACK, None);
        let mut agent = drill.connect_again(BACK, &serving);
        rounds(&mut agent);
        drop(serving);
        let told = drill.tell();
        assert!(!told.to_string().contains("records-unexplained"), "{told}");
        let gaps = drill.stage.ledger(
            "SELECT count(*) FROM site_gap WHERE reason IN ('damaged', 'restored')",
            |row| row.get::<_, u64>(0),
        );
        assert!(gaps[0] > 0, "{told}");
    }
    // The page says what becomes of it, and of the other one.
    assert!(drill.says(DATABASE, "`airlock serve` sets a damaged one aside"));
}

/// Where a server is started as with a backup.
const BACK: &str = "A site's machine is gone, and there is a backup";

#[test]
fn another_token_key_is_made_and_everybody_gets_another_secret() {
    let drill = Drill::new();
    let (first, _) = drill.stage.bundle(1);
    drill.stage.import(&first);
    let serving = drill.stage.serve();
    rounds(&mut drill.stage.agent(&serving));
    drill
        .stage
        .good(&["access", "add", "ops", "--read", "shop/stable:*", "--state", "state"]);
    drop(serving);
    fs::remove_file(drill.stage.path("state/identity/token.key")).unwrap();
    let more = [&STATE[..], &["--yes"]].concat();
    drill.good(TOKEN, "airlock recover --as token-key-lost", &[], &more);

    let serving = drill.stage.serve();
    rounds(&mut drill.connect_again(TOKEN, &serving));
    let listed = drill.good(TOKEN, "airlock access list", &[], &STATE).to_string();
    assert!(
        listed.contains("\"ops\"") && listed.contains("\"repositories\":\"*\""),
        "{listed}"
    );
    let name = [("NAME", "ops"), ("PATTERN", "shop/stable:*")];
    drill.good(TOKEN, "airlock access remove NAME", &name, &STATE);
    let made = drill.good(TOKEN, "airlock access add NAME --read PATTERN", &name, &STATE);
    assert!(made["secret"].is_string(), "{made}");
}

/// What is in an export is proven, and the copy that is put back begins with it.
#[test]
fn a_log_that_does_not_hold_is_compared_with_what_left_before() {
    let drill = Drill::new();
    let (first, _) = drill.stage.bundle(1);
    drill.stage.import(&first);
    let (state, copy) = (drill.stage.path("state"), drill.stage.path("copy"));
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(&state)
        .arg(&copy)
        .status();
    assert!(copied.unwrap().success());
    drill
        .stage
        .good(&["audit", "export", "-o", "log.jsonl", "--state", "state"]);
    drill.good(LOG, "airlock audit verify", &[], &STATE);

    sql(&drill, "UPDATE audit SET detail = '{}' WHERE number = 2");
    assert_eq!(
        drill.refused(LOG, "airlock audit verify", &[], &STATE).1,
        "audit-broken"
    );
    let words = ["audit", "verify", "--against", "log.jsonl", "--state", "state"];
    let against = [("FILE", "log.jsonl")];
    let (_, code, _) = drill.refused(LOG, "airlock audit verify --against FILE", &against, &STATE);
    assert_eq!(code, "audit-broken");
    let said = String::from_utf8(drill.stage.run("human", &words).stderr).unwrap();
    assert!(
        said.contains("log.jsonl: audit row 2 is not what it was when it left"),
        "{said}"
    );
    // Where the log is broken behind what was exported, all of that is proven.
    sql(&drill, "UPDATE audit SET detail = '{}' WHERE number = 2");
    fs::remove_dir_all(&state).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(&copy)
        .arg(&state)
        .status();
    assert!(copied.unwrap().success());
    let verified = drill.good(LOG, "airlock audit verify --against FILE", &against, &STATE);
    assert_eq!(verified["against"][0]["kind"], "export", "{verified}");
    sql(
        &drill,
        "UPDATE audit SET detail = '{}' WHERE number = (SELECT max(number) FROM audit)",
    );
    let said = String::from_utf8(drill.stage.run("human", &words).stderr).unwrap();
    assert!(said.contains("log.jsonl: the log begins with its "), "{said}");
    // A changed export proves nothing.
    let text = fs::read_to_string(drill.stage.path("log.jsonl")).unwrap();
    fs::write(
        drill.stage.path("log.jsonl"),
        text.replacen("\"action\":\"init\"", "\"action\":\"mint\"", 1),
    )
    .unwrap();
    let said = String::from_utf8(drill.stage.run("human", &words).stderr).unwrap();
    assert!(said.contains("log.jsonl: the rows of the copy are not the "), "{said}");
}

/// A date ahead is confirmed by hand; a vendor's wrong date that went out is put right by that vendor alone.
#[test]
fn dates_are_confirmed_and_a_wrong_one_of_the_vendor_is_put_right_by_its_root() {
    let drill = Drill::new();
    let now = SystemClock.now();
    let (ahead, expiry) = (now.plus_seconds(300 * 86_400), now.plus_seconds(30 * 86_400));
    let dated = |sequence: u64, issued_at: &str, expires: &str, more: &[&str]| {
        let text = fs::read_to_string(drill.stage.path("shop/release.yaml")).unwrap();
        let mut changed = String::new();
        for line in text.lines() {
            changed += &match line.split(':').next() {
                Some("issued_at") => format!("issued_at: {issued_at}\n"),
                Some("expires") => format!("expires: {expires}\n"),
                Some("sequence") => format!("sequence: {sequence}\n"),
                _ => format!("{line}\n"),
            };
        }
        fs::write(drill.stage.path("shop/release.yaml"), changed).unwrap();
        let file = format!("stick/release-{sequence}.airlock");
        let words = ["bundle", "create", "-f", "shop/release.yaml", "-w", "w", "-o", &file];
        drill.stage.good(&[&words, more].concat());
        file
    };
    let (ahead, expiry, today) = (ahead.to_string(), expiry.to_string(), now.to_string());
    let file = dated(1, &ahead, "2099-01-01T00:00:00Z", &["--allow-future"]);
    let words = [("FILE", file.as_str()), ("TIME", ahead.as_str())];
    let (class, code, remedy) = drill.stage.refused(&["import", &file, "--state", "state"]);
    assert_eq!((class.as_str(), code.as_str()), ("E-CLOCK", "issued-ahead"));
    assert!(remedy.contains("--date"), "{remedy}");
    drill.good(CLOCK, "airlock import FILE --date TIME", &words, &STATE);

    // By that date what is right has expired, and no date that is confirmed helps.
    let file = dated(2, &today, &expiry, &[]);
    let words = [("FILE", file.as_str()), ("TIME", today.as_str())];
    let (class, _, remedy) = drill.refused(CLOCK, "airlock import FILE --date TIME", &words, &STATE);
    assert_eq!(class, "E-EXPIRED");
    assert!(remedy.contains("`airlock vendor trust set --time-reset`"), "{remedy}");
    drill.good(CLOCK, "airlock vendor trust set --time-reset -w acme", &[], &[]);
    let file = dated(3, &SystemClock.now().to_string(), &expiry, &[]);
    let imported = drill.stage.good(&["import", &file, "--state", "state"]);
    assert_eq!(imported["result"], "imported", "{imported}");
    let serving = drill.stage.serve();
    assert_eq!(get(serving.address, "/readyz").status, 200);
}
