//! What an operator decides about targets: secrets, targets of this site's own, and what shall not run here. Every act is in the audit
//! log, no secret is.

use serde_json::json;

use super::fault::NOT_LIVE;
use super::image_hosts::image_hosts;
use super::secret::Secret;
use super::service::{Hub, gone, known};
use super::view::{DeploymentView, RemovedTarget, TargetView};
use crate::appliance::snippets::{Engine, Snippet};
use crate::appliance::{last_generation, secret};
use crate::crypto::random;
use crate::db::site::local_targets::{self, LocalTarget};
use crate::db::site::stream_log::Told;
use crate::db::site::{Owner, audit, local_removals, owners, target_secrets, targets};
use crate::domain::{Class, Error, Result, Uuid, is_plain};

/// Bytes that the name of a target may have.
const NAME_BYTES: usize = 128;

/// Whether something goes or comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It goes.
    Remove,
    /// It comes back.
    Restore,
}

/// What was found under a word of the operator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetChoice {
    /// Exactly one target.
    One(Box<TargetView>),
    /// Several of that name.
    Several(Vec<TargetView>),
    /// None; these names exist.
    None(Vec<String>),
}

impl Hub {
    /// Finds a target by UUID or name.
    pub fn find(&self, text: &str) -> TargetChoice {
        choose(self.targets(), text)
    }

    /// Finds a target of a release that was taken away here.
    pub fn find_removed(&self, text: &str) -> TargetChoice {
        choose(self.fleet().removed_views(), text)
    }

