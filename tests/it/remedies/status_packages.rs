//! Packages that came home and were refused.

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
    assert_eq!(remedy, "name the workspace of the vendor that it goes to with -w");
    let remedy = shop.run("status verify 1 -w w").remedy("E-TRUST", "unknown-site");
    let [enroll] = &commands(&remedy)[..] else {
        panic!("{remedy}")
    };
    shop.follow(&enroll.replace("FILE", "plant.json"), "").succeeded();
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
    drop(held);
    assert_eq!(shop.good("status verify 2 -w w")[0]["result"], "taken-in");
}

#[test]
fn a_site_that_tells_two_stories_recovers_as_the_message_says() {
    let shop = Workshop::new();
    let mut plant = plant(&shop);
    shop.good("vendor enroll plant.json -w w");
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
