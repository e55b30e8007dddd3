//! A release of the tests: two docker targets, a kubernetes target of each scope, two applications.

use airlock::bundle::desired::{
    AgentVersion, ChartSource, Deployment, DockerDeployment, DockerMode, HelmDeployment, HelmOptions, Kubernetes,
    KubernetesScope, Target, TargetKind, WaitStrategy,
};
use airlock::domain::{DocumentType, Timestamp, Uuid};

use super::release::{Draft, HOME, Image};

/// The docker target with the shop on it.
pub(super) const EDGE: &str = "0a000000-0000-4000-8000-000000000001";
/// A docker target of somebody else, a swarm.
pub(super) const OTHER: &str = "0a000000-0000-4000-8000-000000000002";
/// Kubernetes, its namespace only.
pub(super) const NAMESPACED: &str = "0a000000-0000-4000-8000-000000000003";
/// Kubernetes, the cluster.
pub(super) const CLUSTER: &str = "0a000000-0000-4000-8000-000000000004";

pub(super) const SHOP: &str = "0b000000-0000-4000-8000-000000000001";
pub(super) const MAIL: &str = "0b000000-0000-4000-8000-000000000002";
pub(super) const CHART: &str = "0b000000-0000-4000-8000-000000000003";
pub(super) const CLASSIC: &str = "0b000000-0000-4000-8000-000000000004";

/// What differs from release to release.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "switches of the hub, set one by one")]
pub(super) struct Sample {
    /// Of the shop: another one, another revision.
    pub(super) web: u64,
    /// Agent version.
    pub(super) agent: &'static str,
    pub(super) shop: bool,
    pub(super) logs: bool,
    pub(super) metrics: bool,
    pub(super) force_restart: bool,
    pub(super) removed: Vec<Uuid>,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            web: 1,
            agent: "3.1.0",
            shop: true,
            logs: true,
            metrics: true,
            force_restart: false,
            removed: Vec::new(),
        }
    }
}

/// Repository of the shop's image.
pub(super) fn web_repository() -> String {
    format!("{HOME}/acme/team/web")
}

/// The shop's image.
pub(super) fn web(seed: u64) -> Image {
    Image::plain(&web_repository(), &format!("{seed}.0"), 100 + seed)
}

/// Revision of the shop in a release.
pub(super) fn shop_revision(web: u64) -> Uuid {
    Uuid::derived("revision", &["shop", &web.to_string()])
}

/// Revision of an application that is the same in every release.
pub(super) fn revision(application: &str) -> Uuid {
    Uuid::derived("revision", &[application])
}

/// Id of an agent version.
pub(super) fn version_id(name: &str) -> Uuid {
    Uuid::derived("agent-version", &[name])
}

/// The shop's compose file as documents hold it.
pub(super) fn shop_compose(web: u64) -> String {
    let image = self::web(web);
    format!(
        "name: distr-0b000000\nservices:\n  web:\n    image: \"registry.airlock.internal/{}@{}\"\n    environment:\n      HUB: \"https://registry.airlock.internal/health\"\n    x-future: {{ a: 1, b: [true, null] }}\n",
        image.repository,
        image.digest()
    )
}

/// Values of the chart.
pub(super) const VALUES: &str = r#"{"big":12345678,"exact":9007199254740991,"float":1.5,"image":"registry.airlock.internal/registry.example/acme/team/web","imagePullSecrets":[],"later":{"unknown":["to","us"]}}"#;

