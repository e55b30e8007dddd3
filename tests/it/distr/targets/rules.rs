//! What may take an agent's work away: rules of imports, activations and local acts, and what stays known of earlier releases.

use airlock::appliance::fleet::{Hub, Removal, TargetChoice, TargetView};
use airlock::appliance::{Appliance, Options};
use airlock::db::site::audit;
use airlock::db::site::release::{Activated, State};
use airlock::db::site::targets::Undeploy;
use airlock::db::{Db, Schema, SqlResult as _};
use airlock::domain::{Class, Clock as _, Hash, Uuid};

use crate::support::desired::{Desired, deployment_id, revision_id, target_id};
use crate::support::in_process::{InProcessAppliance, enrol, login, resources};

/// What the audit log says.
pub(crate) fn log(instance: &InProcessAppliance) -> Vec<(String, String)> {
    let rows = instance.appliance().db.read(|c| audit::list(c, 0, 1000)).unwrap();
    rows.into_iter().map(|row| (row.action, row.detail)).collect()
}

pub(crate) fn one(hub: &Hub, name: &str) -> TargetView {
    match hub.find(name) {
        TargetChoice::One(target) => *target,
        other => panic!("{name}: {other:?}"),
    }
}

/// The head of the release with a number.
fn head(appliance: &Appliance, sequence: u64) -> Hash {
    let releases = appliance.releases().unwrap();
    releases
        .iter()
        .find(|release| release.counter.sequence == sequence)
        .unwrap()
        .head
}

fn names(hub: &Hub) -> Vec<String> {
    hub.targets().into_iter().map(|target| target.name).collect()
}

#[test]
fn an_import_that_drops_targets_in_silence_changes_nothing() {
    let instance = InProcessAppliance::new();
    instance.release(1, 3, "a");
    let silent = instance
        .vendor
        .with_targets(2, |image| Desired::docker(image, 3, "b").without(&["edge-1"]));
    let before = (log(&instance).len(), files(&instance));
    let error = instance.import(&silent, false).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Policy, "undeploy"));
    assert!(error.to_string().contains("\"edge-1\""), "{error}");
    assert_eq!(
        (log(&instance).len(), files(&instance)),
        (before.0 + 1, before.1),
        "the refusal is recorded"
    );
    assert_eq!(log(&instance).last().unwrap().0, "refuse");
    assert_eq!(instance.appliance().releases().unwrap().len(), 1);
    assert_eq!(names(&instance.hub()), ["edge-0", "edge-1", "edge-2"]);

    // A dry run says so too; an import that does not go live has nothing to be refused for.
    let dry = Options {
        dry_run: true,
        ..Options::default()
    };
    assert_eq!(instance.import_with(&silent, &dry).unwrap_err().code(), "undeploy");
    let dry = Options {
        keep_inactive: true,
        ..dry
    };
    instance.import_with(&silent, &dry).unwrap();

    // A deployment that is lost counts as well as a target.
    let silent = instance.vendor.with_targets(2, |image| {
        let mut desired = Desired::docker(image, 3, "b");
        desired.target("edge-2").deployments.clear();
        desired.without(&[])
    });
    let error = instance.import(&silent, false).unwrap_err();
    assert_eq!(error.code(), "undeploy");
    assert!(error.to_string().contains("web on target \"edge-2\""), "{error}");

    // And so does a release that says nothing of targets at all.
    let silent = instance
        .vendor
        .bundle(2, &[b"x".to_vec()], crate::support::bundles::SMALL_CHUNKS);
    assert_eq!(instance.import(&silent, false).unwrap_err().code(), "undeploy");

    // With the instruction all of it is taken. A removed target covers its deployments.
    let signed = instance.vendor.with_targets(2, |image| {
        let mut desired = Desired::docker(image, 3, "b");
        desired.target("edge-2").deployments.clear();
        let removed = [target_id("edge-1"), deployment_id("edge-2")];
        desired.without(&["edge-1"]).removing(&removed)
    });
    instance.import(&signed, false).unwrap();
    let hub = instance.hub();
    assert_eq!(names(&hub), ["edge-0", "edge-2"]);
    let (action, detail) = log(&instance).last().unwrap().clone();
    assert_eq!(action, "activate");
    assert!(
        detail.contains(&format!("\"targets_gone\":[\"{}\"]", target_id("edge-1"))),
        "{detail}"
    );
    assert!(detail.contains("\"deployments_gone\":["), "{detail}");
    // Only now, and only because a signed document says so, is there nothing to run.
    let identity = enrol(&hub, "edge-2");
    assert!(resources(&hub, &identity).get("deployments").is_none());
    let identity = enrol(&hub, "edge-0");
    assert_eq!(resources(&hub, &identity)["deployments"].as_array().unwrap().len(), 1);
}

