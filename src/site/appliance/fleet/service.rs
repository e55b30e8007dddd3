//! The hub: questions of agents, answered from one generation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::assignment::{Assignment, local_deployment, local_revision};
use super::login::{Check, Login, Logins, Verdict};
use super::secret::is_secret;
use super::site_view::SiteView;
use super::targets::{Fleet, FleetTarget, Identity, Site};
use super::token::{self, Bearer, Token};
use super::values;
use super::view::TargetView;
use crate::appliance::access::{Reader, Readers};
use crate::appliance::keys::Keys;
use crate::appliance::live::{Live, Order, Projection};
use crate::db::site::site_revisions::{self, SiteRevisions};
use crate::db::site::targets::{self, KnownRevision};
use crate::db::site::{Owner, audit, target_secrets};
use crate::db::{Db, Watch};
use crate::domain::{Class, Clock, Error, Hash, Problem, Result, SiteId, Uuid};
use crate::store::Store;

/// What opens the way for secrets.
const WAY: &str = "let agents come over TLS ([tls] listen in the configuration), and install each again with `airlock target connect TARGET`";

/// Most reasons why targets are not answered that are told at once.
const PROBLEMS: usize = 16;

/// The hub of an appliance. Everything but [`Hub::identify`] and [`Hub::site_view`] may wait for a disk.
pub struct Hub {
    live: Arc<Live>,
    current: Arc<Projection<Fleet>>,
    readers: Arc<Projection<Readers>>,
    /// Whether anything was decided since somebody last showed a credential.
    watch: Mutex<Watch>,
    pub(in crate::appliance) keys: Arc<Keys>,
    view: SiteView,
    logins: Logins,
}

impl Hub {
    /// Makes the hub of what is live.
    ///
    /// What is wrong with one release concerns its targets alone: they get `E-STATE`, the others are answered.
    ///
    /// # Errors
    ///
    /// `E-STATE token-key`, `E-IO`, `E-SPACE`.
    pub fn new(live: &Arc<Live>, view: SiteView) -> Result<Self> {
        let keys = live.appliance().keys()?;
        Ok(Self {
            live: live.clone(),
            current: project(live)?,
            readers: live.project(Order::Content, |generation, before| Ok(Readers::of(generation, before)))?,
            watch: Mutex::new(live.appliance().db.watch()?),
            keys,
            view,
            logins: Logins::default(),
        })
    }

    /// Returns what is live.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Looks whether anything changed that agents are told, and switches.
    ///
    /// # Errors
    ///
    /// As [`Live::refresh`]; the generation before stays in use then.
    pub fn refresh(&self) -> Result<bool> {
        self.live.refresh()
    }

    /// Returns the site id.
    pub fn site(&self) -> &SiteId {
        self.live.appliance().site()
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
        let (fleet, check) = self.judge(target, secret)?;
        match check {
            Check::Wrong => Ok(Login::Refused),
            Check::Busy => Ok(Login::Busy),
            Check::Good => {
                let Some(state) = fleet.targets.get(target) else {
                    return Ok(Login::Refused);
                };
                let bearer = Bearer {
                    target: *target,
                    generation: state.credential.generation,
                };
                let token = Token::issue(&self.keys, self.site(), bearer, self.clock().now());
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
        let fleet = self.fleet();
        let bearer = token::verify(&self.keys, self.site(), token, self.clock().now())?;
        let state = fleet.targets.get(&bearer.target)?;
        (state.credential.generation == bearer.generation).then(|| state.identity.clone())
    }

    /// Whether something was decided here since this was last asked, so that [`Hub::refresh`] has to come before [`Hub::reader`]: a credential
    /// counts from the moment it was printed to the moment it was removed. A glance at memory that SQLite shares; nothing is waited for.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn is_behind(&self) -> Result<bool> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner).changed()
    }

    /// Returns who has a credential that is no agent's; nothing when nobody has. Touches neither disk nor database.
    pub fn reader(&self, secret: &str) -> Option<Arc<Reader>> {
        is_secret(secret).then(|| self.readers.get().find(&self.keys.access_mac(secret)))?
    }

    /// Returns the deployment that a revision is of: one that is advertised now, or an earlier one of the same target.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn revision(&self, identity: &Identity, revision: &Uuid) -> Result<Option<Uuid>> {
        if let Some(deployment) = self.fleet().revisions.get(&(identity.target, *revision)) {
            return Ok(Some(*deployment));
        }
        Ok(self
            .known_revision(&identity.target, revision)?
            .map(|known| known.deployment))
    }

