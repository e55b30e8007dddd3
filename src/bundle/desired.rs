//! The desired-state document: which targets there are, and what each of them shall run (SPEC section 11).
//!
//! Nothing in it is a secret, and nothing in it is for one appliance only: hosts stand as [`PLACEHOLDER_HOST`] in the documents
//! it names, and the appliance puts its own address there when it serves them. UUIDs are those of the hub's world and never change
//! from release to release (D11); the revision of a deployment changes exactly when what an agent must apply changes.

use serde::{Deserialize, Serialize};

use crate::crypto::canonical::{self, integer};
use crate::domain::{Class, Digest, Error, Name, RepositoryName, Result, SiteId, Tag, Timestamp, Uuid};

/// Stands for the appliance's registry in compose files, values and chart addresses (D9).
pub const PLACEHOLDER_HOST: &str = "registry.airlock.internal";

/// Targets, deployments, and agent versions of one release; each list counts these.
const ITEMS: usize = 10_000;
/// Longest text for people, in bytes.
const TEXT_BYTES: usize = 128;

/// What targets of a release shall run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesiredState {
    /// Agent versions, ascending by id.
    pub agents: Vec<AgentVersion>,
    /// Targets and deployments that earlier releases had and that shall go: the signed instruction to undeploy. Ascending.
    pub removed: Vec<Uuid>,
    /// Targets, ascending by id.
    pub targets: Vec<Target>,
}

/// A version of the agents, as `version` of the hub's answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentVersion {
    /// Image that restarts unhealthy containers beside the docker agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoheal: Option<ImageName>,
    /// As the hub states it.
    pub created_at: Timestamp,
    /// Image of the docker agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<ImageName>,
    /// Its UUID.
    pub id: Uuid,
    /// Image of the kubernetes agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<ImageName>,
    /// Its name, for example `3.1.0`: agents state it as `DistrAgentClient/<name>`.
    pub name: String,
}

/// An image, or a chart in a registry, that the bundle carries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageName {
    /// Manifest or index.
    pub digest: Digest,
    /// A repository of the release that reaches it.
    pub repository: RepositoryName,
}

/// What agents run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// A docker engine, alone or as a swarm.
    Docker,
    /// A kubernetes cluster or namespace.
    Kubernetes,
}

/// A deployment target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the hub's switches of a target")]
pub struct Target {
    /// Agent version it shall run: an id of [`DesiredState::agents`].
    pub agent: Uuid,
    /// docker: every unhealthy container is restarted, not only the agent's own.
    pub autoheal_all: bool,
    /// As the hub states it.
    pub created_at: Timestamp,
    /// What it shall run, ascending by id.
    pub deployments: Vec<Deployment>,
    /// docker: path of the engine's socket on the host, when it is not `/var/run/docker.sock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_socket: Option<String>,
    /// Its UUID.
    pub id: Uuid,
    /// docker: images of replaced containers are removed.
    pub image_cleanup: bool,
    /// What agents run on.
    pub kind: TargetKind,
    /// kubernetes only, and always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Kubernetes>,
    /// Logs of containers are collected.
    pub logs: bool,
    /// No logs from before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs_after: Option<Timestamp>,
    /// Metrics are collected.
    pub metrics: bool,
    /// For people; 1 to 128 bytes, unique within the release.
    pub name: String,
    /// The only site that it stands at; every site of the audience when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteId>,
    /// Checks the secret that the hub issued, so that an enrolled agent keeps it (D12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<Verifier>,
}

/// Where in a cluster an agent lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kubernetes {
    /// Namespace of the agent and of everything it deploys: an RFC 1123 label.
    pub namespace: String,
    /// Resources of the agent's container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// What the agent may reach.
    pub scope: KubernetesScope,
}

/// What a kubernetes agent may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KubernetesScope {
    /// The cluster.
    Cluster,
    /// Its namespace.
    Namespace,
}

