//! Receipts of refusals: for what is about the bundle and its verified head, once a day, and never with another vendor's name.

use airlock::appliance::Options;
use airlock::crypto::{Receipt, ReceiptResult};
use airlock::db::site::audit;
use airlock::domain::Timestamp;
use serde_json::{Value, json};

use super::site::{Site, head};
use crate::support::bundles::{Made, SMALL_CHUNKS};
use crate::support::desired::{Desired, target_id};
use crate::support::streams::{self, Stream};

/// Details of the refusals in the whole log.
fn refusals(site: &Site) -> Vec<Value> {
    let rows = site.appliance().db.read(|c| audit::list(c, 0, 10_000)).unwrap();
    let rows = rows.into_iter().filter(|row| row.action == "refuse");
    rows.map(|row| serde_json::from_str(&row.detail).unwrap()).collect()
}

fn told(stream: &Stream) -> Vec<&Receipt> {
    let refused = |receipt: &&Receipt| receipt.result == ReceiptResult::Refused;
    stream.receipts.iter().filter(refused).collect()
}

fn why(receipt: &Receipt) -> (&str, &str, &str) {
    let text = |member: &'_ Option<String>| member.clone().unwrap().leak() as &str;
    (text(&receipt.class), text(&receipt.code), text(&receipt.step))
}

#[test]
fn a_refusal_is_told_once_a_day_for_each_head_and_reason() {
    let mut site = Site::new();
    let domain = site.a.chain().domain();
    let (one, two) = (
        site.a.bundle(1, &[b"one".to_vec()], SMALL_CHUNKS),
        site.a.bundle(2, &[b"two".to_vec()], SMALL_CHUNKS),
    );
    site.import(&two).unwrap();
    let before = streams::only(&site.state());
    let refuse = |site: &Site, made: &Made| assert_eq!(site.import(made).unwrap_err().code(), "older");
    refuse(&site, &one);
    let stream = streams::of(&site.state(), domain);
    assert_eq!(&stream.rows[..before.rows.len()], before.rows);
    let (last, receipt) = (stream.rows.last().unwrap(), stream.receipts.last().unwrap());
    assert_eq!(
        (last.action.as_str(), &last.detail),
        (
            "refuse",
            &json!({"class": "E-ROLLBACK", "code": "older", "head": head(&one), "receipt": 3, "step": "X7"})
        )
    );
    assert_eq!(why(receipt), ("E-ROLLBACK", "older", "X7"));
    assert_eq!(
        (receipt.sequence, receipt.version.as_str(), receipt.root_version),
        (1, "1.0", 1)
    );
    // Again on this day: a row here, and nothing more to tell.
    refuse(&site, &one);
    assert_eq!(
        (refusals(&site).len(), told(&streams::only(&site.state())).len()),
        (2, 1)
    );
    // Another head is another verdict, and so is another day.
    let zero = site.a.bundle(1, &[b"zero".to_vec()], SMALL_CHUNKS);
    refuse(&site, &zero);
    assert_eq!(told(&streams::only(&site.state())).len(), 2);
    site.wait(14 * 3600 - 1);
    refuse(&site, &one);
    assert_eq!(told(&streams::only(&site.state())).len(), 2);
    site.wait(1);
    refuse(&site, &one);
    assert_eq!(
        (refusals(&site).len(), told(&streams::only(&site.state())).len()),
        (5, 3)
    );
}

