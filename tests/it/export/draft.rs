//! What a draft says of an appliance: every part, member by member, in each profile.

use airlock::appliance::export::Profile;
use airlock::appliance::fleet::Removal;
use airlock::bundle::{OpenedBundle, content_hash, inventory};
use airlock::domain::StatusKind::{Error, Healthy};
use airlock::domain::{Clock as _, Uuid};
use airlock::package::Switch;
use serde_json::{Value, json};

use super::world::{self, FULL, Reports, WELL, draft, judged, outbox, signed};
use crate::streams::site::{Site, head};
use crate::support::appliance::write;
use crate::support::desired::{Desired, deployment_id, revision_id, target_id};
use crate::support::streams;

/// A site where all of it happened: damage, two releases, a target made here, one taken away, and agents that report.
fn lived() -> (Site, Uuid) {
    let mut site = world::site();
    let layers = [b"a layer of A 2".to_vec(), b"a second layer".to_vec()];
    let second = site
        .a
        .with_layers_of("crm", 2, &layers, |image| Desired::docker(image, 2, "b"));
    site.wait(10);
    site.import(&second).unwrap();
    site.wait(10);
    let hub = site.hub();
    let spare = hub.add_target("CANARYLOCAL", &target_id("edge-0")).unwrap();
    hub.remove_target(&target_id("edge-1"), Removal::Remove).unwrap();
    drop(hub);
    std::fs::remove_file(site.blob(&second.layers[1])).unwrap();
    let reports = Reports::of(&site, &site.a);
    reports.status("edge-0", "a", Healthy, WELL);
    reports.status("edge-0", "a", Healthy, WELL);
    reports.status("edge-0", "b", Error, "compose up failed for ORDER-17");
    reports.status("edge-0", "b", Error, "compose up failed again");
    reports.logs("edge-0", [(1_000, "a line".to_owned())]);
    reports.agent_logs("edge-0", [(1_001, "its own line".to_owned())]);
    reports.metrics("edge-0", 0.25);
    drop(reports);
    (site, spare)
}

#[test]
fn a_full_draft_tells_all_of_it_and_a_reader_of_its_own_agrees() {
    let (site, spare) = lived();
    let read = draft(&site, &FULL);
    let (preview, made_at) = (&read.preview, site.clock.now());
    assert_eq!(preview.head.made_at, made_at);
    assert_eq!((preview.head.number, preview.head.previous), (1, None));
    assert_eq!(preview.head.statement.to_string(), "2026-11-01T00:00:00Z");
    assert_eq!(preview.head.shows, Profile::Full.shows());
    assert_eq!((preview.head_digest, preview.size), (read.row.head, read.row.size));
    assert_eq!(world::bytes(&site, &read.row).len() as u64, read.row.size);

    let releases = read.of("release");
    let states: Vec<_> = releases
        .iter()
        .map(|one| (&one["sequence"], &one["state"], &one["since"]))
        .collect();
    let (one, two) = (json!(1), json!(2));
    assert_eq!(
        states,
        [
            (&one, &json!("retired"), &json!("2026-11-21T10:00:10Z")),
            (&two, &json!("active"), &json!("2026-11-21T10:00:10Z")),
        ]
    );
    let damaged = read.of("damaged");
    assert_eq!(damaged.len(), 1);
    assert_eq!(damaged[0]["size"], "a second layer".len());

    // Targets by UUID; the one that was taken away says since when, the one made here whom it follows.
    let targets = read.of("target");
    assert_eq!(targets.len(), 3);
    let of = |id: Uuid| targets.iter().find(|target| target["target"] == json!(id)).unwrap();
    let edge = of(target_id("edge-0"));
    assert_eq!(edge["agent"], "3.1.0-CANARYAGENT");
    assert_eq!(
        edge["metrics"],
        json!({"cores": 4000, "cpu": 250_000, "disks": [[500, 0]], "memory": 1000, "memory_used": 500})
    );
    assert_eq!((&edge["seen"], &edge["since"]), (&json!(made_at), &json!(made_at)));
    assert_eq!(of(target_id("edge-1"))["removed"], json!(made_at));
    assert_eq!(of(spare)["follows"], json!(target_id("edge-0")));
    assert!(targets.iter().all(|target| target["name"].is_null()));

    let deployments = read.of("deployment");
    let of = |target: Uuid| deployments.iter().find(|line| line["target"] == json!(target)).unwrap();
    assert_eq!(
        *of(target_id("edge-0")),
        json!({
            "count": 1, "deployment": deployment_id("edge-0"), "doubt": "half-applied", "entered": 1, "first": made_at,
            "kind": "deployment", "last": made_at, "number": 3, "revision": revision_id("edge-0", "b"), "signal": "failed",
            "state": "error", "target": target_id("edge-0"), "wanted": revision_id("edge-0", "b"),
        })
    );
    // What was taken away is to run nothing; its own deployment was not.
    assert_eq!(
        *of(target_id("edge-1")),
        json!({"deployment": deployment_id("edge-1"), "doubt": "no-status", "kind": "deployment", "target": target_id("edge-1")})
    );
    let local = Uuid::derived(
        "local-deployment",
        &[&spare.to_string(), &deployment_id("edge-0").to_string()],
    );
    let revision = Uuid::derived(
        "local-revision",
        &[&spare.to_string(), &revision_id("edge-0", "b").to_string()],
    );
    assert_eq!(
        (&of(spare)["deployment"], &of(spare)["wanted"]),
        (&json!(local), &json!(revision))
    );

    let stream = streams::of(&site.state(), site.a.chain().domain());
    assert_eq!(preview.lines["audit"], stream.rows.len() as u64);
    assert_eq!(preview.lines["receipt"], stream.receipts.len() as u64);
    assert_eq!(preview.head.audit.hash, stream.rows.last().unwrap().seal);

    let (transitions, statuses) = (read.of("transition"), read.of("status"));
    assert_eq!((transitions.len(), statuses.len()), (2, 1));
    assert_eq!(
        (&transitions[0]["count"], &transitions[0]["text"]),
        (&json!(2), &json!(WELL))
    );
    assert_eq!(transitions[1]["text"], "compose up failed for \\..");
    assert_eq!(read.of("log")[0]["time"], "1970-01-01T00:16:40.000000005Z");
    assert_eq!(read.of("agent-log")[0]["text"], "its own line");
    let records = preview.head.records;
    assert_eq!(
        (records.first, records.last, records.shown, records.withheld.metrics),
        (1, 6, 5, 1)
    );
    assert_eq!((records.missing, records.unexplained), (0, 0));

    let appliance = site.appliance();
    let domain = site.a.chain().domain();
    if let Some(verdict) = judged(&appliance, domain, &[signed(&appliance, &read.row)]) {
        assert_eq!(verdict["verdict"], "good", "{verdict}");
    }
    assert_eq!(outbox(&site.state()), [format!("{}.airlock-status", read.row.head)]);
}

