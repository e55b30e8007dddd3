//! Remedies that somebody else carries out: the vendor makes another bundle, or a program that reads this one takes its place.
//!
//! Both bundles are the same but for what the message is about, and are given to the same command.

use airlock::crypto::{Envelope, PayloadType};
use airlock::domain::Version;
use serde_json::{Value, json};

use super::follow::{Operator, commands};
use crate::differential::draft::{Changes, Draft, written};
use crate::format::vectors::vectors;
use crate::support::bundles::{Made, SMALL_CHUNKS};
use crate::support::desired::{Desired, deployment_id, target_id};
use crate::support::site::noise;

fn draft(operator: &Operator) -> Draft {
    Draft::of(&operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS).bytes)
}

fn import(operator: &Operator, bytes: &[u8]) -> super::follow::Ran {
    let file = operator.file("bundle.airlock", bytes);
    operator.run(&["import", file.to_str().unwrap()])
}

/// A version that no program has yet.
const NEWER: &str = "99.1.0";

/// The version that `update airlock to X and try again` names: of the two bundles, the one whose reader is this program comes in.
#[test]
fn a_bundle_for_a_newer_program_names_it_and_one_for_this_comes_in() {
    let operator = Operator::new();
    let this = Version::current().to_string();
    let named = |remedy: &str| {
        let rest = remedy.strip_prefix("update airlock to ").unwrap();
        rest.strip_suffix(" and try again").unwrap().to_owned()
    };
    // A feature of the head.
    let head = |reader: &str, requires: &Value| {
        let mut draft = draft(&operator);
        draft.head["reader"] = json!(reader);
        draft.head["requires"] = requires.clone();
        draft.build(operator.vendor.key(), Changes::default())
    };
    let refused = import(&operator, &head(NEWER, &json!(["paging"])));
    assert_eq!(named(&refused.remedy("E-FORMAT", "needs-newer-reader")), NEWER);
    // A root.
    let link = |reader: &str| {
        let mut root = operator.vendor.chain().newest().clone();
        (root.version, root.reader) = (2, reader.parse().unwrap());
        let envelope = Envelope::sign(PayloadType::TrustRoot, root.to_payload(), &[operator.vendor.root_key()]);
        let mut draft = draft(&operator);
        let mut trust: Value = serde_json::from_str(std::str::from_utf8(&draft.trust).unwrap()).unwrap();
        trust["roots"].as_array_mut().unwrap().push(json!(envelope));
        draft.trust = written(&trust);
        draft.head["root_version"] = json!(2);
        draft.build(operator.vendor.key(), Changes::default())
    };
    let refused = import(&operator, &link(NEWER));
    assert_eq!(named(&refused.remedy("E-TRUST", "needs-newer-reader")), NEWER);
    // What the appliance must be at least.
    let minimum = |version: &str| {
        let bundle = operator.vendor.bundle_as("crm", 1, |release| {
            release.minimum_appliance = version.parse().unwrap();
        });
        bundle.bytes
    };
    let refused = import(&operator, &minimum(NEWER));
    assert!(refused.ended.stderr.contains(NEWER), "{}", refused.ended.stderr);
    let remedy = refused.remedy("E-AUDIENCE", "appliance-version");
    assert_eq!(remedy, "update airlock on this appliance first");
    for bundle in [head(&this, &json!([])), link(&this), minimum(&this)] {
        import(&operator.fresh(), &bundle).succeeded();
    }
}

#[test]
fn bundles_of_other_formats_are_made_as_this_program_reads_them() {
    let operator = Operator::new();
    // Another version of the format.
    let (bad, good) = (vectors("bad"), vectors("good"));
    let other = bad.iter().find(|vector| vector.name == "b01-version-2").unwrap();
    let right = good.iter().find(|vector| vector.name == "one-image").unwrap();
    let verify = |bundle: &std::path::Path| {
        let pin = right.pin_paths()[0].clone();
        operator.run(&[
            "bundle",
            "verify",
            bundle.to_str().unwrap(),
            "--trust",
            pin.to_str().unwrap(),
        ])
    };
    let remedy = verify(&other.bundle_path()).remedy("E-FORMAT", "unsupported-version");
    assert_eq!(remedy, "update airlock, or ask the vendor for a bundle of version 1");
    verify(&right.bundle_path()).succeeded();
}

