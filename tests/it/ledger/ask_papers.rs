//! Proofs that anybody can check, and reports.
#![allow(clippy::disallowed_methods, reason = "tests read what was written")]

use std::fs;
use std::process::Command;

use airlock::crypto::{RoleName, SigningKey, write_signing_key};
use serde_json::{Value, json};

use super::ask_made::{Ledger, head, key, python, site};
use crate::support::appliance::write;
use crate::support::left_out::left_out;

/// Checks a proof with nothing of airlock's: the envelope by the key that is given, each receipt by the status key of the statement.
const CHECK: &str = r#"
import base64, hashlib, json, subprocess, sys, tempfile, os
def verify(public, kind, payload, signature):
    der = bytes.fromhex("302a300506032b6570032100") + public
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("key", "message", "signature")]
        for path, data in zip(paths, (der, message, signature)):
            open(path, "wb").write(data)
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths[0], "-rawin",
                               "-in", paths[1], "-sigfile", paths[2]], capture_output=True).returncode == 0
def check(envelope, public, kind):
    payload = base64.b64decode(envelope["payload"])
    assert envelope["payloadType"].encode() == kind, envelope["payloadType"]
    assert verify(public, kind, payload, base64.b64decode(envelope["signatures"][0]["sig"]))
    return json.loads(payload)
proof = json.load(open(sys.argv[1]))
statement = check(proof, bytes.fromhex(open(sys.argv[2]).read()), b"application/vnd.in-toto+json")
assert statement["_type"] == "https://in-toto.io/Statement/v1" and statement["predicateType"] == "urn:airlock:installation:v1"
assert set(statement) == {"_type", "subject", "predicateType", "predicate"} and isinstance(statement["predicate"], dict)
assert set(proof) == {"payload", "payloadType", "signatures"} and all(set(one) == {"keyid", "sig"} for one in proof["signatures"])
for subject in statement["subject"]:  # in-toto ResourceDescriptor: a name, and a digest set of lower-case hex digits
    assert set(subject) == {"name", "digest"} and isinstance(subject["name"], str) and set(subject["digest"]) == {"sha256"}
    assert len(bytes.fromhex(subject["digest"]["sha256"])) == 32 and subject["digest"]["sha256"].islower() | subject["digest"]["sha256"].isdigit()
predicate = statement["predicate"]
keys = {key["keyid"]: bytes.fromhex(key["public"]) for key in predicate["status_keys"]}
for keyid, public in keys.items():
    assert hashlib.sha256(b"airlock-key-ed25519-v1\n" + public).hexdigest() == keyid
said = [check(receipt, keys[receipt["signatures"][0]["keyid"]], b"application/vnd.airlock.import-receipt.v1+json") for receipt in predicate["receipts"]]
for receipt in said:
    assert receipt["site"] == predicate["site"] and receipt["domain"] == predicate["domain"]
    assert receipt["head"] == statement["subject"][0]["digest"]["sha256"] == predicate["release"]["head"]
broken = json.loads(json.dumps(proof))
payload = bytearray(base64.b64decode(broken["payload"]))
payload[-2] ^= 1
broken["payload"] = base64.b64encode(payload).decode()
try:
    check(broken, bytes.fromhex(open(sys.argv[2]).read()), b"application/vnd.in-toto+json")
except AssertionError:
    print(json.dumps({"results": [receipt["result"] for receipt in said], "subjects": [subject["name"] for subject in statement["subject"]]}))
"#;

const PROOF: [&str; 8] = [
    "vendor",
    "ledger",
    "proof",
    "plant-7",
    "0.9",
    "-o",
    "proof.json",
    "--replace",
];

