//! Desired states for releases of the tests: docker and kubernetes targets that run the one image of a release.

use airlock::bundle::desired::{
    AgentVersion, ChartSource, Deployment, DesiredState, DockerDeployment, DockerMode, HelmDeployment, ImageName,
    Kubernetes, KubernetesScope, Target, TargetKind, Verifier,
};
use airlock::domain::{Digest, DocumentType, Uuid};

use super::bundles::REPOSITORY;
use super::site::digest;

/// Repositories and tags under which a release with targets has its image, beside the usual one.
pub(crate) const REPOSITORIES: [(&str, &str); 4] = [
    ("registry.test/charts/shop", "1.0.0"),
    ("registry.test/distr/docker-agent", "3.1.0"),
    ("registry.test/distr/docker-autoheal", "3.1.0"),
    ("registry.test/distr/kubernetes-agent", "3.1.0"),
];

/// A desired state with the documents that it names.
#[derive(Clone)]
pub(crate) struct Desired {
    pub(crate) state: DesiredState,
    pub(crate) documents: Vec<(DocumentType, Vec<u8>)>,
}

impl Desired {
    /// `count` docker targets `edge-0`, `edge-1` …, each with the application `web`: the image with a digest. `text` goes into the
    /// compose files, so that another one makes another revision.
    pub(crate) fn docker(image: Digest, count: usize, text: &str) -> Self {
        let mut desired = Self::agents(image);
        for number in 0..count {
            let name = format!("edge-{number}");
            let id = deployment_id(&name);
            let short = id.to_string()[..8].to_owned();
            let compose = format!(
                "name: distr-{short}\nservices:\n  web:\n    image: \"registry.airlock.internal/{REPOSITORY}@{image}\"\n    labels:\n      text: {text:?}\n"
            );
            let compose = desired.put(DocumentType::Compose, compose.as_bytes());
            let mut target = target(&name, TargetKind::Docker);
            target.deployments.push(Deployment {
                docker: Some(DockerDeployment {
                    compose,
                    env: None,
                    mode: DockerMode::Compose,
                }),
                ..deployment(&name, text, vec![image_name(REPOSITORY, image)])
            });
            desired.state.targets.push(target);
        }
        desired.state.targets.sort_by_key(|target| target.id);
        desired
    }

    /// As [`Desired::docker`], and a kubernetes target `cluster` in the namespace `shop` with the chart `shop`.
    pub(crate) fn both(image: Digest, count: usize, text: &str) -> Self {
        let mut desired = Self::docker(image, count, text);
        let values = format!(
            "{{\"big\":12345678,\"image\":\"registry.airlock.internal/{REPOSITORY}@{image}\",\"text\":{text:?}}}"
        );
        let values = desired.put(DocumentType::Values, values.as_bytes());
        let mut target = target("cluster", TargetKind::Kubernetes);
        target.kubernetes = Some(Kubernetes {
            namespace: "shop".into(),
            resources: None,
            scope: KubernetesScope::Namespace,
        });
        let chart = "registry.test/charts/shop";
        let mut images = vec![image_name(REPOSITORY, image), image_name(chart, image)];
        images.sort();
        target.deployments.push(Deployment {
            helm: Some(HelmDeployment {
                chart: chart.parse().unwrap(),
                chart_name: "shop".into(),
                chart_version: "1.0.0".into(),
                ignore_revision_skew: false,
                options: None,
                release_name: "shop".into(),
                source: ChartSource::Oci,
                tag: "1.0.0".parse().unwrap(),
                values,
            }),
            ..deployment("cluster", text, images)
        });
        desired.state.targets.push(target);
        desired.state.targets.sort_by_key(|target| target.id);
        desired
    }

    fn agents(image: Digest) -> Self {
        Self {
            state: DesiredState {
                agents: vec![AgentVersion {
                    autoheal: Some(image_name("registry.test/distr/docker-autoheal", image)),
                    created_at: "2026-08-03T09:00:00Z".parse().unwrap(),
                    docker: Some(image_name("registry.test/distr/docker-agent", image)),
                    id: Uuid::derived("agent-version", &["3.1.0"]),
                    kubernetes: Some(image_name("registry.test/distr/kubernetes-agent", image)),
                    name: "3.1.0".into(),
                }],
                ..DesiredState::default()
            },
            documents: Vec::new(),
        }
    }

