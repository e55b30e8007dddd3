//! M-107 in bundles: one for exactly one site takes the newest acknowledgement along, and what becomes of it changes nothing of the release.

use std::path::Path;

use airlock::bundle::{Head, OpenedBundle};
use airlock::domain::DocumentType;
use serde_json::{Value, json};

use super::both::Both;
use crate::support::appliance::{Ended, read, write};

/// Writes a release file whose audience is for the command line to say.
pub(super) fn release_file(both: &Both) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let text = format!(
        "product: shop\nchannel: stable\nversion: \"1\"\nexpires: 2099-01-01T00:00:00Z\nallow_outside: [{0}]\nimages:\n  \
         - source: oci:{0}/hello\n    name: registry.test/acme/app:1.0\n",
        fixtures.display()
    );
    write(&both.bench.path("release.yaml"), text.as_bytes());
}

fn create(both: &Both, sequence: u64, words: &str) -> Value {
    both.bench.good(&format!(
        "bundle create -f release.yaml --sequence {sequence} -o {sequence}.airlock --replace {words}"
    ))
}

fn head(both: &Both, sequence: u64) -> Head {
    let source = airlock::media::open(&both.bench.path(&format!("{sequence}.airlock")), None).unwrap();
    let signed = OpenedBundle::open(source.input)
        .unwrap()
        .verify(&both.bench.chain("acme"))
        .unwrap();
    signed.head().clone()
}

fn import(both: &Both, sequence: u64) -> Ended {
    both.bench.run(&format!("import {sequence}.airlock"))
}

fn actions(both: &Both) -> Vec<String> {
    both.stream().rows.into_iter().map(|row| row.action).collect()
}

#[test]
fn a_bundle_for_one_site_brings_the_newest_one_and_the_import_applies_it() {
    let both = Both::new();
    release_file(&both);
    // Nothing came from the site yet.
    assert_eq!(create(&both, 1, "--site plant")["acknowledgement"], Value::Null);
    assert_eq!(head(&both, 1).documents, []);
    import(&both, 1).assert_imported();
    let package = both.report(100);
    // The plan says what the run does, and signs nothing.
    let planned = |words: &str| {
        let words = format!("bundle create -f release.yaml --sequence 2 --site plant --dry-run {words}");
        let ended = both.bench.run(&words);
        (ended.result["acknowledgement"].clone(), ended.stderr)
    };
    let (number, said) = planned("");
    assert_eq!(
        (number, said.contains("more to acknowledge")),
        (json!(1), false),
        "{said}"
    );
    let (number, said) = planned("--unsigned");
    assert_eq!(
        (number, said.contains("none goes along")),
        (Value::Null, true),
        "{said}"
    );
    let made = create(&both, 2, "--site plant");
    assert_eq!(made["acknowledgement"], 1);
    let entry = head(&both, 2).document(DocumentType::Acknowledgement).unwrap().clone();
    // The same release again is the same bytes, whatever came meanwhile: a number has one content.
    let bytes = read(&both.bench.path("2.airlock"));
    both.report(150);
    assert_eq!(create(&both, 2, "--site plant")["acknowledgement"], 1);
    assert_eq!(read(&both.bench.path("2.airlock")), bytes);
    // For any and for two sites there is none.
    both.bench
        .good("init --trust acme/root.json --site mill --state mill --enrolment mill.json");
    both.bench.good("vendor enroll --yes mill.json --name mill");
    for (sequence, words) in [(3, "--site any"), (4, "--site plant --site mill"), (5, "--site mill")] {
        if sequence == 3 {
            let text = String::from_utf8(read(&both.bench.path("release.yaml"))).unwrap();
            write(
                &both.bench.path("release.yaml"),
                format!("{text}audience: any\n").as_bytes(),
            );
        }
        let words = if sequence == 3 { "" } else { words };
        assert_eq!(create(&both, sequence, words)["acknowledgement"], Value::Null);
        assert_eq!(head(&both, sequence).document(DocumentType::Acknowledgement), None);
    }
    let ended = import(&both, 2);
    ended.assert_imported();
    assert_eq!(
        ended.result["acknowledgement"],
        json!({"result": "applied", "domain": both.domain, "number": 1, "records": 100, "receipts": package.head.receipts.last,
            "audit": package.head.audit.last, "alarms": [], "over": [], "found": null, "freed": {"records": 100, "packages": 0, "bytes": 0}})
    );
    assert_eq!(
        both.reached(),
        (100, package.head.receipts.last, package.head.audit.last)
    );
    assert!(actions(&both).ends_with(&["import".into(), "activate".into(), "acknowledge".into()]));
    assert_eq!(entry.size, 64.max(entry.size));
    // The same bundle again is nothing to do, twice over.
    let rows = actions(&both);
    let again = import(&both, 2);
    assert_eq!(
        (again.word(), &again.result["acknowledgement"]),
        ("already", &Value::Null)
    );
    assert_eq!(actions(&both), rows);
}

