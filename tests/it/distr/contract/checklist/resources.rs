//! Points 14 to 26: what a target shall run.

use std::collections::BTreeSet;

use airlock::domain::Uuid;
use base64::Engine as _;
use serde_json::{Value, json};

use super::super::release::Draft;
use super::super::sample::{
    CHART, CLASSIC, CLUSTER, EDGE, MAIL, NAMESPACED, OTHER, SHOP, Sample, VALUES, shop_compose, shop_revision,
    version_id, web, web_repository,
};
use super::super::served_appliance::{CREDENTIALS, ServedAppliance, basic};
use crate::support::appliance::{read, write};
use crate::support::site::digest;

fn served() -> ServedAppliance {
    ServedAppliance::serving(CREDENTIALS, &Sample::default().draft())
}

fn only(resources: &Value) -> &Value {
    let list = resources["deployments"].as_array().unwrap();
    assert_eq!(list.len(), 1, "{resources}");
    &list[0]
}

fn decode(value: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD
        .decode(value.as_str().unwrap())
        .unwrap()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Members of every deployment.
const MEMBERS: [&str; 15] = [
    "chartName",
    "chartUrl",
    "chartVersion",
    "composeFile",
    "dockerType",
    "envFile",
    "forceRestart",
    "id",
    "ignoreRevisionSkew",
    "imageCleanupEnabled",
    "logsEnabled",
    "registryAuth",
    "releaseName",
    "revisionId",
    "values",
];

#[test]
fn point_14_names_nulls_and_omissions_are_the_hubs() {
    let served = served();
    let docker = served.resources(&served.token(EDGE));
    let top: BTreeSet<&str> = ["version", "metricsEnabled", "deploymentLogsEnabled", "deployments"].into();
    assert_eq!(
        keys(&docker),
        top,
        "docker has no namespace, and an unset bound is left out"
    );
    assert_eq!(keys(&docker["version"]), ["createdAt", "id", "name"].into());
    let shop = only(&docker);
    assert_eq!(keys(shop), MEMBERS.into());
    assert_eq!((&shop["registryAuth"], &shop["values"]), (&Value::Null, &Value::Null));
    for empty in ["releaseName", "chartUrl", "chartName", "chartVersion"] {
        assert_eq!(shop[empty], "", "{empty}");
    }
    assert_eq!(
        (&shop["imageCleanupEnabled"], &shop["ignoreRevisionSkew"]),
        (&true.into(), &false.into())
    );
    let address = served.address();
    let compose = shop_compose(1)
        .replace("https://registry.airlock.internal", &format!("http://{address}"))
        .replace("registry.airlock.internal", &address.to_string());
    assert_eq!(String::from_utf8(decode(&shop["composeFile"])).unwrap(), compose);
    assert_eq!(decode(&shop["envFile"]), b"GREETING=\"hello ${NAME:-you}\"\n");
    let mail = served.resources(&served.token(OTHER));
    assert_eq!(only(&mail)["envFile"], Value::Null);
    let kubernetes = served.resources(&served.token(NAMESPACED));
    assert_eq!(keys(&kubernetes), top.iter().copied().chain(["namespace"]).collect());
    let chart = only(&kubernetes);
    assert_eq!(keys(chart), MEMBERS.into());
    for null in ["composeFile", "envFile", "dockerType", "registryAuth"] {
        assert_eq!(chart[null], Value::Null, "{null}");
    }
    assert_eq!(chart["imageCleanupEnabled"], false);
    // No deployments: the member is left out, as the hub leaves it out.
    let mut served = ServedAppliance::new(CREDENTIALS);
    let bare = Sample {
        shop: false,
        ..Sample::default()
    };
    served.install(&bare.draft());
    served.serve();
    assert!(served.resources(&served.token(EDGE)).get("deployments").is_none());
}

#[test]
fn point_15_a_state_that_cannot_be_trusted_is_503_and_never_an_empty_list() {
    let mut served = served();
    let (edge, other) = (served.token(EDGE), served.token(OTHER));
    served.resources(&edge);
    let compose = digest(shop_compose(1).as_bytes()).0.to_hex();
    let path = served.state().join("blobs/sha256").join(&compose[..2]).join(&compose);
    let whole = read(&path);
    let mut damaged = whole.clone();
    damaged[40] ^= 1;
    // Another file under the name, as a disk or a hand leaves it.
    let replace = |bytes: &[u8]| {
        std::fs::remove_file(&path).ok();
        write(&path, bytes);
    };
    replace(&damaged);
    assert_eq!(served.agent("GET", "resources", &edge, None).status, 503);
    assert_eq!(
        served.agent("GET", "resources", &other, None).status,
        200,
        "only who is touched by it"
    );
    assert!(!path.try_exists().unwrap(), "what is damaged is set aside");
    assert_eq!(served.agent("GET", "resources", &edge, None).status, 503);
    replace(&whole);
    let found = served.wait_for_resources(&edge, |_| true);
    assert_eq!(only(&found)["id"], SHOP);
    served.kill();
}

#[test]
fn point_16_ids_stay_the_same_over_releases_and_restarts() {
    let mut served = served();
    let tokens = [EDGE, OTHER, NAMESPACED, CLUSTER].map(|target| served.token(target));
    let ids = |served: &ServedAppliance| -> Vec<(Value, Value)> {
        tokens
            .iter()
            .map(|token| {
                let resources = served.resources(token);
                let deployment = only(&resources);
                (deployment["id"].clone(), deployment["revisionId"].clone())
            })
            .collect()
    };
    let before = ids(&served);
    let named: Vec<Value> = [SHOP, MAIL, CHART, CLASSIC].map(Value::from).into();
    assert_eq!(before.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), named);
    assert_eq!(before[0].1, shop_revision(1).to_string());
    served.kill();
    served.serve();
    assert_eq!(ids(&served), before);
    // The same desired state once more in a new release, with another flag as the sign that it is live.
    let next = Sample {
        metrics: false,
        ..Sample::default()
    };
    served.install(&next.draft());
    served.wait_for_resources(&tokens[0], |found| found["metricsEnabled"] == false);
    assert_eq!(ids(&served), before);
}

