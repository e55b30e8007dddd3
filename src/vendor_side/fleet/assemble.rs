//! Puts the desired state together, with the documents that it names: pure.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::agents::name;
use super::closure::get;
use super::ids::Ids;
use super::prepare::{Prepared, PreparedKind, compose_key, helm_key};
use crate::bundle::desired::{
    AgentVersion, Deployment, DesiredState, DockerDeployment, HelmDeployment, ImageName, Kubernetes, Target,
    TargetKind, is_label,
};
use crate::collect::Stored;
use crate::db::ledger::Site;
use crate::domain::{Audience, Class, Digest, DocumentType, Error, Hash, Result, Timestamp, Uuid};
use crate::release::find_site;
use crate::release_file::{ApplicationEntry, ApplicationKind, DeploymentEntry, Located, ReleaseFile, TargetEntry};
use crate::secret;
use crate::suggest::nearest;

/// The desired state of the whole fleet, and its documents.
#[derive(Debug, Default)]
pub(in super::super) struct Assembled {
    /// Every target of the release file, also of sites that the audience leaves out.
    pub(in super::super) state: DesiredState,
    documents: BTreeMap<(DocumentType, Digest), Vec<u8>>,
}

impl Assembled {
    /// Returns what an audience gets: its targets, and the documents that those name.
    pub(in super::super) fn for_audience(&self, audience: &Audience) -> (DesiredState, Vec<(DocumentType, Vec<u8>)>) {
        let mut state = self.state.clone();
        state
            .targets
            .retain(|target| target.site.as_ref().is_none_or(|site| audience.includes(site)));
        let mut documents = BTreeMap::new();
        for (_, deployment) in state.deployments() {
            let named = [
                (
                    DocumentType::Compose,
                    deployment.docker.as_ref().map(|docker| docker.compose),
                ),
                (
                    DocumentType::Env,
                    deployment.docker.as_ref().and_then(|docker| docker.env),
                ),
                (DocumentType::Values, deployment.helm.as_ref().map(|helm| helm.values)),
            ];
            for (kind, digest) in named {
                if let Some(digest) = digest
                    && let Some(bytes) = self.documents.get(&(kind, digest))
                {
                    documents.insert((kind, digest), bytes.clone());
                }
            }
        }
        let documents = documents.into_iter().map(|((kind, _), bytes)| (kind, bytes)).collect();
        (state, documents)
    }
}

/// Assembles the desired state; `stored` is what the collection came to.
///
/// # Errors
///
/// `E-USAGE value` with the place for sites and agents that are not there; `E-CONTENT pin`, `desired-state`; those of writing
/// compose files.
pub(in super::super) fn assemble(
    prepared: &Prepared<'_>,
    file: &ReleaseFile,
    ids: &Ids<'_>,
    sites: &[Site],
    stored: &[Stored],
) -> Result<Assembled> {
    prepared.closure.check_pins(stored)?;
    let mut assembly = Assembly {
        prepared,
        file,
        stored,
        documents: BTreeMap::new(),
    };
    let mut agents: Vec<AgentVersion> = prepared
        .agents
        .iter()
        .map(|agent| agent.version(stored))
        .collect::<Result<_>>()?;
    agents.sort_by_key(|agent| agent.id);
    let mut targets: Vec<Target> = file
        .targets
        .iter()
        .map(|target| assembly.target(target, ids, sites, &agents))
        .collect::<Result<_>>()?;
    targets.sort_by_key(|target| target.id);
    let state = DesiredState {
        agents,
        removed: Vec::new(),
        targets,
    };
    state.check().map_err(|error| {
        let found = format!("{}: {}", file.path.display(), error.found());
        Error::new(error.class(), error.code(), found)
    })?;
    Ok(Assembled {
        state,
        documents: assembly.documents,
    })
}

struct Assembly<'a> {
    prepared: &'a Prepared<'a>,
    file: &'a ReleaseFile,
    stored: &'a [Stored],
    documents: BTreeMap<(DocumentType, Digest), Vec<u8>>,
}