impl Sample {
    pub(super) fn draft(&self) -> Draft {
        let mut draft = Draft::default();
        let agents: Vec<Image> = (0..)
            .zip(["docker-agent", "docker-autoheal", "kubernetes-agent"])
            .map(|(seed, kind)| Image::plain(&format!("{HOME}/distr/{kind}"), self.agent, seed))
            .collect();
        let chart = Image::chart(&format!("{HOME}/acme/charts/shop"), "1.2.0", 600, 80);
        let classic = Image::chart(&format!("{HOME}/acme/charts/classic"), "0.1.0+build.7", 500, 80);
        let mut classic = classic;
        classic.tag = "0.1.0_build.7".into();
        let web = web(self.web);
        draft.desired.agents = vec![AgentVersion {
            autoheal: Some(agents[1].name()),
            created_at: time(0),
            docker: Some(agents[0].name()),
            id: version_id(self.agent),
            kubernetes: Some(agents[2].name()),
            name: self.agent.to_owned(),
        }];
        let shop = self.shop.then(|| Deployment {
            docker: Some(DockerDeployment {
                compose: draft.document(DocumentType::Compose, shop_compose(self.web).as_bytes()),
                env: Some(draft.document(DocumentType::Env, b"GREETING=\"hello ${NAME:-you}\"\n")),
                mode: DockerMode::Compose,
            }),
            images: vec![web.name()],
            revision: shop_revision(self.web),
            force_restart: self.force_restart,
            ..empty("shop", SHOP, 1)
        });
        let mail = Deployment {
            docker: Some(DockerDeployment {
                compose: draft.document(DocumentType::Compose, b"name: distr-mail\nservices: {}\n"),
                env: None,
                mode: DockerMode::Swarm,
            }),
            ..empty("mail", MAIL, 2)
        };
        let oci = Deployment {
            helm: Some(helm(&mut draft, &chart, "1.2.0", ChartSource::Oci)),
            images: vec![chart.name()],
            ..empty("chart", CHART, 1)
        };
        let repository = Deployment {
            helm: Some(helm(&mut draft, &classic, "0.1.0+build.7", ChartSource::Repository)),
            images: vec![classic.name()],
            ..empty("classic", CLASSIC, 1)
        };
        draft.desired.targets = vec![
            self.target(EDGE, "edge", None, shop.into_iter().collect()),
            self.target(OTHER, "other", None, vec![mail]),
            self.target(NAMESPACED, "cell", Some(KubernetesScope::Namespace), vec![oci]),
            self.target(CLUSTER, "farm", Some(KubernetesScope::Cluster), vec![repository]),
        ];
        draft.desired.removed.clone_from(&self.removed);
        draft.images.extend(agents);
        draft.images.extend([chart, classic, web]);
        draft
    }

    fn target(&self, id: &str, name: &str, scope: Option<KubernetesScope>, deployments: Vec<Deployment>) -> Target {
        Target {
            agent: version_id(self.agent),
            autoheal_all: false,
            created_at: time(0),
            deployments,
            docker_socket: None,
            id: id.parse().unwrap(),
            image_cleanup: scope.is_none(),
            kind: if scope.is_some() {
                TargetKind::Kubernetes
            } else {
                TargetKind::Docker
            },
            kubernetes: scope.map(|scope| Kubernetes {
                namespace: name.to_owned(),
                resources: None,
                scope,
            }),
            logs: self.logs,
            logs_after: None,
            metrics: self.metrics,
            name: name.to_owned(),
            site: None,
            verifier: None,
        }
    }
}

fn empty(name: &str, id: &str, at: i64) -> Deployment {
    Deployment {
        application: name.parse().unwrap(),
        created_at: time(at),
        docker: None,
        force_restart: false,
        secret_uses: None,
        helm: None,
        id: id.parse().unwrap(),
        images: Vec::new(),
        revision: revision(name),
        version: "1.0".into(),
    }
}

fn helm(draft: &mut Draft, chart: &Image, version: &str, source: ChartSource) -> HelmDeployment {
    let name = chart.repository.rsplit('/').next().unwrap().to_owned();
    HelmDeployment {
        chart: chart.repository.parse().unwrap(),
        chart_version: version.to_owned(),
        ignore_revision_skew: false,
        options: (source == ChartSource::Repository).then(|| HelmOptions {
            cleanup_on_failure: true,
            force_conflicts: false,
            rollback_on_failure: true,
            timeout: "5m0s".into(),
            wait_strategy: WaitStrategy::Watcher,
        }),
        release_name: name.clone(),
        chart_name: name,
        source,
        tag: chart.tag.parse().unwrap(),
        values: draft.document(DocumentType::Values, VALUES.as_bytes()),
    }
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_unix(1_790_000_000 + seconds).unwrap()
}