#[test]
fn point_17_the_revision_changes_exactly_with_what_must_be_applied() {
    let mut served = served();
    let token = served.token(EDGE);
    let first = served.resources(&token);
    // Flags that are the agent's own business.
    let next = Sample {
        metrics: false,
        logs: false,
        ..Sample::default()
    };
    served.install(&next.draft());
    let flags = served.wait_for_resources(&token, |found| found["metricsEnabled"] == false);
    assert_eq!(only(&flags)["revisionId"], only(&first)["revisionId"]);
    // Another image.
    let next = Sample { web: 2, ..next };
    served.install(&next.draft());
    let revision = shop_revision(2).to_string();
    let changed = served.wait_for_resources(&token, |found| {
        found["deployments"][0]["revisionId"] == revision.as_str()
    });
    assert_eq!(only(&changed)["id"], SHOP);
    assert_ne!(only(&changed)["composeFile"], only(&first)["composeFile"]);
    // Back to the first: the revision of then, so that an agent which still has it does nothing.
    let next = Sample { web: 1, ..next };
    served.install(&next.draft());
    let back = served.wait_for_resources(&token, |found| {
        found["deployments"][0]["revisionId"] != revision.as_str()
    });
    assert_eq!(only(&back)["revisionId"], only(&first)["revisionId"]);
    assert_eq!(only(&back)["composeFile"], only(&first)["composeFile"]);
}

#[test]
fn point_18_docker_has_a_type_and_kubernetes_a_namespace() {
    let served = served();
    assert_eq!(only(&served.resources(&served.token(EDGE)))["dockerType"], "compose");
    assert_eq!(only(&served.resources(&served.token(OTHER)))["dockerType"], "swarm");
    assert_eq!(served.resources(&served.token(NAMESPACED))["namespace"], "cell");
    assert_eq!(served.resources(&served.token(CLUSTER))["namespace"], "farm");
}

#[test]
fn point_19_the_compose_file_names_its_project_and_the_name_stays() {
    let mut served = served();
    let token = served.token(EDGE);
    let name = |resources: &Value| -> Value {
        let text = String::from_utf8(decode(&only(resources)["composeFile"])).unwrap();
        let document: Value = serde_saphyr::from_str(&text).unwrap();
        document["name"].clone()
    };
    let first = served.resources(&token);
    assert_eq!(name(&first), "distr-0b000000");
    served.install(
        &Sample {
            web: 2,
            ..Sample::default()
        }
        .draft(),
    );
    let second = served.wait_for_resources(&token, |found| {
        found["deployments"][0]["revisionId"] == shop_revision(2).to_string()
    });
    assert_eq!(name(&second), name(&first));
}

