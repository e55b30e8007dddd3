//! What the agent of a former owner said is not the next owner's (D18 b).

use super::{HEALTHY, Plant};
use crate::support::appliance::wait_for;
use crate::support::desired::{Desired, deployment_id, revision_id, target_id};

#[test]
fn the_next_owner_of_a_uuid_begins_without_the_former_agents_word() {
    let plant = Plant::new();
    let (target, deployment) = (target_id("edge-0").to_string(), deployment_id("edge-0").to_string());
    plant.poll();
    plant.report(revision_id("edge-0", "a"), "healthy", HEALTHY);
    plant.becomes("healthy");
    for id in [&deployment, &target] {
        plant.good(&["target", "free", id, "--yes"]);
    }
    assert!(plant.line("edge-0").contains("let go here"));
    let other = plant
        .serving
        .instance
        .vendor
        .with_targets_of("erp", 1, |image| Desired::docker(image, 1, "b"));
    plant.serving.instance.import(&other, false).unwrap();
    let list = plant.list();
    let here = &list["targets"][0];
    assert_eq!(
        (&here["product"], &here["id"]),
        (&"erp".into(), &target.as_str().into()),
        "{list}"
    );
    assert_eq!(
        (
            &here["connected"],
            &here["state"],
            &here["last_contact"],
            &here["agent_reported"]
        ),
        (
            &false.into(),
            &"not connected".into(),
            &serde_json::Value::Null,
            &serde_json::Value::Null
        )
    );
    assert_eq!(here["deployments"][0]["state"], "no status");

    // Its own agent counts from its first contact on.
    plant.serving.hub.refresh().unwrap();
    let token = plant.serving.token("edge-0");
    let plant = Plant { token, ..plant };
    plant.poll();
    wait_for("its agent", || plant.list()["targets"][0]["connected"] == true);
    let waiting = plant.becomes("waiting");
    assert!(
        waiting["latest"].is_null() && waiting["runs_revision"].is_null(),
        "{waiting}"
    );
    plant.report(revision_id("edge-0", "b"), "healthy", HEALTHY);
    assert_eq!(plant.becomes("healthy")["latest"]["count"], 1);
}
