//! What may take an agent's work away, and who may log in: rules of imports, activations, secrets and tokens.

use airlock::db::audit;
use airlock::domain::Class;

use super::support::desired::{Desired, target_id};
use super::target_serving::{Plant, enrol, login, resources};

/// What the audit log says.
fn log(plant: &Plant) -> Vec<(String, String)> {
    let rows = plant.appliance().db.read(|c| audit::list(c, 0, 1000)).unwrap();
    rows.into_iter().map(|row| (row.action, row.detail)).collect()
}

#[test]
fn checklist_24_an_import_that_drops_targets_in_silence_changes_nothing() {
    let plant = Plant::new();
    plant.release(1, 3, "a");
    let blobs = plant
        .vendor
        .with_targets(2, |image| Desired::docker(image, 3, "b").without(&["edge-1"]));
    let before = log(&plant).len();
    let error = plant.import(&blobs, false).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Policy, "undeploy"));
    assert!(error.to_string().contains("\"edge-1\""), "{error}");
    assert_eq!(log(&plant).len(), before + 1, "the refusal is recorded");
    assert_eq!(plant.appliance().releases().unwrap().len(), 1);
    assert_eq!(plant.hub().targets().len(), 3);

    // With the instruction it is taken.
    let signed = plant.vendor.with_targets(2, |image| {
        Desired::docker(image, 3, "b")
            .without(&["edge-1"])
            .removing(&[target_id("edge-1")])
    });
    plant.import(&signed, false).unwrap();
    let hub = plant.hub();
    assert_eq!(hub.targets().len(), 2);
    assert!(log(&plant).last().unwrap().1.contains("targets_gone"));
}

#[test]
fn a02_a_target_that_is_gone_is_refused() {
    let plant = Plant::new();
    plant.release(1, 2, "a");
    let hub = plant.hub();
    let secret = hub.issue_secret(&target_id("edge-0"), false).unwrap();
    let identity = login(&hub, &target_id("edge-0"), secret.as_str()).unwrap();
    assert_eq!(resources(&hub, &identity)["deployments"].as_array().unwrap().len(), 1);
    let signed = plant.vendor.with_targets(2, |image| {
        Desired::docker(image, 2, "b")
            .without(&["edge-0"])
            .removing(&[target_id("edge-0")])
    });
    plant.import(&signed, false).unwrap();
    assert!(hub.refresh().unwrap());
    assert!(login(&hub, &target_id("edge-0"), secret.as_str()).is_none());
    enrol(&hub, "edge-1");
}
