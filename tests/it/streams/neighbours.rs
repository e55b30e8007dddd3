//! S12: what another vendor does on the same appliance leaves nothing in a stream: no number, no gap, no time.

use airlock::appliance::fleet::Removal;
use airlock::crypto::Receipt;
use airlock::domain::{Clock as _, Hash};
use serde_json::Value;

use super::site::{Site, head};
use crate::support::bundles::{Made, Vendor};
use crate::support::desired::{Desired, target_id};
use crate::support::in_process::overwrite;
use crate::support::streams;

type Rows = Vec<(u64, String, String, Value)>;

/// What A's vendor learns of a site, without what is random there.
fn told(site: &Site) -> (Rows, Vec<Receipt>) {
    let stream = streams::of(&site.state(), site.a.chain().domain());
    let rows = stream.rows.into_iter().map(|row| {
        let mut detail = row.detail;
        let members = detail.as_object_mut().unwrap();
        let random: &[&str] = match row.action.as_str() {
            "init" => &["instance", "status_key"],
            "target-add" => &["target"],
            _ => &[],
        };
        for name in random {
            assert!(members.remove(*name).is_some(), "{name}");
        }
        (row.number, row.at, row.action, detail)
    });
    let nothing = "0".repeat(32);
    let receipts = stream.receipts.into_iter().map(|receipt| Receipt {
        audit: Hash([0; 32]),
        instance: nothing.parse().unwrap(),
        site: nothing.parse().unwrap(),
        ..receipt
    });
    (rows.collect(), receipts.collect())
}

/// What A's vendor brings about.
struct Acts {
    releases: [Made; 3],
    older: Made,
    chain: Vec<u8>,
}

impl Acts {
    fn of(a: &mut Vendor) -> Self {
        let make = |a: &Vendor, sequence: u64| {
            let layer = format!("a layer of A {sequence}").into_bytes();
            a.with_layers_of("crm", sequence, &[layer], |image| Desired::docker(image, 2, "a"))
        };
        let (one, two, older) = (make(a, 2), make(a, 3), make(a, 1));
        a.rotate(|root| root.expires = root.expires.plus_seconds(1));
        Self {
            releases: [one, two, make(a, 4)],
            older,
            chain: a.chain_file(),
        }
    }

    /// Does all of it, with something else after each act.
    fn perform(&self, site: &Site, between: &mut dyn FnMut()) {
        let [one, two, three] = &self.releases;
        between();
        site.import(one).unwrap();
        between();
        assert_eq!(site.import(&self.older).unwrap_err().code(), "older");
        between();
        site.import(two).unwrap();
        site.activate(head(one));
        between();
        overwrite(&site.blob(&one.layers[0]), b"damage");
        site.import(one).unwrap();
        between();
        let hub = site.hub();
        hub.add_target("spare", &target_id("edge-0")).unwrap();
        hub.remove_target(&target_id("edge-1"), Removal::Remove).unwrap();
        drop(hub);
        between();
        let (chain, appliance) = (airlock::crypto::Chain::parse(&self.chain).unwrap(), site.appliance());
        appliance.pin(&chain, site.clock.now()).unwrap();
        drop(appliance);
        between();
        site.import(three).unwrap();
        between();
    }
}

/// Everything of B's that writes: imported, refused, damaged and healed, activated, targets.
fn visit(site: &Site, turn: u64, live: &mut Option<Made>) {
    if turn == 1 {
        site.pin(&site.b);
    }
    let sequence = turn + 1;
    let make = |sequence: u64| {
        let layer = format!("a layer of B {sequence}").into_bytes();
        site.b.with_layers_of("crm", sequence, &[layer], |image| {
            Desired::docker(image, 4, "b").without(&["edge-0", "edge-1"])
        })
    };
    let made = make(sequence);
    site.import(&made).unwrap();
    assert_eq!(site.import(&make(1)).unwrap_err().code(), "older");
    overwrite(&site.blob(&made.layers[0]), b"damage");
    site.import(&made).unwrap();
    if let Some(before) = live {
        for made in [before, &made] {
            site.activate(head(made));
        }
    }
    let hub = site.hub();
    let target = target_id("edge-2");
    for removal in [Removal::Remove, Removal::Restore] {
        hub.remove_target(&target, removal).unwrap();
    }
    let spare = hub.add_target(&format!("spare-{turn}"), &target).unwrap();
    hub.issue_secret(&spare, false).unwrap();
    hub.remove_target(&spare, Removal::Remove).unwrap();
    *live = Some(made);
}

#[test]
fn s12_a_stream_is_the_same_with_and_without_another_vendor() {
    let mut a = Vendor::new();
    let first = a.chain_file();
    let acts = Acts::of(&mut a);
    let domain = a.chain().domain();
    // Both sites pin the first root; the second one comes with the chain.
    let pinned = airlock::crypto::Chain::parse(&first).unwrap();
    let alone = Site::pinning(&pinned, a, Vendor::new());
    acts.perform(&alone, &mut || {});
    let (rows, receipts) = told(&alone);
    assert_eq!((rows.len(), receipts.len()), (14, 9), "{rows:?}");

    let shared = Site::pinning(&pinned, Vendor::new(), Vendor::new());
    let (mut turn, mut live) = (0, None);
    acts.perform(&shared, &mut || {
        turn += 1;
        visit(&shared, turn, &mut live);
    });
    let shared = shared.of_vendor(alone.a);
    assert_eq!(told(&shared), (rows, receipts));
    // The twin: B has a stream of its own, and it is long.
    let b = streams::of(&shared.state(), shared.b.chain().domain());
    assert!(
        b.rows.len() > 40 && b.receipts.len() > 20,
        "{} {}",
        b.rows.len(),
        b.receipts.len()
    );
    assert_eq!(b.rows[0].action, "pin");
    for stream in streams::all(&shared.state()) {
        let other = if stream.domain == domain { b.domain } else { domain };
        let text = format!("{:?}", stream.rows);
        assert!(!text.contains(&other.to_hex()));
        for hidden in ["generation", "spare", "Test", "plant"] {
            assert!(!text.contains(hidden), "{hidden}");
        }
    }
}
