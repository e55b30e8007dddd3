//! Points 47 to 51: self-updates, and a life with restarts, seen by a whole agent.

use std::collections::BTreeMap;

use airlock::bundle::desired::Verifier;
use serde_json::Value;
use tempfile::TempDir;

use super::super::sample::{CLUSTER, EDGE, NAMESPACED, SHOP, Sample, shop_revision, version_id};
use super::super::served_appliance::{CREDENTIALS, ServedAppliance};
use super::spy_engine::SpyEngine;
use crate::agent::looping::{Agent, Record, Round};
use crate::agent::settings::Settings;

fn served() -> ServedAppliance {
    ServedAppliance::serving(CREDENTIALS, &Sample::default().draft())
}

fn manifest(served: &ServedAppliance) -> String {
    let secret = served.secret(EDGE);
    let reply = served.get(&format!("/api/v1/connect?targetId={EDGE}&targetSecret={secret}"));
    assert_eq!(reply.status, 200);
    String::from_utf8(reply.body).unwrap()
}

fn agent(served: &ServedAppliance, scratch: &TempDir) -> Agent<SpyEngine> {
    Agent::start(
        &manifest(served),
        SpyEngine::default(),
        scratch.path().into(),
        BTreeMap::new(),
    )
    .unwrap()
}

/// What agents already had when they came: the shop, applied.
fn records() -> BTreeMap<String, Record> {
    let record = Record {
        revision: shop_revision(1).to_string(),
        project: "distr-0b000000".into(),
        done: true,
    };
    BTreeMap::from([(SHOP.to_owned(), record)])
}

#[test]
fn point_47_a_new_agent_version_shows_with_its_images_and_its_manifest() {
    let mut served = served();
    let scratch = crate::support::appliance::scratch();
    let mut agent = agent(&served, &scratch);
    assert_eq!(agent.round(), Round::Done);
    served.install(
        &Sample {
            agent: "3.2.0",
            ..Sample::default()
        }
        .draft(),
    );
    let token = served.token(EDGE);
    let wanted = version_id("3.2.0").to_string();
    served.wait_for_resources(&token, |found| found["version"]["id"] == wanted.as_str());
    assert_eq!(agent.round(), Round::Updated);
    assert_eq!(agent.engine.told.last().unwrap(), "replace");
    // The manifest that the updater starts names the new version, an image that is there for everybody, and the old secret.
    let next = Settings::read(&agent.engine.manifests[0]).unwrap();
    assert_eq!((next.version, next.secret), (wanted, agent.settings.secret.clone()));
    assert_ne!(next.image, agent.settings.image);
    let (_, rest) = next.image.split_once('/').unwrap();
    let (repository, reference) = rest.split_once('@').or_else(|| rest.rsplit_once(':')).unwrap();
    let repository = repository.split(':').next().unwrap();
    assert_eq!(
        served.get(&format!("/v2/{repository}/manifests/{reference}")).status,
        200
    );
    // A version without its image cannot even be packed.
    let mut lacking = Sample {
        agent: "3.3.0",
        ..Sample::default()
    }
    .draft();
    lacking
        .images
        .retain(|image| !image.repository.ends_with("/docker-agent"));
    let error = served.signer.bundle_of("crm", 3, &lacking).unwrap_err();
    assert!(error.to_string().contains("docker-agent"), "{error}");
}

#[test]
fn point_48_for_kubernetes_another_version_is_another_pod_template() {
    let mut served = served();
    let template = |served: &ServedAppliance, target: &str| -> (Value, Value) {
        let secret = served.secret(target);
        let reply = served.get(&format!("/api/v1/connect?targetId={target}&targetSecret={secret}"));
        let objects: Vec<Value> = serde_saphyr::from_multiple(std::str::from_utf8(&reply.body).unwrap()).unwrap();
        let find = |kind: &str| objects.iter().find(|object| object["kind"] == kind).unwrap();
        let version = find("ConfigMap")["data"]["DISTR_AGENT_VERSION_ID"].clone();
        (version, find("Deployment")["spec"]["template"].clone())
    };
    let before = [NAMESPACED, CLUSTER].map(|target| template(&served, target));
    // A release without another agent changes neither.
    served.install(
        &Sample {
            web: 2,
            ..Sample::default()
        }
        .draft(),
    );
    let token = served.token(EDGE);
    served.wait_for_resources(&token, |found| {
        found["deployments"][0]["revisionId"] == shop_revision(2).to_string()
    });
    assert_eq!([NAMESPACED, CLUSTER].map(|target| template(&served, target)), before);
    served.install(
        &Sample {
            web: 2,
            agent: "3.2.0",
            ..Sample::default()
        }
        .draft(),
    );
    served.wait_for_resources(&token, |found| {
        found["version"]["id"] == version_id("3.2.0").to_string()
    });
    for (target, (version, pod)) in [NAMESPACED, CLUSTER].iter().zip(&before) {
        let (now, new) = template(&served, target);
        assert_eq!(now, version_id("3.2.0").to_string());
        assert_ne!(&now, version);
        assert_ne!(&new, pod, "{target}: the pod would not be replaced");
    }
}

