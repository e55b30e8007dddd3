//! M-92: each vendor has an enrolment file of its own, and takes other keys of a site only when a person says so.

use airlock::crypto::Enrolment;
use airlock::db::{Db, Schema, ledger};
use serde_json::json;

use super::bench::{Bench, outbox};
use crate::support::appliance::{read, write};

#[test]
fn each_vendor_has_a_file_that_names_no_other() {
    let bench = Bench::new();
    bench.refused(
        "init --trust acme/root.json --trust other/root.json --site x --enrolment 1.json --enrolment 2.json --enrolment 3.json --state two",
        "E-USAGE",
        "enrolments",
    );
    let made = bench.good(
        "init --trust acme/root.json --trust other/root.json --site x --enrolment a.json --enrolment o.json --state two",
    );
    let (acme, other) = (bench.chain("acme").domain(), bench.chain("other").domain());
    assert_eq!(
        made["enrolments"],
        json!([{"domain": acme, "file": "a.json"}, {"domain": other, "file": "o.json"}])
    );
    for (file, domain, hidden) in [("a.json", acme, other), ("o.json", other, acme)] {
        let bytes = read(&bench.path(file));
        let enrolment = Enrolment::parse(&bytes).unwrap();
        assert_eq!(enrolment.domains, [domain]);
        assert_eq!(made["site"], enrolment.site.as_str());
        assert_eq!(made["status_key"], enrolment.status.id.to_hex());
        let text = format!("{enrolment:?}");
        assert!(!text.contains(&hidden.to_hex()));
        assert_eq!(read(&outbox(&bench.path("two"), &domain)), bytes);
    }
    // One that is pinned later gets its file then, of the same site and keys.
    let added = bench.pin_other();
    let path = outbox(&bench.state(), &other);
    assert_eq!(added["enrolment"], path.to_str().unwrap());
    let (first, later) = (read(&bench.path("plant.json")), read(&path));
    let (first, later) = (Enrolment::parse(&first).unwrap(), Enrolment::parse(&later).unwrap());
    assert_eq!(later.domains, [other]);
    assert_eq!(
        (&first.site, &first.status, first.recipient, first.created_at),
        (&later.site, &later.status, later.recipient, later.created_at)
    );
    // A lost copy comes back with the same act.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(bench.pin_other()["result"], "already");
    assert_eq!(Enrolment::parse(&read(&path)).unwrap(), later);
}

#[test]
fn another_vendors_file_is_not_taken() {
    let bench = Bench::new();
    let added = bench.pin_other();
    let foreign = added["enrolment"].as_str().unwrap();
    bench.refused(&format!("vendor enroll --yes {foreign}"), "E-TRUST", "other-domain");
    assert_eq!(bench.good("vendor sites"), json!([]));
    bench.good("vendor enroll --yes plant.json --name plant");
    bench.refused(
        &format!("vendor enroll --yes {foreign} --replace plant"),
        "E-TRUST",
        "other-domain",
    );
    bench.good(&format!("vendor enroll --yes {foreign} -w other"));
}

