//! Points 1 to 8: connecting, and the manifests that agents are started from.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use super::super::sample::{CLUSTER, EDGE, NAMESPACED, OTHER, Sample};
use super::super::served_appliance::{CREDENTIALS, ServedAppliance};
use crate::agent::settings::Settings;
use crate::support::appliance::{read, write};

fn served() -> ServedAppliance {
    ServedAppliance::serving(CREDENTIALS, &Sample::default().draft())
}

fn connect(served: &ServedAppliance, target: &str, secret: &str) -> String {
    let reply = served.get(&format!("/api/v1/connect?targetId={target}&targetSecret={secret}"));
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.header("content-type"), Some("application/yaml"));
    String::from_utf8(reply.body).unwrap()
}

/// The objects of a kubernetes manifest by kind and name.
fn objects(manifest: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(manifest).unwrap()
}

fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> Option<&'a Value> {
    objects
        .iter()
        .find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
}

#[test]
fn point_01_connect_answers_by_its_credentials() {
    let served = served();
    let secret = served.secret(EDGE);
    let status = |query: &str| served.get(&format!("/api/v1/connect{query}")).status;
    connect(&served, EDGE, &secret);
    let short = EDGE.replace('-', "").to_uppercase();
    assert_eq!(status(&format!("?targetId={short}&targetSecret={secret}")), 200);
    let wrong = "0".repeat(32);
    assert_eq!(status(&format!("?targetId={EDGE}&targetSecret={wrong}")), 401);
    assert_eq!(status(&format!("?targetId={EDGE}")), 401);
    assert_eq!(status(&format!("?targetId={OTHER}&targetSecret={secret}")), 401);
    let unknown = "0c000000-0000-4000-8000-000000000009";
    assert_eq!(status(&format!("?targetId={unknown}&targetSecret={secret}")), 401);
    assert_eq!(status(&format!("?targetId=not-a-uuid&targetSecret={secret}")), 400);
    assert_eq!(status(""), 400);
}

#[test]
fn point_02_the_docker_manifest_is_a_project_that_compose_can_start() {
    let served = served();
    let manifest = connect(&served, EDGE, &served.secret(EDGE));
    let document: Value = serde_saphyr::from_str(&manifest).unwrap();
    assert_eq!(document["name"], "distr");
    let agent = &document["services"]["agent"];
    assert!(
        agent["environment"].is_object() && agent["image"].is_string(),
        "{manifest}"
    );
    assert_eq!(
        (&agent["network_mode"], &agent["restart"]),
        (&"host".into(), &"always".into())
    );
    let volumes = agent["volumes"].as_array().unwrap();
    assert!(
        volumes.contains(&"/var/run/docker.sock:/var/run/docker.sock".into()),
        "{volumes:?}"
    );
    assert!(volumes.contains(&"scratch:/scratch".into()), "{volumes:?}");
    assert!(document["volumes"].as_object().unwrap().contains_key("scratch"));
    assert_eq!(document["services"]["autoheal"]["network_mode"], "none");
}

#[test]
fn point_03_every_variable_that_agents_need_is_there_and_none_is_empty() {
    let served = served();
    let secret = served.secret(EDGE);
    let manifest = connect(&served, EDGE, &secret);
    // Reading fails for any of the nine that is missing, for an unreadable bool, and without a registry host.
    let settings = Settings::read(&manifest).unwrap();
    assert_eq!((settings.target.as_str(), settings.secret), (EDGE, secret.clone()));
    let base = format!("http://{}/api/v1/agent/", served.address());
    for (found, route) in [
        (settings.login, "login"),
        (settings.manifest, "manifest"),
        (settings.resources, "resources"),
        (settings.status, "status"),
        (settings.metrics, "metrics"),
        (settings.logs, "logs"),
        (settings.agent_logs, "deployment-target-logs"),
    ] {
        assert_eq!(found, format!("{base}{route}"));
    }
    assert_eq!(settings.registry, served.address().to_string());
    // An interval that divides 30 s runs into the agents' deadlock.
    let seconds: f64 = settings.interval.strip_suffix('s').unwrap().parse().unwrap();
    let beats = 30.0 / seconds;
    assert!((beats - beats.round()).abs() > 0.05, "{seconds}");
    let document: Value = serde_saphyr::from_str(&manifest).unwrap();
    let environment = document["services"]["agent"]["environment"].as_object().unwrap();
    for (name, value) in environment {
        assert!(value.as_str().is_some_and(|value| !value.is_empty()), "{name}: {value}");
    }
    let kubernetes = objects(&connect(&served, CLUSTER, &served.secret(CLUSTER)));
    let data = &object(&kubernetes, "ConfigMap", "distr-agent-env").unwrap()["data"];
    for name in [
        "TARGET_ID",
        "LOGIN_ENDPOINT",
        "MANIFEST_ENDPOINT",
        "RESOURCE_ENDPOINT",
        "STATUS_ENDPOINT",
        "METRICS_ENDPOINT",
        "LOGS_ENDPOINT",
        "AGENT_LOGS_ENDPOINT",
        "INTERVAL",
        "AGENT_VERSION_ID",
        "REGISTRY_HOST",
        "REGISTRY_PLAIN_HTTP",
    ] {
        let value = data[format!("DISTR_{name}")].as_str();
        assert!(value.is_some_and(|value| !value.is_empty()), "{name}: {data}");
    }
}