    /// Adds a document and returns its digest.
    pub(crate) fn put(&mut self, kind: DocumentType, bytes: &[u8]) -> Digest {
        self.documents.push((kind, bytes.to_vec()));
        digest(bytes)
    }

    /// The target with a name.
    pub(crate) fn target(&mut self, name: &str) -> &mut Target {
        let target = self.state.targets.iter_mut().find(|target| target.name == name);
        target.unwrap()
    }

    /// Without the targets of these names; their documents go too.
    #[must_use]
    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.state
            .targets
            .retain(|target| !names.contains(&target.name.as_str()));
        let state = self.state.clone();
        let used = |digest: Digest| {
            state.deployments().any(|(_, deployment)| {
                let docker = deployment.docker.as_ref();
                docker.is_some_and(|docker| docker.compose == digest || docker.env == Some(digest))
                    || deployment.helm.as_ref().is_some_and(|helm| helm.values == digest)
            })
        };
        self.documents.retain(|(_, bytes)| used(digest(bytes)));
        self
    }

    /// Saying that these shall go.
    #[must_use]
    pub(crate) fn removing(mut self, ids: &[Uuid]) -> Self {
        self.state.removed.extend(ids);
        self.state.removed.sort();
        self
    }

    pub(crate) fn into_documents(mut self) -> Vec<(DocumentType, Vec<u8>)> {
        let state = self.state.to_bytes();
        self.documents.push((DocumentType::DesiredState, state));
        self.documents
    }
}

/// The verifier that the hub would keep of the secret [`HUB_SECRET`].
pub(crate) fn hub_verifier() -> Verifier {
    Verifier {
        algorithm: "argon2id".into(),
        hash: "8f65e48601c4726ff3fbaf014fcc15f295aaae304341b6810403ee036ad2965f".into(),
        lanes: 4,
        memory_kib: 65_536,
        salt: "05".repeat(16),
        time: 1,
    }
}

/// A secret that the hub issued; the verifier of it was made with argon2-cffi.
pub(crate) const HUB_SECRET: &str = "00112233445566778899aabbccddeeff";

/// The UUID of a target of the tests: one of a hub, the same in every scope.
pub(crate) fn target_id(name: &str) -> Uuid {
    hub_id("target", &[name])
}

/// The UUID of its one deployment.
pub(crate) fn deployment_id(name: &str) -> Uuid {
    hub_id("deployment", &[name, "web"])
}

/// A UUID of version 4 that follows from words all the same.
fn hub_id(kind: &str, words: &[&str]) -> Uuid {
    Uuid::from_random(*Uuid::derived(kind, words).as_bytes())
}

/// The revision of its deployment, for a text.
pub(crate) fn revision_id(name: &str, text: &str) -> Uuid {
    Uuid::derived("revision", &[name, text])
}

fn target(name: &str, kind: TargetKind) -> Target {
    Target {
        agent: Uuid::derived("agent-version", &["3.1.0"]),
        autoheal_all: false,
        created_at: "2026-09-01T00:00:00Z".parse().unwrap(),
        deployments: Vec::new(),
        docker_socket: None,
        id: target_id(name),
        image_cleanup: true,
        kind,
        kubernetes: None,
        logs: true,
        logs_after: None,
        metrics: false,
        name: name.to_owned(),
        site: None,
        verifier: None,
    }
}

fn deployment(target: &str, text: &str, images: Vec<ImageName>) -> Deployment {
    Deployment {
        application: "web".parse().unwrap(),
        created_at: "2026-09-02T00:00:00Z".parse().unwrap(),
        docker: None,
        force_restart: false,
        secret_uses: None,
        helm: None,
        id: deployment_id(target),
        images,
        revision: revision_id(target, text),
        version: format!("version {text}"),
    }
}

fn image_name(repository: &str, digest: Digest) -> ImageName {
    ImageName {
        digest,
        repository: repository.parse().unwrap(),
    }
}
