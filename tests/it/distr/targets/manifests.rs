//! What installs agents: manifests for docker and kubernetes, and the script, with everything in quotes (A11).

use airlock::bundle::desired::{KubernetesScope, Resources};
use airlock::domain::Uuid;

use crate::support::desired::{Desired, target_id};
use crate::support::in_process::{InProcessAppliance, enrol};

const SECRET: &str = "00112233445566778899aabbccddeeff";
const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUabc+/=\n-----END CERTIFICATE-----\n";

fn instance() -> (InProcessAppliance, String) {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::both(image, 2, "a");
        // A name is for people, and stands in nothing that is run.
        desired.target("edge-0").name = "'; rm -rf / #\"$(reboot)`reboot`".into();
        let special = desired.target("edge-1");
        special.metrics = true;
        special.autoheal_all = true;
        special.docker_socket = Some("/run/user/1000/docker.sock".into());
        desired
    });
    instance.import(&made, false).unwrap();
    (instance, made.manifest.to_string())
}

#[test]
fn the_docker_manifest_word_for_word() {
    let (instance, digest) = instance();
    let hub = instance.hub_as("appliance.plant.example:5443", true, Some(PEM));
    let id = target_id("edge-0");
    let manifest = hub.connect_manifest(&id, SECRET).unwrap();
    let version = Uuid::derived("agent-version", &["3.1.0"]);
    let base = "https://appliance.plant.example:5443/api/v1/agent";
    let expected = format!(
        "# Agent of a deployment target; start it with: docker compose -f - up -d
name: distr
services:
  agent:
    image: 'appliance.plant.example:5443/registry.test/distr/docker-agent@{digest}'
    network_mode: host
    restart: always
    labels:
      - sh.distr.autoheal=true
    environment:
      DISTR_TARGET_ID: '{id}'
      DISTR_TARGET_SECRET: '{SECRET}'
      DISTR_LOGIN_ENDPOINT: '{base}/login'
      DISTR_MANIFEST_ENDPOINT: '{base}/manifest'
      DISTR_RESOURCE_ENDPOINT: '{base}/resources'
      DISTR_STATUS_ENDPOINT: '{base}/status'
      DISTR_METRICS_ENDPOINT: '{base}/metrics'
      DISTR_LOGS_ENDPOINT: '{base}/logs'
      DISTR_AGENT_LOGS_ENDPOINT: '{base}/deployment-target-logs'
      DISTR_INTERVAL: '5.37s'
      DISTR_AGENT_VERSION_ID: '{version}'
      DISTR_REGISTRY_HOST: 'appliance.plant.example:5443'
      DISTR_REGISTRY_PLAIN_HTTP: 'false'
      DISTR_AGENT_SCRATCH_DIR: '/scratch'
      HOST_DOCKER_CONFIG_DIR: '${{HOST_DOCKER_CONFIG_DIR-${{HOME}}/.docker}}'
      DOCKER_HOST: 'unix:///var/run/docker.sock'
      SSL_CERT_DIR: '/etc/ssl/certs:/etc/airlock/authority'
    volumes:
      - '/var/run/docker.sock:/var/run/docker.sock'
      - scratch:/scratch
      - '${{HOST_DOCKER_CONFIG_DIR-${{HOME}}/.docker}}:/root/.docker:ro'
    configs:
      - source: authority
        target: /etc/airlock/authority/ca.crt

  autoheal:
    image: 'appliance.plant.example:5443/registry.test/distr/docker-autoheal@{digest}'
    network_mode: none
    restart: always
    environment:
      AUTOHEAL_CONTAINER_LABEL: sh.distr.autoheal
    volumes:
      - '/var/run/docker.sock:/var/run/docker.sock'

volumes:
  scratch:

configs:
  authority:
    content: |
      -----BEGIN CERTIFICATE-----
      MIIBszCCAVmgAwIBAgIUabc+/=
      -----END CERTIFICATE-----
"
    );
    assert_eq!(manifest, expected);
    let identity =
        crate::support::in_process::login(&hub, &id, hub.issue_secret(&id, false).unwrap().as_str()).unwrap();
    assert_eq!(
        hub.agent_manifest(&identity).unwrap(),
        manifest.replace(SECRET, "<nil>")
    );
    // The same words on any day.
    assert_eq!(
        instance
            .hub_as("appliance.plant.example:5443", true, Some(PEM))
            .connect_manifest(&id, SECRET)
            .unwrap(),
        manifest
    );
}

#[test]
fn switches_of_a_docker_target_show_in_its_manifest() {
    let (instance, _) = instance();
    let manifest = instance.hub().connect_manifest(&target_id("edge-1"), SECRET).unwrap();
    for line in [
        "      HOST_ROOT_DIR: '/hostfs'\n",
        "      - '/:/hostfs:ro,rslave'\n",
        "      AUTOHEAL_CONTAINER_LABEL: all\n",
        "      - '/run/user/1000/docker.sock:/var/run/docker.sock'\n",
        "      DISTR_REGISTRY_PLAIN_HTTP: 'true'\n",
        "      DISTR_LOGIN_ENDPOINT: 'http://127.0.0.1:5000/api/v1/agent/login'\n",
    ] {
        assert!(manifest.contains(line), "{line}{manifest}");
    }
    assert!(
        !manifest.contains("configs:") && !manifest.contains("SSL_CERT"),
        "plain HTTP needs no authority"
    );
}

