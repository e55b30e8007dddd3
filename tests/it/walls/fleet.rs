//! Desired states: agent versions, targets and deployments under any UUID, over images and charts of any repository.

use airlock::bundle::desired::{
    AgentVersion, ChartSource, Deployment, DesiredState, DockerDeployment, DockerMode, HelmDeployment, ImageName,
    Kubernetes, KubernetesScope, Target, TargetKind,
};
use airlock::domain::{Digest, DocumentType, Uuid};

use super::forge::Goods;
use crate::support::desired::hub_verifier;

/// A desired state in the making; its documents go into the goods at once.
#[derive(Clone, Default)]
pub(super) struct Fleet {
    state: DesiredState,
}

/// A chart that a deployment names.
pub(super) struct ChartUse<'a> {
    pub(super) repository: &'a str,
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) digest: Digest,
    pub(super) source: ChartSource,
}

pub(super) fn image_name(repository: &str, digest: Digest) -> ImageName {
    ImageName {
        digest,
        repository: repository.parse().unwrap(),
    }
}

/// A UUID as a hub makes them.
pub(super) fn random_id(word: &str) -> Uuid {
    let bytes = *Uuid::derived("random", &[word]).as_bytes();
    Uuid::from_random(bytes)
}

/// The UUID that follows for an application on a target.
pub(super) fn deployment_id(target: Uuid, application: &str) -> Uuid {
    Uuid::derived("deployment", &[&target.to_string(), application])
}

impl Fleet {
    /// Lists an agent version with its images.
    pub(super) fn agent(
        &mut self,
        id: Uuid,
        docker: Option<ImageName>,
        autoheal: Option<ImageName>,
        kubernetes: Option<ImageName>,
    ) {
        self.state.agents.push(AgentVersion {
            autoheal,
            created_at: "2026-08-03T09:00:00Z".parse().unwrap(),
            docker,
            id,
            kubernetes,
            name: "3.1.0".into(),
        });
    }

    /// Adds a docker target with one application `web`; `text` makes its compose file and its revision.
    pub(super) fn docker(
        &mut self,
        goods: &mut Goods,
        agent: Uuid,
        name: &str,
        (id, deployment): (Uuid, Uuid),
        image: ImageName,
        text: &str,
    ) {
        let compose = format!(
            "services:\n  web:\n    image: \"registry.airlock.internal/{}@{}\"\n    labels: {{owner: \"{text}\"}}\n",
            image.repository, image.digest
        );
        let compose = goods.document(DocumentType::Compose, compose.into_bytes());
        let mut target = target(agent, id, name, TargetKind::Docker);
        target.deployments.push(Deployment {
            docker: Some(DockerDeployment {
                compose,
                env: None,
                mode: DockerMode::Compose,
            }),
            ..self::deployment("web", deployment, text, vec![image])
        });
        self.state.targets.push(target);
    }

    /// Adds a kubernetes target with one deployment for each chart.
    pub(super) fn kubernetes(
        &mut self,
        goods: &mut Goods,
        agent: Uuid,
        name: &str,
        id: Uuid,
        charts: &[ChartUse<'_>],
        text: &str,
    ) {
        let mut target = target(agent, id, name, TargetKind::Kubernetes);
        target.kubernetes = Some(Kubernetes {
            namespace: "erp".into(),
            resources: None,
            scope: KubernetesScope::Namespace,
        });
        for chart in charts {
            let values = format!(r#"{{"chart":"{}","owner":"{text}"}}"#, chart.name);
            let values = goods.document(DocumentType::Values, values.into_bytes());
            let deployment = deployment_id(id, chart.name);
            target.deployments.push(Deployment {
                helm: Some(HelmDeployment {
                    chart: chart.repository.parse().unwrap(),
                    chart_name: chart.name.to_owned(),
                    chart_version: chart.version.to_owned(),
                    ignore_revision_skew: false,
                    options: None,
                    release_name: chart.name.to_owned(),
                    source: chart.source,
                    tag: chart.version.parse().unwrap(),
                    values,
                }),
                ..self::deployment(
                    chart.name,
                    deployment,
                    text,
                    vec![image_name(chart.repository, chart.digest)],
                )
            });
        }
        target.deployments.sort_by_key(|deployment| deployment.id);
        self.state.targets.push(target);
    }

    /// Lets a target have the verifier of a secret that the hub issued.
    pub(super) fn verify(&mut self, target: Uuid) {
        let target = self.state.targets.iter_mut().find(|known| known.id == target);
        target.unwrap().verifier = Some(hub_verifier());
    }

    /// Lets another revision stand in the only deployment of the last target.
    pub(super) fn revision(&mut self, revision: Uuid) {
        self.state.targets.last_mut().unwrap().deployments[0].revision = revision;
    }

    /// Says that these shall go.
    pub(super) fn remove(&mut self, ids: &[Uuid]) {
        self.state.removed.extend(ids);
    }

    /// The UUIDs of targets and their deployments.
    pub(super) fn ids(&self) -> Vec<(Uuid, Vec<Uuid>)> {
        let ids = |target: &Target| target.deployments.iter().map(|deployment| deployment.id).collect();
        self.state
            .targets
            .iter()
            .map(|target| (target.id, ids(target)))
            .collect()
    }

    /// The revision of a target's first deployment.
    pub(super) fn revision_of(&self, target: Uuid) -> Uuid {
        let target = self.state.targets.iter().find(|known| known.id == target).unwrap();
        target.deployments[0].revision
    }

    /// Puts the document into the goods.
    pub(super) fn write(mut self, goods: &mut Goods) {
        self.state.agents.sort_by_key(|agent| agent.id);
        self.state.targets.sort_by_key(|target| target.id);
        self.state.removed.sort();
        goods.document(DocumentType::DesiredState, self.state.to_bytes());
    }
}

fn target(agent: Uuid, id: Uuid, name: &str, kind: TargetKind) -> Target {
    Target {
        agent,
        autoheal_all: false,
        created_at: "2026-09-01T00:00:00Z".parse().unwrap(),
        deployments: Vec::new(),
        docker_socket: None,
        id,
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

fn deployment(application: &str, id: Uuid, text: &str, images: Vec<ImageName>) -> Deployment {
    Deployment {
        application: application.parse().unwrap(),
        created_at: "2026-09-02T00:00:00Z".parse().unwrap(),
        docker: None,
        force_restart: false,
        secret_uses: None,
        helm: None,
        id,
        images,
        revision: Uuid::derived("revision", &[&id.to_string(), text]),
        version: format!("version {text}"),
    }
}
