//! Packages that came home and were refused.

use std::path::Path;

use airlock::crypto::Chain;

use super::follow::{Operator, commands};
use super::workshop::Workshop;
use crate::ledger::plant::Plant;
use crate::support::appliance::{read, write};

fn plant(shop: &Workshop) -> Plant {
    let chain = Chain::parse(&read(&shop.path("w/root.json"))).unwrap();
    let plant = Plant::new(1, chain.domain());
    write(&shop.path("plant.json"), &plant.enrolment());
    plant
}

#[test]
fn packages_are_taken_in_after_what_the_message_says() {
    let shop = Workshop::new();
    let mut plant = plant(&shop);
    write(&shop.path("1"), &plant.export().bytes);
    shop.good("vendor init --product shop --vendor Other --expires 2100-01-01T00:00:00Z other");
    let remedy = shop.run("status verify 1 -w other").remedy("E-TRUST", "unknown-domain");
    assert!(
        remedy.starts_with("give it back to the site, ") && remedy.ends_with("name its workspace with -w"),
        "{remedy}"
    );
    let remedy = shop.run("status verify 1 -w w").remedy("E-TRUST", "unknown-site");
    let [enroll] = &commands(&remedy)[..] else {
        panic!("{remedy}")
    };
    shop.follow(&enroll.replace("FILE", "plant.json"), "--yes").succeeded();
    assert_eq!(shop.good("status verify 1 -w w")[0]["result"], "taken-in");

    write(&shop.path("2"), &plant.export().bytes);
    shop.good(&format!("vendor withdraw-site {} -w w", plant.site));
    let remedy = shop.run("status verify 2 -w w").remedy("E-TRUST", "withdrawn-site");
    let [back] = &commands(&remedy)[..] else {
        panic!("{remedy}")
    };
    shop.follow(&back.replace("FILE", "plant.json"), "").succeeded();

    let held = std::fs::File::open(shop.path("w")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let remedy = shop.run("status verify 2 -w w").remedy("E-BUSY", "ingest");
    assert_eq!(remedy, "wait for it to end");
    rustix::fs::flock(&held, rustix::fs::FlockOperation::Unlock).unwrap();
    assert_eq!(shop.good("status verify 2 -w w")[0]["result"], "taken-in");
}

#[test]
fn a_site_that_tells_two_stories_recovers_as_the_message_says() {
    let shop = Workshop::new();
    let mut plant = plant(&shop);
    shop.good("vendor enroll --yes plant.json -w w");
    let mut clone = plant.clone();
    write(&shop.path("1"), &plant.export().bytes);
    shop.good("status verify 1 -w w");
    clone.report(1);
    write(&shop.path("other"), &clone.export().bytes);
    let remedy = shop
        .run("status verify other -w w")
        .remedy("E-EQUIVOCATION", "package-number");
    let kept = shop.path("w/evidence").join(clone.site.as_str());
    assert_eq!(std::fs::read_dir(kept).unwrap().count(), 1);
    let [recover] = &commands(&remedy)[..] else {
        panic!("{remedy}")
    };
    // The command is one of a site; what it does to a stream is done to the one here.
    Operator::new().follow(recover, &[]).succeeded();
    clone.recover(5, "restored");
    write(&shop.path("recovered"), &clone.export().bytes);
    assert_eq!(shop.good("status verify recovered -w w")[0]["result"], "taken-in");
}

/// What classes say of packages speaks of packages, and helps.
#[test]
fn what_is_no_good_package_is_answered_as_one() {
    let shop = Workshop::new();
    let mut plant = plant(&shop);
    shop.good("vendor enroll --yes plant.json -w w");
    let first = plant.export();
    write(&shop.path("1"), &first.bytes);
    shop.good("status verify 1 -w w");

    // The site has another key: its file is taken, and the package again.
    let mut renewed = plant.clone();
    renewed.acknowledge(1, first.lasts);
    renewed.rotate(8, 77);
    write(&shop.path("renewed.json"), &renewed.enrolment());
    write(&shop.path("2"), &renewed.export().bytes);
    let guard = "status verify 2 --enrolment plant.json";
    let said = shop.run(guard).remedy("E-SIGNATURE", "below-threshold");
    assert!(
        said.starts_with("where the site replaced its status key, give the new enrolment file with --enrolment too"),
        "{said}"
    );
    shop.good(&format!("{guard} --enrolment renewed.json"));
    let remedy = shop
        .run("status verify 2 -w w")
        .remedy("E-SIGNATURE", "below-threshold");
    let [enroll] = &commands(&remedy)[..] else {
        panic!("{remedy}")
    };
    let enroll = enroll
        .replace("FILE", "renewed.json")
        .replace("SITE", plant.site.as_str());
    let replaced = shop.follow(&enroll, "--yes");
    let shown = replaced.succeeded();
    assert_eq!(shown["status_key"], renewed.key().public().id().to_string());
    assert_eq!(shop.good("status verify 2 -w w")[0]["result"], "taken-in");

    // What the earlier key signed comes again under the new one.
    plant.report(1);
    write(&shop.path("old"), &plant.export().bytes);
    let remedy = shop.run("status verify old -w w").remedy("E-SIGNATURE", "replaced-key");
    assert_eq!(
        remedy,
        "take the site's next package: it is signed with its new key, and covers this one"
    );
    renewed.report(1);
    write(&shop.path("3"), &renewed.export().bytes);
    shop.good("status verify 3 -w w");

    // Too large a file, and what no appliance makes: by the vectors, and the next one is good.
    let large = std::fs::File::create(shop.path("large")).unwrap();
    large.set_len((5 << 28) + 1).unwrap();
    let remedy = shop.run("status verify large -w w").remedy("E-LIMIT", "package-size");
    assert_eq!(commands(&remedy), ["airlock status preview --max-size SIZE"]);
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-spec/status-vectors");
    for name in ["v8-shown", "v8-action"] {
        let packed = read(&vectors.join("bad").join(name).join("1.airlock-status.zst"));
        write(&shop.path(name), &zstd::stream::decode_all(&packed[..]).unwrap());
    }
    write(
        &shop.path("good"),
        &read(&vectors.join("good/unrounded/1.airlock-status")),
    );
    write(
        &shop.path("theirs.json"),
        &read(&vectors.join("enrolments/7f6ba501c063.json")),
    );
    let remedy = shop.run("status verify v8-shown --enrolment theirs.json");
    let remedy = remedy.remedy("E-CONTENT", "coverage");
    assert!(remedy.starts_with("an appliance makes no such package: "), "{remedy}");
    let remedy = shop.run("status verify v8-action --enrolment theirs.json");
    let remedy = remedy.remedy("E-FORMAT", "line");
    assert!(remedy.starts_with("copy the package again; "), "{remedy}");
    assert_eq!(commands(&remedy), ["airlock status export DEST --again NUMBER"]);
    shop.good("status verify good --enrolment theirs.json");
}

/// What classes say of summaries speaks of summaries. Good ones are taken in by the circle.
#[test]
fn summaries_are_answered_as_summaries() {
    let shop = Workshop::new();
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("bundle-spec/status-vectors");
    let refused = |name: &str, class: &str, code: &str| {
        write(&shop.path("text"), &read(&vectors.join(name).join("summary.txt")));
        shop.run("status verify text -w w").remedy(class, code)
    };
    let remedy = refused("bad/summary-large", "E-LIMIT", "summary-size");
    assert_eq!(remedy, "ask the site for the status package itself");
    let remedy = refused("bad/summary-line", "E-FORMAT", "series-line");
    assert!(remedy.starts_with("give the summary again, "), "{remedy}");
    let remedy = refused("good/summary-example", "E-TRUST", "unknown-site");
    assert_eq!(commands(&remedy), ["airlock vendor enroll FILE -w w"]);
    let mut plant = plant(&shop);
    plant.site = "0123456789abcdef0123456789abcdef".parse().unwrap();
    write(&shop.path("plant.json"), &plant.enrolment());
    shop.follow("airlock vendor enroll plant.json -w w", "--yes")
        .succeeded();
    let remedy = refused("good/summary-example", "E-SIGNATURE", "bad-signature");
    assert_eq!(commands(&remedy), ["airlock vendor enroll FILE --replace SITE -w w"]);
}

#[test]
fn a_summary_is_no_package_for_a_guard() {
    let shop = Workshop::new();
    let mut plant = plant(&shop);
    write(&shop.path("1"), &plant.export().bytes);
    write(&shop.path("text"), b"AIRLOCK1/C7B4/1/1:W50TK4F1DL72");
    let guard = "status verify text --enrolment plant.json";
    let ran = shop.run(guard);
    assert_eq!(ran.refused["class"], "E-USAGE", "{:?}", ran.refused);
    shop.good("status verify 1 --enrolment plant.json");
}
