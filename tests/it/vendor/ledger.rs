//! The ledger knows what each signed release consists of, whether it was signed here or in another workspace of the vendor.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::fs;
use std::path::Path;

use airlock::domain::Hash;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::cli::CommandFolder;

const CREATE: [&str; 6] = ["bundle", "create", "-f", "release.yaml", "-o", "out.airlock"];
const LEARN: [&str; 6] = ["vendor", "ledger", "learn", "out.airlock", "-w", "w"];
const SITE: &str = "0123456789abcdef0123456789abcdef";

/// A folder with a release file, its workspace `w`, and `away`, another workspace of the same vendor.
fn two_workspaces() -> CommandFolder {
    let folder = CommandFolder::new();
    fs::create_dir_all(folder.path("away/keys")).unwrap();
    for name in ["root.json", "ledger.db"] {
        fs::copy(folder.path("w").join(name), folder.path("away").join(name)).unwrap();
    }
    for entry in fs::read_dir(folder.path("w/keys")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path("away/keys").join(entry.file_name())).unwrap();
    }
    let hello = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hello");
    folder.release_file(&format!("oci:{}", hello.display()));
    let text = fs::read_to_string(folder.path("release.yaml")).unwrap();
    fs::write(
        folder.path("release.yaml"),
        format!("{text}fixes: [CVE-2026-41234, ACME-7]\n"),
    )
    .unwrap();
    folder
}

/// Everything that a ledger says of signed heads, in order.
fn rows(folder: &CommandFolder, workspace: &str) -> Vec<String> {
    let path = folder.path(workspace).join("ledger.db");
    let ledger = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut rows = Vec::new();
    for sql in [
        "SELECT hex(head), hex(bytes), hex(content), blobs FROM signed_head ORDER BY 1",
        "SELECT hex(h.head), hex(digest), size, leaf FROM signed_blob b JOIN signed_head h ON h.id = b.head ORDER BY 1, 2",
        "SELECT hex(h.head), site, 0, 0 FROM signed_audience a JOIN signed_head h ON h.id = a.head ORDER BY 1, 2",
        "SELECT hex(h.head), f.id, 0, 0 FROM signed_fix f JOIN signed_head h ON h.id = f.head ORDER BY 1, 2",
        "SELECT hex(head), version, epoch, sequence FROM signed_release ORDER BY 1",
    ] {
        let mut select = ledger.prepare(sql).unwrap();
        let found = select
            .query_map([], |row| {
                let column = |n| row.get_ref(n).map(|value| format!("{value:?}"));
                Ok([column(0)?, column(1)?, column(2)?, column(3)?].join("|"))
            })
            .unwrap();
        rows.extend(found.map(Result::unwrap));
    }
    rows
}