#[test]
fn the_kubernetes_manifest_of_a_namespace() {
    let (instance, digest) = instance();
    let hub = instance.hub_as("10.0.0.1:5443", true, Some(PEM));
    let id = target_id("cluster");
    let manifest = hub.connect_manifest(&id, SECRET).unwrap();
    let kinds: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("kind: "))
        .collect();
    assert_eq!(
        kinds,
        [
            "ConfigMap",
            "ConfigMap",
            "Secret",
            "ServiceAccount",
            "Role",
            "RoleBinding",
            "Deployment"
        ]
    );
    let version = Uuid::derived("agent-version", &["3.1.0"]);
    for part in [
        &format!("  DISTR_TARGET_ID: '{id}'\n") as &str,
        "  DISTR_RESOURCE_ENDPOINT: 'https://10.0.0.1:5443/api/v1/agent/resources'\n",
        "  DISTR_REGISTRY_HOST: '10.0.0.1:5443'\n",
        &format!("  DISTR_AGENT_VERSION_ID: '{version}'\n"),
        &format!("        airlock.internal/agent-version: '{version}'\n"),
        &format!("          image: '10.0.0.1:5443/registry.test/distr/kubernetes-agent@{digest}'\n"),
        "stringData:\n  DISTR_TARGET_SECRET: '00112233445566778899aabbccddeeff'\n",
        "              value: '/etc/ssl/certs:/opt/config/authority'\n",
        "          livenessProbe:\n            httpGet:\n              path: /\n              port: 8765\n",
        "            failureThreshold: 2\n",
        "              memory: 256Mi\n",
    ] {
        assert!(manifest.contains(part), "{part}{manifest}");
    }
    let identity =
        crate::support::in_process::login(&hub, &id, hub.issue_secret(&id, false).unwrap().as_str()).unwrap();
    let without = hub.agent_manifest(&identity).unwrap();
    let secret = manifest
        .split("---\n")
        .find(|object| object.contains("kind: Secret"))
        .unwrap();
    assert_eq!(without, manifest.replace(&format!("---\n{secret}"), ""));
    assert!(!without.contains(SECRET));
}

#[test]
fn the_kubernetes_manifest_of_a_cluster() {
    let instance = InProcessAppliance::new();
    let made = instance.vendor.with_targets(1, |image| {
        let mut desired = Desired::both(image, 0, "a");
        let kubernetes = desired.target("cluster").kubernetes.as_mut().unwrap();
        kubernetes.scope = KubernetesScope::Cluster;
        kubernetes.resources = Some(Resources {
            cpu_limit: "2".into(),
            cpu_request: "100m".into(),
            memory_limit: "1Gi".into(),
            memory_request: "128Mi".into(),
        });
        desired
    });
    instance.import(&made, false).unwrap();
    let hub = instance.hub();
    let manifest = hub.agent_manifest(&enrol(&hub, "cluster")).unwrap();
    let kinds: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("kind: "))
        .collect();
    assert_eq!(
        kinds,
        ["ConfigMap", "ServiceAccount", "ClusterRoleBinding", "Deployment"]
    );
    assert!(manifest.contains("  name: distr-agent-shop\n") && manifest.contains("    namespace: 'shop'\n"));
    assert!(manifest.contains("              cpu: '2'\n              memory: '1Gi'\n"));
    assert!(!manifest.contains("authority"));
}

#[test]
fn a11_the_script_ends_in_the_docker_manifest_and_nothing_of_it_can_be_chosen() {
    let (instance, _) = instance();
    let id = target_id("edge-0");
    let plain = instance.hub().pre_connect(&id, SECRET).unwrap();
    assert_eq!(
        plain,
        format!(
            "#!/bin/sh\n# Installs the agent of this host.\ncurl -fsSL 'http://127.0.0.1:5000/api/v1/connect?targetId={id}&targetSecret={SECRET}' | docker compose -f - up -d"
        )
    );
    let hub = instance.hub_as("appliance.plant.example:5443", true, Some(PEM));
    let script = hub.pre_connect(&id, SECRET).unwrap();
    assert!(script.starts_with("#!/bin/sh\n"));
    assert!(script.contains(PEM));
    assert!(script.ends_with(&format!(
        "curl -fsSL --cacert \"$authority\" 'https://appliance.plant.example:5443/api/v1/connect?targetId={id}&targetSecret={SECRET}' | docker compose -f - up -d\n"
    )));
    let command = hub.install_command(&id, SECRET).unwrap();
    assert!(!command.contains('\n') && command.contains("--cacert") && command.ends_with("docker compose -f - up -d"));
    let cluster = hub.install_command(&target_id("cluster"), SECRET).unwrap();
    assert!(cluster.ends_with("kubectl apply -n 'shop' -f -"), "{cluster}");
    for text in [&plain, &script, &command, &hub.connect_manifest(&id, SECRET).unwrap()] {
        assert!(!text.contains("reboot"), "{text}");
    }
    // Shells agree that these are scripts, and run none of the target's name.
    for text in [&plain, &script, &command] {
        let mut shell = std::process::Command::new("sh");
        let status = shell.args(["-n", "-c", text]).status().unwrap();
        assert!(status.success(), "{text}");
    }
    for secret in ["", "'; reboot; '", &SECRET.to_uppercase()] {
        assert_eq!(hub.install_command(&id, secret).unwrap_err().code(), "secret");
    }
}