/// What was issued and not applied goes along until it is; what the site applied goes no more.
#[test]
fn one_that_was_made_before_goes_along_until_it_is_applied() {
    let both = Both::new();
    release_file(&both);
    both.report(100);
    let issued = read(&{
        both.issue();
        both.bench.path("issued.ack")
    });
    // Nothing is new: the very same one, also where nobody can sign.
    assert_eq!(create(&both, 1, "--site plant --unsigned")["acknowledgement"], 1);
    assert_eq!(create(&both, 2, "--site plant")["acknowledgement"], 1);
    let digest = airlock::domain::Digest(airlock::domain::Hash(
        <sha2::Sha256 as sha2::Digest>::digest(&issued).into(),
    ));
    assert_eq!(
        head(&both, 2).document(DocumentType::Acknowledgement).unwrap().digest,
        digest
    );
    // There is more to say, and the key is not used: the older one goes, with a word.
    both.report(120);
    let ended = both
        .bench
        .run("bundle create -f release.yaml --sequence 3 -o 3.airlock --site plant --unsigned");
    assert_eq!(ended.result["acknowledgement"], 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("airlock vendor ledger ack"), "{}", ended.stderr);
    // Applied, and the site said so: nothing goes along until there is more.
    both.bench.good("status acknowledge issued.ack");
    both.report(130);
    assert_eq!(create(&both, 4, "--site plant")["acknowledgement"], 2);
    import(&both, 4).assert_imported();
    assert_eq!(both.reached().0, 130);
    let mut reach = both.reach(130);
    // A package that tells no more than what was applied.
    let (_, receipts, audit) = both.reached();
    (reach.receipts, reach.audit) = (receipts, audit);
    both.take_in(&both.sign(reach));
    assert_eq!(create(&both, 5, "--site plant")["acknowledgement"], Value::Null);
    // A site that was withdrawn is answered no more.
    both.report(200);
    both.bench.good("vendor withdraw-site plant");
    let ended = both
        .bench
        .run("bundle create -f release.yaml --sequence 6 -o 6.airlock --site plant");
    assert!(
        ended.code != Some(0) || ended.result["acknowledgement"].is_null(),
        "{}",
        ended.stderr
    );
}

/// A build that fails uses no number.
#[test]
fn a_failed_build_issues_nothing() {
    let both = Both::new();
    release_file(&both);
    both.report(100);
    let text = String::from_utf8(read(&both.bench.path("release.yaml"))).unwrap();
    write(
        &both.bench.path("release.yaml"),
        text.replace("/hello\n", "/nothing\n").as_bytes(),
    );
    let ended = both
        .bench
        .run("bundle create -f release.yaml --sequence 1 -o 1.airlock --site plant");
    assert_ne!(ended.code, Some(0));
    write(&both.bench.path("release.yaml"), text.as_bytes());
    let issued = || -> u64 {
        let ledger = both.ledger();
        ledger
            .read(|c| {
                Ok(
                    c.query_row("SELECT count(*) FROM acknowledgement", [], |row| row.get(0))
                        .unwrap(),
                )
            })
            .unwrap()
    };
    assert_eq!(issued(), 0);
    assert_eq!(create(&both, 1, "--site plant")["acknowledgement"], 1);
    assert_eq!(issued(), 1);
}

/// One that frees nothing refuses no release: a warning, and a row here and in the stream.
#[test]
fn a_refused_one_never_refuses_the_release_that_brings_it() {
    let both = Both::new();
    release_file(&both);
    let package = both.report(100);
    both.issue();
    create(&both, 1, "--site plant");
    both.bench.good("recover --yes --as restored");
    let before = both.stream().rows.len();
    let ended = import(&both, 1);
    ended.assert_imported();
    let heard = &ended.result["acknowledgement"];
    assert_eq!(
        (&heard["result"], &heard["class"], &heard["code"], &heard["number"]),
        (
            &json!("refused"),
            &json!("E-POLICY"),
            &json!("never-exported"),
            &json!(1)
        )
    );
    assert!(
        ended
            .stderr
            .contains("frees nothing; the release is as good as without it"),
        "{}",
        ended.stderr
    );
    let rows = both.stream().rows;
    let told: Vec<_> = rows[before..].iter().map(|row| row.action.as_str()).collect();
    assert_eq!(told, ["import", "activate", "ack-refuse"]);
    assert_eq!(
        rows.last().unwrap().detail,
        json!({"class": "E-POLICY", "code": "never-exported"})
    );
    assert_eq!(both.reached(), (0, 0, 0));
    // One that the role did not sign: the vendor hears what its own bundle carried.
    let says = both.says(1, &[&package]);
    let forged = says.sign(&[&both.key("acme", "release")]);
    both.ledger()
        .write(|tx| Ok(tx.execute("UPDATE acknowledgement SET envelope = ?", [forged]).unwrap()))
        .unwrap();
    assert_eq!(create(&both, 2, "--site plant")["acknowledgement"], 1);
    let ended = import(&both, 2);
    ended.assert_imported();
    assert_eq!(ended.result["acknowledgement"]["class"], "E-SIGNATURE");
    let last = both.stream().rows.pop().unwrap();
    assert_eq!(
        (last.action.as_str(), last.detail),
        ("ack-refuse", json!({"class": "E-SIGNATURE", "code": "below-threshold"}))
    );
}

/// M-110: what the marks know and a database from an older copy does not is imported again.
#[test]
fn a_release_that_only_the_marks_know_is_imported_again() {
    let both = Both::new();
    release_file(&both);
    let state = both.bench.state();
    let older = read(&state.join("airlock.db"));
    create(&both, 1, "--site plant");
    import(&both, 1).assert_imported();
    for side in ["airlock.db-wal", "airlock.db-shm"] {
        std::fs::remove_file(state.join(side)).ok();
    }
    write(&state.join("airlock.db"), &older);
    let ended = both.bench.run("import 1.airlock --dry-run");
    assert_eq!(ended.word(), "dry-run", "{}", ended.stderr);
    import(&both, 1).assert_imported();
    assert_eq!(import(&both, 1).word(), "already");
    // Another content under that number stays what it is: equivocation; and a lower number stays older.
    let mark = |sequence: u64, words: &str| create(&both, sequence, words);
    mark(2, "--site plant");
    import(&both, 2).assert_imported();
    let listed = both.bench.good("release list");
    assert_eq!(listed["releases"].as_array().unwrap().len(), 2);
}
