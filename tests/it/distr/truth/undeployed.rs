//! What was taken away is undeploying until its agent was told and asked again, and undeployed then; what comes back waits for its agent.

use super::{HEALTHY, Plant};
use crate::support::desired::{Desired, deployment_id, revision_id};

#[test]
fn what_was_taken_away_is_undeploying_until_its_agent_asks_again() {
    let plant = Plant::new();
    let a = revision_id("edge-0", "a");
    assert_eq!(plant.poll().len(), 1);
    plant.report(a, "healthy", HEALTHY);
    let before = plant.becomes("healthy");
    assert_eq!(
        (&before["runs_revision"], &before["runs_wanted"]),
        (&a.to_string().into(), &true.into())
    );

    plant.good(&["target", "undeploy", "edge-0", "web", "--yes"]);
    // The agent was not told yet: what it runs is what it reports.
    let asked_for = plant.deployment();
    assert_eq!(
        (&asked_for["state"], &asked_for["runs_revision"]),
        (&"undeploying".into(), &a.to_string().into())
    );
    assert_eq!(plant.poll(), []);
    let told = plant.becomes("undeploying");
    assert_eq!(told["undeployed_here"], true);
    assert!(plant.line("edge-0").contains("undeploying, not yet confirmed"));
    assert!(
        plant
            .line("edge-0")
            .ends_with("web version a (undeploying here, not yet confirmed)")
    );

    // It does what it was told before it asks again.
    assert_eq!(plant.poll(), []);
    let gone = plant.becomes("undeployed");
    assert!(gone["runs_revision"].is_null(), "{gone}");
    assert_eq!(
        (&gone["runs"], &gone["latest"]),
        (&"nothing: it was taken away".into(), &serde_json::Value::Null)
    );
    assert!(gone["told"]["confirmed"].is_string(), "{gone}");
    assert!(plant.line("edge-0").ends_with("web version a (undeployed here)"));
    let watch = plant.good(&["target", "watch", "--once"]);
    assert!(
        watch.contains("undeployed") && watch.contains("runs nothing: it was taken away"),
        "{watch}"
    );
    assert!(!watch.contains("healthy"), "{watch}");

    // An agent that reports it all the same is not done with it; when it asks again, it is.
    plant.report(a, "healthy", HEALTHY);
    let again = plant.deployment();
    assert_eq!(
        (&again["state"], &again["runs_revision"]),
        (&"undeploying".into(), &a.to_string().into())
    );
    plant.poll();
    plant.becomes("undeployed");
}

#[test]
fn what_comes_back_waits_for_its_agent_and_counts_what_it_reports_since() {
    let plant = Plant::new();
    let a = revision_id("edge-0", "a");
    plant.poll();
    plant.report(a, "healthy", HEALTHY);
    plant.good(&["target", "undeploy", "edge-0", "web", "--yes"]);
    plant.poll();
    plant.poll();
    plant.becomes("undeployed");
    plant.good(&["target", "deploy", "edge-0", "web"]);
    let back = plant.deployment();
    assert_eq!(
        (&back["state"], &back["runs_wanted"]),
        (&"waiting".into(), &false.into()),
        "{back}"
    );
    assert_eq!(plant.poll().len(), 1);
    let told = plant.becomes("waiting");
    assert!(told["runs_revision"].is_null() && told["latest"].is_null(), "{told}");
    plant.report(a, "progressing", "Pulling web: 1/2");
    let pulling = plant.deployment();
    assert_eq!(pulling["state"], "progressing");
    assert!(pulling["runs_revision"].is_null(), "what ran before is gone: {pulling}");
    // The same words as before are another condition: they came since.
    plant.report(a, "healthy", HEALTHY);
    let healthy = plant.deployment();
    assert_eq!(
        (&healthy["state"], &healthy["latest"]["count"]),
        (&"healthy".into(), &1.into()),
        "{healthy}"
    );
}