/// Names of everything in the blob store.
fn files(instance: &InProcessAppliance) -> usize {
    let folders = std::fs::read_dir(instance.state().join("blobs/sha256")).unwrap();
    folders
        .map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count())
        .sum()
}

#[test]
fn a_deployment_that_moves_to_another_target_is_lost_on_this_one() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let made = instance.vendor.with_targets(2, |image| {
        let mut desired = Desired::docker(image, 2, "b");
        let moved = desired.target("edge-0").deployments.pop().unwrap();
        let target = desired.target("edge-1");
        target.deployments.push(moved);
        target.deployments.sort_by_key(|deployment| deployment.id);
        desired
    });
    let error = instance.import(&made, false).unwrap_err();
    assert_eq!(error.code(), "undeploy");
    assert!(error.to_string().contains("web on target \"edge-0\""), "{error}");

    // And so is everything on a target that becomes one of another kind.
    let made = instance.vendor.with_targets(2, |image| {
        let mut desired = Desired::both(image, 2, "b");
        desired.target("edge-0").id = target_id("other");
        desired.target("cluster").id = target_id("edge-0");
        desired.state.targets.sort_by_key(|target| target.id);
        desired.removing(&[deployment_id("edge-1")]).without(&["edge-1"])
    });
    let error = instance.import(&made, false).unwrap_err();
    assert_eq!(error.code(), "undeploy");
    assert!(
        error
            .to_string()
            .contains(&format!("target \"edge-0\" ({})", target_id("edge-0"))),
        "{error}"
    );
}

#[test]
fn d18_a_product_cannot_take_over_the_target_of_another() {
    let instance = InProcessAppliance::new();
    instance.release(1, 1, "a");
    let theirs = instance
        .vendor
        .with_targets_of("erp", 1, |image| Desired::docker(image, 1, "b"));
    let error = instance.import(&theirs, false).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Policy, "foreign-target"));
    // Nor can it come in for later.
    assert_eq!(instance.import(&theirs, true).unwrap_err().code(), "foreign-target");
    let hub = instance.hub();
    assert_eq!(hub.targets().len(), 1);
    let view = one(&hub, "edge-0");
    assert_eq!(view.scope.product.as_str(), "crm");
    // A target of its own is fine.
    let ours = instance
        .vendor
        .with_targets_of("erp", 1, |image| Desired::docker(image, 2, "b").without(&["edge-0"]));
    instance.import(&ours, false).unwrap();
    assert_eq!(names(&instance.hub()), ["edge-0", "edge-1"]);
}

#[test]
fn a10_a_head_of_another_release_in_the_place_of_the_live_one_is_not_used() {
    let instance = InProcessAppliance::new();
    instance.release(1, 1, "a");
    let hub = instance.hub();
    let identity = enrol(&hub, "edge-0");
    instance.release(2, 1, "b");
    let db = Db::open(&instance.state().join("airlock.db"), &Schema::SITE).unwrap();
    // Heads are unique, so both rows move: the signed head of release 1 under the number of release 2.
    let swap = "CREATE TEMP TABLE kept AS SELECT head, head_bytes, signatures FROM release WHERE sequence = 1;
                UPDATE release SET head = zeroblob(32) WHERE sequence = 1;
                UPDATE release SET (head, head_bytes, signatures) = (SELECT * FROM kept) WHERE sequence = 2;";
    db.write(|tx| tx.execute_batch(swap).sql("damage")).unwrap();
    let fresh = instance.hub();
    let error = fresh.resources(&identity).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::State, "desired-state"));
    assert!(error.to_string().contains("release 1 of"), "{error}");
    let swap = "UPDATE release SET head_bytes = zeroblob(5) WHERE sequence = 2;";
    db.write(|tx| tx.execute_batch(swap).sql("damage")).unwrap();
    assert_eq!(instance.hub().resources(&identity).unwrap_err().code(), "desired-state");
    assert!(
        hub.resources(&identity).is_ok(),
        "what runs goes on with what it has checked"
    );
}

