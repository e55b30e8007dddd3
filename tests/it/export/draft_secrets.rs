//! S06: what never leaves, in any profile, and what leaves only where its switch is on.

use airlock::appliance::fleet::Removal;
use airlock::domain::Class;
use airlock::domain::StatusKind::{Error, Healthy};
use airlock::package::Switch;

use super::world::{self, FULL, Reports, WELL, draft, release, site};
use crate::support::bundles::Vendor;
use crate::support::desired::{Desired, target_id};

/// 32 hex digits, as targets' secrets are.
const SECRET: &str = "5f3a9c0de1b2476880aa13579bdf0246";

#[test]
fn s06_nothing_leaves_that_must_not_and_texts_only_where_they_are_shown() {
    let mut site = site();
    let hub = site.hub();
    hub.add_target("CANARYLOCAL", &target_id("edge-0")).unwrap();
    let issued = hub.issue_secret(&target_id("edge-0"), false).unwrap();
    hub.remove_target(&target_id("edge-1"), Removal::Remove).unwrap();
    drop(hub);
    // Another vendor, and a refusal whose sentence names what was found.
    let b = Vendor::new();
    site.pin(&b);
    site.b = b;
    let theirs = site
        .b
        .with_targets(1, |image| Desired::docker(image, 4, "b").without(&["edge-0", "edge-1"]));
    site.import(&theirs).unwrap();
    release(&site, 3, "a");
    let older = site.a.with_targets(2, |image| Desired::docker(image, 2, "a"));
    let refused = site.import(&older).unwrap_err();
    assert_eq!(refused.class(), Class::Rollback);
    let hidden = format!(
        "on CANARYHOST at 10.77.1.2 as https://CANARYUSER:pw@x.example/ with Bearer CANARYBEARER.x secret {SECRET} for ORDER-99"
    );
    let reports = Reports::of(&site, &site.a);
    reports.status("edge-0", "a", Healthy, WELL);
    reports.status("edge-0", "a", Error, &format!("CANARYTEXT {hidden}"));
    reports.logs("edge-0", [(1_000, format!("CANARYLINE {hidden}"))]);
    reports.agent_logs("edge-0", [(1_001, format!("CANARYOWN {hidden}"))]);
    reports.metrics("edge-0", 0.25);
    drop(reports);

    let state = site.state().display().to_string();
    let domain = site.b.chain().domain().to_hex();
    let never = [
        "plant",
        "CANARYHOST",
        "CANARY-target",
        "CANARYDISK",
        "CANARYMOUNT",
        "CANARYFS",
        "CANARYUSER",
        "CANARYBEARER",
        "10.77.1.2",
        "ORDER-99",
        SECRET,
        issued.as_str(),
        state.as_str(),
        domain.as_str(),
        refused.found(),
        "edge-0",
        "bundle",
    ];
    let shown = [
        ("CANARYTEXT", Switch::StatusText),
        ("CANARYLINE", Switch::Logs),
        ("CANARYOWN", Switch::AgentLogs),
        ("CANARYAGENT", Switch::Agents),
        ("CANARYLOCAL", Switch::LocalNames),
    ];
    let standard = [Switch::Agents, Switch::Metrics];
    for shows in [&[][..], &standard, &FULL, &Switch::ALL] {
        let read = draft(&site, shows);
        // Receipts are carried whole: their payload is looked into as well.
        let mut text = String::from_utf8(read.row.bytes.clone()).unwrap();
        for line in &read.lines {
            text += std::str::from_utf8(&line.to_bytes().unwrap()).unwrap();
            if let airlock::package::Line::Receipt(receipt) = line {
                text += std::str::from_utf8(&receipt.envelope.payload).unwrap();
            }
        }
        // What stands around the payload is looked at as it lies there.
        text += &String::from_utf8_lossy(&world::bytes(&site, &read.row));
        for canary in never {
            assert!(!text.contains(canary), "{canary} with {shows:?}");
        }
        for (canary, switch) in shown {
            assert_eq!(
                text.contains(canary),
                shows.contains(&switch),
                "{canary} with {shows:?}"
            );
        }
        // The twin of what never leaves: the text around it does.
        let texts = shows.contains(&Switch::StatusText);
        assert_eq!(
            text.contains("CANARYTEXT on \\\\.. at \\\\.. as https://\\\\.."),
            texts,
            "{shows:?}"
        );
    }
}
