//! S12: a vendor's package is byte for byte the same with and without another vendor on the appliance.

use std::fs;
use std::process::Command;

use airlock::appliance::export::State;
use airlock::appliance::fleet::Removal;
use airlock::appliance::status::acknowledge;
use airlock::crypto::Chain;
use airlock::db::site::packages;
use airlock::domain::Clock as _;
use airlock::domain::StatusKind::{Error, Healthy, Progressing};
use airlock::package::Switch;
use rustix::fs::{AtFlags, StatxFlags};

use super::world::{self, Reports, WELL, draft_of};
use crate::streams::site::Site;
use crate::support::appliance::read;
use crate::support::bundles::{Made, Vendor};
use crate::support::desired::{Desired, deployment_id, revision_id, target_id};
use crate::support::in_process::overwrite;

/// Another folder with the same identity: its instance file is born where it says.
fn twin(of: &Site, a: &Vendor) -> Site {
    let twin = Site::pinning(&a.chain().clone(), Vendor::new(), Vendor::new());
    fs::remove_dir_all(twin.state()).unwrap();
    let mut copy = Command::new("cp");
    assert!(
        copy.arg("-a")
            .arg(of.state())
            .arg(twin.state())
            .status()
            .unwrap()
            .success()
    );
    let path = twin.state().join("identity/instance.json");
    let said: serde_json::Value = serde_json::from_slice(&read(&path)).unwrap();
    if said["birth"].is_null() {
        return twin;
    }
    let next = twin.state().join("identity/next");
    let file = fs::File::create(&next).unwrap();
    let born = rustix::fs::statx(&file, "", AtFlags::EMPTY_PATH, StatxFlags::BTIME)
        .unwrap()
        .stx_btime;
    let birth = format!("{}.{:09}", born.tv_sec, born.tv_nsec);
    let text = format!("{{\"birth\":{birth:?},\"instance\":{}}}", said["instance"]);
    rustix::io::write(&file, text.as_bytes()).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the test's own file")]
    fs::rename(&next, &path).unwrap();
    twin
}

/// What A's vendor and agents bring about.
struct Acts {
    releases: [Made; 2],
    older: Made,
}

impl Acts {
    fn of(a: &Vendor) -> Self {
        let make = |sequence: u64, text: &str| {
            let layer = format!("a layer of A {sequence}").into_bytes();
            a.with_layers_of("crm", sequence, &[layer], |image| Desired::docker(image, 2, text))
        };
        Self {
            older: make(1, "a"),
            releases: [make(2, "a"), make(3, "b")],
        }
    }

    /// Does all of it, with something else after each act.
    fn perform(&self, site: &Site, a: &Vendor, between: &mut dyn FnMut(u64)) {
        let [one, two] = &self.releases;
        between(1);
        site.import(one).unwrap();
        between(2);
        let reports = Reports::of(site, a);
        reports.status("edge-0", "a", Progressing, "Container web Starting");
        reports.status("edge-0", "a", Healthy, WELL);
        reports.status("edge-0", "a", Healthy, WELL);
        reports.logs("edge-0", (0..20).map(|n| (n, format!("line {n} of A"))));
        reports.metrics("edge-1", 0.5);
        drop(reports);
        between(3);
        site.import(&self.older).unwrap_err();
        let domain = a.chain().domain();
        draft_of(site, domain, &Switch::ALL);
        between(4);
        let reports = Reports::of(site, a);
        reports.status("edge-0", "a", Healthy, WELL);
        drop(reports);
        site.import(two).unwrap();
        overwrite(&site.blob(&one.layers[0]), b"damage");
        between(5);
        let hub = site.hub();
        hub.remove_target(&target_id("edge-1"), Removal::Remove).unwrap();
        drop(hub);
        let reports = Reports::of(site, a);
        reports.status("edge-0", "b", Error, "compose up failed");
        reports.agent_logs("edge-0", [(7, "an own line of A".to_owned())]);
        drop(reports);
        between(6);
    }
}