#[test]
fn an_activation_that_drops_targets_needs_a_local_instruction() {
    let instance = InProcessAppliance::new();
    instance.release(1, 1, "a");
    instance.release(2, 2, "b");
    let appliance = instance.appliance();
    let now = instance.clock.now();
    let first = head(&appliance, 1);
    let error = appliance.activate(first, Undeploy::AsSigned, now).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::Policy, "undeploy"));
    let live = |sequence| {
        let releases = appliance.releases().unwrap();
        releases
            .iter()
            .any(|release| release.counter.sequence == sequence && release.state == State::Active)
    };
    assert!(live(2));
    assert_eq!(names(&instance.hub()), ["edge-0", "edge-1"]);

    let activated = appliance.activate(first, Undeploy::Everything, now).unwrap();
    assert!(matches!(activated, Activated::Now { .. }));
    assert!(live(1));
    assert_eq!(names(&instance.hub()), ["edge-0"]);
    assert!(log(&instance).last().unwrap().1.contains("\"undeploy\":true"));

    // Forward again: nothing is lost, nothing has to be said.
    appliance
        .activate(head(&appliance, 2), Undeploy::AsSigned, now)
        .unwrap();
    assert_eq!(names(&instance.hub()), ["edge-0", "edge-1"]);
    assert!(log(&instance).last().unwrap().1.contains("targets_added"));
}

