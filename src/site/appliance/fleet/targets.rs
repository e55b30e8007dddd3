//! The fleet of a generation: every target of this site, from the signed documents of the releases that speak for it.
//!
//! A document is used only after its head was found signed and its bytes were found to be what the head names. Where that fails, the
//! targets of the release stay known from the database, and everything about them is `E-STATE`: an agent must neither be
//! refused (it may hang) nor be told that it has nothing to run (it would remove everything). The same holds for a product that
//! was imported and is not live yet.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use super::assignment::Assignment;
use super::credential::Credential;
use super::fault::Fault;
use crate::appliance::desired;
use crate::appliance::live::{Generation, GoverningRelease, LocalDecisions, Mark};
use crate::bundle::desired::{AgentVersion, DesiredState, TargetKind};
use crate::db::site::local_targets::LocalTarget;
use crate::db::site::release::{ReleaseRow, State};
use crate::db::site::targets::TargetRow;
use crate::domain::{Digest, Error, Hash, Result, Scope, SiteId, Uuid, limits};
use crate::store::Store;

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

/// Targets by their UUIDs.
pub(super) type Targets = HashMap<Uuid, Arc<FleetTarget>>;

/// The targets of one generation.
#[derive(Debug)]
pub(in crate::appliance) struct Fleet {
    pub(in crate::appliance) mark: Mark,
    /// Whether targets were read: else there are none in it.
    is_whole: bool,
    pub(in crate::appliance) targets: Targets,
    /// Targets of releases that were taken away here.
    pub(in crate::appliance) removed: Vec<Arc<FleetTarget>>,
    /// Targets made here whose template is in no release any more.
    pub(in crate::appliance) orphans: Vec<(Uuid, String)>,
    /// Deployments of what is advertised now, by target and revision.
    pub(in crate::appliance) revisions: HashMap<(Uuid, Uuid), Uuid>,
    /// Whether any target waits for the first login with a secret of the hub's.
    pub(in crate::appliance) verifiers: bool,
    /// Secrets of the hub's that let somebody in since it was made.
    pub(in crate::appliance) adopted: Mutex<HashMap<Uuid, Hash>>,
    /// Bytes of the answers that its targets keep.
    pub(in crate::appliance) answer_bytes: AtomicUsize,
}

/// A target.
#[derive(Debug)]
pub(in crate::appliance) struct FleetTarget {
    pub(in crate::appliance) identity: Arc<Identity>,
    pub(in crate::appliance) kind: TargetKind,
    /// For one made here: what it follows.
    pub(in crate::appliance) template: Option<Uuid>,
    pub(in crate::appliance) release: Arc<ReleaseRow>,
    pub(super) credential: Credential,
    pub(super) assignment: std::result::Result<Assignment, Arc<Fault>>,
    /// The answer to its agent, when it was made before.
    pub(in crate::appliance) answer: Mutex<Option<Arc<[u8]>>>,
    /// Whether what secrets make of its documents was found to lie within bounds.
    pub(in crate::appliance) is_bounded: AtomicBool,
}

/// How what was signed becomes targets here.
pub(in crate::appliance) struct Site<'a> {
    pub(in crate::appliance) id: &'a SiteId,
    pub(in crate::appliance) store: &'a Store,
    /// Puts values of secrets in.
    pub(in crate::appliance) fill: &'a dyn Fn(&mut Targets) -> Result<()>,
}

impl Fleet {
    /// Makes the fleet of a generation: the one before, where nothing was decided about targets since.
    ///
    /// # Errors
    ///
    /// Those of filling values in.
    pub(in crate::appliance) fn of(
        generation: &Generation,
        before: Option<&Arc<Self>>,
        site: &Site<'_>,
    ) -> Result<Arc<Self>> {
        let same = |before: &&Arc<Self>| before.mark == generation.mark && before.is_whole == generation.is_whole;
        if let Some(before) = before.filter(same) {
            return Ok(before.clone());
        }
        let mut fleet = Self {
            mark: generation.mark,
            is_whole: generation.is_whole,
            targets: HashMap::new(),
            removed: Vec::new(),
            orphans: Vec::new(),
            revisions: HashMap::new(),
            verifiers: false,
            adopted: Mutex::default(),
            answer_bytes: AtomicUsize::new(0),
        };
        let decided = &generation.local;
        for release in &generation.governing {
            fleet.add_release(release, decided, site);
        }
        for local in &decided.targets {
            fleet.add_local(local, decided);
        }
        let is_removed = |_: &Uuid, target: &mut Arc<FleetTarget>| {
            let identity = &target.identity;
            decided.owners.removed_here(&identity.scope, &identity.target)
        };
        let removed = fleet.targets.extract_if(is_removed).map(|(_, target)| target);
        fleet.removed.extend(removed);
        (site.fill)(&mut fleet.targets)?;
        for (id, target) in &fleet.targets {
            fleet.verifiers |= target.credential.verifier.is_some();
            for assigned in target.assignment.iter().flat_map(|assignment| &assignment.deployments) {
                fleet.revisions.insert((*id, assigned.revision), assigned.id);
            }
        }
        Ok(Arc::new(fleet))
    }