#[test]
fn what_a_bundle_needs_comes_with_the_base_or_with_a_full_one() {
    let operator = Operator::new();
    let base = operator.vendor.bundle(1, &[noise(4000, 1)], SMALL_CHUNKS);
    let full = operator
        .vendor
        .bundle(2, &[noise(4000, 1), noise(300, 2)], SMALL_CHUNKS);
    let mut delta = Draft::of(&full.bytes);
    let layer = base.layers[0].to_string();
    let at = delta.find(|line, _| line["digest"] == layer.as_str());
    let (line, _) = delta.blobs.remove(at);
    delta
        .names
        .push(json!({"kind": "need", "digest": layer, "size": line["size"]}));
    let delta = delta.build(operator.vendor.key(), Changes::default());
    // The base first, or a full one.
    let remedy = import(&operator, &delta).remedy("E-DEPENDENCY", "needs");
    assert_eq!(
        remedy,
        "import the base bundle first, where it was never imported here; where it was let go, ask the vendor for a full one"
    );
    let other = operator.fresh();
    import(&other, &delta).remedy("E-DEPENDENCY", "needs");
    other.import(&full).succeeded();
    operator.import(&base).succeeded();
    // What was brought and is gone: the bundle that brought it, once more; so of a bundle that is here already.
    let gone = || {
        let hex = base.layers[0].0.to_hex();
        let blob = operator.state().join("blobs/sha256").join(&hex[..2]).join(&hex);
        std::fs::remove_file(blob).unwrap();
    };
    let brought_again = |told: &str| {
        assert!(told.contains("import the bundle of release 1 "), "{told}");
        let file = operator.file("base.airlock", &base.bytes);
        for command in commands(told) {
            operator
                .follow(&command, &[("FILE", file.to_str().unwrap())])
                .succeeded();
        }
    };
    gone();
    brought_again(&import(&operator, &delta).remedy("E-DEPENDENCY", "needs"));
    import(&operator, &delta).succeeded();
    gone();
    let warned = || {
        let again = import(&operator, &delta);
        // Whoever imports unattended notices what is still damaged.
        assert!(matches!(again.ended.code, Some(0 | 27)), "{}", again.ended.stderr);
        let mut lines = again.ended.stderr.lines().map(str::to_owned);
        lines.find(|line| line.contains("\"warning\""))
    };
    brought_again(&warned().unwrap());
    assert_eq!(warned(), None);
    import(&operator, &delta).succeeded();
}

