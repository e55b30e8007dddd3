//! What agents are told: resources, manifests and scripts, from imported bundles.

use airlock::bundle::desired::{ChartSource, DockerMode, HelmOptions, WaitStrategy};
use airlock::domain::{Class, Uuid};
use base64::Engine as _;
use serde_json::Value;

use crate::support::appliance::{read, write};
use crate::support::desired::{Desired, deployment_id, revision_id};
use crate::support::in_process::{InProcessAppliance, enrol, resources};

#[test]
fn resources_are_byte_for_byte_the_hubs() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::both(image, 2, "a");
        let env = desired.put(
            airlock::domain::DocumentType::Env,
            b"HOST=https://registry.airlock.internal/x\n",
        );
        let target = desired.target("edge-0");
        target.deployments[0].docker.as_mut().unwrap().env = Some(env);
        target.deployments[0].force_restart = true;
        desired
    });
    instance.import(&made, false).unwrap();
    let hub = instance.hub();
    let edge = enrol(&hub, "edge-0");
    let text = String::from_utf8(hub.resources(&edge).unwrap().unwrap().to_vec()).unwrap();
    let id = deployment_id("edge-0");
    let compose = format!(
        "name: distr-{}\nservices:\n  web:\n    image: \"127.0.0.1:5000/registry.test/crm/web@{}\"\n    labels:\n      text: \"a\"\n",
        &id.to_string()[..8],
        made.manifest
    );
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let expected = format!(
        "{{\"version\":{{\"id\":\"{}\",\"createdAt\":\"2026-08-03T09:00:00Z\",\"name\":\"3.1.0\"}},\"metricsEnabled\":false,\
         \"deploymentLogsEnabled\":true,\"deployments\":[{{\"id\":\"{id}\",\"revisionId\":\"{}\",\"registryAuth\":null,\
         \"logsEnabled\":true,\"forceRestart\":true,\"composeFile\":\"{}\",\"envFile\":\"{}\",\"dockerType\":\"compose\",\
         \"imageCleanupEnabled\":true,\"releaseName\":\"\",\"chartUrl\":\"\",\"chartName\":\"\",\"chartVersion\":\"\",\
         \"values\":null,\"ignoreRevisionSkew\":false}}]}}\n",
        Uuid::derived("agent-version", &["3.1.0"]),
        revision_id("edge-0", "a"),
        encode(&compose),
        encode("HOST=http://127.0.0.1:5000/x\n"),
    );
    assert_eq!(text, expected);

    let cluster = enrol(&hub, "cluster");
    let text = String::from_utf8(hub.resources(&cluster).unwrap().unwrap().to_vec()).unwrap();
    let expected = format!(
        "{{\"version\":{{\"id\":\"{}\",\"createdAt\":\"2026-08-03T09:00:00Z\",\"name\":\"3.1.0\"}},\"namespace\":\"shop\",\
         \"metricsEnabled\":false,\"deploymentLogsEnabled\":true,\"deployments\":[{{\"id\":\"{}\",\"revisionId\":\"{}\",\
         \"registryAuth\":null,\"logsEnabled\":true,\"forceRestart\":false,\"composeFile\":null,\"envFile\":null,\
         \"dockerType\":null,\"imageCleanupEnabled\":false,\"releaseName\":\"shop\",\
         \"chartUrl\":\"oci://127.0.0.1:5000/registry.test/charts/shop\",\"chartName\":\"\",\"chartVersion\":\"1.0.0\",\
         \"values\":{{\"big\":12345678,\"image\":\"127.0.0.1:5000/registry.test/crm/web@{}\",\"text\":\"a\"}},\
         \"ignoreRevisionSkew\":false}}]}}\n",
        Uuid::derived("agent-version", &["3.1.0"]),
        deployment_id("cluster"),
        revision_id("cluster", "a"),
        made.manifest,
    );
    assert_eq!(text, expected);
}

#[test]
fn order_modes_options_and_numbers_of_resources() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::both(image, 2, "a");
        // A second deployment on edge-0, older by the clock of the hub, so first in the list.
        let mut second = desired.target("edge-1").deployments.pop().unwrap();
        second.created_at = "2026-09-01T00:00:00Z".parse().unwrap();
        second.docker.as_mut().unwrap().mode = DockerMode::Swarm;
        let target = desired.target("edge-0");
        target.deployments.push(second);
        target.deployments.sort_by_key(|deployment| deployment.id);
        target.logs_after = Some("2026-10-01T00:00:00Z".parse().unwrap());
        target.logs = false;
        target.metrics = true;
        target.image_cleanup = false;
        let helm = desired.target("cluster").deployments[0].helm.as_mut().unwrap();
        helm.source = ChartSource::Repository;
        helm.ignore_revision_skew = true;
        helm.options = Some(HelmOptions {
            cleanup_on_failure: true,
            force_conflicts: false,
            rollback_on_failure: true,
            timeout: "5m0s".into(),
            wait_strategy: WaitStrategy::HookOnly,
        });
        desired
    });
    instance.import(&made, false).unwrap();
    let hub = instance.hub_as("appliance.example:5443", true, None);
    let answer = resources(&hub, &enrol(&hub, "edge-0"));
    assert_eq!(answer["deploymentLogsAfter"], "2026-10-01T00:00:00Z");
    assert_eq!(
        (
            answer["metricsEnabled"].as_bool(),
            answer["deploymentLogsEnabled"].as_bool()
        ),
        (Some(true), Some(false))
    );
    let deployments = answer["deployments"].as_array().unwrap();
    assert_eq!(deployments[0]["id"], deployment_id("edge-1").to_string());
    assert_eq!(deployments[1]["id"], deployment_id("edge-0").to_string());
    assert_eq!(
        (
            deployments[0]["dockerType"].as_str(),
            deployments[1]["dockerType"].as_str()
        ),
        (Some("swarm"), Some("compose"))
    );
    for deployment in deployments {
        assert!(deployment["registryAuth"].is_null() && deployment["values"].is_null());
        assert_eq!(
            (&deployment["logsEnabled"], &deployment["imageCleanupEnabled"]),
            (&Value::Bool(false), &Value::Bool(false))
        );
    }

    let cluster = enrol(&hub, "cluster");
    let text = String::from_utf8(hub.resources(&cluster).unwrap().unwrap().to_vec()).unwrap();
    for part in [
        "\"namespace\":\"shop\"",
        "\"chartUrl\":\"https://appliance.example:5443/charts/registry.test/charts/shop\",\"chartName\":\"shop\",\"chartVersion\":\"1.0.0\"",
        "\"values\":{\"big\":12345678,",
        "\"ignoreRevisionSkew\":true,\"helmOptions\":{\"timeout\":\"5m0s\",\"waitStrategy\":\"hookOnly\",\"rollbackOnFailure\":true,\
         \"cleanupOnFailure\":true,\"forceConflicts\":false}}]}\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn an_agent_version_is_named_only_with_its_images() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| Desired::docker(image, 1, "a"));
    instance.import(&made, false).unwrap();
    let hub = instance.hub();
    let identity = enrol(&hub, "edge-0");
    assert!(hub.resources(&identity).is_ok());
    let path = instance.blob(&made.manifest);
    let bytes = read(&path);
    std::fs::remove_file(&path).unwrap();
    let without = instance.hub();
    let error = without.resources(&identity).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::State, "agent-image"));
    assert!(without.agent_manifest(&identity).is_err());
    write(&path, &bytes);
    assert!(instance.hub().resources(&identity).is_ok());
}