    /// Returns what a target's agent is told to run: deployments with revisions, as [`Hub::resources`] words it.
    ///
    /// # Errors
    ///
    /// `E-STATE` when that is not known.
    pub fn advertised(&self, identity: &Identity) -> Result<Arc<[(Uuid, Uuid)]>> {
        let fleet = self.fleet();
        Ok(known(&fleet, &identity.target)?.assignment()?.stated.clone())
    }

    /// Says whether what an agent shall run may go the way that it came by: with secrets in it only where nobody reads along, whatever is
    /// configured. The whole answer is refused then: a shorter list would be an order to remove the rest (M-80).
    ///
    /// # Errors
    ///
    /// `E-STATE secret-way`.
    pub fn check_way(&self, identity: &Identity, private: bool) -> Result<()> {
        let fleet = self.fleet();
        let Some(Ok(assignment)) = fleet.targets.get(&identity.target).map(|state| state.assignment()) else {
            // Whatever is wrong with it is told by who makes the answer.
            return Ok(());
        };
        if private || !assignment.has_secrets() {
            return Ok(());
        }
        Err(Error::new(
            Class::State,
            "secret-way",
            format!(
                "what target {:?} shall run holds secrets, and its agent asked over plain HTTP from elsewhere",
                identity.name
            ),
        )
        .expected("TLS, or an agent on this machine that no proxy stands before")
        .remedy(format!("let agents come over TLS ([tls] listen in the configuration), and install the agent again with `airlock target connect {}`", identity.target)))
    }