/// M-96: what a switch does not allow is absent, and counted.
#[test]
fn each_switch_shows_its_own_and_nothing_else() {
    let (site, _) = lived();
    let has = |values: &[Value], member: &str| values.iter().any(|value| !value[member].is_null());
    for switch in Switch::ALL.into_iter().map(Some).chain([None]) {
        let shows: Vec<Switch> = switch.into_iter().collect();
        let read = draft(&site, &shows);
        let is = |one: Switch| switch == Some(one);
        let (values, targets) = (read.values(), read.of("target"));
        assert_eq!(has(&targets, "agent"), is(Switch::Agents));
        assert_eq!(has(&targets, "metrics"), is(Switch::Metrics));
        assert_eq!(has(&targets, "name"), is(Switch::LocalNames));
        assert_eq!(
            has(&values, "text"),
            [Switch::StatusText, Switch::Logs, Switch::AgentLogs]
                .iter()
                .any(|one| is(*one))
        );
        let withheld = read.preview.head.records.withheld;
        let count = |one: Switch| u64::from(!is(one));
        assert_eq!(withheld.status, count(Switch::StatusText));
        assert_eq!(
            (withheld.log, withheld.agent_log),
            (count(Switch::Logs), count(Switch::AgentLogs))
        );
        assert_eq!(withheld.metrics, 1);
        assert_eq!(read.of("transition").len(), 2, "{switch:?}");
        assert_eq!(read.preview.head.shows.iter().collect::<Vec<_>>(), shows);
        let appliance = site.appliance();
        if let Some(verdict) = judged(&appliance, read.row.domain, &[signed(&appliance, &read.row)]) {
            assert_eq!(verdict["verdict"], "good", "{switch:?}: {verdict}");
        }
    }
}

/// M-95: what a vendor computes over the lines of its bundle is what the site says.
#[test]
fn content_is_that_of_the_bundle() {
    let site = Site::new();
    let made = site.a.with_targets(1, |image| Desired::docker(image, 1, "a"));
    site.import(&made).unwrap();
    let read = draft(&site, &[]);
    let release = &read.of("release")[0];
    assert_eq!(release["head"], json!(head(&made)));
    let file = tempfile::NamedTempFile::new().unwrap();
    write(file.path(), &made.bytes);
    let source = airlock::media::open(file.path(), None).unwrap();
    let bundle = OpenedBundle::open(source.input)
        .unwrap()
        .verify(site.a.chain())
        .unwrap();
    let bundle = bundle.read_index(|_, _| Ok(())).unwrap();
    let items = inventory(bundle.head(), bundle.index(), &std::collections::BTreeSet::new());
    assert_eq!(release["blobs"], items.len());
    let content = content_hash(items.iter().map(|item| item.digest));
    assert_eq!(release["content"], json!(content));
}

/// Nothing was ever reported, and nothing imported.
#[test]
fn a_draft_of_a_new_appliance_has_empty_ranges() {
    let site = Site::new();
    let read = draft(&site, &[]);
    let head = &read.preview.head;
    assert_eq!((head.records.first, head.records.last), (1, 0));
    assert_eq!((head.receipts.first, head.receipts.last), (1, 0));
    assert_eq!((head.audit.first, head.audit.last), (1, 1));
    assert_eq!(read.lines.len(), 1);
    let appliance = site.appliance();
    if let Some(verdict) = judged(&appliance, read.row.domain, &[signed(&appliance, &read.row)]) {
        assert_eq!(verdict["verdict"], "good", "{verdict}");
    }
}
