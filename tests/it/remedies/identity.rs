//! Who a site is: its instance and keys, its enrolment files, copies of its log.

use airlock::crypto::{Chain, Enrolment, Envelope, PayloadType, RecipientKey, SigningKey, canonical};
use airlock::domain::{Hash, Timestamp};

use super::follow::{Operator, commands, copy};
use super::workshop::Workshop;
use crate::support::appliance::{read, write};
use crate::support::bundles::{Made, SMALL_CHUNKS};

fn made(operator: &Operator) -> Made {
    operator.vendor.bundle(1, &[b"a layer".to_vec()], SMALL_CHUNKS)
}

#[test]
fn parts_of_different_times_are_answered_with_what_was_done() {
    let said = |operator: &Operator| {
        std::fs::remove_file(operator.state().join("identity/instance.json")).unwrap();
        let remedy = operator.import(&made(operator)).remedy("E-STATE", "instance");
        commands(&remedy)
    };
    let count = said(&Operator::new()).len();
    assert_eq!(count, 2);
    for which in 0..count {
        let operator = Operator::new();
        operator.follow(&said(&operator)[which], &[]).succeeded();
        operator.import(&made(&operator)).succeeded();
    }
}

#[test]
fn a_status_key_that_nobody_was_given_is_replaced_as_the_message_says() {
    let operator = Operator::new();
    let path = operator.state().join("identity/status.pem");
    std::fs::copy(operator.fresh().state().join("identity/status.pem"), path).unwrap();
    let remedy = operator.import(&made(&operator)).remedy("E-STATE", "status-key");
    for command in commands(&remedy) {
        let asked = operator.follow(&command, &[]).remedy("E-USAGE", "confirm");
        for command in commands(&asked) {
            operator.follow(&command, &[]).succeeded();
        }
    }
    operator.import(&made(&operator)).succeeded();
}

/// The keys count, and something stands where a file of the outbox is to go.
#[test]
fn a_change_of_keys_that_was_stopped_is_finished_as_the_message_says() {
    let operator = Operator::new();
    let outbox = operator.state().join("outbox");
    let name = std::fs::read_dir(&outbox).unwrap().next().unwrap().unwrap().file_name();
    let before = read(&outbox.join(&name));
    std::fs::remove_file(outbox.join(&name)).unwrap();
    std::fs::create_dir(outbox.join(&name)).unwrap();
    let remedy = operator
        .run(&["status", "rotate-key", "--yes"])
        .remedy("E-STATE", "planted");
    assert!(
        remedy.starts_with("find out who put it there; then move it away"),
        "{remedy}"
    );
    std::fs::remove_dir(outbox.join(&name)).unwrap();
    for command in commands(&remedy) {
        operator.follow(&command, &[]).succeeded();
    }
    let (before, after) = (
        Enrolment::parse(&before).unwrap(),
        Enrolment::parse(&read(&outbox.join(&name))).unwrap(),
    );
    assert_eq!(before.site, after.site);
    assert_ne!(before.status, after.status);
    operator.import(&made(&operator)).succeeded();
}

#[test]
fn copies_of_the_log_are_named_and_made_as_the_message_says() {
    let operator = Operator::new();
    let export = |operator: &Operator, name: &str| {
        let path = operator.file(name, b"");
        std::fs::remove_file(&path).unwrap();
        (
            operator
                .run(&["audit", "export", "-o", path.to_str().unwrap()])
                .succeeded()
                .clone(),
            path,
        )
    };
    let verify = |path: &std::path::Path| operator.run(&["audit", "verify", "--against", path.to_str().unwrap()]);
    let good = |remedy: &str| {
        assert!(commands(remedy)[0] == "airlock audit export -o FILE", "{remedy}");
        verify(&export(&operator, "again.jsonl").1).succeeded();
    };
    good(&verify(&operator.file("no-copy", b"{}")).remedy("E-FORMAT", "audit-copy"));
    good(&verify(&operator.file("long", &vec![b'x'; (1 << 20) + 2])).remedy("E-LIMIT", "line"));
    let other = operator.fresh();
    let (_, foreign) = export(&other, "foreign.jsonl");
    good(&verify(&foreign).remedy("E-SIGNATURE", "checkpoint"));
    let (_, copy) = export(&operator, "copy.jsonl");
    let text = String::from_utf8(read(&copy)).unwrap();
    let changed = operator.file("changed.jsonl", text.replacen("\"init\"", "\"ini7\"", 1).as_bytes());
    let remedy = verify(&changed).remedy("E-INTEGRITY", "audit-copy");
    assert!(remedy.starts_with("take another copy"), "{remedy}");
    verify(&copy).succeeded();
}

