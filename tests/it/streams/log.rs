//! Every act that concerns a vendor has its row in the vendor's stream, with exactly what may leave, and its receipt.

use airlock::appliance::Options;
use airlock::appliance::fleet::Removal;
use airlock::crypto::ReceiptResult::{Activated, Imported};
use serde_json::json;

use super::site::{Site, head};
use crate::support::desired::{Desired, deployment_id, target_id};
use crate::support::in_process::overwrite;
use crate::support::streams;

#[test]
fn a_stream_says_what_was_done_and_nothing_that_may_not_leave() {
    let mut site = Site::new();
    let domain = site.a.chain().domain();
    let status_key = site.appliance().status_key().unwrap().public().id();
    let instance = site.appliance().instance().unwrap();
    let release = |sequence, text: &str| site.a.with_targets(sequence, |image| Desired::docker(image, 2, text));
    let (one, two) = (release(1, "a"), release(2, "b"));
    let about = |sequence: u64, made| json!({"channel": "stable", "epoch": 0, "head": head(made), "product": "crm", "root_version": 1, "sequence": sequence});
    let with = |mut detail: serde_json::Value, more: serde_json::Value| {
        detail
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        detail
    };
    let mut expected = vec![(
        "init",
        json!({"instance": instance, "root_version": 1, "status_key": status_key}),
    )];

    site.import(&one).unwrap();
    expected.push(("import", with(about(1, &one), json!({"receipt": 1}))));
    expected.push(("activate", with(about(1, &one), json!({"receipt": 2}))));
    // One that waits has one receipt; the local choice is another act.
    let waits = Options {
        keep_inactive: true,
        ..Options::default()
    };
    site.import_with(&two, &waits).unwrap();
    expected.push(("import", with(about(2, &two), json!({"receipt": 3}))));
    site.activate(head(&two));
    expected.push((
        "activate",
        with(about(2, &two), json!({"previous": head(&one), "receipt": 4})),
    ));
    site.activate(head(&one));
    expected.push((
        "activate",
        with(about(1, &one), json!({"previous": head(&two), "receipt": 5})),
    ));
    // What is live already, or here already, is no act.
    site.activate(head(&one));
    site.import(&one).unwrap();

    let hub = site.hub();
    let local = hub.add_target("a local name", &target_id("edge-0")).unwrap();
    expected.push(("target-add", json!({"follows": target_id("edge-0"), "target": local})));
    hub.issue_secret(&local, false).unwrap();
    hub.remove_target(&local, Removal::Remove).unwrap();
    expected.push(("target-remove", json!({"target": local})));
    let other = target_id("edge-1");
    for (removal, action) in [(Removal::Remove, "target-remove"), (Removal::Restore, "target-restore")] {
        hub.remove_target(&other, removal).unwrap();
        expected.push((action, json!({"target": other})));
    }
    let target = hub.targets().into_iter().find(|target| target.id == other).unwrap();
    for (removal, action) in [
        (Removal::Remove, "target-undeploy"),
        (Removal::Restore, "target-deploy"),
    ] {
        hub.undeploy(&other, &target.deployments[0], removal).unwrap();
        expected.push((action, json!({"deployment": deployment_id("edge-1"), "target": other})));
    }
    drop(hub);

    // Damage is met, and healed by the same bundle.
    let layer = one.layers[0];
    overwrite(&site.blob(&layer), b"something else");
    site.wait(60);
    assert!(site.import(&one).unwrap().warnings.is_empty());
    expected.push(("set-aside", json!({"digest": layer})));
    expected.push(("restore", with(about(1, &one), json!({"receipt": 6, "restored": 1}))));

    // Root links of a bundle move trust, whatever becomes of the rest.
    site.a.rotate(|root| root.expires = root.expires.plus_seconds(1));
    let three = site.a.with_targets(3, |image| Desired::docker(image, 2, "c"));
    let fingerprint = site.a.chain().fingerprint();
    site.import_with(&three, &waits).unwrap();
    expected.push(("trust", json!({"fingerprint": fingerprint, "from": 1, "to": 2})));
    let mut third = with(about(3, &three), json!({"receipt": 7}));
    third["root_version"] = 2.into();
    expected.push(("import", third));
    // So does a newer chain by hand.
    site.a.rotate(|root| root.expires = root.expires.plus_seconds(1));
    site.pin(&site.a);
    let fingerprint = site.a.chain().fingerprint();
    expected.push(("pin", json!({"fingerprint": fingerprint, "from": 2, "to": 3})));
    site.pin(&site.a);

    let stream = streams::of(&site.state(), domain);
    let expected: Vec<_> = expected.iter().map(|(action, detail)| (*action, detail)).collect();
    assert_eq!(stream.said(), expected);
    let results: Vec<_> = stream
        .receipts
        .iter()
        .map(|receipt| (receipt.result, receipt.head, receipt.version.as_str()))
        .collect();
    assert_eq!(
        results,
        [
            (Imported, head(&one), "1.0"),
            (Activated, head(&one), "1.0"),
            (Imported, head(&two), "2.0"),
            (Activated, head(&two), "2.0"),
            (Activated, head(&one), "1.0"),
            (Imported, head(&one), "1.0"),
            (Imported, head(&three), "3.0"),
        ]
    );
    for receipt in &stream.receipts {
        assert_eq!((&receipt.site, &receipt.instance), (site.appliance().site(), &instance));
        assert_eq!((&receipt.class, &receipt.code, &receipt.step), (&None, &None, &None));
    }
    // Times are the appliance's.
    assert!(stream.rows.iter().all(|row| row.at.starts_with("2026-11-21T10:0")));
}