/// Resources of a container, as kubernetes quantities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the hub's fields of the same names")]
pub struct Resources {
    pub cpu_limit: String,
    pub cpu_request: String,
    pub memory_limit: String,
    pub memory_request: String,
}

/// The hub's verifier of a target secret. Only the hub's own parameters are allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verifier {
    /// `argon2id`.
    pub algorithm: String,
    /// 32 bytes, in hex.
    pub hash: String,
    /// 4.
    #[serde(with = "integer")]
    pub lanes: u64,
    /// 65,536.
    #[serde(with = "integer")]
    pub memory_kib: u64,
    /// 16 bytes, in hex.
    pub salt: String,
    /// 1.
    #[serde(with = "integer")]
    pub time: u64,
}

/// An application on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The application.
    pub application: Name,
    /// As the hub states it; orders the deployments of a target.
    pub created_at: Timestamp,
    /// On docker targets, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<DockerDeployment>,
    /// Restart after this revision was applied.
    pub force_restart: bool,
    /// On kubernetes targets, and only there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub helm: Option<HelmDeployment>,
    /// Its UUID.
    pub id: Uuid,
    /// Every image and chart that it needs, ascending.
    pub images: Vec<ImageName>,
    /// What must be applied: changes exactly when that changes.
    pub revision: Uuid,
    /// Version label of the application, for people; 1 to 128 bytes.
    pub version: String,
}

/// How a compose application is deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DockerDeployment {
    /// Document of type `compose`.
    pub compose: Digest,
    /// Document of type `env`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Digest>,
    /// Compose project or swarm stack.
    pub mode: DockerMode,
}

/// What runs a compose file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DockerMode {
    /// `docker compose up`.
    Compose,
    /// `docker stack deploy`.
    Swarm,
}

/// How a chart is deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelmDeployment {
    /// Repository of the release that holds the chart: what [`HelmDeployment::tag`] is a tag of.
    pub chart: RepositoryName,
    /// The chart's own name, as in `Chart.yaml`.
    pub chart_name: String,
    /// The chart's version, as in `Chart.yaml`.
    pub chart_version: String,
    /// Upgrade also when the cluster's revision is not the recorded one.
    pub ignore_revision_skew: bool,
    /// Options of helm; its defaults when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<HelmOptions>,
    /// Helm release.
    pub release_name: String,
    /// How agents fetch the chart.
    pub source: ChartSource,
    /// Tag of the chart in its repository: the version with `_` in place of `+`.
    pub tag: Tag,
    /// Document of type `values`.
    pub values: Digest,
}

/// How agents fetch a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChartSource {
    /// From the registry: `oci://PLACEHOLDER/<chart>`.
    Oci,
    /// From `https://PLACEHOLDER/charts/<chart>/index.yaml`, which agents read without credentials.
    Repository,
}

/// Options of helm, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelmOptions {
    /// Remove new resources of a failed upgrade.
    pub cleanup_on_failure: bool,
    /// Take over fields of other owners.
    pub force_conflicts: bool,
    /// Roll a failed upgrade back.
    pub rollback_on_failure: bool,
    /// A Go duration such as `5m0s`.
    pub timeout: String,
    /// How helm waits.
    pub wait_strategy: WaitStrategy,
}

/// How helm waits for what it deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "helm's own words")]
pub enum WaitStrategy {
    Watcher,
    Legacy,
    HookOnly,
}

