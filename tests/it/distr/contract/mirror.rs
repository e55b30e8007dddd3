//! A release whose desired state is a recorded one: the same ids, documents and flags, images of the same shape.
//!
//! What cannot be the same is mapped: digests, because nobody recorded the content of layers, and hosts.

use std::collections::{BTreeMap, BTreeSet};

use airlock::bundle::desired::{
    AgentVersion, ChartSource, Deployment, DesiredState, DockerDeployment, DockerMode, HelmDeployment, HelmOptions,
    ImageName, Kubernetes, KubernetesScope, PLACEHOLDER_HOST, Target, TargetKind, WaitStrategy,
};
use airlock::domain::{Digest, DocumentType, Timestamp, Uuid, oci};
use serde_json::{Value, json};

use super::recording::{RecordedImage, Recording, images, text};
use super::release::{Draft, HOME, Image};
use crate::support::site::noise;

/// The registry of the recordings, as their documents name it.
pub(super) const RECORDED_REGISTRY: &str = "127.0.0.1:18585";
/// The hub of the recordings.
pub(super) const RECORDED_HUB: &str = "127.0.0.1:18080";
/// The classic chart repository of the recordings.
pub(super) const RECORDED_CHARTS: &str = "http://127.0.0.1:18700";
/// Where images of the agents stand.
pub(super) const AGENTS: &str = "registry.example/distr-sh/distr";

/// States of all targets of a recording, by target.
pub(super) type States = BTreeMap<String, Value>;

/// What stands for the recorded images.
pub(super) struct Mirror {
    /// Ours, by repository and tag as recorded.
    images: BTreeMap<(String, String), Image>,
    /// Our digests, by recorded ones: manifests, configs, layers.
    pub(super) digests: BTreeMap<String, Digest>,
}

impl Mirror {
    pub(super) fn new() -> Self {
        let mut mirror = Self {
            images: BTreeMap::new(),
            digests: BTreeMap::new(),
        };
        for recorded in images() {
            let mut image = stand_in(&recorded);
            // White space at the end is part of a manifest as any other byte.
            while image.manifest.len() < recorded.size {
                image.manifest.push(b'\n');
            }
            let parts = std::iter::once(&recorded.config).chain(&recorded.layers);
            mirror.digests.insert(recorded.digest.clone(), image.digest());
            for (part, digest) in parts.zip(&image.parts) {
                mirror.digests.insert(part.digest.clone(), *digest);
            }
            mirror.images.insert((recorded.repository, recorded.tag), image);
        }
        mirror
    }

    /// The release of a desired state. `removed` is what the release before it had and this one no longer has.
    pub(super) fn draft(&self, states: &States, kubernetes: bool, removed: BTreeSet<Uuid>) -> Draft {
        let mut draft = Draft {
            images: self.images.values().cloned().collect(),
            ..Draft::default()
        };
        let mut agents: BTreeMap<Uuid, AgentVersion> = BTreeMap::new();
        let mut targets = Vec::new();
        for (id, state) in states {
            let agent = agent_version(&state["version"], &mut draft);
            targets.push(self.target(id, &agent, state, kubernetes, &mut draft));
            agents.insert(agent.id, agent);
        }
        targets.sort_by_key(|target| target.id);
        draft.desired = DesiredState {
            agents: agents.into_values().collect(),
            removed: removed.into_iter().collect(),
            targets,
        };
        draft
    }

    fn target(&self, id: &str, agent: &AgentVersion, state: &Value, kubernetes: bool, draft: &mut Draft) -> Target {
        let listed = state["deployments"].as_array().map_or(&[][..], Vec::as_slice);
        let mut deployments: Vec<Deployment> = (0..)
            .zip(listed)
            .map(|(place, deployment)| self.deployment(place, deployment, draft))
            .collect();
        deployments.sort_by_key(|deployment| deployment.id);
        Target {
            agent: agent.id,
            autoheal_all: false,
            created_at: time(0),
            deployments,
            docker_socket: None,
            id: id.parse().unwrap(),
            image_cleanup: listed
                .iter()
                .any(|deployment| deployment["imageCleanupEnabled"] == true),
            kind: if kubernetes {
                TargetKind::Kubernetes
            } else {
                TargetKind::Docker
            },
            kubernetes: kubernetes.then(|| Kubernetes {
                namespace: state["namespace"].as_str().unwrap_or("shop").to_owned(),
                resources: None,
                scope: KubernetesScope::Namespace,
            }),
            logs: state["deploymentLogsEnabled"] == true,
            logs_after: None,
            metrics: state["metricsEnabled"] == true,
            name: format!("edge-{}", &id[..8]),
            site: None,
            verifier: None,
        }
    }

