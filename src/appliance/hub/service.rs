//! The hub: questions of agents, answered from one generation.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use serde_json::json;

use super::documents::Documents;
use super::keys::Keys;
use super::login::{Check, Login, Logins, Verdict};
use super::site_view::SiteView;
use super::token::{self, Bearer, Token};
use super::view::TargetView;
use super::world::{Identity, TargetState, World, local_deployment, local_revision};
use super::{connect, docker, kubernetes, resources};
use crate::appliance::registry::Registry;
use crate::appliance::{pins, state};
use crate::bundle::desired::TargetKind;
use crate::db::site::targets::{self, KnownRevision};
use crate::db::site::{Owner, appliance, audit, target_secrets};
use crate::db::{Db, Watch};
use crate::domain::{Class, Clock, Error, Hash, RepositoryName, Result, SiteId, Timestamp, Uuid};
use crate::store::Store;

/// Bytes of rendered answers that are kept: those of 10,000 targets of the usual size. What came first stays.
const ANSWER_BYTES: usize = 64 << 20;

/// The hub over one state folder. Everything but [`Hub::identify`], [`Hub::is_public`], [`Hub::is_classic_chart`] and
/// [`Hub::site_view`] may wait for a disk.
pub struct Hub {
    pub(super) db: Db,
    roots: PathBuf,
    documents: Documents,
    pub(super) keys: Keys,
    pub(super) site: SiteId,
    view: SiteView,
    pub(super) clock: Arc<dyn Clock>,
    logins: Logins,
    current: RwLock<Arc<World>>,
    /// Held while a generation is loaded: an older one never takes the place of a newer one.
    loading: Mutex<()>,
    answer_bytes: AtomicUsize,
    /// The registry that serves what is advertised here.
    registry: OnceLock<Arc<Registry>>,
}

impl Hub {
    /// Opens the hub of a state folder.
    ///
    /// What is wrong with one release concerns its targets alone: they get `E-STATE`, the others are answered.
    ///
    /// # Errors
    ///
    /// `E-STATE` when the state is damaged, `E-IO`, `E-SPACE`.
    pub fn open(state: &Path, view: SiteView, clock: Arc<dyn Clock>) -> Result<Self> {
        let db = state::open_database(state)?;
        let site = db.read(appliance::get)?.site;
        let documents = Documents::new(Store::open(state)?);
        let keys = Keys::open(state)?;
        let roots = state.join(state::ROOTS);
        let world = World::load(&db, &documents, &pins::read(&roots)?, &site, None)?;
        Ok(Self {
            db,
            roots,
            documents,
            keys,
            site,
            view,
            clock,
            logins: Logins::default(),
            current: RwLock::new(Arc::new(world)),
            loading: Mutex::default(),
            answer_bytes: AtomicUsize::new(0),
            registry: OnceLock::new(),
        })
    }

    /// Names the registry from which agents get what is advertised here: it switches to a new generation first, because nothing is
    /// advertised before it can be pulled (D11). Only the first one counts.
    pub fn follow(&self, registry: &Arc<Registry>) {
        self.registry.get_or_init(|| registry.clone());
    }

    /// Looks whether anything changed that agents are told, and switches.
    ///
    /// # Errors
    ///
    /// As [`Hub::open`]; the generation before stays in use then.
    pub fn refresh(&self) -> Result<bool> {
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.world();
        let found = self.db.read(|connection| {
            Ok((
                appliance::generation(connection)?,
                targets::edition(connection)?,
                appliance::time_floor(connection)?,
            ))
        })?;
        if found == (current.generation, current.edition, current.floor) {
            return Ok(false);
        }
        if let Some(registry) = self.registry.get() {
            registry.refresh()?;
        }
        let world = World::load(
            &self.db,
            &self.documents,
            &pins::read(&self.roots)?,
            &self.site,
            Some(&current),
        )?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(world);
        self.answer_bytes.store(0, Ordering::Relaxed);
        self.logins.forget_adopted();
        Ok(true)
    }

    /// Returns the site id.
    pub fn site(&self) -> &SiteId {
        &self.site
    }

    /// Returns how agents reach this appliance.
    pub fn site_view(&self) -> &SiteView {
        &self.view
    }