/// The state was put back: the log lacks what left since. It is said, and the site goes on under another name.
#[test]
fn a_log_that_was_turned_back_is_said_as_the_message_says() {
    let operator = Operator::new();
    let (state, kept) = (operator.state(), operator.state().with_extension("kept"));
    copy(&state, &kept);
    operator.import(&made(&operator)).succeeded();
    let path = operator.file("copy.jsonl", b"");
    std::fs::remove_file(&path).unwrap();
    let path = path.to_str().unwrap();
    operator.run(&["audit", "export", "-o", path]).succeeded();
    std::fs::remove_dir_all(&state).unwrap();
    copy(&kept, &state);
    let remedy = operator
        .run(&["audit", "verify", "--against", path])
        .remedy("E-STATE", "audit-differs");
    for command in commands(&remedy) {
        operator.follow(&command, &[]).succeeded();
    }
    operator.import(&made(&operator)).succeeded();
}

/// A vendor, and files of the site whose keys are made of these bytes.
struct Desk {
    shop: Workshop,
    domain: Hash,
}

impl Desk {
    fn new() -> Self {
        let shop = Workshop::new();
        let domain = Chain::parse(&read(&shop.path("w/root.json"))).unwrap().domain();
        Self { shop, domain }
    }

    fn file(&self, name: &str, site: u8, status: u8, domain: Hash) {
        let status = SigningKey::from_secret(&[status; 32]);
        let recipient = RecipientKey::of_secret(&[site; 32]);
        let site = format!("{site:032x}").parse().unwrap();
        let file = Enrolment::sign(site, domain, recipient, Timestamp::EPOCH, &status);
        write(&self.shop.path(name), &file);
    }

    fn own(&self, name: &str, site: u8, status: u8) {
        self.file(name, site, status, self.domain);
    }
}

#[test]
fn the_right_enrolment_file_is_taken_as_the_message_says() {
    let desk = Desk::new();
    let shop = &desk.shop;
    // Another vendor's, one of two vendors, and no enrolment at all: the site has one for each.
    desk.file("foreign.json", 1, 1, Hash([1; 32]));
    let remedy = shop
        .run("vendor enroll --yes foreign.json")
        .remedy("E-TRUST", "other-domain");
    assert!(
        remedy.starts_with("ask the site for the file that is meant for you"),
        "{remedy}"
    );
    let status = SigningKey::from_secret(&[1; 32]);
    let wrap = |kind, payload| canonical::to_vec(&Envelope::sign(kind, payload, &[&status]));
    desk.own("good.json", 1, 1);
    let mut both = Enrolment::parse(&read(&shop.path("good.json"))).unwrap();
    both.domains = vec![Hash([1; 32]), Hash([2; 32])];
    write(
        &shop.path("both.json"),
        &wrap(PayloadType::Enrolment, canonical::to_vec(&both)),
    );
    let remedy = shop.run("vendor enroll --yes both.json").remedy("E-FORMAT", "domains");
    assert!(remedy.starts_with("take the file of this vendor"), "{remedy}");
    write(
        &shop.path("receipt.json"),
        &wrap(PayloadType::ImportReceipt, b"{}".to_vec()),
    );
    let remedy = shop
        .run("vendor enroll --yes receipt.json")
        .remedy("E-SIGNATURE", "wrong-type");
    assert!(remedy.starts_with("take the enrolment file"), "{remedy}");
    // Which the site has: it pins this vendor, and the file is taken.
    let operator = Operator::new();
    let root = shop.path("w/root.json");
    let fingerprint = Chain::parse(&read(&root)).unwrap().fingerprint().to_hex();
    let words = ["trust", "add", root.to_str().unwrap(), "--fingerprint", &fingerprint];
    let added = operator.run(&words).succeeded().clone();
    shop.good(&format!("vendor enroll --yes {}", added["enrolment"].as_str().unwrap()));
}

