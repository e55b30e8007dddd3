//! One generation of what agents are told: every target of this site, from the signed documents of the live releases.
//!
//! A document is used only after its head was found signed and its bytes were found to be what the head names. Where that fails, the
//! targets of the release stay known from the database, and everything about them is `E-STATE`: an agent must neither be
//! refused (it may hang) nor be told that it has nothing to run (it would remove everything). The same holds for a product that
//! was imported and is not live yet.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};

use super::documents::Documents;
use crate::appliance::desired;
use crate::appliance::registry::start::check_head;
use crate::bundle::Head;
use crate::bundle::desired::{AgentVersion, ChartSource, Deployment, DesiredState, Target, TargetKind, Verifier};
use crate::crypto::{Chain, canonical};
use crate::db::site::appliance;
use crate::db::site::local_targets::{self, LocalTarget};
use crate::db::site::owners::Owners;
use crate::db::site::release::{self, ReleaseRow, State};
use crate::db::site::target_secrets::{self, SecretRow};
use crate::db::site::targets::{self, TargetSet};
use crate::db::{Connection, Db};
use crate::domain::{Class, Digest, Error, Hash, RepositoryName, Result, Scope, SiteId, Timestamp, Uuid, limits};

/// Code of what is wrong when the signed document cannot be used.
const UNREAD: &str = "desired-state";

/// Who asks, as a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The target.
    pub target: Uuid,
    /// Whose releases it follows: it may read what they name.
    pub scope: Scope,
    /// Its name, for people.
    pub name: String,
}

/// One generation.
#[derive(Debug)]
pub(super) struct World {
    pub(super) generation: u64,
    pub(super) edition: u64,
    pub(super) floor: Timestamp,
    pub(super) targets: HashMap<Uuid, Arc<TargetState>>,
    /// The documents that all of it stands on.
    documents: Vec<Arc<Loaded>>,
    /// Targets of releases that were taken away here.
    pub(super) removed: Vec<Arc<TargetState>>,
    /// Targets made here whose template is in no release any more.
    pub(super) orphans: Vec<(Uuid, String)>,
    /// Repositories of agent images, which every engine reads without credentials.
    pub(super) public: HashSet<RepositoryName>,
    /// Repositories whose charts agents fetch as from a classic chart repository.
    pub(super) charts: HashSet<RepositoryName>,
    /// Deployments of what is advertised now, by target and revision.
    pub(super) revisions: HashMap<(Uuid, Uuid), Uuid>,
    /// Whether any target waits for the first login with a secret of the hub's.
    pub(super) verifiers: bool,
}

/// A target.
#[derive(Debug)]
pub(super) struct TargetState {
    pub(super) identity: Arc<Identity>,
    pub(super) kind: TargetKind,
    /// For one made here: what it follows.
    pub(super) template: Option<Uuid>,
    pub(super) release: Arc<ReleaseRow>,
    pub(super) credential: Credential,
    pub(super) plan: std::result::Result<Plan, Arc<Fault>>,
    /// The answer to its agent, when it was made before.
    pub(super) answer: Mutex<Option<Arc<[u8]>>>,
}

/// What lets an agent in.
#[derive(Debug, Clone, Default)]
pub(super) struct Credential {
    pub(super) generation: u64,
    pub(super) mac: Option<Hash>,
    /// A secret that was issued here counts alone.
    pub(super) issued_here: bool,
    /// The hub's, for as long as no login has put a keyed hash in its place.
    pub(super) verifier: Option<(Verifier, Hash)>,
    pub(super) issued_at: Option<Timestamp>,
}

/// What a target shall run.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) document: Arc<Loaded>,
    place: usize,
    pub(super) deployments: Vec<Planned>,
}

/// A deployment under the ids that the agent knows.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    place: usize,
    pub(super) id: Uuid,
    pub(super) revision: Uuid,
    /// Taken away here.
    pub(super) removed: bool,
}

/// A desired-state document that was checked.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) digest: Digest,
    pub(super) state: DesiredState,
}

/// Why nothing can be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    code: &'static str,
    pub(super) found: String,
    remedy: &'static str,
}

/// What was read of a release that speaks for a scope.
struct Voice {
    release: Arc<ReleaseRow>,
    rows: TargetSet,
    /// The signed head, when it is.
    head: Result<Vec<u8>>,
}

