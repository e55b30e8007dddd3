//! What agents are told: resources, manifests and scripts, from imported bundles.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use airlock::appliance::hub::{Hub, Identity, Login, SiteView};
use airlock::appliance::{Appliance, NewAppliance, Options, init};
use airlock::bundle::desired::{ChartSource, DockerMode, HelmOptions, WaitStrategy};
use airlock::crypto::Chain;
use airlock::domain::{Class, Clock as _, Digest, FixedClock, Result, Uuid};
use base64::Engine as _;
use serde_json::Value;
use tempfile::TempDir;

use super::support::appliance::{read, scratch, write};
use super::support::desired::{Desired, deployment_id, revision_id, target_id};
use super::support::maker::{Made, Vendor};

/// An appliance without any process: imported into and asked directly.
pub(crate) struct Plant {
    folder: TempDir,
    pub(crate) vendor: Vendor,
    pub(crate) clock: FixedClock,
}

impl Plant {
    pub(crate) fn new() -> Self {
        Self::made_at("2026-11-21T10:00:00Z")
    }

    /// Made by a clock, which stands still.
    pub(crate) fn made_at(clock: &str) -> Self {
        let folder = scratch();
        let vendor = Vendor::new();
        let clock = FixedClock(clock.parse().unwrap());
        let pins = [Chain::parse(&vendor.chain_file()).unwrap()];
        let new = NewAppliance {
            name: "plant",
            pins: &pins,
            now: clock.now(),
        };
        init(&folder.path().join("state"), &new).unwrap();
        Self { folder, vendor, clock }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn appliance(&self) -> Appliance {
        Appliance::open(&self.state()).unwrap()
    }

    /// Imports a bundle; it goes live unless `keep_inactive`.
    pub(crate) fn import(&self, made: &Made, keep_inactive: bool) -> Result<()> {
        let options = Options {
            keep_inactive,
            ..Options::default()
        };
        self.import_with(made, &options)
    }

    pub(crate) fn import_with(&self, made: &Made, options: &Options) -> Result<()> {
        let path = self.folder.path().join("bundle");
        write(&path, &made.bytes);
        let imported = self
            .appliance()
            .import(|| airlock::media::open(&path, None), options, &self.clock, &mut |_| ());
        imported.map(|_| ())
    }

    /// Imports a release with `count` docker targets, which goes live.
    pub(crate) fn release(&self, sequence: u64, count: usize, text: &str) {
        let made = self
            .vendor
            .with_targets(sequence, |image| Desired::docker(image, count, text));
        self.import(&made, false).unwrap();
    }

    pub(crate) fn hub(&self) -> Hub {
        self.hub_as("127.0.0.1:5000", false, None)
    }

    pub(crate) fn hub_as(&self, address: &str, secure: bool, authority: Option<&str>) -> Hub {
        let view = SiteView::new(address, secure, SiteView::INTERVAL, authority).unwrap();
        Hub::open(&self.state(), view, Arc::new(self.clock)).unwrap()
    }

    /// Where a blob stands.
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.0.to_hex();
        self.state().join("blobs/sha256").join(&hex[..2]).join(hex)
    }
}

/// Logs a target's agent in with a secret that is issued for it.
pub(crate) fn enrol(hub: &Hub, name: &str) -> Arc<Identity> {
    let secret = hub.issue_secret(&target_id(name), false).unwrap();
    login(hub, &target_id(name), secret.as_str()).expect("the secret was just issued")
}

/// Logs in and returns who the token stands for.
pub(crate) fn login(hub: &Hub, target: &Uuid, secret: &str) -> Option<Arc<Identity>> {
    match hub.login(target, secret).unwrap() {
        Login::Token(token) => Some(hub.identify(token.as_str()).expect("a fresh token")),
        Login::Refused => None,
        Login::Busy => panic!("nobody else logs in"),
    }
}

pub(crate) fn resources(hub: &Hub, identity: &Identity) -> Value {
    let bytes = hub.resources(identity).unwrap();
    serde_json::from_str(std::str::from_utf8(&bytes).unwrap()).unwrap()
}

pub(crate) fn decoded(value: &Value) -> String {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(value.as_str().unwrap())
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Writes over a read-only file of the store.
pub(crate) fn overwrite(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).unwrap();
    write(path, bytes);
}

#[test]
fn checklist_14_19_25_resources_are_field_for_field_the_hubs() {
    let plant = Plant::new();
    let made = plant.vendor.with_targets(1, |image| {
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
    plant.import(&made, false).unwrap();
    let hub = plant.hub();
    let edge = enrol(&hub, "edge-0");
    let text = String::from_utf8(hub.resources(&edge).unwrap().to_vec()).unwrap();
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
    let text = String::from_utf8(hub.resources(&cluster).unwrap().to_vec()).unwrap();
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
fn a10_checklist_15_no_changed_document_and_never_an_empty_list() {
    let plant = Plant::new();
    plant.release(1, 2, "a");
    let hub = plant.hub();
    let (edge, other) = (enrol(&hub, "edge-0"), enrol(&hub, "edge-1"));
    let good = hub.resources(&edge).unwrap();
    let compose = decoded(&resources(&hub, &edge)["deployments"][0]["composeFile"]);
    let stored = compose.replace("127.0.0.1:5000", "registry.airlock.internal");
    let path = plant.blob(&super::support::site::digest(stored.as_bytes()));
    assert_eq!(read(&path), stored.as_bytes());

    overwrite(&path, stored.replace("text: \"a\"", "text: \"b\"").as_bytes());
    let error = hub.resources(&edge).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::State, "blob-damaged"));
    assert!(hub.resources(&other).is_ok(), "others do not suffer");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(hub.resources(&edge).unwrap_err().class(), Class::State);
    write(&path, stored.as_bytes());
    assert_eq!(hub.resources(&edge).unwrap(), good);
}

#[test]
fn checklist_17_18_20_21_22_order_modes_options_and_numbers() {
    let plant = Plant::new();
    let made = plant.vendor.with_targets(1, |image| {
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
    plant.import(&made, false).unwrap();
    let hub = plant.hub_as("appliance.example:5443", true, None);
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
    let text = String::from_utf8(hub.resources(&cluster).unwrap().to_vec()).unwrap();
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
fn checklist_47_an_agent_version_is_named_only_with_its_images() {
    let plant = Plant::new();
    let made = plant.vendor.with_targets(1, |image| Desired::docker(image, 1, "a"));
    plant.import(&made, false).unwrap();
    let hub = plant.hub();
    let identity = enrol(&hub, "edge-0");
    assert!(hub.resources(&identity).is_ok());
    for (name, public) in [
        ("registry.test/distr/docker-agent", true),
        ("registry.test/distr/docker-autoheal", true),
        ("registry.test/distr/kubernetes-agent", true),
        ("registry.test/crm/web", false),
        ("registry.test/distr/docker-agent/x", false),
    ] {
        assert_eq!(hub.is_public(&name.parse().unwrap()), public, "{name}");
    }
    let path = plant.blob(&made.manifest);
    let bytes = read(&path);
    std::fs::remove_file(&path).unwrap();
    let without = plant.hub();
    let error = without.resources(&identity).unwrap_err();
    assert_eq!((error.class(), error.code()), (Class::State, "agent-image"));
    assert!(without.agent_manifest(&identity).is_err());
    write(&path, &bytes);
    assert!(plant.hub().resources(&identity).is_ok());
}