#[test]
fn who_looks_at_a_bundle_gives_the_date_or_gets_a_newer_one() {
    let mut operator = Operator::new();
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let verify = |made: &Made, more: &[&str]| {
        let bundle = operator.bundle(made);
        let mut words = vec!["bundle", "verify", bundle.to_str().unwrap(), "--trust"];
        words.push(root.to_str().unwrap());
        words.extend(more);
        operator.run(&words)
    };
    let dated = |issued: &str, expires: &str| {
        operator.vendor.bundle_as("crm", 1, |release| {
            (release.issued_at, release.expires) = (issued.parse().unwrap(), expires.parse().unwrap());
        })
    };
    // The vendor says that the date is right.
    let ahead = dated("2089-01-01T00:00:00Z", "2090-01-01T00:00:00Z");
    let remedy = verify(&ahead, &[]).remedy("E-CLOCK", "issued-ahead");
    let option = remedy.split_whitespace().last().unwrap();
    verify(&ahead, &[option, "2089-01-01T00:00:00Z"]).succeeded();
    // The vendor makes a newer one.
    let at = ["--at", "2027-01-01T00:00:00Z"];
    let old = dated("2026-01-01T00:00:00Z", "2026-12-01T00:00:00Z");
    let remedy = verify(&old, &at).remedy("E-EXPIRED", "bundle");
    assert_eq!(remedy, "ask the vendor for a newer bundle");
    verify(&dated("2026-12-20T00:00:00Z", "2090-01-01T00:00:00Z"), &at).succeeded();
    // Of one whose root has expired too: one under the next root.
    let last = operator.vendor.chain().newest().expires;
    let at = ["--at", &last.to_string()];
    let remedy = verify(&dated("2026-12-20T00:00:00Z", "2090-01-01T00:00:00Z"), &at).remedy("E-EXPIRED", "root");
    assert_eq!(remedy, "ask the vendor for a newer bundle");
    let late = "9999-01-01T00:00:00Z";
    let vendor = std::rc::Rc::get_mut(&mut operator.vendor).unwrap();
    vendor.rotate(|root| root.expires = late.parse().unwrap());
    let newer = vendor.bundle_as("crm", 1, |release| release.expires = late.parse().unwrap());
    let bundle = operator.bundle(&newer);
    let words = ["bundle", "verify", bundle.to_str().unwrap(), "--trust"];
    operator
        .run(&[&words[..], &[root.to_str().unwrap()], &at].concat())
        .succeeded();
}

#[test]
fn a_release_whose_target_was_let_go_gives_way_to_another() {
    let operator = Operator::new();
    let vendor = &operator.vendor;
    let both = |image| Desired::docker(image, 2, "a");
    operator.import(&vendor.with_targets_of("crm", 1, both)).succeeded();
    for id in [deployment_id("edge-0"), target_id("edge-0")] {
        operator.run(&["target", "free", &id.to_string(), "--yes"]).succeeded();
    }
    let theirs = vendor.with_targets_of("erp", 1, |image| Desired::docker(image, 1, "b"));
    operator.import(&theirs).succeeded();
    // Those without it, from the vendor: one is live, and one waits.
    let without = |n| vendor.with_targets_of("crm", n, |image| both(image).without(&["edge-0"]));
    operator.import(&without(2)).succeeded();
    let file = operator.bundle(&without(3));
    operator
        .run(&["import", file.to_str().unwrap(), "--no-activate"])
        .succeeded();
    let activate = |version: &str| operator.run(&["release", "activate", version, "--product", "crm/stable"]);
    let remedy = activate("1.0").remedy("E-POLICY", "foreign-target");
    assert_eq!(
        remedy,
        "make another release live, or ask the vendor for one without it"
    );
    activate("3.0").succeeded();
}

/// The key that an appliance signs with, locked or damaged: what is said to whoever names a key file helps nobody here.
#[test]
fn an_appliance_whose_key_does_not_open_is_put_back_whole() {
    use crate::support::appliance::{read, write};
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS);
    let kept = operator.state().with_extension("kept");
    super::follow::copy(&operator.state(), &kept);
    let key = operator.state().join("identity/status.pem");
    let locked = || {
        let (whole, locked) = (
            airlock::crypto::KeyFile::read(&key).unwrap(),
            key.with_extension("locked"),
        );
        let secret = whole.signing_key(None).unwrap();
        airlock::crypto::write_signing_key(&locked, &secret, Some("correct horse battery staple")).unwrap();
        rustix::fs::rename(&locked, &key).unwrap();
    };
    let spoilt = || {
        let half = read(&key).len() / 2;
        let bytes = read(&key)[..half].to_vec();
        write(&key, &bytes);
    };
    let gone = || std::fs::remove_file(&key).unwrap();
    let strikes: [&dyn Fn(); 3] = [&locked, &spoilt, &gone];
    for strike in strikes {
        strike();
        let remedy = operator.import(&made).remedy("E-STATE", "status-key");
        assert_eq!(
            remedy,
            "end airlock serve, then put a whole copy of the state folder in its place, or make another key with `airlock status rotate-key`"
        );
        std::fs::remove_dir_all(operator.state()).unwrap();
        super::follow::copy(&kept, &operator.state());
    }
    operator.import(&made).succeeded();
}

