//! Remedies of the site's side that name a command.

use airlock::db::{Db, Schema, SqlResult as _};

use super::follow::{Operator, commands};
use super::logged::Logged;
use crate::support::appliance::{read, wait_for, write};
use crate::support::bundles::{REPOSITORY, SMALL_CHUNKS, Vendor};
use crate::support::client::get;
use crate::support::desired::{Desired, target_id};
use crate::support::site::noise;

fn sql(operator: &Operator, text: &str) {
    let db = Db::open(&operator.state().join("airlock.db"), &Schema::SITE).unwrap();
    db.write(|tx| tx.execute_batch(text).sql("damage")).unwrap();
}

fn blob(operator: &Operator, digest: &airlock::domain::Digest) -> std::path::PathBuf {
    let hex = digest.0.to_hex();
    operator.state().join("blobs/sha256").join(&hex[..2]).join(hex)
}

/// Damages something.
type Strike<'a> = &'a dyn Fn();

/// Of a release that is not live, activation tells; the words are followed and it goes live.
#[test]
fn a_release_with_missing_or_damaged_content_is_imported_again_and_goes_live() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(4000, 1)], SMALL_CHUNKS);
    let file = operator.bundle(&made);
    operator
        .run(&["import", file.to_str().unwrap(), "--no-activate"])
        .succeeded();
    let gone = || std::fs::remove_file(blob(&operator, &made.layers[0])).unwrap();
    let longer = || {
        let path = blob(&operator, &made.layers[0]);
        let bytes = [read(&path), b"x".to_vec()].concat();
        std::fs::remove_file(&path).unwrap();
        write(&path, &bytes);
    };
    let head = || sql(&operator, "UPDATE release SET head_bytes = CAST('{}' AS BLOB)");
    let strikes: [(Strike<'_>, &str); 3] = [
        (&gone, "blob-missing"),
        (&longer, "blob-missing"),
        (&head, "release-damaged"),
    ];
    for (strike, code) in strikes {
        strike();
        let first = || operator.run(&["release", "activate", "1.0"]);
        let remedy = first().remedy("E-STATE", code);
        for command in commands(&remedy) {
            operator
                .follow(&command, &[("FILE", file.to_str().unwrap())])
                .succeeded();
        }
        first().succeeded();
        sql(&operator, "UPDATE release SET state = 'available'");
    }
}

/// What is live is not removed: another one goes live first, as the message says.
#[test]
fn a_live_release_is_let_go_after_another_went_live() {
    let operator = Operator::new();
    for sequence in 1..=2 {
        operator
            .import(&operator.vendor.bundle(sequence, &[noise(4000, sequence)], SMALL_CHUNKS))
            .succeeded();
    }
    let first = || operator.run(&["release", "remove", "2.0", "--yes"]);
    let remedy = first().remedy("E-POLICY", "release-live");
    for command in commands(&remedy) {
        operator.follow(&command, &[("RELEASE", "1.0")]).succeeded();
    }
    first().succeeded();
    let list = operator.run(&["release", "list"]).succeeded()["releases"].clone();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["sequence"]), (1, &1.into()));
}

/// What a list says of damage is what helps against it, for every release that it names.
#[test]
fn what_a_list_says_of_damage_is_followed() {
    let operator = Operator::new();
    let releases: Vec<_> = (1..=2)
        .map(|n| operator.vendor.bundle(n, &[noise(4000, n)], SMALL_CHUNKS))
        .collect();
    for made in &releases {
        operator.import(made).succeeded();
    }
    for made in &releases {
        std::fs::remove_file(blob(&operator, &made.layers[0])).unwrap();
    }
    let list = || {
        operator.run(&["release", "list"]).succeeded()["damage"]
            .as_array()
            .unwrap()
            .clone()
    };
    let told = list();
    assert_eq!(told.len(), 2);
    for damage in told {
        let sequence = usize::try_from(damage["sequence"].as_u64().unwrap()).unwrap();
        let file = operator.bundle(&releases[sequence - 1]);
        for command in commands(damage["remedy"].as_str().unwrap()) {
            operator
                .follow(&command, &[("FILE", file.to_str().unwrap())])
                .succeeded();
        }
    }
    assert!(list().is_empty());
}