    /// Lets an agent in. Up to two of the hub's verifiers are computed at one time, 64 MiB each.
    ///
    /// # Errors
    ///
    /// `E-STATE` when what could tell is not usable: to be answered 503, not 401.
    pub fn login(&self, target: &Uuid, secret: &str) -> Result<Login> {
        let (world, check) = self.judge(target, secret)?;
        match check {
            Check::Wrong => Ok(Login::Refused),
            Check::Busy => Ok(Login::Busy),
            Check::Good => {
                let Some(state) = world.targets.get(target) else {
                    return Ok(Login::Refused);
                };
                let bearer = Bearer {
                    target: *target,
                    generation: state.credential.generation,
                };
                let token = Token::issue(&self.keys, &self.site, bearer, world.floor, self.now(&world));
                Ok(Login::Token(token))
            }
        }
    }

    /// Checks a target's secret, as for [`Hub::login`], for `/connect` and `/pre-connect`.
    ///
    /// # Errors
    ///
    /// As [`Hub::login`].
    pub fn check_secret(&self, target: &Uuid, secret: &str) -> Result<Check> {
        self.judge(target, secret).map(|(_, check)| check)
    }

    /// Returns who a token stands for; nothing when it is none, or when its target or its credential generation is gone. Touches
    /// neither disk nor database.
    pub fn identify(&self, token: &str) -> Option<Arc<Identity>> {
        let world = self.world();
        let bearer = token::verify(&self.keys, &self.site, token, self.now(&world))?;
        let state = world.targets.get(&bearer.target)?;
        (state.credential.generation == bearer.generation).then(|| state.identity.clone())
    }