impl DesiredState {
    /// Parses the document and checks everything that holds within it.
    ///
    /// # Errors
    ///
    /// `E-FORMAT`, `E-LIMIT` for the form; `E-CONTENT desired-state` or `verifier` for what is said.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let state: Self = canonical::from_slice(bytes, "the desired state")?;
        state.check()?;
        Ok(state)
    }

    /// Returns the document's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::to_vec(self)
    }

    /// Returns every deployment with its target.
    pub fn deployments(&self) -> impl Iterator<Item = (&Target, &Deployment)> {
        self.targets
            .iter()
            .flat_map(|target| target.deployments.iter().map(move |deployment| (target, deployment)))
    }

    /// Checks everything that holds within the document.
    ///
    /// # Errors
    ///
    /// `E-CONTENT desired-state` or `verifier`; `E-LIMIT items`.
    pub fn check(&self) -> Result<()> {
        let deployments = self.deployments().count();
        if self
            .agents
            .len()
            .max(self.targets.len())
            .max(deployments)
            .max(self.removed.len())
            > ITEMS
        {
            return Err(
                Error::new(Class::Limit, "items", "the desired state lists too much").expected(format!(
                    "at most {ITEMS} targets, deployments, agent versions and removals each"
                )),
            );
        }
        if !ascending(self.agents.iter().map(|agent| agent.id))
            || !ascending(self.targets.iter().map(|target| target.id))
            || !ascending(self.removed.iter().copied())
        {
            return Err(wrong(
                "agent versions, targets or removals are repeated or out of order".into(),
            ));
        }
        let mut ids: Vec<Uuid> = self.targets.iter().map(|target| target.id).collect();
        ids.extend(self.deployments().map(|(_, deployment)| deployment.id));
        ids.extend(&self.removed);
        let mut names: Vec<&str> = self.targets.iter().map(|target| target.name.as_str()).collect();
        let mut revisions: Vec<Uuid> = self.deployments().map(|(_, deployment)| deployment.revision).collect();
        if repeated(&mut ids) || repeated(&mut names) || repeated(&mut revisions) {
            return Err(wrong(
                "two targets, deployments, removals or revisions share a UUID, or two targets a name".into(),
            ));
        }
        for agent in &self.agents {
            agent.check()?;
        }
        for target in &self.targets {
            target.check(self)?;
        }
        Ok(())
    }
}

impl AgentVersion {
    fn check(&self) -> Result<()> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
        if !(1..=TEXT_BYTES).contains(&self.name.len()) || !self.name.chars().all(fits) {
            return Err(wrong(format!("the agent version {} has no usable name", self.id)));
        }
        Ok(())
    }

    /// Returns the image that agents of a kind run.
    pub fn image(&self, kind: TargetKind) -> Option<&ImageName> {
        match kind {
            TargetKind::Docker => self.docker.as_ref(),
            TargetKind::Kubernetes => self.kubernetes.as_ref(),
        }
    }

    /// Returns every image of this version.
    pub fn images(&self) -> impl Iterator<Item = &ImageName> {
        [&self.autoheal, &self.docker, &self.kubernetes].into_iter().flatten()
    }
}