/// Numbers that a site does not take: the vendor says which bundle is right, and makes it.
#[test]
fn numbers_that_a_site_refuses_are_made_right_by_the_vendor() {
    use airlock::crypto::EpochRule;
    let mut operator = Operator::new();
    operator
        .import(&operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS))
        .succeeded();
    // Two releases under one number: both are kept, and the vendor gives one of them another.
    let twice = operator.vendor.bundle(1, &[noise(100, 2)], SMALL_CHUNKS);
    let remedy = operator.import(&twice).remedy("E-EQUIVOCATION", "same-number");
    assert!(remedy.starts_with("keep both media and ask the vendor"), "{remedy}");
    operator
        .import(&operator.vendor.bundle(2, &[noise(100, 2)], SMALL_CHUNKS))
        .succeeded();
    // One that would lock out every later one.
    let far = operator.vendor.bundle(9_000_000_000, &[noise(100, 3)], SMALL_CHUNKS);
    let remedy = operator.import(&far).remedy("E-ROLLBACK", "fast-forward");
    assert_eq!(remedy, "ask the vendor: such a jump would lock out every later release");
    operator
        .import(&operator.vendor.bundle(3, &[noise(100, 3)], SMALL_CHUNKS))
        .succeeded();
    // A new epoch, before a root names it.
    let mut early = Draft::of(&operator.vendor.bundle(1, &[noise(100, 4)], SMALL_CHUNKS).bytes);
    early.head["epoch"] = json!(1);
    let early = early.build(operator.vendor.key(), Changes::default());
    let remedy = import(&operator, &early).remedy("E-ROLLBACK", "epoch");
    assert_eq!(
        remedy,
        "ask the vendor for a bundle under a root that names the new epoch"
    );
    let vendor = std::rc::Rc::get_mut(&mut operator.vendor).unwrap();
    vendor.rotate(|root| {
        root.epochs = vec![EpochRule {
            channel: "stable".parse().unwrap(),
            epoch: 1,
            product: "crm".parse().unwrap(),
        }];
    });
    let named = vendor.bundle_as("crm", 1, |release| release.epoch = 1);
    operator.import(&named).succeeded();
}

/// Of targets made here the vendor names no UUID: what a release states gets others.
#[test]
fn uuids_of_targets_made_here_are_stated_by_no_vendor() {
    let operator = Operator::new();
    let first = operator.vendor.with_targets(1, |image| Desired::docker(image, 1, "a"));
    operator.import(&first).succeeded();
    for name in ["one", "two"] {
        operator.run(&["target", "add", name, "--like", "edge-0"]).succeeded();
    }
    let list = operator.run(&["target", "list"]).succeeded().clone();
    let made_here = |name: &str| -> airlock::domain::Uuid {
        let all = list["targets"].as_array().unwrap();
        let target = all.iter().find(|target| target["name"] == name).unwrap();
        target["id"].as_str().unwrap().parse().unwrap()
    };
    let stating = |ids: &[airlock::domain::Uuid]| {
        operator.vendor.with_targets(2, |image| {
            let mut desired = Desired::docker(image, 3, "a");
            for (number, id) in (1..).zip(ids) {
                desired.target(&format!("edge-{number}")).id = *id;
            }
            desired.state.targets.sort_by_key(|target| target.id);
            desired
        })
    };
    let claims = stating(&[made_here("one"), made_here("two")]);
    let remedy = operator.import(&claims).remedy("E-POLICY", "foreign-target");
    assert_eq!(remedy, "ask the vendor for other UUIDs");
    operator.import(&stating(&[])).succeeded();
}
