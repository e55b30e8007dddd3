//! The whole way: what a site froze, wrote and signed goes to its vendor, whose answer comes back in the next bundle, twice over.

use std::sync::Arc;

use airlock::appliance::Appliance;
use airlock::appliance::status::{Quota, StatusBuffer};
use airlock::crypto::KeyFile;
use airlock::db::SqlResult as _;
use airlock::domain::{Hash, StatusKind, SystemClock};
use airlock::package::{Acknowledged, Head, UnsignedPackage};
use serde_json::Value;

use super::both::Both;
use super::bundle::release_file;
use crate::package::made;
use crate::support::appliance::{read, write};
use crate::support::status::{AT_ONCE, of, status, submit};

/// Makes the next draft as a person does, and signs it: its number is used then.
fn export(both: &Both) -> Head {
    both.bench.good("status preview");
    let db = both.site_db();
    let head: Hash = db
        .read(|c| {
            c.query_row("SELECT head FROM package WHERE state = 'draft'", [], |row| row.get(0))
                .sql("read")
        })
        .unwrap();
    let path = both.bench.state().join(format!("outbox/{head}.airlock-status"));
    let draft = read(&path);
    let mut package = UnsignedPackage::open(made::input(&draft)).unwrap();
    let key = KeyFile::read(&both.bench.state().join("identity/status.pem")).unwrap();
    package.sign(&key.signing_key(None).unwrap());
    let mut signed = Vec::new();
    package.write(&mut std::io::Cursor::new(draft), &mut signed).unwrap();
    db.write(|tx| {
        tx.execute("UPDATE package SET state = 'signed' WHERE head = ?", [head])
            .sql("sign")
    })
    .unwrap();
    write(&path, &signed);
    let name = package.head().file_name();
    write(&both.bench.path(&name), &signed);
    both.bench.good(&format!("status verify {name}"));
    package.head().clone()
}

fn report(both: &Both, texts: &[&str]) {
    let appliance = Appliance::open(&both.bench.state(), Arc::new(SystemClock)).unwrap();
    let open = StatusBuffer::open_collecting(&appliance, Quota::default(), AT_ONCE).unwrap();
    for text in texts {
        let kind = if text.len().is_multiple_of(2) {
            StatusKind::Healthy
        } else {
            StatusKind::Error
        };
        submit(&open, of(both.domain, status("a", "r1", kind, text))).unwrap();
    }
}

fn cross(both: &Both, sequence: u64) -> Value {
    let made = both.bench.good(&format!(
        "bundle create -f release.yaml --sequence {sequence} -o {sequence}.airlock --site plant"
    ));
    assert_eq!(made["acknowledgement"], sequence, "{made}");
    both.bench.good(&format!("import {sequence}.airlock"))["acknowledgement"].clone()
}

#[test]
fn what_goes_home_is_answered_in_the_next_bundle_and_told_no_more() {
    let both = Both::new();
    release_file(&both);
    report(&both, &["well", "bad", "good"]);
    let first = export(&both);
    assert_eq!(
        (first.acknowledged, first.records.first, first.records.last),
        (None, 1, 3)
    );
    let heard = cross(&both, 1);
    assert_eq!(
        (&heard["result"], heard["records"].as_u64(), heard["audit"].as_u64()),
        (&"applied".into(), Some(3), Some(first.audit.last))
    );
    report(&both, &["bad"]);
    let second = export(&both);
    assert_eq!(
        second.acknowledged,
        Some(Acknowledged {
            audit: first.audit.last,
            number: 1,
            receipts: first.receipts.last,
            records: 3
        })
    );
    assert_eq!(second.records.first, 4);
    assert_eq!((second.receipts.first, second.receipts.last), (1, 2));
    // The next one is lost on its way home; the one after it covers what it told.
    let heard = cross(&both, 2);
    assert_eq!(
        (heard["number"].as_u64(), heard["receipts"].as_u64()),
        (Some(2), Some(2))
    );
    assert_eq!(both.bench.good("audit verify")["against"], Value::Array(Vec::new()));
    let findings = both
        .ledger()
        .read(|c| airlock::db::ledger::findings::open(c, Some(&both.site)))
        .unwrap();
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert!(codes.iter().all(|code| !code.contains("missing")), "{codes:?}");
}