/// A request that meets damage: its remedy is in the log of the server; the first request works then.
#[test]
fn a_blob_that_a_request_finds_damaged_is_imported_again() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(4000, 1)], SMALL_CHUNKS);
    operator.import(&made).succeeded();
    let serving = Logged::start(&operator);
    let ask = || get(serving.address, &format!("/v2/{REPOSITORY}/blobs/{}", made.layers[0])).status;
    for damage in 0..2 {
        let path = blob(&operator, &made.layers[0]);
        std::fs::remove_file(&path).unwrap();
        if damage == 1 {
            write(&path, &noise(4000, 2));
        }
        assert_eq!(ask(), 500);
        let file = operator.bundle(&made);
        let remedy = serving.last_error("is not usable");
        let commands = commands(&remedy);
        let list = operator.follow(&commands[0], &[]);
        assert_eq!(list.succeeded()["damage"].as_array().unwrap().len(), 1);
        operator
            .follow(&commands[1], &[("FILE", file.to_str().unwrap())])
            .succeeded();
        assert_eq!(ask(), 200);
    }
}

/// A desired state that is damaged: `target list` tells of it and of what helps, and its agents are answered again.
#[test]
fn a_damaged_desired_state_is_imported_again() {
    let operator = Operator::new();
    let mut document = None;
    let made = operator.vendor.with_targets(1, |image| {
        let desired = Desired::docker(image, 1, "a");
        document = Some(crate::support::site::digest(&desired.state.to_bytes()));
        desired
    });
    operator.import(&made).succeeded();
    std::fs::remove_file(blob(&operator, &document.unwrap())).unwrap();
    let list = || operator.run(&["target", "list"]).succeeded().clone();
    let told = list();
    assert!(told["targets"][0]["fault"].is_string(), "{told}");
    let first = || operator.run(&["target", "connect", "edge-0"]);
    let remedy = first().remedy("E-STATE", "desired-state");
    let file = operator.bundle(&made);
    for command in commands(&remedy) {
        operator
            .follow(&command, &[("FILE", file.to_str().unwrap())])
            .succeeded();
    }
    assert!(list()["targets"][0]["fault"].is_null());
    first().succeeded();
}

/// A damaged pin is pinned again; the vendor's bundles come in again, and another's never stopped.
#[test]
fn a_damaged_pin_is_pinned_again() {
    let operator = Operator::new();
    let other = Vendor::new();
    let root = |vendor: &Vendor| operator.file("root.json", &vendor.chain_file());
    let pin = |command: &str, vendor: &Vendor| {
        let (path, told) = (root(vendor), vendor.chain().fingerprint().to_hex());
        operator.follow(command, &[("ROOT", path.to_str().unwrap()), ("HEX", &told)])
    };
    pin("airlock trust add ROOT --fingerprint HEX", &other).succeeded();
    operator
        .import(&operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS))
        .succeeded();
    let file = operator
        .state()
        .join(format!("roots/{}.json", operator.vendor.chain().domain()));
    let mut bytes = read(&file);
    bytes[40] ^= 1;
    write(&file, &bytes);
    let next = operator.vendor.bundle(2, &[noise(100, 2)], SMALL_CHUNKS);
    let remedy = operator.import(&next).remedy("E-STATE", "pin-damaged");
    operator
        .import(&other.bundle_of("erp", "registry.two/b", 1, &[noise(100, 3)]))
        .succeeded();
    // Activation needs the pin too, and says the same.
    let activate = || operator.run(&["release", "activate", "1.0", "--product", "crm"]);
    for command in commands(&remedy) {
        assert_eq!(pin(&command, &operator.vendor).succeeded()["result"], "restored");
    }
    operator.import(&next).succeeded();
    activate().succeeded();
    assert_eq!(
        pin("airlock trust add ROOT --fingerprint HEX", &operator.vendor).succeeded()["result"],
        "already"
    );
    // A pin that is gone altogether is pinned anew.
    std::fs::remove_file(&file).unwrap();
    let remedy = operator
        .run(&["release", "activate", "2.0", "--product", "crm"])
        .remedy("E-STATE", "release-damaged");
    for command in commands(&remedy) {
        pin(&command, &operator.vendor).succeeded();
    }
    operator
        .run(&["release", "activate", "2.0", "--product", "crm"])
        .succeeded();
}