    /// Returns the targets of releases that were taken away here, or let go.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn removed(&self) -> Result<Vec<RemovedTarget>> {
        let views = self.fleet().removed_views();
        self.db().read(|connection| {
            let removed = views.into_iter().map(|target| {
                let freed = owners::find(connection, &target.id)?.is_some_and(|row| row.owner.is_none());
                Ok(RemovedTarget { target, freed })
            });
            removed.collect()
        })
    }

    /// Issues a secret for a target, in the place of any other. Tokens that are out stay good, unless they are revoked too.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO`, `E-SPACE`.
    pub fn issue_secret(&self, target: &Uuid, revoke: bool) -> Result<Secret> {
        let mut issued = self.issue_secrets(std::slice::from_ref(target), revoke)?;
        issued
            .pop()
            .ok_or_else(|| Error::new(Class::Internal, "secret", "no secret was issued"))
    }

    /// Issues a secret for each of these targets, in their order, as [`Hub::issue_secret`] does, in one transaction.
    ///
    /// # Errors
    ///
    /// As [`Hub::issue_secret`]; nothing is issued then.
    pub fn issue_secrets(&self, of: &[Uuid], revoke: bool) -> Result<Vec<Secret>> {
        let fleet = self.fleet();
        let now = self.clock().now();
        let mut issued = Vec::with_capacity(of.len());
        // A secret before this one lets nobody in any more.
        let withdrawn = last_generation::forget(self.live().appliance().folder())?;
        self.db().write(|transaction| {
            for target in of {
                let owner = Owner::of(&known(&fleet, target)?.identity.scope);
                let secret = Secret::generate()?;
                let mac = self.keys.secret_mac(target, secret.as_str());
                let generation = target_secrets::set(transaction, &owner, target, mac, revoke, now)?;
                audit::append(
                    transaction,
                    now,
                    "target-secret",
                    &json!({"generation": generation, "result": "issued", "revoked": revoke, "target": target}),
                    &[],
                )?;
                issued.push(secret);
            }
            targets::raise_edition(transaction)
        })?;
        drop(withdrawn);
        self.refresh()?;
        Ok(issued)
    }

    /// Makes a target of this site's own that follows one of a release.
    ///
    /// # Errors
    ///
    /// `E-BUSY` when values are to be made for it and an import runs; `E-USAGE target-name` when the name is taken or unfit; `E-USAGE template` when that target follows another one itself.
    pub fn add_target(&self, name: &str, like: &Uuid) -> Result<Uuid> {
        let fleet = self.fleet();
        let template = known(&fleet, like)?;
        if let Some(followed) = template.template {
            return Err(Error::new(
                Class::Usage,
                "template",
                format!("target {:?} follows another one itself", template.identity.name),
            )
            .expected("a target of a release")
            .remedy(format!("name the one that it follows itself: --like {followed}")));
        }
        if !(1..=NAME_BYTES).contains(&name.len()) || !is_plain(name) {
            return Err(
                Error::new(Class::Usage, "target-name", format!("{name:?} is no name for a target"))
                    .expected("1 to 128 bytes without control characters, and nothing that is invisible or turns the direction of writing")
                    .remedy("choose another name"),
            );
        }
        let now = self.clock().now();
        let mut bytes = [0; 16];
        random(&mut bytes)?;
        let local = LocalTarget {
            id: Uuid::from_random(bytes),
            name: name.to_owned(),
            template: *like,
        };
        // Nothing can be said of what is not known now: such a target waits as its template does.
        let made = match template.assignment() {
            Ok(assignment) => {
                let state = &assignment.document.state;
                let appliance = self.live().appliance();
                secret::for_new_target(appliance, &template.identity.scope, state, &local, now)?
            }
            Err(_) => None,
        };
        let taken = fleet.targets.values().any(|target| target.identity.name == name);
        let written = self.db().write(|transaction| {
            if taken || local_targets::list(transaction)?.iter().any(|other| other.name == name) {
                return Err(Error::new(
                    Class::Usage,
                    "target-name",
                    format!("there is a target {name:?} already"),
                )
                .expected("a name of its own")
                .remedy("choose another name; `airlock target list` shows those that are taken"));
            }
            local_targets::add(transaction, &local, now)?;
            if let Some((_, made)) = &made {
                made.record(transaction, now)?;
            }
            targets::raise_edition(transaction)?;
            audit::append(
                transaction,
                now,
                "target-add",
                &json!({"name": name, "target": local.id, "template": like}),
                &[Told {
                    domain: template.identity.scope.domain,
                    detail: json!({"follows": like, "target": local.id}),
                }],
            )
        });
        written.map_err(|error| match &made {
            Some((_, made)) => made.drop_files(error),
            None => error,
        })?;
        self.refresh()?;
        Ok(local.id)
    }

    /// Checks that a target can be taken away: that no target made here follows it.
    ///
    /// # Errors
    ///
    /// `E-USAGE template`; those of the database.
    pub fn check_removable(&self, target: &Uuid) -> Result<()> {
        self.db()
            .read(|connection| owners::check_unfollowed(connection, target))
    }

    /// Takes a target away from this site, or brings one of a release back. Its agent is refused from then on (A02); what it
    /// deployed stays as it is. Its tokens are dead for good; its secret counts again once it is back, also when the vendor removed it
    /// and states it again. A target made here is gone for good. One that was let go comes back only while it is nobody's.
    ///
    /// # Errors
    ///
    /// `E-USAGE template` when targets made here follow it; `E-POLICY foreign-target` when it is another product's by now; `E-STATE`,
    /// `E-IO`, `E-SPACE`.
    pub fn remove_target(&self, target: &Uuid, removal: Removal) -> Result<bool> {
        let now = self.clock().now();
        let fleet = self.fleet();
        let mut all = fleet.targets.values().chain(&fleet.removed);
        let owner = all.find(|state| state.identity.target == *target);
        let owner = owner.map(|state| Owner::of(&state.identity.scope));
        let withdrawn = last_generation::forget(self.live().appliance().folder())?;
        let changed = self.db().write(|transaction| {
            let locals = local_targets::list(transaction)?;
            if removal == Removal::Remove {
                owners::check_unfollowed(transaction, target)?;
            }
            let local = locals.iter().any(|local| local.id == *target);
            let changed = if local && removal == Removal::Remove {
                local_targets::forget(transaction, target)?;
                true
            } else {
                let owner = owner.as_ref().ok_or_else(|| gone(target))?;
                let changed = local_removals::set(transaction, owner, target, removal == Removal::Remove, now)?;
                match removal {
                    Removal::Remove if changed => owners::end_tokens(transaction, target)?,
                    Removal::Remove => {}
                    Removal::Restore => owners::take_back(transaction, owner, target)?,
                }
                changed
            };
            if changed {
                targets::raise_edition(transaction)?;
                let action = match removal {
                    Removal::Remove => "target-remove",
                    Removal::Restore => "target-restore",
                };
                let detail = json!({"target": target});
                let told = owner.iter().map(|owner| Told {
                    domain: owner.domain,
                    detail: detail.clone(),
                });
                audit::append(transaction, now, action, &detail, &told.collect::<Vec<_>>())?;
            }
            Ok(changed)
        })?;
        drop(withdrawn);
        self.refresh()?;
        Ok(changed)
    }

    /// Takes a deployment away from its target, or brings it back: the local instruction to undeploy, which outlives releases.
    /// The agent removes the application, its volumes included.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO`, `E-SPACE`.
    pub fn undeploy(&self, target: &Uuid, deployment: &DeploymentView, removal: Removal) -> Result<bool> {
        let now = self.clock().now();
        let owner = Owner::of(&known(&self.fleet(), target)?.identity.scope);
        let withdrawn = last_generation::forget(self.live().appliance().folder())?;
        let changed = self.db().write(|transaction| {
            let id = &deployment.id;
            let changed = local_removals::set(transaction, &owner, id, removal == Removal::Remove, now)?;
            if removal == Removal::Restore {
                owners::take_back(transaction, &owner, id)?;
            }
            if changed {
                targets::raise_edition(transaction)?;
                let action = match removal {
                    Removal::Remove => "target-undeploy",
                    Removal::Restore => "target-deploy",
                };
                audit::append(
                    transaction,
                    now,
                    action,
                    &json!({"application": deployment.application, "deployment": deployment.id, "target": target}),
                    &[Told {
                        domain: owner.domain,
                        detail: json!({"deployment": deployment.id, "target": target}),
                    }],
                )?;
            }
            Ok(changed)
        })?;
        drop(withdrawn);
        self.refresh()?;
        Ok(changed)
    }

    /// Checks that a target's agent can be installed: that what it shall run is known.
    ///
    /// # Errors
    ///
    /// `E-POLICY secrets-missing` when its release waits for secrets; `E-STATE` when it is not known otherwise.
    pub fn check_installable(&self, target: &Uuid) -> Result<()> {
        let fleet = self.fleet();
        let target = known(&fleet, target)?;
        let Err(error) = target.assignment() else {
            return Ok(());
        };
        if error.is(NOT_LIVE) {
            let scope = &target.identity.scope;
            let waiting = self.live().appliance().waiting_releases()?;
            if let Some(waiting) = waiting.iter().find(|waiting| waiting.release.scope == *scope) {
                return Err(secret::refused(scope, waiting.release.counter, &waiting.missing));
            }
        }
        Err(error)
    }

    /// Returns what makes an engine trust this appliance and find in it what a target's images are called elsewhere.
    ///
    /// # Errors
    ///
    /// `E-STATE` when what the target runs is not known.
    pub fn snippet(&self, target: &Uuid, engine: Engine) -> Result<Snippet> {
        let fleet = self.fleet();
        let hosts = image_hosts(known(&fleet, target)?.assignment()?)?;
        Ok(engine.snippet(self.site_view(), &hosts, None))
    }
}

fn choose(all: Vec<TargetView>, text: &str) -> TargetChoice {
    let id = Uuid::parse_lenient(text).ok();
    let mut found: Vec<TargetView> = all
        .iter()
        .filter(|target| target.name == text || id == Some(target.id))
        .cloned()
        .collect();
    match (found.pop(), found.is_empty()) {
        (None, _) => TargetChoice::None(all.into_iter().map(|target| target.name).collect()),
        (Some(target), true) => TargetChoice::One(Box::new(target)),
        (Some(target), false) => {
            found.push(target);
            TargetChoice::Several(found)
        }
    }
}