#[test]
fn what_is_signed_is_written_down_and_nothing_of_it_travels() {
    let folder = two_workspaces();
    let sites = ["--site", SITE];
    let built = folder.good(&[&CREATE[..], &["-w", "w"], &sites].concat());
    let known = rows(&folder, "w");
    let ledger = Connection::open(folder.path("w/ledger.db")).unwrap();
    let (head, bytes, content, blobs): (Vec<u8>, Vec<u8>, Vec<u8>, u64) = ledger
        .query_row("SELECT head, bytes, content, blobs FROM signed_head", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap();
    assert_eq!(Sha256::digest(&bytes)[..], head[..]);
    assert_eq!(built["head_digest"], json!(Hash(head.try_into().unwrap())));
    let said: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(said["totals"]["blobs"], json!(blobs));
    assert_eq!(said["audience"], json!([SITE]));
    // The hash that both sides compare is over the digests alone, ascending.
    let mut hasher = Sha256::new();
    let mut select = ledger
        .prepare("SELECT digest FROM signed_blob ORDER BY digest")
        .unwrap();
    for digest in select.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap() {
        hasher.update(digest.unwrap());
    }
    assert_eq!(hasher.finalize()[..], content[..]);
    let layers: u64 = ledger
        .query_row("SELECT count(*) FROM signed_blob WHERE leaf", [], |row| row.get(0))
        .unwrap();
    assert!(0 < layers && layers < blobs, "{layers} of {blobs}");
    let bundle = fs::read(folder.path("out.airlock")).unwrap();
    assert!(!bundle.windows(14).any(|window| window == b"CVE-2026-41234"));

    // The same release again changes nothing; without --site it is another head, which this number is not free for.
    folder.good(&[&CREATE[..], &["-w", "w"], &sites].concat());
    assert_eq!(rows(&folder, "w"), known);
    let (class, code, _) = folder.refused(&[&CREATE[..], &["-w", "w"]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-EQUIVOCATION", "number-used"));
    assert_eq!(rows(&folder, "w"), known);
    folder.good(&[&CREATE[..], &["-w", "w", "--sequence", "2", "--replace"]].concat());
    assert!(
        rows(&folder, "w").iter().any(|row| row.contains("Text([])")),
        "for any site"
    );
}

#[test]
fn what_another_workspace_signed_is_learned_from_its_bundle() {
    let folder = two_workspaces();
    folder.good(&[&CREATE[..], &["-w", "away"]].concat());
    let signed = rows(&folder, "away");
    let learned = folder.good(&[&LEARN[..], &["--fixes", "ACME-7"]].concat());
    assert_eq!(learned[0]["result"], "learned");
    assert_eq!(learned[0]["sequence"], 1);
    // Ids of what it fixes are in no bundle, so they are said.
    let expected: Vec<String> = signed.iter().filter(|row| !row.contains("CVE")).cloned().collect();
    let hex_of = "CVE-2026-41234"
        .bytes()
        .map(|byte| byte.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let expected: Vec<String> = expected.into_iter().filter(|row| !row.contains(&hex_of)).collect();
    assert_eq!(rows(&folder, "w"), expected);
    let again = folder.good(&[&LEARN[..], &["--fixes", "CVE-2026-41234"]].concat());
    assert_eq!(again[0]["result"], "already");
    assert_eq!(rows(&folder, "w"), signed);

    // Its number is used here too, and the next one is free.
    let other = fs::read_to_string(folder.path("release.yaml")).unwrap();
    fs::write(
        folder.path("release.yaml"),
        other.replace("version: \"1\"", "version: \"1.1\""),
    )
    .unwrap();
    let (class, code, _) = folder.refused(&[&CREATE[..], &["-w", "w"]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-EQUIVOCATION", "number-used"));
    folder.good(&[&CREATE[..], &["-w", "w", "--sequence", "2", "--replace"]].concat());
}

#[test]
fn what_is_not_this_vendors_or_contradicts_the_ledger_is_not_learned() {
    let folder = two_workspaces();
    let stranger = ["vendor", "init", "--product", "app", "--vendor", "Other", "stranger"];
    folder.good(&[&stranger[..], &["--expires", "2100-01-01T00:00:00Z"]].concat());
    let before = rows(&folder, "w");
    let refused = |class: &str, code: &str| {
        let (found, its_code, event) = folder.refused(&LEARN);
        assert_eq!((found.as_str(), its_code.as_str()), (class, code), "{event}");
    };
    folder.good(&[&CREATE[..], &["-w", "stranger"]].concat());
    refused("E-TRUST", "unknown-domain");
    let theirs = LEARN.map(|word| if word == "w" { "stranger" } else { word });
    assert_eq!(folder.good(&theirs)[0]["result"], "already");
    folder.good(&[&CREATE[..], &["-w", "away", "--unsigned", "--replace"]].concat());
    refused("E-SIGNATURE", "below-threshold");
    let mut cut = fs::read(folder.path("out.airlock")).unwrap();
    cut.truncate(100);
    fs::write(folder.path("out.airlock"), cut).unwrap();
    refused("E-FORMAT", "truncated");
    fs::remove_file(folder.path("out.airlock")).unwrap();
    // Of two bundles each comes by itself with what it fixes.
    let (class, code, _) = folder.refused(&[&LEARN[..], &["out.airlock", "--fixes", "ACME-7"]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "fixes"));
    assert_eq!(rows(&folder, "w"), before);

    // Two workspaces gave one number to two contents: the second is told, whichever it is.
    folder.good(&[&CREATE[..], &["-w", "w", "--site", SITE]].concat());
    let before = rows(&folder, "w");
    folder.good(&[&CREATE[..], &["-w", "away", "--replace"]].concat());
    refused("E-EQUIVOCATION", "number-used");
    let (.., event) = folder.refused(&LEARN);
    assert!(
        event["remedy"]
            .as_str()
            .unwrap()
            .contains("sign the next release with a number above both"),
        "{event}"
    );
    assert_eq!(rows(&folder, "w"), before);
    folder.good(&[&CREATE[..], &["-w", "away", "--sequence", "2", "--replace"]].concat());
    folder.good(&LEARN);
    assert_ne!(rows(&folder, "w"), before);
    // The remedy of the list of fixes that was refused above.
    folder.good(&[&LEARN[..], &["--fixes", "ACME-7"]].concat());
}

/// The remedies of questions about what is not known here: releases and fixes are looked up, and learned.
#[test]
fn what_was_signed_elsewhere_is_asked_for_after_it_was_learned() {
    let folder = two_workspaces();
    folder.good(&[&CREATE[..], &["-w", "away"]].concat());
    let connection = Connection::open(folder.path("w/ledger.db")).unwrap();
    let enrolled = "INSERT INTO site (site, name, status, recipient, envelope, enrolled_at) VALUES (?, 'plant', ?, zeroblob(32), x'', 0)";
    let key = airlock::crypto::SigningKey::from_secret(&[7; 32]).public().to_bytes();
    connection.execute(enrolled, (SITE, key)).unwrap();
    let report = ["vendor", "ledger", "report", "plant", "--release", "0.1", "-w", "w"];
    let lacks = ["vendor", "ledger", "who-lacks", "ACME-8", "-w", "w"];
    for (words, code, remedy) in [
        (
            &report[..],
            "no-release",
            "with `airlock vendor ledger learn FILE -w w`",
        ),
        (
            &lacks[..],
            "no-fix",
            "with `airlock vendor ledger learn FILE --fixes ID -w w`",
        ),
    ] {
        let (class, its_code, event) = folder.refused(words);
        assert_eq!((class.as_str(), its_code.as_str()), ("E-USAGE", code));
        let said = event["remedy"].as_str().unwrap();
        assert!(
            said.contains("`airlock vendor ledger show") && said.contains(remedy),
            "{said}"
        );
    }
    assert_eq!(
        folder.good(&["vendor", "ledger", "show", "-w", "w"])["releases"],
        json!([])
    );
    folder.good(&[&LEARN[..], &["--fixes", "ACME-8"]].concat());
    let listed = folder.good(&["vendor", "ledger", "show", "-w", "w"]);
    assert_eq!(
        (&listed["releases"][0]["sequence"], &listed["releases"][0]["fixes"]),
        (&json!(1), &json!(["ACME-8"]))
    );
    let said = folder.good(&report);
    assert!(
        said["title"].as_str().unwrap().starts_with("app/stable 1 (1) at "),
        "{said}"
    );
    assert_eq!(said["tables"][0]["title"], "Images and charts that it consists of: 1");
    assert_eq!(said["tables"][0]["rows"][0][0], "registry.test/acme/app");
    let again = |fixes: &[&str]| folder.good(&[&LEARN[..], fixes].concat())[0].clone();
    let learned = again(&["--fixes", "ACME-8", "--fixes", "ACME-9"]);
    assert_eq!(
        (&learned["result"], &learned["new_fixes"], &learned["fixes"]),
        (&json!("already"), &json!(["ACME-9"]), &json!(["ACME-8", "ACME-9"]))
    );
    assert_eq!(again(&["--fixes", "ACME-9"])["new_fixes"], json!([]));
    assert_eq!(folder.good(&lacks)["sites"][0]["fix"], "unknown");
}