#[test]
fn a_revision_that_comes_back_counts_only_what_was_reported_since() {
    let plant = Plant::new();
    let a = revision_id("edge-0", "a");
    plant.poll();
    plant.report(a, "healthy", HEALTHY);
    plant.becomes("healthy");

    let b = plant.release(2, "b");
    // Not told yet: a runs, for certain.
    let waiting = plant.deployment();
    assert_eq!(
        (&waiting["state"], &waiting["runs_revision"]),
        (&"waiting".into(), &a.to_string().into())
    );
    assert!(
        plant
            .line("edge-0")
            .contains("runs an earlier revision, waiting for the agent")
    );
    plant.poll();
    plant.report(b, "progressing", "compose command executed successfully");
    plant.report(b, "healthy", HEALTHY);
    let now = plant.becomes("healthy");
    assert_eq!(now["runs_revision"], b.to_string());

    // Back to the first one: what was reported of it then says nothing of now.
    plant.good(&["release", "activate", "1.0"]);
    assert_eq!(plant.poll()[0].1, a.to_string());
    let waiting = plant.becomes("waiting");
    assert!(
        waiting["latest"].is_null() && waiting["runs_revision"].is_null(),
        "{waiting}"
    );
    assert_eq!(
        waiting["runs"],
        "waiting for the agent: it has reported nothing since it was told"
    );
    assert!(plant.line("edge-0").contains("  waiting for the agent  "));
    plant.report(a, "error", "compose up failed: no such image: web");
    let failed = plant.deployment();
    assert_eq!(
        (&failed["state"], &failed["runs_revision"]),
        (&"error".into(), &b.to_string().into()),
        "{failed}"
    );
    plant.report(a, "progressing", "compose command executed successfully");
    plant.report(a, "healthy", HEALTHY);
    let healthy = plant.deployment();
    assert_eq!(
        (&healthy["state"], &healthy["runs_revision"]),
        (&"healthy".into(), &a.to_string().into())
    );
    assert_eq!(healthy["latest"]["count"], 1);
}

#[test]
fn a_revision_that_stays_over_a_release_waits_for_nobody() {
    let plant = Plant::new();
    let a = revision_id("edge-0", "a");
    plant.poll();
    plant.report(a, "healthy", HEALTHY);
    plant.becomes("healthy");
    plant.serving.instance.release(2, 2, "a");
    assert_eq!(plant.deployment()["state"], "healthy");
    plant.poll();
    plant.report(a, "healthy", HEALTHY);
    let same = plant.deployment();
    assert_eq!(
        (&same["state"], &same["latest"]["count"]),
        (&"healthy".into(), &2.into())
    );
}

/// The same over a restart of the server, which has forgotten what it told whom.
#[test]
fn what_was_told_is_known_after_a_restart() {
    let plant = Plant::new();
    let a = revision_id("edge-0", "a");
    plant.poll();
    plant.report(a, "healthy", HEALTHY);
    plant.good(&["target", "undeploy", "edge-0", "web", "--yes"]);
    plant.poll();
    plant.becomes("undeploying");
    let Plant { serving, token } = plant;
    let instance = serving.stop();
    let mut plant = Plant::of(instance);
    plant.token = token;
    assert_eq!(plant.deployment()["state"], "undeploying");
    plant.poll();
    plant.becomes("undeployed");
}

#[test]
fn what_a_release_removes_is_shown_until_its_agent_is_done_with_it() {
    let plant = Plant::new();
    let a = revision_id("edge-0", "a");
    plant.poll();
    plant.report(a, "healthy", HEALTHY);
    let made = plant.serving.instance.vendor.with_targets(2, |image| {
        let mut desired = Desired::docker(image, 1, "a").removing(&[deployment_id("edge-0")]);
        desired.target("edge-0").deployments.clear();
        desired.documents.clear();
        desired
    });
    plant.serving.instance.import(&made, false).unwrap();
    assert_eq!(plant.deployment()["state"], "undeploying");
    plant.poll();
    let told = plant.becomes("undeploying");
    assert_eq!(
        (&told["application"], &told["removed_by_release"]),
        (&"web".into(), &true.into())
    );
    plant.poll();
    plant.becomes("undeployed");
    assert!(
        plant
            .line("edge-0")
            .ends_with("web version a (undeployed by the release)")
    );
}