#[test]
fn a_proof_is_checked_with_openssl_and_nothing_of_ours() {
    let ledger = Ledger::plants();
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "ed25519", "-out"])
        .arg(ledger.path("proof.pem"))
        .output()
        .unwrap();
    assert!(made.status.success());
    fs::set_permissions(
        ledger.path("proof.pem"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let public = Command::new("openssl")
        .args(["pkey", "-pubout", "-outform", "DER", "-in"])
        .arg(ledger.path("proof.pem"))
        .output()
        .unwrap();
    let hex: String = public.stdout[12..]
        .iter()
        .fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    write(&ledger.path("proof.pub"), hex.as_bytes());
    let result = ledger.json(&[&PROOF[..], &["--key", "proof.pem"]].concat());
    assert_eq!(
        (&result["receipts"], &result["activated_at"]),
        (&json!(2), &json!("2026-11-20T08:00:00Z"))
    );
    let checked = python(CHECK, &[&ledger.path("proof.json"), &ledger.path("proof.pub")]);
    let checked: Value = serde_json::from_str(&checked).unwrap();
    assert_eq!(
        checked,
        json!({
            "results": ["imported", "activated"],
            "subjects": ["acme-erp/stable 9 (9.1)", "docker.io/acme/db", "docker.io/acme/web"],
        })
    );
    // As the auditor's page says, with the public key as openssl writes it and the site's enrolment file.
    let enrolment = airlock::crypto::Enrolment::sign(
        site(1),
        ledger.workspace.chain().domain(),
        airlock::crypto::RecipientKey::of_secret(&[1; 32]),
        super::ask_made::at("2026-01-01T00:00:00Z"),
        &key(1),
    );
    write(&ledger.path("site.json"), &enrolment);
    let pem = Command::new("openssl")
        .args(["pkey", "-pubout", "-in"])
        .arg(ledger.path("proof.pem"))
        .output()
        .unwrap();
    write(&ledger.path("public.pem"), &pem.stdout);
    let page = include_str!("../../../bundle-spec/AUDIT.md");
    let lines = page.split("## A proof of an installation by hand").nth(1).unwrap();
    let lines = lines.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let by_hand = |proof: &str| {
        Command::new("sh")
            .args(["-c", lines, "proof.sh"])
            .args([ledger.path(proof), ledger.path("public.pem"), ledger.path("site.json")])
            .output()
            .unwrap()
    };
    let good = by_hand("proof.json");
    let said = String::from_utf8_lossy(&good.stdout);
    assert!(
        good.status.success() && said.ends_with("good as far as these lines check\n"),
        "{good:?}"
    );
    assert!(said.contains("[\"docker.io/acme/web\",\"04040404"), "{said}");
    let text = fs::read_to_string(ledger.path("proof.json")).unwrap();
    let at = text.find("\"payload\":\"").unwrap() + 60;
    let mut forged = text.into_bytes();
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    write(&ledger.path("forged.json"), &forged);
    assert!(!by_hand("forged.json").status.success());
    // Without a key the statement itself; by the head digest and by the version it is the same one.
    for name in [
        head(9).to_hex(),
        head(9).to_hex()[..16].to_owned(),
        "9.1".to_owned(),
        "acme-erp/stable:0.9".to_owned(),
    ] {
        ledger.json(&[
            "vendor",
            "ledger",
            "proof",
            &site(1).to_string(),
            &name,
            "-o",
            "proof.json",
            "--replace",
        ]);
        let statement: Value = serde_json::from_slice(&fs::read(ledger.path("proof.json")).unwrap()).unwrap();
        assert_eq!(statement["predicate"]["package"]["number"], 5);
        assert_eq!(
            statement["predicate"]["status_keys"][0]["public"],
            format!("{:?}", key(1).public())
        );
        assert_eq!(statement["predicate"]["state"], "active");
        assert_eq!(statement["subject"][2]["digest"]["sha256"], "04".repeat(32));
    }
}

#[test]
fn what_proves_nothing_is_refused_and_nothing_is_written() {
    let ledger = Ledger::plants();
    let refused = |words: &[&str], class: &str, code: &str| {
        assert_eq!(ledger.refused(words), (class.into(), code.into()), "{words:?}");
        assert!(!ledger.path("proof.json").exists());
    };
    let with = |site: &'static str, release: &'static str| {
        let mut words = PROOF;
        (words[3], words[4]) = (site, release);
        words
    };
    refused(&with("dock-1", "0.9"), "E-POLICY", "no-receipt");
    refused(&with("mill-2", "0.9"), "E-POLICY", "no-receipt");
    refused(&with("plant-7", "0.8"), "E-USAGE", "no-release");
    refused(&with("plant-8", "0.9"), "E-USAGE", "no-site");
    ledger.release_in("beta", 19, "9.1", &[], &airlock::domain::Audience::ANY, &[]);
    refused(&with("plant-7", "9.1"), "E-USAGE", "several-releases");
    // By the head digest that `ledger show` lists, as the message says.
    let listed = ledger.json(&["vendor", "ledger", "show"]);
    let named = listed["releases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["sequence"] == 9)
        .unwrap();
    ledger.json(&[
        "vendor",
        "ledger",
        "proof",
        "plant-7",
        named["head"].as_str().unwrap(),
        "-o",
        "by-head.json",
    ]);
    // Every key of the workspace has a role.
    let keys: Vec<_> = fs::read_dir(ledger.path("w/keys"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let private = keys
        .iter()
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "pem"));
    let mut tried = 0;
    for path in private {
        refused(
            &[&PROOF[..], &["--key", path.to_str().unwrap()]].concat(),
            "E-TRUST",
            "role-key",
        );
        tried += 1;
    }
    assert!(tried > RoleName::ALL.len(), "{tried} keys");
    write_signing_key(&ledger.path("own.pem"), &SigningKey::from_secret(&[3; 32]), None).unwrap();
    refused(
        &[&PROOF[..5], &["-o", "w/root.json", "--key", "own.pem"]].concat(),
        "E-USAGE",
        "output",
    );
    refused(
        &[&PROOF[..5], &["-o", "own.pem", "--key", "own.pem"]].concat(),
        "E-USAGE",
        "output",
    );
    ledger.json(&[&PROOF[..], &["--key", "own.pem"]].concat());
    fs::remove_file(ledger.path("proof.json")).unwrap();
    ledger.withdraw(1);
    refused(&PROOF, "E-TRUST", "withdrawn-site");
}

#[test]
fn a_report_says_what_became_of_a_release_or_happened_in_a_period() {
    let ledger = Ledger::plants();
    let report = ["vendor", "ledger", "report", "plant-7"];
    let text = ledger.said("human", &[&report[..], &["--release", "0.9"]].concat());
    let domain = ledger.workspace.chain().domain();
    for line in [
        "airlock report: acme-erp/stable 9 (9.1) at plant-7".to_owned(),
        "Vendor             Acme <Ltd>".to_owned(),
        format!("Trust domain       {domain}"),
        "Fixes              CVE-2026-41234".to_owned(),
        "State at the site  active since 2026-11-20T08:00:00Z".to_owned(),
        "  1        2026-11-20T07:50:00Z  9 of acme-erp/stable  imported".to_owned(),
        "  web on hall-1  9 (9.1)  2026-11-20T09:00:00Z  healthy".to_owned(),
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
    assert!(
        text.lines().any(|line| line.starts_with("Made               20")),
        "{text}"
    );
    let page = ledger.said("human", &[&report[..], &["--release", "0.9", "--html"]].concat());
    for whole in [&text, &page] {
        assert!(whole.contains(&format!("sha256:{}", "04".repeat(32))), "{whole}");
    }
    assert!(
        page.contains("<tr><th>Made</th><td>20") && page.contains("@media screen{body{padding:"),
        "{page}"
    );
    ledger.record(
        1,
        1,
        airlock_uuid(),
        "2026-11-20T09:30:00Z",
        "error",
        Some("no such image"),
    );
    let period = ["--since", "2026-11-20T07:55:00Z", "--until", "2026-11-21T00:00:00Z"];
    let text = ledger.said("human", &[&report[..], &period].concat());
    assert!(
        text.contains("Acts          0 imported, 1 activated, 0 refused\n"),
        "{text}"
    );
    assert!(
        text.contains("no such image")
            && text.contains("1 record with errors; 0 statuses, samples or lines of logs not kept"),
        "{text}"
    );
    assert!(
        text.contains(" of state, ") && !text.contains("change of states"),
        "{text}"
    );
    assert!(text.contains("  once  ") && !text.contains("1 time until"), "{text}");
    let later = ["--since", "2026-11-22T00:00:00Z", "--until", "2026-11-23T00:00:00Z"];
    assert!(
        !ledger
            .said("human", &[&report[..], &later].concat())
            .contains("no such image")
    );
    let (class, code) = ledger.refused(&[&report[..], &["--since", period[3], "--until", period[1]]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "period"));

    // In files: a free name, or where it is said an earlier report; nothing else is written over.
    for (kind, begin) in [(&["--html"][..], "<!doctype html>\n"), (&[], "airlock report: ")] {
        let words = [&report[..], &["--release", "0.9", "-o", "report"], kind].concat();
        if kind.is_empty() {
            let before = fs::read(ledger.path("report")).unwrap();
            assert_eq!(ledger.refused(&words), ("E-USAGE".into(), "output".into()));
            assert_eq!(fs::read(ledger.path("report")).unwrap(), before);
        }
        ledger.json(&[&words[..], &["--replace"]].concat());
        assert!(fs::read_to_string(ledger.path("report")).unwrap().starts_with(begin));
    }
    write(&ledger.path("other"), b"mine");
    let (class, code) = ledger.refused(&[&report[..], &["--release", "0.9", "-o", "other", "--replace"]].concat());
    assert_eq!((class.as_str(), code.as_str()), ("E-USAGE", "output"));
    assert_eq!(fs::read(ledger.path("other")).unwrap(), b"mine");
}

#[test]
fn a_report_stays_a_page_however_much_there_is() {
    let ledger = Ledger::plants();
    let package = ledger.package(1, 90, "2026-11-21T12:00:00Z", (1, 2));
    for number in 0..60 {
        let state = ("healthy", "well", "2026-11-20T09:00:00Z");
        ledger.deployment(
            1,
            super::ask_made::uuid(1),
            super::ask_made::uuid(6000 + number),
            Err("applying"),
            state,
            package,
        );
        ledger.record(
            1,
            u64::from(number) + 10,
            airlock_uuid(),
            "2026-11-20T09:30:00Z",
            "error",
            Some("no"),
        );
    }
    for html in [&[][..], &["--html"]] {
        let words = [
            &[
                "vendor",
                "ledger",
                "report",
                "plant-7",
                "--since",
                "2026-11-01T00:00:00Z",
            ][..],
            html,
        ]
        .concat();
        let text = ledger.said("human", &words);
        assert!(text.contains("… and 51 more"), "{text}");
        assert!(text.contains("… and 52 more"), "{text}");
    }
}

fn airlock_uuid() -> airlock::domain::Uuid {
    super::ask_made::uuid(100)
}

/// A report that is as full as one gets, printed by a browser.
#[test]
fn a_full_report_prints_on_one_page() {
    if std::env::var_os("AIRLOCK_SLOW").is_none() {
        println!("skipped: AIRLOCK_SLOW is not set");
        return;
    }
    let ledger = Ledger::plants();
    let names: Vec<String> = (1..=12)
        .map(|number| format!("registry.example.com/acme/erp/component-with-a-long-name-{number:02}"))
        .collect();
    let package = ledger.package(1, 90, "2026-11-21T12:00:00Z", (1, 2));
    let sql = ledger.sql();
    sql.execute("DELETE FROM signed_name", []).unwrap();
    for name in &names {
        sql.execute(
            "INSERT INTO signed_name SELECT id, randomblob(32), ?1 FROM signed_head WHERE head = ?2",
            rusqlite::params![name, head(9).0],
        )
        .unwrap();
    }
    for number in 0..6 {
        let state = ("healthy", "well", "2026-11-20T09:00:00Z");
        let (target, deployment) = (
            super::ask_made::uuid(5000 + number),
            super::ask_made::uuid(6000 + number),
        );
        ledger.target(1, target, "2026-11-21T11:00:00Z", None, package);
        ledger.deployment(1, target, deployment, Ok(super::ask_made::uuid(90)), state, package);
        ledger.record(
            1,
            u64::from(number) + 10,
            airlock_uuid(),
            "2026-11-20T09:30:00Z",
            "error",
            Some("no such image"),
        );
    }
    for (number, time) in (10..16).zip(["2026-11-20T08:00:00Z"; 6]) {
        ledger.receipt(1, 1, number, airlock::crypto::ReceiptResult::Activated, 9, time);
    }
    for kind in [&["--release", "0.9"][..], &["--since", "2026-11-01T00:00:00Z"]] {
        let words = [
            "vendor",
            "ledger",
            "report",
            "plant-7",
            "--html",
            "--replace",
            "-o",
            "report.html",
        ];
        ledger.json(&[&words[..], kind].concat());
        let printed = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"])
            .arg(format!("--user-data-dir={}", ledger.path("browser").display()))
            .arg(format!("--print-to-pdf={}", ledger.path("report.pdf").display()))
            .arg(ledger.path("report.html"))
            .output();
        let is_here = printed.is_ok();
        if !is_here {
            left_out("chromium is not here: the report was not printed");
            return;
        }
        let pdf = fs::read(ledger.path("report.pdf")).unwrap();
        let pages = String::from_utf8_lossy(&pdf).matches("/Type /Page\n").count();
        assert_eq!(pages, 1, "{kind:?}");
    }
}