#[test]
fn point_04_the_kubernetes_manifests_have_the_objects_of_their_scope_and_probes() {
    let served = served();
    for (target, namespace, cluster) in [(NAMESPACED, "cell", false), (CLUSTER, "farm", true)] {
        let secret = served.secret(target);
        let found = objects(&connect(&served, target, &secret));
        for object in &found {
            assert!(
                object["apiVersion"].is_string() && object["kind"].is_string(),
                "{object}"
            );
            // `kubectl apply -n` decides the namespace; one that is written must be the same.
            let written = object["metadata"].get("namespace").and_then(Value::as_str);
            assert!(written.is_none_or(|written| written == namespace), "{object}");
        }
        let auth = object(&found, "Secret", "distr-agent-auth").unwrap();
        assert_eq!(auth["stringData"]["DISTR_TARGET_SECRET"], secret);
        assert!(object(&found, "ServiceAccount", "distr-agent").is_some());
        let binding = object(&found, "ClusterRoleBinding", &format!("distr-agent-{namespace}"));
        let role = object(&found, "Role", "namespace-admin");
        assert_eq!((binding.is_some(), role.is_some()), (cluster, !cluster), "{namespace}");
        if let Some(binding) = binding {
            assert_eq!(binding["roleRef"]["name"], "cluster-admin");
            assert_eq!(binding["subjects"][0]["namespace"], namespace);
        }
        let deployment = object(&found, "Deployment", "distr-agent").unwrap();
        let pod = &deployment["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(deployment["spec"]["strategy"]["type"], "Recreate");
        assert_eq!(container["ports"][0]["containerPort"], 8765);
        for probe in ["livenessProbe", "readinessProbe"] {
            let probe = &container[probe];
            assert_eq!(
                (&probe["httpGet"]["path"], &probe["httpGet"]["port"]),
                (&"/".into(), &8765.into())
            );
            assert_eq!(probe["failureThreshold"], 2);
        }
        let image = container["image"].as_str().unwrap();
        assert!(image.starts_with(&served.address().to_string()), "{image}");
    }
}

#[test]
fn point_05_the_version_in_the_manifest_is_the_one_in_the_resources() {
    let served = served();
    let settings = Settings::read(&connect(&served, EDGE, &served.secret(EDGE))).unwrap();
    let resources = served.resources(&served.token(EDGE));
    assert_eq!(resources["version"]["id"], settings.version);
    let canonical: airlock::domain::Uuid = settings.version.parse().unwrap();
    assert_eq!(canonical.to_string(), settings.version);
    let kubernetes = objects(&connect(&served, NAMESPACED, &served.secret(NAMESPACED)));
    let data = &object(&kubernetes, "ConfigMap", "distr-agent-env").unwrap()["data"];
    assert_eq!(
        data["DISTR_AGENT_VERSION_ID"],
        served.resources(&served.token(NAMESPACED))["version"]["id"]
    );
}

#[test]
fn point_06_agent_images_are_pulled_without_credentials_and_others_are_not() {
    let served = served();
    let document: Value = serde_saphyr::from_str(&connect(&served, EDGE, &served.secret(EDGE))).unwrap();
    let kubernetes = objects(&connect(&served, CLUSTER, &served.secret(CLUSTER)));
    let deployment = object(&kubernetes, "Deployment", "distr-agent").unwrap();
    let images = [
        &document["services"]["agent"]["image"],
        &document["services"]["autoheal"]["image"],
        &deployment["spec"]["template"]["spec"]["containers"][0]["image"],
    ];
    for image in images {
        let image = image.as_str().unwrap();
        let (host, rest) = image.split_once('/').unwrap();
        assert_eq!(host, served.address().to_string());
        let (repository, reference) = rest.split_once('@').or_else(|| rest.rsplit_once(':')).unwrap();
        let repository = repository.split(':').next().unwrap();
        let manifest = served.get(&format!("/v2/{repository}/manifests/{reference}"));
        assert_eq!(manifest.status, 200, "{image}");
        let manifest = manifest.json();
        let parts = [&manifest["config"]]
            .into_iter()
            .chain(manifest["layers"].as_array().unwrap());
        for part in parts {
            let digest = part["digest"].as_str().unwrap();
            assert_eq!(
                served.get(&format!("/v2/{repository}/blobs/{digest}")).status,
                200,
                "{image}"
            );
        }
    }
    let application = format!("/v2/{}/manifests/1.0", super::super::sample::web_repository());
    assert_eq!(served.get(&application).status, 401);
}

#[test]
fn point_07_the_pre_connect_script_ends_up_starting_the_manifest() {
    let served = served();
    let secret = served.secret(EDGE);
    let reply = served.get(&format!("/api/v1/pre-connect?targetId={EDGE}&targetSecret={secret}"));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    let folder = crate::support::appliance::scratch();
    let path = |name: &str| folder.path().join(name);
    write(&path("pre-connect"), &reply.body);
    // Two programs that note what they are given, in place of the real ones.
    for (name, text) in [
        (
            "curl",
            "printf '%s\\n' \"$@\" >\"$OUT/curl.arguments\"; echo 'name: distr'\n",
        ),
        (
            "docker",
            "printf '%s\\n' \"$@\" >\"$OUT/docker.arguments\"; cat >\"$OUT/docker.stdin\"\n",
        ),
    ] {
        write(&path(name), format!("#!/bin/sh\n{text}").as_bytes());
        std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let status = Command::new("/bin/sh")
        .arg(path("pre-connect"))
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .env("OUT", folder.path())
        .status()
        .unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&reply.body));
    let noted = |name: &str| String::from_utf8(read(&path(name))).unwrap();
    assert_eq!(noted("docker.arguments"), "compose\n-f\n-\nup\n-d\n");
    assert_eq!(noted("docker.stdin"), "name: distr\n");
    let curl = noted("curl.arguments");
    let url = curl.lines().find(|word| word.starts_with("http")).unwrap();
    assert_eq!(
        url,
        format!(
            "http://{}/api/v1/connect?targetId={EDGE}&targetSecret={secret}",
            served.address()
        )
    );
    let wrong = served.get(&format!("/api/v1/pre-connect?targetId={EDGE}&targetSecret={EDGE}"));
    assert_eq!(wrong.status, 401);
}

#[test]
fn point_08_the_agents_own_manifest_is_the_same_without_the_secret() {
    let served = served();
    for target in [EDGE, NAMESPACED, CLUSTER] {
        let secret = served.secret(target);
        let token = served.login(target, &secret).json()["token"]
            .as_str()
            .unwrap()
            .to_owned();
        let connected = connect(&served, target, &secret);
        let reply = served.agent("GET", "manifest", &token, None);
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some("application/yaml"))
        );
        let own = String::from_utf8(reply.body).unwrap();
        assert!(connected.contains(&secret) && !own.contains(&secret));
        let strip = |manifest: &str| -> Vec<Value> {
            let mut documents = objects(manifest);
            documents.retain(|object| object["metadata"]["name"] != "distr-agent-auth");
            for document in &mut documents {
                if let Some(environment) = document.pointer_mut("/services/agent/environment") {
                    environment.as_object_mut().unwrap().remove("DISTR_TARGET_SECRET");
                }
            }
            documents
        };
        assert_eq!(strip(&connected), strip(&own), "{target}");
    }
}