    /// Returns what is known of a revision that was live on a target at any time: the release that really runs there when the agent
    /// reports about it. Ids are those that the target knows.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn known_revision(&self, target: &Uuid, revision: &Uuid) -> Result<Option<KnownRevision>> {
        let fleet = self.fleet();
        let template = fleet.targets.get(target).and_then(|state| state.template);
        self.db().read(|connection| {
            let own = site_revisions::find(connection, target, revision)?;
            let stated = own.map_or(*revision, |own| own.stated);
            match template {
                None => targets::known_revision(connection, target, &stated),
                Some(template) => {
                    let known = targets::known_revisions(connection, &template)?;
                    Ok(known
                        .into_iter()
                        .find(|known| local_revision(target, &known.revision) == stated)
                        .map(|known| KnownRevision {
                            deployment: local_deployment(target, &known.deployment),
                            revision: stated,
                            ..known
                        }))
                }
            }
        })
    }

    /// Returns what revisions of this site stand for.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn site_revisions(&self) -> Result<SiteRevisions> {
        self.db().read(SiteRevisions::read)
    }

    /// Returns what stands for the secret that was issued here for a target: another one after a new secret was issued, 0 without one.
    /// Tells nothing of it.
    pub fn secret_mark(&self, target: &Uuid) -> u64 {
        let fleet = self.fleet();
        let credential = fleet.targets.get(target).map(|state| &state.credential);
        let mac = credential
            .filter(|credential| credential.issued_here)
            .and_then(|credential| credential.mac);
        mac.and_then(|mac| mac.0.first_chunk().copied())
            .map_or(0, u64::from_be_bytes)
    }

    /// Says of somebody who was not let in as a target what that is called here, and why not, for the log.
    pub fn stranger(&self, target: &Uuid) -> (Option<String>, &'static str) {
        let fleet = self.fleet();
        if let Some(state) = fleet.targets.get(target) {
            let credential = &state.credential;
            let has_secret = credential.mac.is_some() || credential.verifier.is_some();
            let reason = if has_secret { "wrong-secret" } else { "no-secret-issued" };
            return (Some(state.identity.name.clone()), reason);
        }
        let removed = fleet.removed.iter().find(|state| state.identity.target == *target);
        match removed {
            Some(state) => (Some(state.identity.name.clone()), "removed-here"),
            None => (None, "unknown-target"),
        }
    }

    /// Returns every target, by scope and name.
    pub fn targets(&self) -> Vec<TargetView> {
        self.fleet().views()
    }

    /// Whether agents are told an address that means this machine to themselves alone.
    pub fn is_for_this_machine(&self) -> bool {
        self.view.is_for_this_machine()
    }

    /// Says that agents are sent a way that secrets do not go, where targets have some: over plain HTTP, from elsewhere.
    pub fn closed_way(&self) -> Option<Problem> {
        if self.view.is_secure() || self.is_for_this_machine() {
            return None;
        }
        let fleet = self.fleet();
        let mut names: Vec<&str> = fleet
            .targets
            .values()
            .filter(|target| target.assignment.as_ref().is_ok_and(Assignment::has_secrets))
            .map(|target| &*target.identity.name)
            .collect();
        names.sort_unstable();
        let more = names.len().saturating_sub(PROBLEMS);
        let also = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let listed = names.iter().take(PROBLEMS).copied().collect::<Vec<_>>().join(", ");
        let found = format!(
            "what {listed}{also} shall run holds secrets, and agents are sent to {} over plain HTTP: those on other machines get nothing",
            self.view.base()
        );
        let error = Error::new(Class::State, "secret-way", found).remedy(WAY);
        (!names.is_empty()).then(|| Problem::of("targets", &error))
    }

    /// Returns why targets are not answered, where that is damage that is said nowhere else: each reason once, and no more of them than a
    /// person reads.
    pub fn problems(&self) -> Vec<Problem> {
        let fleet = self.fleet();
        let faults: BTreeMap<String, Problem> = fleet
            .targets
            .values()
            .filter_map(|target| target.assignment.as_ref().err()?.problem())
            .map(|problem| (problem.what.clone(), problem))
            .collect();
        let way = self.closed_way();
        faults.into_values().take(PROBLEMS).chain(way).collect()
    }

    /// Returns the targets made here whose template no release has any more: they are not answered, and wait for it or for
    /// [`Hub::remove_target`].
    pub fn orphans(&self) -> Vec<(Uuid, String)> {
        self.fleet().orphans.clone()
    }

    pub(in crate::appliance) fn db(&self) -> &Db {
        &self.live.appliance().db
    }

    pub(in crate::appliance) fn clock(&self) -> &dyn Clock {
        &*self.live.appliance().clock
    }

    pub(in crate::appliance) fn store(&self) -> &Store {
        &self.live.appliance().store
    }

    pub(in crate::appliance) fn fleet(&self) -> Arc<Fleet> {
        self.current.get()
    }

    /// Checks a secret. Nobody is refused for what another process changed a moment ago: then the database is looked at first.
    fn judge(&self, target: &Uuid, secret: &str) -> Result<(Arc<Fleet>, Check)> {
        let fleet = self.fleet();
        let check = self.verdict(&fleet, target, secret)?;
        if check != Check::Wrong {
            return Ok((fleet, check));
        }
        self.refresh()?;
        // Not by what that returns: the watcher may have been faster.
        let now = self.fleet();
        if Arc::ptr_eq(&fleet, &now) {
            return Ok((fleet, check));
        }
        let check = self.verdict(&now, target, secret)?;
        Ok((now, check))
    }

    fn verdict(&self, fleet: &Fleet, target: &Uuid, secret: &str) -> Result<Check> {
        Ok(match self.logins.check(fleet, &self.keys, target, secret)? {
            Verdict::Good => Check::Good,
            Verdict::Wrong => Check::Wrong,
            Verdict::Busy => Check::Busy,
            Verdict::First { mac, verifier } => {
                // The agent is let in whether or not that can be kept: the next start would hash once more.
                let adopted = match fleet.targets.get(target) {
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
        let (now, target) = (self.clock().now(), &identity.target);
        let owner = Owner::of(&identity.scope);
        self.db().write(|transaction| {
            if target_secrets::adopt(transaction, &owner, target, mac, verifier, now)? {
                audit::append(
                    transaction,
                    now,
                    "target-secret",
                    &json!({"result": "adopted", "target": target}),
                    &[],
                )?;
            }
            Ok(())
        })
    }
}

/// Makes the fleet of what is live, and of what goes live after it.
pub(super) fn project(live: &Arc<Live>) -> Result<Arc<Projection<Fleet>>> {
    let appliance = live.appliance().clone();
    live.project(Order::Advertised, move |generation, before| {
        let site = Site {
            id: appliance.site(),
            store: &appliance.store,
            fill: &|targets| values::fill(targets, generation, &appliance),
        };
        Fleet::of(generation, before, &site)
    })
}

pub(in crate::appliance) fn known<'a>(fleet: &'a Fleet, target: &Uuid) -> Result<&'a Arc<FleetTarget>> {
    fleet.targets.get(target).ok_or_else(|| gone(target))
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
        f.debug_struct("Hub").field("site", self.site()).finish_non_exhaustive()
    }
}