#[test]
fn what_is_no_verdict_about_a_verified_head_stays_here() {
    let site = Site::new();
    let good = site.a.bundle(1, &[b"one".to_vec()], SMALL_CHUNKS);
    let cut = Made {
        bytes: good.bytes[..good.bytes.len() - 1500].to_vec(),
        ..good.clone()
    };
    let mut flipped = good.clone();
    *flipped.bytes.last_mut().unwrap() = 1;
    let mut forged = good.clone();
    let at = forged.bytes.windows(6).position(|window| window == b"03-hea").unwrap();
    forged.bytes[at + 700] ^= 1;
    let stranger = site.b.bundle(1, &[b"one".to_vec()], SMALL_CHUNKS);
    let dry = Options {
        dry_run: true,
        ..Options::default()
    };
    let mut local = 0;
    for (made, options, class, is_told) in [
        (&cut, Options::default(), "E-INCOMPLETE", false),
        (&forged, Options::default(), "E-SIGNATURE", false),
        (&stranger, Options::default(), "E-TRUST", false),
        (&flipped, dry, "E-FORMAT", false),
        (&flipped, Options::default(), "E-FORMAT", true),
    ] {
        let before = streams::only(&site.state());
        let error = site.import_with(made, &options).unwrap_err();
        assert_eq!(error.class().name(), class, "{error}");
        local += 1;
        assert_eq!(refusals(&site).len(), local, "{class}");
        let now = streams::only(&site.state());
        assert_eq!(now.rows.len(), before.rows.len() + usize::from(is_told), "{class}");
        assert_eq!(told(&now).len(), usize::from(is_told), "{class}");
    }
    // The twin.
    site.import(&good).unwrap();
}

#[test]
fn heads_that_are_refused_as_soon_as_they_are_read_are_told_too() {
    let mut site = Site::new();
    let product = site.a.bundle_of("erp", "registry.test/x/y", 1, &[b"x".to_vec()]);
    site.a
        .rotate(|root| root.products.retain(|product| product.as_str() != "erp"));
    site.pin(&site.a);
    let nobody = site.a.bundle_as("crm", 1, |release| {
        let other = "00000000000000000000000000000000".parse().unwrap();
        release.audience = airlock::domain::Audience::Sites(vec![other]);
    });
    let expired = site.a.bundle_as("crm", 1, |release| {
        release.expires = "2026-11-02T00:00:00Z".parse().unwrap();
    });
    for (made, expected) in [
        (&nobody, ("E-AUDIENCE", "site", "X6")),
        (&expired, ("E-EXPIRED", "bundle", "X8")),
        (&product, ("E-AUDIENCE", "product", "X6")),
    ] {
        let error = site.import(made).unwrap_err();
        assert_eq!((error.class().name(), error.code()), (expected.0, expected.1));
        let stream = streams::only(&site.state());
        let receipt = told(&stream).pop().unwrap();
        assert_eq!((why(receipt), receipt.head), (expected, head(made)));
    }
}

/// A vendor could ask the appliance who else is there: it learns that the refusal is the site's own affair.
#[test]
fn s12_a_claim_of_anothers_target_is_told_as_a_local_matter() {
    let site = Site::new();
    site.pin(&site.b);
    let (a, b) = (site.a.chain().domain(), site.b.chain().domain());
    let fleet = |count| move |image| Desired::docker(image, count, "x");
    site.import(&site.b.with_targets(1, fleet(2))).unwrap();
    let b_before = streams::of(&site.state(), b);
    let claim = site.a.with_targets(1, fleet(1));
    let error = site.import(&claim).unwrap_err();
    assert_eq!((error.class().name(), error.code()), ("E-POLICY", "foreign-target"));
    let local = refusals(&site).pop().unwrap();
    assert_eq!(local["code"], "foreign-target");
    assert!(
        local["found"]
            .as_str()
            .unwrap()
            .contains(&target_id("edge-0").to_string())
    );
    let stream = streams::of(&site.state(), a);
    let receipt = told(&stream).pop().unwrap();
    assert_eq!(why(receipt), ("E-POLICY", "local", "X13"));
    let row = stream.rows.last().unwrap().detail.to_string();
    for hidden in ["foreign", &target_id("edge-0").to_string(), &b.to_hex()] {
        assert!(!row.contains(hidden), "{row}");
    }
    // Nothing of it stands in the other's stream.
    assert_eq!(streams::of(&site.state(), b).rows, b_before.rows);

    // The twin: what another product of its own has is said as it is.
    let own = Site::new();
    own.import(&own.a.with_targets_of("erp", 1, fleet(1))).unwrap();
    own.import(&own.a.with_targets_of("crm", 1, fleet(1))).unwrap_err();
    let stream = streams::only(&own.state());
    assert_eq!(why(told(&stream).pop().unwrap()), ("E-POLICY", "foreign-target", "X13"));
    assert!(stream.receipts.iter().all(|receipt| receipt.at != Timestamp::EPOCH));
}