impl Assembly<'_> {
    fn target(
        &mut self,
        entry: &TargetEntry,
        ids: &Ids<'_>,
        sites: &[Site],
        agents: &[AgentVersion],
    ) -> Result<Target> {
        let derived = ids.target(&entry.name.value);
        let id = entry.id.unwrap_or(derived);
        if id.is_derived() && id != derived {
            return Err(self.not_derived(&entry.name, id, derived, "trust domain, product, channel and name"));
        }
        let site = entry
            .site
            .as_ref()
            .map(|site| {
                find_site(&site.value, sites).map_err(|(found, remedy)| {
                    self.file
                        .mistake(site.place, found)
                        .expected("an enrolled site")
                        .remedy(remedy)
                })
            })
            .transpose()?;
        let mut deployments: Vec<Deployment> = entry
            .deployments
            .iter()
            .map(|deployment| self.deployment(deployment, entry, id))
            .collect::<Result<_>>()?;
        // Agents deploy by time of creation: so that carries the order of the file, whatever it states.
        let mut next = Timestamp::EPOCH;
        for deployment in &mut deployments {
            deployment.created_at = deployment.created_at.max(next);
            next = deployment.created_at.plus_seconds(1);
        }
        deployments.sort_by_key(|deployment| deployment.id);
        Ok(Target {
            agent: self.agent(entry, agents)?,
            autoheal_all: entry.autoheal_all,
            created_at: entry.created_at,
            deployments,
            docker_socket: entry.docker_socket.clone(),
            id,
            image_cleanup: entry.image_cleanup,
            kind: entry.kind,
            kubernetes: entry.namespace.as_ref().map(|namespace| Kubernetes {
                namespace: namespace.clone(),
                resources: entry.resources.clone(),
                scope: entry.scope,
            }),
            logs: entry.logs,
            logs_after: entry.logs_after,
            metrics: entry.metrics,
            name: entry.name.value.clone(),
            site,
            verifier: entry.verifier.clone(),
        })
    }

    fn agent(&self, entry: &TargetEntry, agents: &[AgentVersion]) -> Result<Uuid> {
        let known: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
        let agent = match (&entry.agent, agents) {
            (None, [only]) => only,
            (None, _) => {
                return Err(self
                    .file
                    .mistake(entry.name.place, "the target does not say which agent version it runs")
                    .expected(format!("agent: one of {}", known.join(", "))));
            }
            (Some(named), _) => agents.iter().find(|agent| agent.name == named.value).ok_or_else(|| {
                let error = self
                    .file
                    .mistake(named.place, "there is no such agent version")
                    .expected(format!("one of {}", known.join(", ")));
                match nearest(&named.value, known.iter().copied()) {
                    Some(meant) => error.remedy(format!("did you mean {meant}?")),
                    None => error,
                }
            })?,
        };
        if agent.image(entry.kind).is_none() {
            let kind = match entry.kind {
                TargetKind::Docker => "docker",
                TargetKind::Kubernetes => "kubernetes",
            };
            return Err(self
                .file
                .mistake(
                    entry.name.place,
                    format!("agent version {} has no {kind} image", agent.name),
                )
                .expected(format!("{kind}: IMAGE under agents")));
        }
        Ok(agent.id)
    }

    fn deployment(&mut self, entry: &DeploymentEntry, on: &TargetEntry, target: Uuid) -> Result<Deployment> {
        let prepared = self.prepared;
        let application = prepared
            .applications
            .iter()
            .find(|known| known.entry.name.value == entry.application.value)
            .ok_or_else(gone)?;
        let derived = Ids::deployment(target, &application.entry.name.value);
        let id = entry.id.unwrap_or(derived);
        if id.is_derived() && id != derived {
            return Err(self.not_derived(&entry.application, id, derived, "target and application"));
        }
        let mut images: Vec<ImageName> = Vec::new();
        let (mut docker, mut helm) = (None, None);
        match (&application.kind, &application.entry.kind) {
            (PreparedKind::Compose(variants), ApplicationKind::Compose(compose)) => {
                let variant = variants.get(&compose_key(compose, Some(entry))).ok_or_else(gone)?;
                let (needed, bytes) = variant.document(self.stored)?;
                images.extend(needed.into_iter().map(name));
                docker = Some(DockerDeployment {
                    compose: self.document(DocumentType::Compose, bytes),
                    env: variant.env.clone().map(|env| self.document(DocumentType::Env, env)),
                    mode: entry.mode,
                });
            }
            (PreparedKind::Helm(base, variants), ApplicationKind::Helm(application_of)) => {
                let variant = variants
                    .get(&helm_key(application.entry, Some((on, entry))))
                    .ok_or_else(gone)?;
                let (needed, bytes) = variant.document(self.stored)?;
                images.extend(needed.into_iter().map(name));
                images.extend(base.images(self.stored)?.into_iter().map(name));
                let chart = get(self.stored, base.chart.wanted)?;
                images.push(name(chart));
                helm = Some(HelmDeployment {
                    chart: chart.repository.clone(),
                    chart_name: base.chart.chart.name.clone(),
                    chart_version: base.chart.chart.version.clone(),
                    ignore_revision_skew: entry.ignore_revision_skew,
                    options: entry.options.clone(),
                    release_name: self.release_name(entry, application.entry)?,
                    source: application_of.serve,
                    tag: base.chart.tag.clone(),
                    values: self.document(DocumentType::Values, bytes),
                });
            }
            _ => return Err(gone()),
        }
        images.sort();
        images.dedup();
        let mut deployment = Deployment {
            application: application.entry.name.value.clone(),
            created_at: entry.created_at,
            docker,
            force_restart: entry.force_restart,
            helm,
            id,
            images,
            revision: id,
            secret_uses: secret::uses(
                self.file,
                application.secrets(on, entry).unwrap_or_default(),
                &on.name.value,
            ),
            version: application.entry.version.clone(),
        };
        deployment.revision = Ids::revision(&deployment);
        Ok(deployment)
    }

    /// An `id` of version 8 that every appliance would refuse.
    fn not_derived<T>(&self, of: &Located<T>, stated: Uuid, derived: Uuid, words: &str) -> Error {
        self.file
            .mistake(
                of.place,
                format!("the id {stated} is a UUID of version 8 and does not follow from {words}"),
            )
            .expected(format!("no id, or {derived}"))
            .remedy(
                "leave id out; a target that was renamed, or moved to another product or channel, is another target: \
                 name the old one under removed: where it was, and connect its agents again",
            )
    }

    fn release_name(&self, entry: &DeploymentEntry, application: &ApplicationEntry) -> Result<String> {
        let name = entry
            .release_name
            .clone()
            .unwrap_or_else(|| application.name.value.to_string());
        if !is_label(&name) || name.len() > 53 {
            return Err(self
                .file
                .mistake(entry.application.place, "the helm release has no usable name")
                .expected("release_name: 1 to 53 of a-z, 0-9 and - between them"));
        }
        Ok(name)
    }

    fn document(&mut self, kind: DocumentType, bytes: Vec<u8>) -> Digest {
        let digest = Digest(Hash(Sha256::digest(&bytes).into()));
        self.documents.insert((kind, digest), bytes);
        digest
    }
}

/// Problems end the collection, so what has some never comes here.
fn gone() -> Error {
    Error::new(Class::Internal, "prepared", "an application was not prepared")
}