/// Of a release whose root is not pinned and whose content is gone, a list says both, in the order in which they help.
#[test]
fn a_release_without_its_root_and_its_content_gets_both_back() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(4000, 1)], SMALL_CHUNKS);
    operator.import(&made).succeeded();
    let domain = operator.vendor.chain().domain();
    std::fs::remove_file(operator.state().join(format!("roots/{domain}.json"))).unwrap();
    std::fs::remove_file(blob(&operator, &made.layers[0])).unwrap();
    let damage = || {
        let list = operator.run(&["release", "list"]);
        list.succeeded()["damage"].as_array().unwrap().clone()
    };
    let told = damage();
    let remedy = told[0]["remedy"].as_str().unwrap().to_owned();
    assert!(remedy.contains("; then "), "{remedy}");
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let (file, hex) = (operator.bundle(&made), operator.vendor.chain().fingerprint().to_hex());
    let at_hand = [
        ("ROOT", root.to_str().unwrap()),
        ("HEX", &*hex),
        ("FILE", file.to_str().unwrap()),
    ];
    let commands = commands(&remedy);
    assert_eq!(commands.len(), 2);
    for command in commands {
        operator.follow(&command, &at_hand).succeeded();
    }
    assert!(damage().is_empty());
}

/// A server that starts without a pin answers again once the root is pinned as its log says.
#[test]
fn a_server_without_a_pin_answers_again_once_it_is_pinned() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(4000, 1)], SMALL_CHUNKS);
    operator.import(&made).succeeded();
    let domain = operator.vendor.chain().domain();
    std::fs::remove_file(operator.state().join(format!("roots/{domain}.json"))).unwrap();
    let serving = Logged::start(&operator);
    let ask = || get(serving.address, &format!("/v2/{REPOSITORY}/blobs/{}", made.layers[0])).status;
    assert_ne!(ask(), 200);
    let remedy = serving.last_error("is not pinned");
    let root = operator.file("root.json", &operator.vendor.chain_file());
    let told = operator.vendor.chain().fingerprint().to_hex();
    for command in commands(&remedy) {
        let at_hand = [("ROOT", root.to_str().unwrap()), ("HEX", &*told)];
        operator.follow(&command, &at_hand).succeeded();
    }
    wait_for("the release", || ask() == 200);
}

/// A vendor that is new here is pinned after its fingerprint was compared.
#[test]
fn a_new_vendor_is_pinned_and_its_bundle_comes_in() {
    let operator = Operator::new();
    let other = Vendor::new();
    let made = other.bundle_of("erp", "registry.two/b", 1, &[noise(100, 3)]);
    let remedy = operator.import(&made).remedy("E-TRUST", "unknown-domain");
    let root = operator.file("root.json", &other.chain_file());
    let fingerprint = other.chain().fingerprint().to_hex();
    let at_hand = [("ROOT", root.to_str().unwrap()), ("HEX", fingerprint.as_str())];
    for command in commands(&remedy) {
        operator.follow(&command, &at_hand).succeeded();
    }
    operator.import(&made).succeeded();
}

/// An older bundle is refused; what was here before is brought back as the message says.
#[test]
fn an_earlier_release_is_brought_back_by_activation() {
    let operator = Operator::new();
    let made = |n| operator.vendor.bundle(n, &[noise(4000, n)], SMALL_CHUNKS);
    operator.import(&made(2)).succeeded();
    operator.import(&made(5)).succeeded();
    let remedy = operator.import(&made(3)).remedy("E-ROLLBACK", "older");
    for command in commands(&remedy) {
        let done = operator.follow(&command, &[("RELEASE", "2.0")]);
        let done = done.succeeded();
        if command.contains("activate") {
            assert_eq!(done["result"], "activated");
        }
    }
    assert!(remedy.contains("activate"), "{remedy}");
}

/// Names that match nothing, or several releases, are looked up in the list that the message names.
#[test]
fn a_release_is_named_as_the_list_has_it() {
    let operator = Operator::new();
    operator
        .import(&operator.vendor.bundle(1, &[noise(100, 1)], SMALL_CHUNKS))
        .succeeded();
    operator
        .import(&operator.vendor.bundle_of("erp", "registry.two/b", 1, &[noise(100, 2)]))
        .succeeded();
    let remedy = operator.run(&["release", "show", "1.0"]).remedy("E-USAGE", "release");
    let list = operator.follow(&commands(&remedy)[0], &[]);
    let releases = list.succeeded()["releases"].as_array().unwrap().clone();
    assert_eq!(releases.len(), 2);
    for release in &releases {
        operator
            .run(&["release", "show", release["head"].as_str().unwrap()])
            .succeeded();
        let scope = format!(
            "{}/{}",
            release["product"].as_str().unwrap(),
            release["channel"].as_str().unwrap()
        );
        operator
            .run(&["release", "show", "1.0", "--product", &scope])
            .succeeded();
    }
}

