//! The section `targets`: where agents run, and what each of them deploys.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::applications::{ApplicationEntry, ApplicationKind};
use super::mistakes::{Located, Mistakes, cut, located, place};
use super::one_or_many::WordOrList;
use crate::bundle::desired::{
    DockerMode, HelmOptions, KubernetesScope, Resources, TargetKind, Verifier, WaitStrategy, is_go_duration, is_label,
};
use crate::domain::{Name, Result, Timestamp, Uuid};

/// A target.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "the hub's switches of a target")]
pub struct TargetEntry {
    /// Its name, unique within the release.
    pub name: Located<String>,
    /// Its UUID; derived when left out.
    pub id: Option<Uuid>,
    /// What agents run on.
    pub kind: TargetKind,
    /// Site id or enrolled name; every site of the audience when left out.
    pub site: Option<Located<String>>,
    /// Agent version; the only one when left out.
    pub agent: Option<Located<String>>,
    /// kubernetes: namespace.
    pub namespace: Option<String>,
    /// kubernetes: what the agent may reach.
    pub scope: KubernetesScope,
    /// kubernetes: resources of the agent.
    pub resources: Option<Resources>,
    /// Metrics are collected.
    pub metrics: bool,
    /// Logs are collected.
    pub logs: bool,
    /// No logs from before.
    pub logs_after: Option<Timestamp>,
    /// docker: every unhealthy container is restarted.
    pub autoheal_all: bool,
    /// docker: images of replaced containers are removed.
    pub image_cleanup: bool,
    /// docker: the engine's socket.
    pub docker_socket: Option<String>,
    /// As the hub states it.
    pub created_at: Timestamp,
    /// Checks the secret that the hub issued.
    pub verifier: Option<Verifier>,
    /// What it runs.
    pub deployments: Vec<DeploymentEntry>,
}