impl World {
    /// Loads the present generation; documents that the one before has parsed, and that are the same files still, are not parsed
    /// again.
    ///
    /// # Errors
    ///
    /// Those of the database; what is wrong with one release concerns its targets alone.
    pub(super) fn load(
        db: &Db,
        documents: &Documents,
        pins: &[Chain],
        site: &SiteId,
        before: Option<&Self>,
    ) -> Result<Self> {
        let (mut world, voices, locals, mut secrets, owners) = db.read(|connection| {
            let world = Self {
                generation: appliance::generation(connection)?,
                edition: targets::edition(connection)?,
                floor: appliance::time_floor(connection)?,
                targets: HashMap::new(),
                documents: Vec::new(),
                removed: Vec::new(),
                orphans: Vec::new(),
                public: HashSet::new(),
                charts: HashSet::new(),
                revisions: HashMap::new(),
                verifiers: false,
            };
            let secrets: HashMap<Uuid, SecretRow> = target_secrets::list(connection)?
                .into_iter()
                .map(|row| (row.target, row))
                .collect();
            Ok((
                world,
                voices(connection, pins)?,
                local_targets::list(connection)?,
                secrets,
                Owners::read(connection)?,
            ))
        })?;
        for voice in voices {
            world.add_release(voice, documents, site, before, &mut secrets, &owners);
        }
        for local in &locals {
            world.add_local(local, &mut secrets, &owners);
        }
        let is_removed = |_: &Uuid, target: &mut Arc<TargetState>| {
            owners.removed_here(&target.identity.scope, &target.identity.target)
        };
        let removed = world.targets.extract_if(is_removed).map(|(_, target)| target);
        world.removed.extend(removed);
        for (id, target) in &world.targets {
            world.verifiers |= target.credential.verifier.is_some();
            for planned in target.plan.iter().flat_map(|plan| &plan.deployments) {
                world.revisions.insert((*id, planned.revision), planned.id);
            }
        }
        Ok(world)
    }

    fn add_release(
        &mut self,
        voice: Voice,
        documents: &Documents,
        site: &SiteId,
        before: Option<&Self>,
        secrets: &mut HashMap<Uuid, SecretRow>,
        owners: &Owners,
    ) {
        let release = voice.release;
        let known = before.map_or(&[] as &[_], |before| &before.documents);
        let loaded = match voice
            .head
            .and_then(|head| load_state(&head, &release, documents, known))
        {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return,
            Err(error) => {
                if !voice.rows.targets.is_empty() {
                    tracing::error!(%error, scope = %release.scope, "the desired state cannot be used");
                }
                let fault = Arc::new(Fault {
                    code: UNREAD,
                    found: format!(
                        "what release {} of {} shall run is not known: {error}",
                        release.counter, release.scope
                    ),
                    remedy: "restore the state folder, or import a newer release",
                });
                for row in voice
                    .rows
                    .targets
                    .iter()
                    .filter(|row| owners.admits(&release.scope, &row.id))
                {
                    let kind = if row.kind == desired::kind(TargetKind::Kubernetes) {
                        TargetKind::Kubernetes
                    } else {
                        TargetKind::Docker
                    };
                    let credential = Credential::new(owners.generation(&row.id), secrets.remove(&row.id), None);
                    self.insert(row.id, &row.name, kind, &release, credential, Err(fault.clone()), None);
                }
                return;
            }
        };
        self.documents.push(loaded.clone());
        let images = agent_images(&loaded.state, documents);
        let inactive = (release.state != State::Active).then(|| {
            Arc::new(Fault {
                code: "not-live",
                found: format!("no release of {} is live", release.scope),
                remedy: "make one live with `airlock release activate`",
            })
        });
        for (place, target) in loaded.state.targets.iter().enumerate() {
            let elsewhere = target.site.as_ref().is_some_and(|at| at != site);
            if elsewhere || !owners.admits(&release.scope, &target.id) {
                continue;
            }
            let generation = owners.generation(&target.id);
            let credential = Credential::new(generation, secrets.remove(&target.id), target.verifier.as_ref());
            let fault = inactive
                .clone()
                .or_else(|| images.get(&target.agent).cloned().flatten());
            let plan = match fault {
                Some(fault) => Err(fault),
                None => Ok(Plan {
                    document: loaded.clone(),
                    place,
                    deployments: target
                        .deployments
                        .iter()
                        .enumerate()
                        .map(|(place, deployment)| Planned {
                            place,
                            id: deployment.id,
                            revision: deployment.revision,
                            removed: owners.removed_here(&release.scope, &deployment.id)
                                || !owners.admits(&release.scope, &deployment.id),
                        })
                        .collect(),
                }),
            };
            self.insert(target.id, &target.name, target.kind, &release, credential, plan, None);
        }
        if release.state == State::Active {
            let images = loaded.state.agents.iter().flat_map(AgentVersion::images);
            self.public.extend(images.map(|image| image.repository.clone()));
            let charts = loaded
                .state
                .deployments()
                .filter_map(|(_, deployment)| deployment.helm.as_ref());
            let classic = charts.filter(|helm| helm.source == ChartSource::Repository);
            self.charts.extend(classic.map(|helm| helm.chart.clone()));
        }
    }