    fn deployment(&self, place: i64, recorded: &Value, draft: &mut Draft) -> Deployment {
        let id = text(&recorded["id"]);
        let mut used: BTreeSet<ImageName> = BTreeSet::new();
        let docker = recorded["dockerType"].as_str().map(|mode| {
            let compose = text(&recorded["composeFile"]["base64_of"]);
            for ((repository, tag), image) in &self.images {
                if compose.contains(&format!("{RECORDED_REGISTRY}/{repository}:{tag}")) {
                    used.insert(image.name());
                }
            }
            let compose = compose.replace(RECORDED_REGISTRY, PLACEHOLDER_HOST);
            let env = recorded["envFile"].get("base64_of").map(text);
            DockerDeployment {
                compose: draft.document(DocumentType::Compose, compose.as_bytes()),
                env: env.map(|env| draft.document(DocumentType::Env, env.as_bytes())),
                mode: if mode == "swarm" {
                    DockerMode::Swarm
                } else {
                    DockerMode::Compose
                },
            }
        });
        let helm = recorded["dockerType"]
            .is_null()
            .then(|| self.helm(recorded, &mut used, draft));
        Deployment {
            application: format!("app-{}", &id[..8]).parse().unwrap(),
            created_at: time(place),
            docker,
            force_restart: recorded["forceRestart"] == true,
            secret_uses: None,
            helm,
            id: id.parse().unwrap(),
            images: used.into_iter().collect(),
            revision: text(&recorded["revisionId"]).parse().unwrap(),
            version: "1".into(),
        }
    }

    fn helm(&self, recorded: &Value, used: &mut BTreeSet<ImageName>, draft: &mut Draft) -> HelmDeployment {
        let (url, version) = (text(&recorded["chartUrl"]), text(&recorded["chartVersion"]));
        let (source, path) = match url.strip_prefix(&format!("oci://{RECORDED_REGISTRY}/")) {
            Some(path) => (ChartSource::Oci, path.to_owned()),
            None => (
                ChartSource::Repository,
                format!("acme-lab/charts/{}", text(&recorded["chartName"])),
            ),
        };
        // A chart that the recording misses, or that stood in another repository, is carried all the same: a release that
        // names a chart which it lacks cannot be made.
        let known = self.images.get(&(path.clone(), version.clone())).cloned();
        let chart = known.unwrap_or_else(|| {
            let made = Image::chart(&format!("{HOME}/{path}"), &version, 552, 79);
            draft.images.push(made.clone());
            made
        });
        used.insert(chart.name());
        let values = serde_json::to_vec(&recorded["values"]).unwrap();
        HelmDeployment {
            chart: chart.repository.parse().unwrap(),
            chart_name: path.rsplit('/').next().unwrap().to_owned(),
            tag: version.replace('+', "_").parse().unwrap(),
            chart_version: version,
            ignore_revision_skew: recorded["ignoreRevisionSkew"] == true,
            options: recorded.get("helmOptions").map(|options| HelmOptions {
                cleanup_on_failure: options["cleanupOnFailure"] == true,
                force_conflicts: options["forceConflicts"] == true,
                rollback_on_failure: options["rollbackOnFailure"] == true,
                timeout: text(&options["timeout"]),
                wait_strategy: match text(&options["waitStrategy"]).as_str() {
                    "watcher" => WaitStrategy::Watcher,
                    "legacy" => WaitStrategy::Legacy,
                    _ => WaitStrategy::HookOnly,
                },
            }),
            release_name: text(&recorded["releaseName"]),
            source,
            values: draft.document(DocumentType::Values, &values),
        }
    }
}