/// Everything of B's that writes: releases, reports, a package that is signed, an acknowledgement.
fn visit(site: &Site, b: &Vendor, turn: u64) {
    if turn == 1 {
        site.pin(b);
    }
    let layer = format!("a layer of B {turn}").into_bytes();
    let made = b.with_layers_of("crm", turn, &[layer], |image| {
        Desired::docker(image, 4, "b").without(&["edge-0", "edge-1"])
    });
    site.import(&made).unwrap();
    overwrite(&site.blob(&made.layers[0]), b"damage");
    let reports = Reports::of(site, b);
    for kind in [Progressing, Healthy] {
        reports.status("edge-2", "b", kind, WELL);
    }
    reports.logs("edge-3", (0..50).map(|n| (n, format!("line {n} of B in turn {turn}"))));
    reports.metrics("edge-2", 0.9);
    drop(reports);
    let domain = b.chain().domain();
    let read = draft_of(site, domain, &Switch::ALL);
    let appliance = site.appliance();
    let signed = appliance
        .db
        .write(|tx| packages::advance(tx, read.row.head, State::Signed))
        .unwrap();
    assert!(signed);
    acknowledge(&appliance, &domain, read.preview.head.records.last, site.clock.now()).unwrap();
}

#[test]
fn s12_a_package_is_the_same_with_and_without_another_vendor() {
    let a = Vendor::new();
    let acts = Acts::of(&a);
    let chain = Chain::parse(&a.chain_file()).unwrap();
    let alone = Site::pinning(&chain, Vendor::new(), Vendor::new());
    let shared = twin(&alone, &a);
    let b = Vendor::new();
    acts.perform(&alone, &a, &mut |_| ());
    acts.perform(&shared, &a, &mut |turn| visit(&shared, &b, turn));
    let domain = a.chain().domain();
    for shows in [&[][..], &[Switch::Agents, Switch::Metrics], &Switch::ALL] {
        let (left, right) = (draft_of(&alone, domain, shows), draft_of(&shared, domain, shows));
        assert_eq!(left.values(), right.values(), "{shows:?}");
        assert_eq!(left.preview.head, right.preview.head, "{shows:?}");
        let (left, right) = (world::bytes(&alone, &left.row), world::bytes(&shared, &right.row));
        assert!(left == right, "{shows:?}");
    }
    // The twin: B has a package of its own, number 7, with all of that in it.
    let theirs = draft_of(&shared, b.chain().domain(), &Switch::ALL);
    assert_eq!(theirs.preview.head.number, 7);
    assert_eq!(theirs.of("release").len(), 6);
    assert!(theirs.of("log").len() > 100);
}

/// A UUID that was let go and is another vendor's by now tells nothing of it: neither that it has one, nor what its agents do.
#[test]
fn s12_what_was_let_go_stays_what_it_was_whoever_has_it_next() {
    let site = world::site();
    Reports::of(&site, &site.a).status("edge-1", "a", Healthy, WELL);
    let hub = site.hub();
    hub.free(&deployment_id("edge-1")).unwrap();
    hub.free(&target_id("edge-1")).unwrap();
    drop(hub);
    let domain = site.a.chain().domain();
    let before = draft_of(&site, domain, &Switch::ALL);
    let target = before
        .of("target")
        .into_iter()
        .find(|line| line["target"] == target_id("edge-1").to_string());
    let target = target.unwrap();
    assert!(!target["removed"].is_null() && target["seen"].is_null(), "{target}");
    site.pin(&site.b);
    let made = site.b.with_layers_of("crm", 1, &[b"B".to_vec()], |image| {
        Desired::docker(image, 2, "b").without(&["edge-0"])
    });
    site.import(&made).unwrap();
    let reports = Reports::of(&site, &site.b);
    let what = airlock::appliance::status::What::Status {
        deployment: deployment_id("edge-1"),
        revision: revision_id("edge-1", "b"),
        kind: Error,
        message: "ill".into(),
    };
    reports.send(target_id("edge-1"), what);
    drop(reports);
    let after = draft_of(&site, domain, &Switch::ALL);
    assert_eq!(after.values(), before.values());
    assert_eq!(after.row.head, before.row.head);
}