    /// A target made here exists for as long as the one that it follows, and as that is its product's.
    fn add_local(&mut self, local: &LocalTarget, secrets: &mut HashMap<Uuid, SecretRow>, owners: &Owners) {
        let template = self.targets.get(&local.template).cloned();
        let template = template.filter(|template| owners.admits(&template.identity.scope, &local.id));
        let Some(template) = template else {
            self.orphans.push((local.id, local.name.clone()));
            return;
        };
        let plan = template.plan.clone().map(|mut plan| {
            for planned in &mut plan.deployments {
                planned.id = local_deployment(&local.id, &planned.id);
                planned.revision = local_revision(&local.id, &planned.revision);
                planned.removed = owners.removed_here(&template.identity.scope, &planned.id);
            }
            plan
        });
        let credential = Credential::new(owners.generation(&local.id), secrets.remove(&local.id), None);
        let Identity { scope, .. } = &*template.identity;
        debug_assert_eq!(*scope, template.release.scope);
        self.insert(
            local.id,
            &local.name,
            template.kind,
            &template.release,
            credential,
            plan,
            Some(local.template),
        );
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one value")]
    fn insert(
        &mut self,
        id: Uuid,
        name: &str,
        kind: TargetKind,
        release: &Arc<ReleaseRow>,
        credential: Credential,
        plan: std::result::Result<Plan, Arc<Fault>>,
        template: Option<Uuid>,
    ) {
        let identity = Arc::new(Identity {
            target: id,
            scope: release.scope.clone(),
            name: name.to_owned(),
        });
        // What was imported first keeps its UUID; activations that would need this are refused.
        self.targets.entry(id).or_insert_with(|| {
            Arc::new(TargetState {
                identity,
                kind,
                template,
                release: release.clone(),
                credential,
                plan,
                answer: Mutex::default(),
            })
        });
    }
}

impl TargetState {
    /// Returns what the target shall run.
    ///
    /// # Errors
    ///
    /// `E-STATE` when that is not known.
    pub(super) fn plan(&self) -> Result<&Plan> {
        self.plan.as_ref().map_err(|fault| fault.error())
    }
}

impl Plan {
    /// Returns the target as the document states it. For a local one that is the target that it follows.
    ///
    /// # Errors
    ///
    /// None in fact: the place was taken from this very document.
    pub(super) fn target(&self) -> Result<&Target> {
        self.document.state.targets.get(self.place).ok_or_else(out_of_place)
    }

    /// Returns a deployment as the document states it.
    ///
    /// # Errors
    ///
    /// None in fact, as above.
    pub(super) fn deployment(&self, planned: &Planned) -> Result<&Deployment> {
        self.target()?.deployments.get(planned.place).ok_or_else(out_of_place)
    }

    /// Returns the version of the agent.
    ///
    /// # Errors
    ///
    /// None in fact: the document was checked.
    pub(super) fn agent(&self) -> Result<&AgentVersion> {
        let id = self.target()?.agent;
        let agent = self.document.state.agents.iter().find(|agent| agent.id == id);
        agent.ok_or_else(out_of_place)
    }
}

impl Credential {
    fn new(generation: u64, row: Option<SecretRow>, verifier: Option<&Verifier>) -> Self {
        let verifier = verifier.map(|verifier| {
            let hash = Hash(Sha256::digest(canonical::to_vec(verifier)).into());
            (verifier.clone(), hash)
        });
        let Some(row) = row else {
            return Self {
                generation,
                verifier,
                ..Self::default()
            };
        };
        // The hub changed its secret: the hash that the former one left does not count any more. A release that carries no
        // verifier says nothing against the agent that is here.
        let outdated = row.verifier.is_some() && verifier.as_ref().is_some_and(|(_, hash)| row.verifier != Some(*hash));
        Self {
            generation,
            mac: (!outdated).then_some(row.mac),
            issued_here: row.verifier.is_none(),
            verifier: verifier.filter(|_| outdated),
            issued_at: Some(row.issued_at),
        }
    }
}

impl Fault {
    /// Whether the signed document itself cannot be used; otherwise it is only that it must not be followed now.
    pub(super) fn hides_the_document(&self) -> bool {
        self.code == UNREAD
    }