#[test]
fn point_20_values_are_an_object_and_numbers_stay_numbers() {
    let served = served();
    let reply = served.agent("GET", "resources", &served.token(NAMESPACED), None);
    let text = String::from_utf8(reply.body.clone()).unwrap();
    // As they are written: no exponent, no lost digit.
    for number in ["12345678", "9007199254740991", "1.5"] {
        assert!(text.contains(number), "{number}: {text}");
    }
    let resources = reply.json();
    let mut expected: Value = serde_json::from_str(VALUES).unwrap();
    expected["image"] = format!("{}/{}", served.address(), web_repository()).into();
    assert_eq!(only(&resources)["values"], expected);
}

#[test]
fn point_21_helm_options_are_complete_or_absent() {
    let served = served();
    assert!(
        only(&served.resources(&served.token(NAMESPACED)))
            .get("helmOptions")
            .is_none()
    );
    let cluster = served.resources(&served.token(CLUSTER));
    assert_eq!(
        only(&cluster)["helmOptions"],
        json!({
            "timeout": "5m0s", "waitStrategy": "watcher", "rollbackOnFailure": true, "cleanupOnFailure": true,
            "forceConflicts": false,
        })
    );
}

#[test]
fn point_22_registry_credentials_name_no_host_outside() {
    let served = served();
    for target in [EDGE, OTHER, NAMESPACED, CLUSTER] {
        assert_eq!(
            only(&served.resources(&served.token(target)))["registryAuth"],
            Value::Null
        );
    }
}

/// Whether the registry holds an image in full.
fn complete(served: &ServedAppliance, token: &str, repository: &str, reference: &str) -> bool {
    let credentials = basic("-", token);
    let headers = [("Authorization", credentials.as_str())];
    let get = |path: String| served.send("GET", &path, &headers, None);
    let manifest = get(format!("/v2/{repository}/manifests/{reference}"));
    if manifest.status != 200 {
        return false;
    }
    let manifest = manifest.json();
    let mut parts = [&manifest["config"]]
        .into_iter()
        .chain(manifest["layers"].as_array().unwrap());
    parts.all(|part| {
        let digest = part["digest"].as_str().unwrap();
        get(format!("/v2/{repository}/blobs/{digest}")).status == 200
    })
}

#[test]
fn point_23_nothing_is_advertised_before_all_its_images_are_there() {
    let mut served = served();
    let token = served.token(EDGE);
    assert!(complete(
        &served,
        &token,
        &web_repository(),
        &web(1).digest().to_string()
    ));
    served.install(
        &Sample {
            web: 2,
            ..Sample::default()
        }
        .draft(),
    );
    // The moment that the new revision shows, everything it needs can be pulled; charts too.
    served.wait_for_resources(&token, |found| {
        found["deployments"][0]["revisionId"] == shop_revision(2).to_string()
    });
    assert!(complete(
        &served,
        &token,
        &web_repository(),
        &web(2).digest().to_string()
    ));
    let kubernetes = served.token(NAMESPACED);
    let resources = served.resources(&kubernetes);
    let chart = only(&resources);
    let url = chart["chartUrl"]
        .as_str()
        .unwrap()
        .strip_prefix("oci://")
        .unwrap()
        .to_owned();
    let (host, repository) = url.split_once('/').unwrap();
    assert_eq!(host, served.address().to_string());
    assert!(complete(
        &served,
        &kubernetes,
        repository,
        chart["chartVersion"].as_str().unwrap()
    ));
    let cluster = served.resources(&served.token(CLUSTER));
    let classic = only(&cluster);
    let (url, name) = (
        classic["chartUrl"].as_str().unwrap(),
        classic["chartName"].as_str().unwrap(),
    );
    let base = url.strip_prefix(&format!("http://{}", served.address())).unwrap();
    let index = served.get(&format!("{base}/index.yaml"));
    assert_eq!((index.status, name), (200, "classic"));
    let index: Value = serde_saphyr::from_str(std::str::from_utf8(&index.body).unwrap()).unwrap();
    let entries = index["entries"][name].as_array().unwrap();
    let entry = entries
        .iter()
        .find(|entry| entry["version"] == classic["chartVersion"])
        .unwrap();
    let archive = entry["urls"][0].as_str().unwrap();
    let archive = archive
        .strip_prefix(&format!("http://{}", served.address()))
        .unwrap_or(archive);
    let archive = if archive.starts_with('/') {
        archive.to_owned()
    } else {
        format!("{base}/{archive}")
    };
    let reply = served.get(&archive);
    assert_eq!(reply.status, 200, "{archive}");
    if let Some(expected) = entry["digest"].as_str() {
        assert_eq!(digest(&reply.body).0.to_hex(), expected.trim_start_matches("sha256:"));
    }
    // And a release that lacks an image which a deployment names cannot even be packed.
    let mut lacking = Sample {
        web: 3,
        ..Sample::default()
    }
    .draft();
    lacking.images.retain(|image| image.repository != web_repository());
    let error = served.signer.bundle_of("crm", 3, &lacking).unwrap_err();
    assert!(error.to_string().contains(&web_repository()), "{error}");
}