    fn add_release(&mut self, governing: &GoverningRelease, decided: &LocalDecisions, site: &Site<'_>) {
        let release = &governing.release;
        let document = match &governing.desired {
            Ok(Some(document)) => document,
            Ok(None) => return,
            Err(error) => {
                self.add_unread(governing, error, decided);
                return;
            }
        };
        let images = agent_images(&document.state, site);
        let inactive = (release.state != State::Active).then(|| Arc::new(Fault::not_live(&release.scope)));
        for (place, target) in document.state.targets.iter().enumerate() {
            let elsewhere = target.site.as_ref().is_some_and(|at| at != site.id);
            if elsewhere || !decided.owners.admits(&release.scope, &target.id) {
                continue;
            }
            let credential = Credential::new(
                decided.owners.generation(&target.id),
                decided.secrets.get(&target.id),
                target.verifier.as_ref(),
            );
            let fault = inactive
                .clone()
                .or_else(|| images.get(&target.agent).cloned().flatten());
            let assignment = match fault {
                Some(fault) => Err(fault),
                None => Ok(Assignment::new(
                    document,
                    place,
                    target,
                    &release.scope,
                    &decided.owners,
                )),
            };
            self.insert(
                target.id,
                &target.name,
                target.kind,
                release,
                credential,
                assignment,
                None,
            );
        }
    }

    /// Targets of a release whose document cannot be used, as far as the database knows them.
    fn add_unread(&mut self, governing: &GoverningRelease, error: &Error, decided: &LocalDecisions) {
        let release = &governing.release;
        if !governing.rows.targets.is_empty() {
            tracing::error!(%error, scope = %release.scope, "the desired state cannot be used");
        }
        let fault = Arc::new(Fault::unread(release, error));
        let admitted = |row: &&TargetRow| decided.owners.admits(&release.scope, &row.id);
        for row in governing.rows.targets.iter().filter(admitted) {
            let kind = if row.kind == desired::kind(TargetKind::Kubernetes) {
                TargetKind::Kubernetes
            } else {
                TargetKind::Docker
            };
            let credential = Credential::new(decided.owners.generation(&row.id), decided.secrets.get(&row.id), None);
            self.insert(row.id, &row.name, kind, release, credential, Err(fault.clone()), None);
        }
    }

    /// A target made here exists for as long as the one that it follows, and as that is its product's.
    fn add_local(&mut self, local: &LocalTarget, decided: &LocalDecisions) {
        let template = self.targets.get(&local.template).cloned();
        let template = template.filter(|template| decided.owners.admits(&template.identity.scope, &local.id));
        let Some(template) = template else {
            self.orphans.push((local.id, local.name.clone()));
            return;
        };
        let assignment = template
            .assignment
            .as_ref()
            .map(|assignment| assignment.for_local(&local.id, &template.identity.scope, &decided.owners))
            .map_err(Clone::clone);
        let credential = Credential::new(
            decided.owners.generation(&local.id),
            decided.secrets.get(&local.id),
            None,
        );
        let Identity { scope, .. } = &*template.identity;
        debug_assert_eq!(*scope, template.release.scope);
        self.insert(
            local.id,
            &local.name,
            template.kind,
            &template.release,
            credential,
            assignment,
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
        assignment: std::result::Result<Assignment, Arc<Fault>>,
        template: Option<Uuid>,
    ) {
        let identity = Arc::new(Identity {
            target: id,
            scope: release.scope.clone(),
            name: name.to_owned(),
        });
        // What was imported first keeps its UUID; activations that would need this are refused.
        self.targets.entry(id).or_insert_with(|| {
            Arc::new(FleetTarget {
                identity,
                kind,
                template,
                release: release.clone(),
                credential,
                assignment,
                answer: Mutex::default(),
                is_bounded: AtomicBool::new(false),
            })
        });
    }
}

impl FleetTarget {
    /// Returns what the target shall run.
    ///
    /// # Errors
    ///
    /// `E-STATE` when that is not known.
    pub(in crate::appliance) fn assignment(&self) -> Result<&Assignment> {
        self.assignment.as_ref().map_err(|fault| fault.error())
    }
}

/// Looks, for each agent version that a target of this site shall run, whether its images are in the store: an agent that is told of
/// another version pulls it at once. Each image is looked at once, however often it is named.
fn agent_images(state: &DesiredState, site: &Site<'_>) -> HashMap<Uuid, Option<Arc<Fault>>> {
    let here = state
        .targets
        .iter()
        .filter(|target| target.site.as_ref().is_none_or(|at| at == site.id));
    let used: HashSet<Uuid> = here.map(|target| target.agent).collect();
    let mut looked: HashMap<Digest, Option<Error>> = HashMap::new();
    let mut fault = |agent: &AgentVersion| {
        agent.images().find_map(|image| {
            let looked = looked
                .entry(image.digest)
                .or_insert_with(|| site.store.read(&image.digest, limits::MANIFEST_BYTES).err());
            let error = looked.as_ref()?;
            Some(Arc::new(Fault::agent_image(agent, image, error)))
        })
    };
    let versions = state.agents.iter().filter(|agent| used.contains(&agent.id));
    versions.map(|agent| (agent.id, fault(agent))).collect()
}