#[test]
fn keys_are_replaced_when_a_person_says_so_and_never_come_back() {
    let bench = Bench::new();
    bench.good("vendor enroll --yes plant.json --name plant");
    let domain = bench.chain("acme").domain();
    let rotated = bench.good("status rotate-key --yes");
    let path = outbox(&bench.state(), &domain);
    assert_eq!(rotated["enrolments"], json!([{"domain": domain, "file": path}]));
    let file = path.to_str().unwrap();
    let sites = || bench.good("vendor sites");
    let before = sites();
    bench.refused(&format!("vendor enroll --yes {file}"), "E-EQUIVOCATION", "site-keys");
    bench.refused(
        &format!("vendor enroll --yes {file} --replace mill"),
        "E-USAGE",
        "no-site",
    );
    assert_eq!(sites(), before);
    let replaced = bench.good(&format!("vendor enroll --yes {file} --replace plant"));
    let old = Enrolment::parse(&read(&bench.path("plant.json"))).unwrap();
    assert_eq!(
        (&replaced["result"], &replaced["status_key"], &replaced["before"]),
        (&json!("replaced"), &rotated["status_key"], &json!(old.status.id))
    );
    let after = sites();
    assert_ne!(after[0]["status_key"], before[0]["status_key"]);
    assert_ne!(after[0]["recipient_key"], before[0]["recipient_key"]);
    assert_eq!(after[0]["enrolled_at"], before[0]["enrolled_at"]);
    let again = bench.good(&format!("vendor enroll --yes {file} --replace plant"));
    assert_eq!(again["result"], "already");
    // Whoever found the old file brings nothing back with it.
    for words in [
        "vendor enroll --yes plant.json --replace plant",
        "vendor enroll --yes plant.json",
    ] {
        let ended = bench.run(words);
        let (class, code, _) = ended.refusal.unwrap();
        let expected = if words.contains("--replace") {
            ("E-TRUST", "replaced-key")
        } else {
            ("E-EQUIVOCATION", "site-keys")
        };
        assert_eq!((class.as_str(), code.as_str()), expected);
    }
    assert_eq!(sites(), after);
    let db = Db::open(&bench.path("acme/ledger.db"), &Schema::LEDGER).unwrap();
    let earlier = db.read(|c| ledger::earlier_keys(c, &old.site)).unwrap();
    assert_eq!(earlier.len(), 1);
    assert_eq!(earlier[0].0.to_hex(), before[0]["public_key"].as_str().unwrap());
}

#[test]
fn a_withdrawn_site_counts_no_more_until_it_is_taken_back() {
    let bench = Bench::new();
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    write(
        &bench.path("release.yaml"),
        format!(
            "product: shop\nchannel: stable\nversion: v1\nsequence: 1\nexpires: 2099-01-01T00:00:00Z\naudience: any\nimages:\n\
             - {{source: 'oci:{}/hello:1.0', name: 'registry.test/shop/web:1.0'}}\n",
            fixtures.display()
        )
        .as_bytes(),
    );
    let create = |site: &str| {
        let outside = fixtures.join("hello");
        format!(
            "bundle create -f release.yaml -o {site}.airlock --site {site} --allow-outside {}",
            outside.display()
        )
    };
    let enrolled = bench.good("vendor enroll --yes plant.json --name plant");
    let id = enrolled["site"].as_str().unwrap();
    bench.good(&create("plant"));
    bench.refused("vendor withdraw-site mill", "E-USAGE", "no-site");
    assert_eq!(bench.good("vendor withdraw-site plant")["result"], "withdrawn");
    let at = bench.good("vendor sites")[0]["withdrawn_at"].clone();
    assert!(at.is_string(), "{at}");
    assert_eq!(bench.good(&format!("vendor withdraw-site {id}"))["result"], "already");
    assert_eq!(bench.good("vendor sites")[0]["withdrawn_at"], at);
    for name in ["plant", id] {
        bench.refused(&create(name), "E-USAGE", "value");
    }
    bench.refused("vendor enroll --yes plant.json", "E-TRUST", "withdrawn-site");
    assert_eq!(
        bench.good("vendor enroll --yes plant.json --replace plant")["result"],
        "taken-back"
    );
    assert!(bench.good("vendor sites")[0]["withdrawn_at"].is_null());
    bench.good(&format!("{} --replace", create("plant")));
}

/// Its key is shown before a file counts, and one that is not what the site reads out is not recorded.
#[test]
fn a_key_is_compared_before_it_counts() {
    let bench = Bench::new();
    let key = bench.good("trust show")["status_key"].as_str().unwrap().to_owned();
    let shown = bench.good("vendor enroll --yes plant.json --name plant --dry-run");
    assert_eq!(
        (&shown["result"], &shown["status_key"]),
        (&json!("dry-run"), &json!(key))
    );
    let other = bench.chain("acme").fingerprint();
    let ended = bench.refused(
        &format!("vendor enroll --yes plant.json --name plant --fingerprint {other}"),
        "E-TRUST",
        "fingerprint",
    );
    assert!(
        ended.stderr.contains("ask the site for the right one"),
        "{}",
        ended.stderr
    );
    assert_eq!(bench.good("vendor sites"), json!([]));
    let upper = key.to_uppercase();
    let made = bench.good(&format!(
        "vendor enroll --yes plant.json --name plant --fingerprint {upper}"
    ));
    assert_eq!(made["result"], "enrolled");
    assert_eq!(bench.good("vendor sites")[0]["status_key"], key);
}