#[test]
fn point_24_a_deployment_goes_only_by_instruction() {
    let mut served = served();
    let token = served.token(EDGE);
    let without = Sample {
        shop: false,
        metrics: false,
        ..Sample::default()
    };
    let ended = served.import(&without.draft());
    let (class, code, _) = ended
        .refusal
        .clone()
        .unwrap_or_else(|| panic!("imported: {}", ended.stderr));
    assert_eq!((class.as_str(), code.as_str()), ("E-POLICY", "undeploy"));
    assert!(ended.stderr.contains(SHOP), "{}", ended.stderr);
    let resources = served.resources(&token);
    assert_eq!(
        (&only(&resources)["id"], &resources["metricsEnabled"]),
        (&SHOP.into(), &true.into())
    );
    let instructed = Sample {
        removed: vec![SHOP.parse().unwrap()],
        ..without
    };
    served.install(&instructed.draft());
    let found = served.wait_for_resources(&token, |found| found["metricsEnabled"] == false);
    assert!(found.get("deployments").is_none(), "{found}");
    assert_eq!(
        only(&served.resources(&served.token(OTHER)))["id"],
        MAIL,
        "nobody else's"
    );
}

#[test]
fn point_25_the_deployments_mirror_the_log_flag_for_older_agents() {
    for logs in [true, false] {
        let served = ServedAppliance::serving(
            CREDENTIALS,
            &Sample {
                logs,
                ..Sample::default()
            }
            .draft(),
        );
        let resources = served.resources(&served.token(EDGE));
        assert_eq!(resources["deploymentLogsEnabled"], logs);
        assert_eq!(only(&resources)["logsEnabled"], logs);
    }
}

#[test]
fn point_26_what_the_appliance_does_not_know_is_carried_through() {
    let served = served();
    let docker = served.resources(&served.token(EDGE));
    let compose = String::from_utf8(decode(&only(&docker)["composeFile"])).unwrap();
    assert!(compose.contains("x-future: { a: 1, b: [true, null] }"), "{compose}");
    let kubernetes = served.resources(&served.token(NAMESPACED));
    assert_eq!(only(&kubernetes)["values"]["later"], json!({"unknown": ["to", "us"]}));
    // Extra members of what agents send are no error either.
    let status = json!({
        "revisionId": shop_revision(1).to_string(), "type": "running", "message": "m", "later": {"a": [1]},
    });
    let token = served.token(EDGE);
    assert_eq!(
        served.agent("POST", "status", &token, Some(&status.to_string())).status,
        200
    );
    let metrics = json!({"cpuCoresMillis": 1, "cpuUsage": 0.5, "memoryBytes": 1, "memoryUsage": 0.5, "gpu": "later"});
    assert_eq!(
        served
            .agent("POST", "metrics", &token, Some(&metrics.to_string()))
            .status,
        200
    );
}

#[test]
fn the_sample_names_what_it_says() {
    let draft: Draft = Sample::default().draft();
    draft.desired.check().unwrap();
    assert!(draft.desired.agents.iter().any(|agent| agent.id == version_id("3.1.0")));
    assert!(
        draft
            .desired
            .targets
            .iter()
            .any(|target| target.id == EDGE.parse::<Uuid>().unwrap())
    );
}