/// A target of a release that is not live yet: it is made live as the message says.
#[test]
fn a_target_whose_release_is_not_live_is_answered_after_activation() {
    let operator = Operator::new();
    let made = operator.vendor.with_targets(1, |image| Desired::docker(image, 1, "a"));
    let file = operator.bundle(&made);
    operator
        .run(&["import", file.to_str().unwrap(), "--no-activate"])
        .succeeded();
    let first = || operator.run(&["target", "connect", "edge-0"]);
    let remedy = first().remedy("E-STATE", "not-live");
    for command in commands(&remedy) {
        operator.follow(&command, &[("RELEASE", "1.0")]).succeeded();
    }
    first().succeeded();
}

/// Targets are looked up in their list; a secret that is wrong is issued anew.
#[test]
fn a_target_is_named_as_the_list_has_it() {
    let operator = Operator::new();
    operator
        .import(&operator.vendor.with_targets(1, |image| Desired::docker(image, 1, "a")))
        .succeeded();
    let remedy = operator
        .run(&["target", "secret", "nothing-like-it"])
        .remedy("E-USAGE", "target");
    let list = operator.follow(&commands(&remedy)[0], &[]);
    let name = list.succeeded()["targets"][0]["name"].as_str().unwrap().to_owned();
    operator.run(&["target", "secret", &name]).succeeded();
    let remedy = operator
        .run(&["target", "secret", "edge-1"])
        .remedy("E-USAGE", "target");
    let meant = remedy.split('"').nth(1).unwrap();
    operator.run(&["target", "secret", meant, "--yes"]).succeeded();
}

/// A release that drops a target in silence waits, and goes live by a local decision.
#[test]
fn an_unsaid_removal_is_decided_here() {
    let operator = Operator::new();
    operator
        .import(&operator.vendor.with_targets(1, |image| Desired::docker(image, 2, "a")))
        .succeeded();
    let next = operator.vendor.with_targets(2, |image| Desired::docker(image, 1, "a"));
    let remedy = operator.import(&next).remedy("E-POLICY", "undeploy");
    assert!(remedy.contains("--no-activate"), "{remedy}");
    let file = operator.bundle(&next);
    operator
        .run(&["import", file.to_str().unwrap(), "--no-activate"])
        .succeeded();
    let command = commands(&remedy).pop().unwrap();
    // Who asks without that word is not sent back to the import.
    let remedy = operator
        .run(&["release", "activate", "2.0"])
        .remedy("E-POLICY", "undeploy");
    assert!(remedy.ends_with("the same command with --undeploy"), "{remedy}");
    // Whoever is not there to be asked says so in advance.
    let remedy = operator
        .follow(&command, &[("RELEASE", "2.0")])
        .remedy("E-USAGE", "confirm");
    operator.follow(&commands(&remedy).pop().unwrap(), &[]).succeeded();
}

/// Another product's UUID is let go here, and the release that stated it comes in.
#[test]
fn a_uuid_of_somebody_else_is_freed_as_the_message_says() {
    let operator = Operator::new();
    operator
        .import(
            &operator
                .vendor
                .with_targets_of("crm", 1, |image| Desired::docker(image, 1, "a")),
        )
        .succeeded();
    let claim = operator
        .vendor
        .with_targets_of("erp", 1, |image| Desired::docker(image, 1, "a"));
    let mut refused = operator.import(&claim);
    // Each refusal names one: the target, then its deployments.
    for _ in 0..4 {
        if refused.ended.code == Some(0) {
            break;
        }
        let remedy = refused.remedy("E-POLICY", "foreign-target");
        for command in commands(&remedy) {
            operator.follow(&(command + " --yes"), &[]).succeeded();
        }
        refused = operator.import(&claim);
    }
    refused.succeeded();
    assert!(!target_id("edge-0").to_string().is_empty());
}

/// An import that waits for another one ends well when that has ended.
#[test]
fn an_import_that_meets_another_waits_for_its_end() {
    let operator = Operator::new();
    let made = operator.vendor.bundle(1, &[noise(4000, 1)], SMALL_CHUNKS);
    let holder = std::fs::OpenOptions::new()
        .write(true)
        .open(operator.state().join("lock"));
    let holder = holder.unwrap_or_else(|_| std::fs::File::create(operator.state().join("lock")).unwrap());
    rustix::fs::flock(&holder, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert_eq!(operator.import(&made).remedy("E-BUSY", "import"), "wait for it to end");
    drop(holder);
    wait_for("the lock", || operator.import(&made).ended.code == Some(0));
}