/// A deployment.
#[derive(Debug, Clone)]
pub struct DeploymentEntry {
    /// Name of the application.
    pub application: Located<Name>,
    /// Its UUID; derived when left out.
    pub id: Option<Uuid>,
    /// As the hub states it. In the release it is at least a second after that of the one before: the file's order is the agents'.
    pub created_at: Timestamp,
    /// Restart after the revision was applied.
    pub force_restart: bool,
    /// docker: environment file in place of the application's.
    pub env_file: Option<PathBuf>,
    /// docker: compose project or swarm stack.
    pub mode: DockerMode,
    /// kubernetes: helm release; the application's name when left out.
    pub release_name: Option<String>,
    /// kubernetes: values files on top of the application's.
    pub values: Vec<PathBuf>,
    /// kubernetes: options of helm.
    pub options: Option<HelmOptions>,
    /// kubernetes: upgrade also when the cluster's revision is not the recorded one.
    pub ignore_revision_skew: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    name: Spanned<String>,
    id: Option<Spanned<String>>,
    kind: Spanned<String>,
    site: Option<Spanned<String>>,
    agent: Option<Spanned<String>>,
    namespace: Option<Spanned<String>>,
    scope: Option<Spanned<String>>,
    resources: Option<Spanned<Resources>>,
    metrics: Option<bool>,
    logs: Option<bool>,
    logs_after: Option<Spanned<String>>,
    autoheal: Option<Spanned<String>>,
    image_cleanup: Option<Spanned<bool>>,
    docker_socket: Option<Spanned<String>>,
    created_at: Option<Spanned<String>>,
    verifier: Option<Spanned<RawVerifier>>,
    #[serde(default)]
    deployments: Vec<RawDeployment>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVerifier {
    salt: Spanned<String>,
    hash: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDeployment {
    application: Spanned<String>,
    id: Option<Spanned<String>>,
    created_at: Option<Spanned<String>>,
    #[serde(default)]
    force_restart: bool,
    env_file: Option<Spanned<String>>,
    mode: Option<Spanned<String>>,
    release_name: Option<Spanned<String>>,
    values: Option<Spanned<WordOrList>>,
    options: Option<Spanned<RawOptions>>,
    ignore_revision_skew: Option<Spanned<bool>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOptions {
    timeout: Option<Spanned<String>>,
    wait_strategy: Option<Spanned<String>>,
    rollback_on_failure: Option<bool>,
    cleanup_on_failure: Option<bool>,
    force_conflicts: Option<bool>,
}

impl Mistakes<'_> {
    pub(super) fn targets(
        &self,
        raw: Vec<RawTarget>,
        applications: &[ApplicationEntry],
        base: &Path,
    ) -> Result<Vec<TargetEntry>> {
        let mut targets: Vec<TargetEntry> = Vec::new();
        for entry in raw {
            let target = self.target(entry, applications, base)?;
            if targets.iter().any(|known| known.name.value == target.name.value) {
                return Err(self
                    .at(
                        target.name.place,
                        "value",
                        format!("the target {:?} is listed twice", cut(&target.name.value)),
                    )
                    .expected("each target once"));
            }
            targets.push(target);
        }
        Ok(targets)
    }

    fn target(&self, raw: RawTarget, applications: &[ApplicationEntry], base: &Path) -> Result<TargetEntry> {
        let kind = self.word(
            &raw.kind,
            &[("docker", TargetKind::Docker), ("kubernetes", TargetKind::Kubernetes)],
        )?;
        if raw.name.value.is_empty()
            || raw.name.value.len() > 128
            || raw.name.value.contains('/')
            || raw.name.value.chars().any(char::is_control)
        {
            return Err(self.value(
                &raw.name,
                format!("{:?} is no name of a target", cut(&raw.name.value)),
                "1 to 128 bytes without / and control characters",
            ));
        }
        match kind {
            TargetKind::Docker => self.none_of(
                &[
                    ("namespace", raw.namespace.as_ref().map(place)),
                    ("scope", raw.scope.as_ref().map(place)),
                    ("resources", raw.resources.as_ref().map(place)),
                ],
                "kubernetes targets",
                "docker targets",
            )?,
            TargetKind::Kubernetes => self.none_of(
                &[
                    ("autoheal", raw.autoheal.as_ref().map(place)),
                    ("image_cleanup", raw.image_cleanup.as_ref().map(place)),
                    ("docker_socket", raw.docker_socket.as_ref().map(place)),
                ],
                "docker targets",
                "kubernetes targets",
            )?,
        }
        if kind == TargetKind::Kubernetes && raw.namespace.is_none() {
            return Err(self.missing_key(place(&raw.name), "namespace", ", which kubernetes targets need"));
        }
        if let Some(namespace) = &raw.namespace {
            self.fits(
                namespace,
                is_label(&namespace.value),
                "a name of a-z, 0-9 and - between them, at most 63",
            )?;
        }
        if let Some(resources) = &raw.resources {
            let quantities = &resources.value;
            let good = [
                &quantities.cpu_limit,
                &quantities.cpu_request,
                &quantities.memory_limit,
                &quantities.memory_request,
            ]
            .into_iter()
            .all(|text| is_quantity(text));
            if !good {
                return Err(self.value(
                    resources,
                    "one of these is no quantity",
                    "quantities like 100m, 1 or 128Mi",
                ));
            }
        }
        if let Some(socket) = &raw.docker_socket {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            let good = socket.value.starts_with('/') && (2..=128).contains(&socket.value.len());
            self.fits(socket, good && socket.value.chars().all(plain), "a plain absolute path")?;
        }
        let scope = match &raw.scope {
            None => KubernetesScope::Namespace,
            Some(word) => self.word(
                word,
                &[
                    ("namespace", KubernetesScope::Namespace),
                    ("cluster", KubernetesScope::Cluster),
                ],
            )?,
        };
        let mut deployments: Vec<DeploymentEntry> = Vec::new();
        for deployment in &raw.deployments {
            let deployment = self.deployment(deployment, kind, applications, base)?;
            if deployments
                .iter()
                .any(|known| known.application.value == deployment.application.value)
            {
                return Err(self
                    .at(
                        deployment.application.place,
                        "value",
                        format!("{} is deployed twice on this target", deployment.application.value),
                    )
                    .expected("each application once per target"));
            }
            deployments.push(deployment);
        }
        Ok(TargetEntry {
            id: self.parse_some(raw.id.as_ref())?,
            kind,
            site: raw.site.map(located),
            agent: raw.agent.map(located),
            namespace: raw.namespace.map(|namespace| namespace.value),
            scope,
            resources: raw.resources.map(|resources| resources.value),
            // Metrics of a cluster need rights in the cluster.
            metrics: raw
                .metrics
                .unwrap_or(kind == TargetKind::Docker || scope == KubernetesScope::Cluster),
            logs: raw.logs.unwrap_or(true),
            logs_after: self.parse_some(raw.logs_after.as_ref())?,
            autoheal_all: match &raw.autoheal {
                None => false,
                Some(word) => self.word(word, &[("agent", false), ("all", true)])?,
            },
            image_cleanup: raw.image_cleanup.is_some_and(|cleanup| cleanup.value),
            docker_socket: raw.docker_socket.map(|socket| socket.value),
            created_at: self.parse_some(raw.created_at.as_ref())?.unwrap_or(Timestamp::EPOCH),
            verifier: raw
                .verifier
                .as_ref()
                .map(|verifier| self.verifier(&verifier.value))
                .transpose()?,
            deployments,
            name: located(raw.name),
        })
    }

    /// Only the hub's parameters exist, so only salt and hash are said.
    fn verifier(&self, raw: &RawVerifier) -> Result<Verifier> {
        let hex = |text: &Spanned<String>, bytes: usize| {
            let fits = text.value.len() == bytes.saturating_mul(2)
                && text.value.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
            fits.then(|| text.value.clone()).ok_or_else(|| {
                self.value(
                    text,
                    "this is no part of the hub's verifier",
                    format!("{bytes} bytes as lower-case hex digits"),
                )
            })
        };
        Ok(Verifier {
            algorithm: "argon2id".to_owned(),
            hash: hex(&raw.hash, 32)?,
            lanes: 4,
            memory_kib: 65_536,
            salt: hex(&raw.salt, 16)?,
            time: 1,
        })
    }

    fn deployment(
        &self,
        raw: &RawDeployment,
        kind: TargetKind,
        applications: &[ApplicationEntry],
        base: &Path,
    ) -> Result<DeploymentEntry> {
        let Some(application) = applications
            .iter()
            .find(|application| application.name.value.as_str() == raw.application.value)
        else {
            let known: Vec<&str> = applications.iter().map(|known| known.name.value.as_str()).collect();
            let error = self.value(
                &raw.application,
                format!("there is no application {:?}", cut(&raw.application.value)),
                format!("one of {}", known.join(", ")),
            );
            return Err(Self::suggest(error, &raw.application.value, known.iter().copied()));
        };
        match (kind, &application.kind) {
            (TargetKind::Docker, ApplicationKind::Compose(_)) => self.none_of(
                &[
                    ("release_name", raw.release_name.as_ref().map(place)),
                    ("values", raw.values.as_ref().map(place)),
                    ("options", raw.options.as_ref().map(place)),
                    ("ignore_revision_skew", raw.ignore_revision_skew.as_ref().map(place)),
                ],
                "charts",
                "compose deployments",
            )?,
            (TargetKind::Kubernetes, ApplicationKind::Helm(_)) => self.none_of(
                &[
                    ("env_file", raw.env_file.as_ref().map(place)),
                    ("mode", raw.mode.as_ref().map(place)),
                ],
                "compose applications",
                "helm deployments",
            )?,
            (TargetKind::Docker, ApplicationKind::Helm(_)) => {
                return Err(self.value(
                    &raw.application,
                    "a docker target runs no chart",
                    "an application with compose files",
                ));
            }
            (TargetKind::Kubernetes, ApplicationKind::Compose(_)) => {
                return Err(self.value(
                    &raw.application,
                    "a kubernetes target runs no compose file",
                    "an application with a chart",
                ));
            }
        }
        if let Some(name) = &raw.release_name {
            let good = is_label(&name.value) && name.value.len() <= 53;
            self.fits(name, good, "a name of a-z, 0-9 and - between them, at most 53")?;
        }
        Ok(DeploymentEntry {
            application: Located {
                value: application.name.value.clone(),
                place: place(&raw.application),
            },
            id: self.parse_some(raw.id.as_ref())?,
            created_at: self.parse_some(raw.created_at.as_ref())?.unwrap_or(Timestamp::EPOCH),
            force_restart: raw.force_restart,
            env_file: raw
                .env_file
                .as_ref()
                .map(|path| self.local(&path.value, place(path), base))
                .transpose()?,
            mode: match &raw.mode {
                None => DockerMode::Compose,
                Some(word) => self.word(word, &[("compose", DockerMode::Compose), ("swarm", DockerMode::Swarm)])?,
            },
            release_name: raw.release_name.as_ref().map(|name| name.value.clone()),
            values: self.files(raw.values.as_ref(), base)?,
            options: raw
                .options
                .as_ref()
                .map(|options| self.options(&options.value))
                .transpose()?,
            ignore_revision_skew: raw.ignore_revision_skew.as_ref().is_some_and(|skew| skew.value),
        })
    }

    fn fits(&self, text: &Spanned<String>, good: bool, expected: &str) -> Result<()> {
        if good {
            return Ok(());
        }
        Err(self.value(text, format!("{:?} has another form", cut(&text.value)), expected))
    }

    /// What is left out is what the agent would do without options.
    fn options(&self, raw: &RawOptions) -> Result<HelmOptions> {
        if let Some(timeout) = &raw.timeout {
            self.fits(timeout, is_go_duration(&timeout.value), "a duration like 5m0s")?;
        }
        let words = [
            ("watcher", WaitStrategy::Watcher),
            ("legacy", WaitStrategy::Legacy),
            ("hookOnly", WaitStrategy::HookOnly),
        ];
        Ok(HelmOptions {
            cleanup_on_failure: raw.cleanup_on_failure.unwrap_or(true),
            force_conflicts: raw.force_conflicts.unwrap_or(false),
            rollback_on_failure: raw.rollback_on_failure.unwrap_or(true),
            timeout: raw
                .timeout
                .as_ref()
                .map_or_else(|| "5m0s".to_owned(), |timeout| timeout.value.clone()),
            wait_strategy: match &raw.wait_strategy {
                None => WaitStrategy::Watcher,
                Some(word) => self.word(word, &words)?,
            },
        })
    }
}

fn is_quantity(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
}