#[test]
fn point_49_without_an_update_nobody_asks_for_the_manifest() {
    let mut served = served();
    let scratch = crate::support::appliance::scratch();
    let mut agent = agent(&served, &scratch);
    for _ in 0..3 {
        assert_eq!(agent.round(), Round::Done);
    }
    served.install(
        &Sample {
            web: 2,
            metrics: false,
            ..Sample::default()
        }
        .draft(),
    );
    let token = served.token(EDGE);
    served.wait_for_resources(&token, |found| found["metricsEnabled"] == false);
    served.kill();
    served.serve();
    for _ in 0..3 {
        assert_eq!(agent.round(), Round::Done);
    }
    assert!(
        agent.client.sent.iter().all(|(_, url)| !url.ends_with("/manifest")),
        "{:?}",
        agent.client.sent
    );
    assert_eq!(
        agent.engine.told,
        [
            format!("apply {}", shop_revision(1)),
            format!("apply {}", shop_revision(2))
        ]
    );
}

#[test]
fn point_50_restart_and_restore_make_nobody_deploy_again() {
    let mut served = served();
    let scratch = crate::support::appliance::scratch();
    let mut agent = agent(&served, &scratch);
    assert_eq!(agent.round(), Round::Done);
    assert_eq!(agent.round(), Round::Done);
    let logins = agent.client.logins;
    // Away: nothing is touched, and nothing is forgotten.
    served.kill();
    assert!(matches!(agent.round(), Round::Away(_)));
    assert!(matches!(agent.round(), Round::Away(_)));
    // Back, from a copy of the folder, as after a restore.
    served.restore();
    served.serve();
    for _ in 0..3 {
        assert_eq!(agent.round(), Round::Done);
    }
    assert_eq!(agent.engine.told, [format!("apply {}", shop_revision(1))]);
    assert_eq!(agent.client.logins, logins, "the token outlives it");
    assert_eq!(agent.acknowledged.len(), 6, "{:?}", agent.acknowledged);
}

#[test]
fn point_51_an_agent_of_the_hub_comes_over_and_keeps_what_it_runs() {
    // The hub's secret for this target, and its verifier in the release: 16 bytes as 32 hex digits.
    let secret = "000102030405060708090a0b0c0d0e0f";
    let mut draft = Sample::default().draft();
    let edge = EDGE.parse().unwrap();
    let target = draft
        .desired
        .targets
        .iter_mut()
        .find(|target| target.id == edge)
        .unwrap();
    target.verifier = Some(verifier(secret));
    let served = ServedAppliance::serving(CREDENTIALS, &draft);
    let reply = served.get(&format!("/api/v1/connect?targetId={EDGE}&targetSecret={secret}"));
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let manifest = String::from_utf8(reply.body).unwrap();
    let scratch = crate::support::appliance::scratch();
    let engine = SpyEngine {
        projects: BTreeMap::from([("distr-0b000000".to_owned(), String::new())]),
        ..SpyEngine::default()
    };
    let mut agent = Agent::start(&manifest, engine, scratch.path().into(), records()).unwrap();
    for _ in 0..3 {
        assert_eq!(agent.round(), Round::Done);
    }
    assert_eq!(
        agent.engine.told,
        Vec::<String>::new(),
        "neither applied, restarted nor removed"
    );
    assert_eq!(agent.troubles, Vec::<String>::new());
    assert!(
        agent.acknowledged.iter().all(|status| status.kind == "running"),
        "{:?}",
        agent.acknowledged
    );
    // Positive twin: with other records it would have applied.
    let mut other = Agent::start(&manifest, SpyEngine::default(), scratch.path().into(), BTreeMap::new()).unwrap();
    assert_eq!(other.round(), Round::Done);
    assert_eq!(other.engine.told, [format!("apply {}", shop_revision(1))]);
}

/// A verifier as the hub stores it.
fn verifier(secret: &str) -> Verifier {
    let salt = [7; 16];
    let hex = |bytes: [u8; 32]| airlock::domain::Hash(bytes).to_hex();
    let params = argon2::Params::new(65_536, 1, 4, Some(32)).unwrap();
    let mut hash = [0; 32];
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(secret.as_bytes(), &salt, &mut hash)
        .unwrap();
    Verifier {
        algorithm: "argon2id".into(),
        hash: hex(hash),
        lanes: 4,
        memory_kib: 65_536,
        salt: "07".repeat(salt.len()),
        time: 1,
    }
}