    /// Returns it as what it is to the one who asks.
    pub(super) fn error(&self) -> Error {
        Error::new(Class::State, self.code, self.found.clone()).remedy(self.remedy)
    }
}

/// Returns the id under which a target made here knows a deployment of the one that it follows.
pub(super) fn local_deployment(target: &Uuid, template: &Uuid) -> Uuid {
    Uuid::derived("local-deployment", &[&target.to_string(), &template.to_string()])
}

/// Returns the revision under which a target made here knows a revision of the one that it follows.
pub(super) fn local_revision(target: &Uuid, template: &Uuid) -> Uuid {
    Uuid::derived("local-revision", &[&target.to_string(), &template.to_string()])
}

/// Returns the release that speaks for each scope: the live one, or the newest where none is live yet.
fn voices(connection: &Connection, pins: &[Chain]) -> Result<Vec<Voice>> {
    let all = release::list(connection)?;
    let live: HashSet<&Scope> = all
        .iter()
        .filter(|release| release.state == State::Active)
        .map(|release| &release.scope)
        .collect();
    let mut seen = HashSet::new();
    let mut chosen: Vec<&ReleaseRow> = all
        .iter()
        .filter(|release| release.state == State::Active || !live.contains(&release.scope))
        .filter(|release| seen.insert(&release.scope))
        .collect();
    chosen.sort_by_key(|release| (release.state != State::Active, release.id));
    chosen
        .into_iter()
        .map(|release| {
            let head = match check_head(connection, pins, release) {
                Ok(()) => Ok(release::signed(connection, release.id)?.head),
                Err(error) => Err(error),
            };
            Ok(Voice {
                release: Arc::new(release.clone()),
                rows: targets::of_release(connection, release.id)?,
                head,
            })
        })
        .collect()
}

fn load_state(
    head: &[u8],
    release: &ReleaseRow,
    documents: &Documents,
    known: &[Arc<Loaded>],
) -> Result<Option<Arc<Loaded>>> {
    let head = Head::parse(head)?;
    if head.scope() != release.scope || head.counter() != release.counter {
        return Err(Error::new(
            Class::State,
            "release-damaged",
            format!(
                "its signed head is that of release {} of {}",
                head.counter(),
                head.scope()
            ),
        ));
    }
    let Some(entry) = desired::document(&head.documents) else {
        return Ok(None);
    };
    let kept = known.iter().find(|loaded| loaded.digest == entry.digest);
    if let Some(kept) = kept.filter(|kept| documents.is_unchanged(&kept.digest)) {
        return Ok(Some(kept.clone()));
    }
    let bytes = documents.read(&entry.digest)?;
    Ok(Some(Arc::new(Loaded {
        digest: entry.digest,
        state: DesiredState::parse(&bytes)?,
    })))
}

/// Looks, for each agent version, whether its images are in the store: an agent that is told of another version pulls it at once.
fn agent_images(state: &DesiredState, documents: &Documents) -> HashMap<Uuid, Option<Arc<Fault>>> {
    let fault = |agent: &AgentVersion| {
        agent.images().find_map(|image| {
            let error = documents.store().read(&image.digest, limits::MANIFEST_BYTES).err()?;
            Some(Arc::new(Fault {
                code: "agent-image",
                found: format!(
                    "the image {}@{} of agent {} cannot be served: {error}",
                    image.repository, image.digest, agent.name
                ),
                remedy: "import a release that carries it",
            }))
        })
    };
    state.agents.iter().map(|agent| (agent.id, fault(agent))).collect()
}

fn out_of_place() -> Error {
    Error::new(
        Class::Internal,
        "desired-state",
        "a target was looked for in another document",
    )
}