/// The state of every target of a recording before its first exchange: the first one that the hub states, else an empty one.
pub(super) fn first_states(recording: &Recording) -> States {
    let mut states: States = BTreeMap::new();
    for exchange in &recording.exchanges {
        let Some(answer) = exchange.answer.as_ref().filter(|answer| answer.status == 200) else {
            continue;
        };
        let target = exchange.token().and_then(|token| recording.tokens.get(&token).cloned());
        if exchange.path == "/api/v1/agent/resources"
            && let Some(target) = target
            && !states.contains_key(&target)
        {
            states.insert(target, answer.body.clone().unwrap());
        }
    }
    for target in targets(recording) {
        states
            .entry(target)
            .or_insert_with(|| json!({ "version": version_of(recording) }));
    }
    states
}

/// Every target that a recording's agents are, or that somebody asks about and the hub knows.
fn targets(recording: &Recording) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = recording.tokens.values().cloned().collect();
    for exchange in &recording.exchanges {
        let user = exchange.basic().map(|(user, _)| user);
        let asked = exchange.query.as_deref().and_then(|query| {
            let (_, rest) = query.split_once("targetId=")?;
            rest.split('&').next().map(str::to_owned)
        });
        // The recordings spell the id of a target that does not exist with zeroes.
        let ids = user
            .into_iter()
            .chain(asked)
            .filter_map(|id| Uuid::parse_lenient(&id).ok());
        found.extend(ids.map(|id| id.to_string()).filter(|id| !id.starts_with("00000000")));
    }
    found
}

/// The agent version that manifests of a recording name.
fn version_of(recording: &Recording) -> Value {
    let lab = recording.exchanges.iter().any(|exchange| {
        let body = exchange.answer.as_ref().and_then(|answer| answer.body.as_ref());
        body.is_some_and(|body| body.to_string().contains("docker-agent:4.0.0-lab"))
    });
    if lab {
        json!({"id": "50693044-e962-4e45-a629-72526db15cfa", "createdAt": "2026-11-21T01:25:19.932872Z", "name": "4.0.0-lab"})
    } else {
        json!({"id": "4486ed73-bfba-422b-b362-58477e66d645", "createdAt": "2026-11-21T01:03:08.955253Z", "name": "snapshot"})
    }
}

/// An agent version with its images.
fn agent_version(version: &Value, draft: &mut Draft) -> AgentVersion {
    let name = text(&version["name"]);
    let mut image = |kind: &str, seed: u64| {
        let image = Image::plain(&format!("{AGENTS}/{kind}"), &name, seed);
        let made = image.name();
        if !draft.images.iter().any(|other| other.digest() == image.digest()) {
            draft.images.push(image);
        }
        Some(made)
    };
    let (seconds, _) = version["createdAt"].as_str().unwrap().split_once('.').unwrap();
    AgentVersion {
        autoheal: image("docker-autoheal", 1),
        created_at: format!("{seconds}Z").parse().unwrap(),
        docker: image("docker-agent", 2),
        id: text(&version["id"]).parse().unwrap(),
        kubernetes: image("kubernetes-agent", 3),
        name,
    }
}

/// An image with as many parts as the recorded one, each as large.
fn stand_in(recorded: &RecordedImage) -> Image {
    let repository = format!("{HOME}/{}", recorded.repository);
    if recorded.media_type == oci::OCI_MANIFEST {
        return Image::chart(
            &repository,
            &recorded.tag,
            recorded.layers[0].size,
            recorded.config.size,
        );
    }
    let mut config = format!(
        r#"{{"architecture":"amd64","os":"linux","author":"{repository} {}"}}"#,
        recorded.tag
    );
    while config.len() < recorded.config.size {
        config.push(' ');
    }
    // Layers with one recorded digest are one layer here too.
    let layers = recorded.layers.iter().map(|layer| {
        let seed = layer.digest.bytes().map(u64::from).sum();
        noise(layer.size, seed)[..layer.size].to_vec()
    });
    let types = (
        oci::DOCKER_MANIFEST,
        recorded.config.media_type.as_str(),
        recorded.layers[0].media_type.as_str(),
    );
    Image::build(&repository, &recorded.tag, types, config.into_bytes(), layers.collect())
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_795_200_000 + seconds).unwrap()
}