impl Target {
    fn check(&self, state: &DesiredState) -> Result<()> {
        let at = |what: &str| Err(wrong(format!("target {}: {what}", self.id)));
        if !is_text(&self.name) {
            return at("its name is empty, too long or not printable");
        }
        let Some(agent) = state.agents.iter().find(|agent| agent.id == self.agent) else {
            return at("its agent version is not listed");
        };
        if agent.image(self.kind).is_none() || (self.kind == TargetKind::Docker && agent.autoheal.is_none()) {
            return at("its agent version has no image for it");
        }
        if self.kubernetes.is_some() != (self.kind == TargetKind::Kubernetes) {
            return at("the member kubernetes belongs to kubernetes targets, and to all of them");
        }
        if let Some(kubernetes) = &self.kubernetes {
            let quantity = |text: &String| {
                (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
            };
            if !is_label(&kubernetes.namespace)
                || kubernetes.resources.as_ref().is_some_and(|resources| {
                    ![
                        &resources.cpu_limit,
                        &resources.cpu_request,
                        &resources.memory_limit,
                        &resources.memory_request,
                    ]
                    .into_iter()
                    .all(quantity)
                })
            {
                return at("its namespace or its agent's resources follow no grammar");
            }
        }
        if let Some(socket) = &self.docker_socket {
            let fits = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            if self.kind != TargetKind::Docker
                || !(2..=TEXT_BYTES).contains(&socket.len())
                || !socket.starts_with('/')
                || !socket.chars().all(fits)
            {
                return at("its docker socket is no plain absolute path, or it is no docker target");
            }
        }
        if let Some(verifier) = &self.verifier {
            verifier.check(self.id)?;
        }
        if !ascending(self.deployments.iter().map(|deployment| deployment.id)) {
            return at("its deployments are out of order");
        }
        for deployment in &self.deployments {
            deployment.check(self.kind)?;
        }
        Ok(())
    }
}

impl Verifier {
    /// Memory, lanes and length are fixed, so that no document decides what a login costs.
    fn check(&self, target: Uuid) -> Result<()> {
        let hex = |text: &str, bytes: usize| {
            text.len() == bytes.saturating_mul(2) && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
        };
        if self.algorithm == "argon2id"
            && (self.time, self.memory_kib, self.lanes) == (1, 65_536, 4)
            && hex(&self.salt, 16)
            && hex(&self.hash, 32)
        {
            return Ok(());
        }
        Err(Error::new(
            Class::Content,
            "verifier",
            format!("target {target}: the verifier of its secret has other parameters than the hub uses"),
        )
        .expected("argon2id, time 1, 65,536 KiB, 4 lanes, a salt of 16 and a hash of 32 bytes"))
    }
}

impl Deployment {
    fn check(&self, kind: TargetKind) -> Result<()> {
        let at = |what: &str| Err(wrong(format!("deployment {}: {what}", self.id)));
        if !is_text(&self.version) {
            return at("its version label is empty, too long or not printable");
        }
        if self.docker.is_some() != (kind == TargetKind::Docker)
            || self.helm.is_some() != (kind == TargetKind::Kubernetes)
        {
            return at("docker targets take compose files, kubernetes targets take charts");
        }
        if !self.images.is_sorted_by(|a, b| a < b) {
            return at("its images are repeated or out of order");
        }
        if let Some(helm) = &self.helm {
            let version = |c: char| c.is_ascii_alphanumeric() || ".+-".contains(c);
            if !is_label(&helm.release_name) || helm.release_name.len() > 53 {
                return at("its helm release has no usable name");
            }
            if !is_text(&helm.chart_name)
                || helm.chart.as_str().rsplit('/').next() != Some(helm.chart_name.as_str())
                || helm.chart_version.is_empty()
                || !helm.chart_version.chars().all(version)
                || helm.chart_version.replace('+', "_") != helm.tag.as_str()
            {
                return at("chart, name, version and tag do not fit together");
            }
            if helm
                .options
                .as_ref()
                .is_some_and(|options| !is_go_duration(&options.timeout))
            {
                return at("the timeout of helm is no duration like 5m0s");
            }
        }
        Ok(())
    }
}

/// RFC 1123 label: what kubernetes calls namespaces, and helm its releases.
fn is_label(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().next_back())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_text(text: &str) -> bool {
    (1..=TEXT_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Whole numbers with units, as Go writes its durations: `1h30m`, `5m0s`, `250ms`.
fn is_go_duration(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let Some(unit) = ["ms", "h", "m", "s"].into_iter().find(|unit| after.starts_with(unit)) else {
            return false;
        };
        if !(1..=9).contains(&number.len()) {
            return false;
        }
        rest = after.get(unit.len()..).unwrap_or_default();
    }
    !text.is_empty()
}

fn ascending(mut ids: impl Iterator<Item = Uuid>) -> bool {
    let Some(mut last) = ids.next() else { return true };
    ids.all(|id| std::mem::replace(&mut last, id) < id)
}

fn repeated<T: Ord>(items: &mut [T]) -> bool {
    items.sort_unstable();
    !items.is_sorted_by(|a, b| a < b)
}

fn wrong(found: String) -> Error {
    Error::new(Class::Content, "desired-state", found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_state_is_a_document() {
        let empty = DesiredState::default();
        assert_eq!(DesiredState::parse(&empty.to_bytes()).unwrap(), empty);
        let error = DesiredState::parse(b"{}").unwrap_err();
        assert_eq!(error.class(), Class::Format);
    }
}