#[test]
fn keys_of_a_site_are_replaced_and_taken_back_as_the_message_says() {
    let desk = Desk::new();
    let shop = &desk.shop;
    desk.own("old.json", 1, 1);
    desk.own("new.json", 1, 2);
    desk.own("newest.json", 1, 3);
    desk.own("mill.json", 2, 4);
    shop.good("vendor enroll --yes old.json --name plant");
    shop.good("vendor enroll --yes mill.json --name mill");
    let remedy = shop
        .run("vendor enroll --yes new.json")
        .remedy("E-EQUIVOCATION", "site-keys");
    let option = remedy.split("with ").last().unwrap().replace("SITE", "plant");
    shop.good(&format!("vendor enroll --yes new.json {option}"));
    // A key that it had before: the file of the last change is asked for.
    let remedy = shop
        .run("vendor enroll --yes old.json --replace plant")
        .remedy("E-TRUST", "replaced-key");
    assert!(
        remedy.starts_with("ask the site for the file that its last"),
        "{remedy}"
    );
    shop.good("vendor enroll --yes newest.json --replace plant");
    // Another site's file; a site that is not known.
    let remedy = shop
        .run("vendor enroll --yes newest.json --replace mill")
        .remedy("E-USAGE", "other-site");
    assert!(remedy.starts_with("take the file of this site"), "{remedy}");
    shop.good("vendor enroll --yes mill.json --replace mill");
    let remedy = shop.run("vendor withdraw-site plan").remedy("E-USAGE", "no-site");
    for command in commands(&remedy) {
        let sites = shop.follow(&command, "").succeeded().clone();
        let name = sites
            .as_array()
            .unwrap()
            .iter()
            .find(|site| site["name"] != "mill")
            .unwrap()["name"]
            .clone();
        shop.good(&format!("vendor withdraw-site {}", name.as_str().unwrap()));
    }
    let remedy = shop
        .run("vendor enroll --yes newest.json")
        .remedy("E-TRUST", "withdrawn-site");
    for command in commands(&remedy) {
        shop.follow(&command.replace("FILE", "newest.json"), "").succeeded();
    }
    shop.good("vendor enroll --yes newest.json");
}

#[test]
fn enrolment_files_are_named_for_each_vendor_as_the_message_says() {
    let shop = Workshop::new();
    shop.good("vendor init --product shop --vendor Other --expires 2100-01-01T00:00:00Z other");
    let init = |more: &str| {
        shop.run(&format!(
            "init --trust w/root.json --trust other/root.json --site x --state state {more}"
        ))
    };
    let remedy =
        init("--enrolment one.json --enrolment two.json --enrolment three.json").remedy("E-USAGE", "enrolments");
    assert!(
        remedy.starts_with("give --enrolment once for each --trust at most"),
        "{remedy}"
    );
    init("--enrolment one.json").succeeded();
    shop.good("vendor enroll --yes one.json -w w");
    let mut left = std::fs::read_dir(shop.path("state/outbox"))
        .unwrap()
        .map(|file| file.unwrap().path());
    let others = left.find(|file| {
        shop.run(&format!("vendor enroll --yes {} -w other", file.display()))
            .ended
            .code
            == Some(0)
    });
    assert!(others.is_some(), "the file of the other vendor is in outbox/");
}