#[test]
fn d16_an_earlier_release_gives_its_revisions_again_and_all_stay_known() {
    let instance = InProcessAppliance::new();
    instance.release(1, 1, "a");
    instance.release(2, 1, "b");
    let hub = instance.hub();
    let identity = enrol(&hub, "edge-0");
    let advertised = |hub: &Hub| {
        resources(hub, &identity)["deployments"][0]["revisionId"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(advertised(&hub), revision_id("edge-0", "b").to_string());
    let appliance = instance.appliance();
    appliance
        .activate(head(&appliance, 1), Undeploy::AsSigned, instance.clock.now())
        .unwrap();
    assert!(hub.refresh().unwrap());
    assert_eq!(advertised(&hub), revision_id("edge-0", "a").to_string());
    for (text, release) in [("a", "1.0"), ("b", "2.0")] {
        let revision = revision_id("edge-0", text);
        assert_eq!(
            hub.revision(&identity, &revision).unwrap(),
            Some(deployment_id("edge-0"))
        );
        let known = hub.known_revision(&identity.target, &revision).unwrap().unwrap();
        assert_eq!(
            (known.release_version.as_str(), known.application.as_str()),
            (release, "web")
        );
    }
    // Another target's revisions, and what nobody knows, are nobody's.
    assert_eq!(hub.revision(&identity, &revision_id("edge-1", "a")).unwrap(), None);
    assert_eq!(hub.revision(&identity, &Uuid::from_bytes([1; 16])).unwrap(), None);
}

#[test]
fn a02_a_target_that_is_gone_is_refused_and_others_are_not() {
    let instance = InProcessAppliance::new();
    instance.release(1, 3, "a");
    let hub = instance.hub();
    let secret = |name| hub.issue_secret(&target_id(name), false).unwrap();
    let (by_bundle, by_operator) = (secret("edge-0"), secret("edge-1"));
    let token = |name, secret: &airlock::appliance::fleet::Secret| match hub.login(&target_id(name), secret.as_str()) {
        Ok(airlock::appliance::fleet::Login::Token(token)) => token,
        other => panic!("{other:?}"),
    };
    let tokens = [token("edge-0", &by_bundle), token("edge-1", &by_operator)];
    let signed = instance.vendor.with_targets(2, |image| {
        Desired::docker(image, 3, "b")
            .without(&["edge-0"])
            .removing(&[target_id("edge-0")])
    });
    instance.import(&signed, false).unwrap();
    assert!(hub.refresh().unwrap());
    assert!(hub.identify(tokens[0].as_str()).is_none());
    assert!(hub.identify(tokens[1].as_str()).is_some());
    assert!(login(&hub, &target_id("edge-0"), by_bundle.as_str()).is_none());

    assert!(hub.remove_target(&target_id("edge-1"), Removal::Remove).unwrap());
    assert!(
        !hub.remove_target(&target_id("edge-1"), Removal::Remove).unwrap(),
        "it is gone already"
    );
    assert!(hub.identify(tokens[1].as_str()).is_none());
    assert!(login(&hub, &target_id("edge-1"), by_operator.as_str()).is_none());
    // That outlives releases, and is taken back by the operator alone.
    instance
        .import(
            &instance
                .vendor
                .with_targets(3, |image| Desired::docker(image, 3, "c").without(&["edge-0"])),
            false,
        )
        .unwrap();
    assert!(hub.refresh().unwrap());
    assert_eq!(names(&hub), ["edge-2"]);
    assert!(matches!(hub.find_removed("edge-1"), TargetChoice::One(_)));
    assert!(hub.remove_target(&target_id("edge-1"), Removal::Restore).unwrap());
    assert!(
        hub.identify(tokens[1].as_str()).is_none(),
        "its tokens are dead for good"
    );
    assert!(
        login(&hub, &target_id("edge-1"), by_operator.as_str()).is_some(),
        "the same secret"
    );
    let actions: Vec<String> = log(&instance).into_iter().map(|(action, _)| action).collect();
    assert!(actions.ends_with(&["target-restore".into()]), "{actions:?}");
}

#[test]
fn undeploy_here_lasts_over_releases_until_it_is_taken_back() {
    let instance = InProcessAppliance::new();
    instance.release(1, 2, "a");
    let hub = instance.hub();
    let (zero, other) = (enrol(&hub, "edge-0"), enrol(&hub, "edge-1"));
    let view = one(&hub, "edge-0");
    assert!(hub.undeploy(&view.id, &view.deployments[0], Removal::Remove).unwrap());
    let check = |hub: &Hub, there: bool| {
        assert_eq!(resources(hub, &zero).get("deployments").is_some(), there);
        assert!(resources(hub, &other).get("deployments").is_some());
    };
    check(&hub, false);
    instance.release(2, 2, "b");
    assert!(hub.refresh().unwrap());
    check(&hub, false);
    check(&instance.hub(), false);
    assert!(one(&hub, "edge-0").deployments[0].removed);
    // The vendor may drop it now without a word: it is gone here already.
    let made = instance.vendor.with_targets(3, |image| {
        let mut desired = Desired::docker(image, 2, "c");
        desired.target("edge-0").deployments.clear();
        desired.without(&[])
    });
    instance.import(&made, false).unwrap();
    instance.release(4, 2, "d");
    assert!(hub.refresh().unwrap());
    assert!(
        hub.undeploy(&view.id, &one(&hub, "edge-0").deployments[0], Removal::Restore)
            .unwrap()
    );
    check(&hub, true);
    let actions: Vec<String> = log(&instance).into_iter().map(|(action, _)| action).collect();
    assert!(actions.contains(&"target-undeploy".to_owned()) && actions.contains(&"target-deploy".to_owned()));
}

#[test]
fn a_target_made_here_follows_its_template_under_ids_of_its_own() {
    let instance = InProcessAppliance::new();
    instance.release(1, 1, "a");
    let hub = instance.hub();
    let id = hub.add_target("spare", &target_id("edge-0")).unwrap();
    let secret = hub.issue_secret(&id, false).unwrap();
    let identity = login(&hub, &id, secret.as_str()).unwrap();
    let ours = |hub: &Hub| resources(hub, &identity)["deployments"][0].clone();
    let first = ours(&hub);
    let template = enrol(&hub, "edge-0");
    let theirs = resources(&hub, &template)["deployments"][0].clone();
    assert_ne!(first["id"], theirs["id"]);
    assert_ne!(first["revisionId"], theirs["revisionId"]);
    assert_eq!(first["composeFile"], theirs["composeFile"]);

    instance.release(2, 1, "b");
    assert!(hub.refresh().unwrap());
    let second = ours(&hub);
    assert_eq!(second["id"], first["id"], "the same for good");
    assert_ne!(second["revisionId"], first["revisionId"]);
    for (answer, release) in [(&first, "1.0"), (&second, "2.0")] {
        let revision = answer["revisionId"].as_str().unwrap().parse().unwrap();
        assert_eq!(
            hub.revision(&identity, &revision).unwrap().unwrap().to_string(),
            first["id"].as_str().unwrap()
        );
        let known = hub.known_revision(&id, &revision).unwrap().unwrap();
        assert_eq!(known.release_version, release);
    }
    assert_eq!(ours(&instance.hub()), second);

    for (name, like, code) in [
        ("spare", target_id("edge-0"), "target-name"),
        ("edge-0", target_id("edge-0"), "target-name"),
        ("", target_id("edge-0"), "target-name"),
        ("a\nb", target_id("edge-0"), "target-name"),
        ("second", id, "template"),
        ("second", Uuid::from_bytes([1; 16]), "no-target"),
    ] {
        assert_eq!(hub.add_target(name, &like).unwrap_err().code(), code, "{name:?}");
    }
    assert_eq!(hub.targets().len(), 2);
    assert_eq!(
        hub.remove_target(&target_id("edge-0"), Removal::Remove)
            .unwrap_err()
            .code(),
        "template"
    );
    // It goes with its template and comes back with it.
    let gone = instance.vendor.with_targets(3, |image| {
        Desired::docker(image, 1, "c")
            .without(&["edge-0"])
            .removing(&[target_id("edge-0")])
    });
    instance.import(&gone, false).unwrap();
    assert!(hub.refresh().unwrap());
    assert!(login(&hub, &id, secret.as_str()).is_none());
    assert_eq!(hub.orphans(), [(id, "spare".to_owned())]);
    instance.release(4, 1, "d");
    assert!(hub.refresh().unwrap());
    assert!(hub.orphans().is_empty());
    assert!(login(&hub, &id, secret.as_str()).is_some());

    hub.remove_target(&id, Removal::Remove).unwrap();
    assert!(login(&hub, &id, secret.as_str()).is_none());
    assert!(
        hub.add_target("spare", &target_id("edge-0")).is_ok(),
        "the name is free again"
    );
}

#[test]
fn targets_of_other_sites_do_not_exist_here() {
    let instance = InProcessAppliance::new();
    let site = instance.appliance().site().clone();
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::docker(image, 3, "a");
        desired.target("edge-0").site = Some("0123456789abcdef0123456789abcdef".parse().unwrap());
        desired.target("edge-1").site = Some(site.clone());
        desired
    });
    instance.import(&made, false).unwrap();
    let hub = instance.hub();
    assert_eq!(names(&hub), ["edge-1", "edge-2"]);
    assert!(hub.issue_secret(&target_id("edge-0"), false).is_err());
    enrol(&hub, "edge-1");
}

#[test]
fn a_product_that_is_not_live_yet_says_so_instead_of_refusing() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| Desired::docker(image, 1, "a"));
    instance.import(&made, true).unwrap();
    let hub = instance.hub();
    let identity = enrol(&hub, "edge-0");
    let error = hub.resources(&identity).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::State, "not-live"));
    assert_eq!(hub.agent_manifest(&identity).unwrap_err().code(), "not-live");
    assert!(
        login(&hub, &target_id("edge-0"), &"0".repeat(32)).is_none(),
        "that one is wrong for sure"
    );
    let appliance = instance.appliance();
    appliance
        .activate(head(&appliance, 1), Undeploy::AsSigned, instance.clock.now())
        .unwrap();
    assert!(hub.refresh().unwrap());
    assert!(resources(&hub, &identity).get("deployments").is_some());
}