    /// Returns what an agent shall run, as JSON. Every document was hashed, in the very file that is there now.
    ///
    /// # Errors
    ///
    /// `E-STATE` whenever that cannot be said for sure; never an empty list in its place.
    pub fn resources(&self, identity: &Identity) -> Result<Arc<[u8]>> {
        let world = self.world();
        let state = known(&world, &identity.target)?;
        let plan = state.plan()?;
        let kept = state.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let documents = resources::documents_of(plan)?;
        if let Some(answer) = kept
            && documents.iter().all(|digest| self.documents.is_unchanged(digest))
        {
            return Ok(answer);
        }
        let answer: Arc<[u8]> = resources::render(plan, &self.documents, &self.view)?.into();
        let bytes = self.answer_bytes.fetch_add(answer.len(), Ordering::Relaxed);
        if bytes.saturating_add(answer.len()) <= ANSWER_BYTES {
            *state.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.clone());
        }
        Ok(answer)
    }

    /// Returns the manifest with the secret that the caller has checked.
    ///
    /// # Errors
    ///
    /// `E-STATE` when what the target runs is not known.
    pub fn connect_manifest(&self, target: &Uuid, secret: &str) -> Result<String> {
        let world = self.world();
        self.manifest(known(&world, target)?, Some(secret))
    }

    /// Returns the manifest without a secret, for an agent that updates itself.
    ///
    /// # Errors
    ///
    /// As [`Hub::connect_manifest`].
    pub fn agent_manifest(&self, identity: &Identity) -> Result<String> {
        let world = self.world();
        self.manifest(known(&world, &identity.target)?, None)
    }

    /// Returns the script that installs an agent, with the secret that the caller has checked.
    ///
    /// # Errors
    ///
    /// As [`Hub::connect_manifest`].
    pub fn pre_connect(&self, target: &Uuid, secret: &str) -> Result<String> {
        let world = self.world();
        known(&world, target)?.plan()?;
        Ok(connect::script(&self.view, target, secret))
    }

    /// Returns the deployment that a revision is of: one that is advertised now, or an earlier one of the same target.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn revision(&self, identity: &Identity, revision: &Uuid) -> Result<Option<Uuid>> {
        if let Some(deployment) = self.world().revisions.get(&(identity.target, *revision)) {
            return Ok(Some(*deployment));
        }
        Ok(self
            .known_revision(&identity.target, revision)?
            .map(|known| known.deployment))
    }

    /// Returns what is known of a revision that was live on a target at any time: the release that really runs there when the agent
    /// reports about it. Ids are those that the target knows.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn known_revision(&self, target: &Uuid, revision: &Uuid) -> Result<Option<KnownRevision>> {
        let world = self.world();
        let template = world.targets.get(target).and_then(|state| state.template);
        self.db.read(|connection| match template {
            None => targets::known_revision(connection, target, revision),
            Some(template) => {
                let known = targets::known_revisions(connection, &template)?;
                Ok(known
                    .into_iter()
                    .find(|known| local_revision(target, &known.revision) == *revision)
                    .map(|known| KnownRevision {
                        deployment: local_deployment(target, &known.deployment),
                        revision: *revision,
                        ..known
                    }))
            }
        })
    }

    /// Whether a repository holds agent images, which may be read without credentials in every mode (D19).
    pub fn is_public(&self, repository: &RepositoryName) -> bool {
        self.world().public.contains(repository)
    }

    /// Whether agents fetch charts of a repository as from a classic chart repository: without credentials.
    pub fn is_classic_chart(&self, repository: &RepositoryName) -> bool {
        self.world().charts.contains(repository)
    }

    /// Returns every target, by scope and name.
    pub fn targets(&self) -> Vec<TargetView> {
        self.world().views()
    }

    /// Returns the targets made here whose template no release has any more: they are not answered, and wait for it or for
    /// [`Hub::remove_target`].
    pub fn orphans(&self) -> Vec<(Uuid, String)> {
        self.world().orphans.clone()
    }

    pub(super) fn world(&self) -> Arc<World> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn watch(&self) -> Result<Watch> {
        self.db.watch()
    }

    /// Never before what signed statements have proven: a machine that starts in 1970 keeps its agents.
    fn now(&self, world: &World) -> Timestamp {
        self.clock.now().max(world.floor)
    }

    pub(super) fn manifest(&self, state: &TargetState, secret: Option<&str>) -> Result<String> {
        let (id, plan) = (state.identity.target, state.plan()?);
        match state.kind {
            TargetKind::Docker => docker::render(&id, plan, &self.view, secret),
            TargetKind::Kubernetes => kubernetes::render(&id, plan, &self.view, secret),
        }
    }

    /// Checks a secret. Nobody is refused for what another process changed a moment ago: then the database is looked at first.
    fn judge(&self, target: &Uuid, secret: &str) -> Result<(Arc<World>, Check)> {
        let world = self.world();
        let check = self.verdict(&world, target, secret)?;
        if check != Check::Wrong {
            return Ok((world, check));
        }
        self.refresh()?;
        // Not by what that returns: the watcher may have been faster.
        let now = self.world();
        if Arc::ptr_eq(&world, &now) {
            return Ok((world, check));
        }
        let check = self.verdict(&now, target, secret)?;
        Ok((now, check))
    }

    fn verdict(&self, world: &World, target: &Uuid, secret: &str) -> Result<Check> {
        Ok(match self.logins.check(world, &self.keys, target, secret)? {
            Verdict::Good => Check::Good,
            Verdict::Wrong => Check::Wrong,
            Verdict::Busy => Check::Busy,
            Verdict::First { mac, verifier } => {
                // The agent is let in whether or not that can be kept: the next start would hash once more.
                let adopted = match world.targets.get(target) {
                    Some(state) => self.adopt(&state.identity, mac, verifier),
                    None => Ok(()),
                };
                if let Err(error) = adopted {
                    tracing::warn!(%error, %target, "the first login could not be recorded");
                }
                Check::Good
            }
        })
    }

    fn adopt(&self, identity: &Identity, mac: Hash, verifier: Hash) -> Result<()> {
        let (now, target) = (self.clock.now(), &identity.target);
        let owner = Owner::of(&identity.scope);
        self.db.write(|transaction| {
            if target_secrets::adopt(transaction, &owner, target, mac, verifier, now)? {
                audit::append(
                    transaction,
                    now,
                    "target-secret",
                    &json!({"result": "adopted", "target": target}),
                )?;
            }
            Ok(())
        })
    }
}

pub(super) fn known<'a>(world: &'a World, target: &Uuid) -> Result<&'a Arc<TargetState>> {
    world.targets.get(target).ok_or_else(|| gone(target))
}

pub(super) fn gone(target: &Uuid) -> Error {
    Error::new(
        Class::State,
        "no-target",
        format!("the target {target} is not here any more"),
    )
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("site", &self.site).finish_non_exhaustive()
    }
}
