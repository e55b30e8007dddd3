//! Values of secrets for what targets shall run: found in the scope of each, and what agents are told of it is recorded before they are.
//!
//! A target that lacks a value, or whose value cannot be read, is told nothing: neither an older configuration nor a part of one.

use std::collections::HashMap;
use std::sync::Arc;

use super::assignment::Assignment;
use super::fault::{Fault, MISSING};
use super::targets::Targets;
use crate::appliance::Appliance;
use crate::appliance::live::{Generation, Mark, SUPERSEDED, superseded};
use crate::appliance::secret::{MissingSecret, Naming, NeededSecret, OfTarget, RevisionKey, Vault, sealed_for_site};
use crate::bundle::desired::SecretUse;
use crate::db::site::site_revisions::{self, SiteRevision};
use crate::domain::{Class, Error, Result, Scope, SecretValue, Uuid};

/// Puts the values in.
///
/// # Errors
///
/// [`SUPERSEDED`] when something changed since the generation was read, so that it is not known what a target lacks; those of the database.
pub(super) fn fill(targets: &mut Targets, generation: &Generation, appliance: &Appliance) -> Result<()> {
    let mut vaults: HashMap<Scope, Result<Vault, Arc<Fault>>> = HashMap::new();
    let mut key: Option<Result<RevisionKey, Arc<Fault>>> = None;
    let mut told: Vec<SiteRevision> = Vec::new();
    let mut lacks = false;
    let names: Vec<(Scope, Uuid, String)> = targets
        .iter()
        .map(|(id, target)| (target.identity.scope.clone(), *id, target.identity.name.clone()))
        .collect();
    for (id, target) in targets.iter_mut() {
        let needs = target.assignment.as_ref().is_ok_and(Assignment::needs_secrets);
        let Some(target) = Arc::get_mut(target).filter(|_| needs) else {
            continue;
        };
        let scope = &target.identity.scope;
        let vault = vaults
            .entry(scope.clone())
            .or_insert_with(|| open(generation, appliance, scope).map_err(|error| fault(&error)));
        let key = key.get_or_insert_with(|| {
            RevisionKey::open_own(appliance.folder(), &*appliance.db).map_err(|error| fault(&error))
        });
        let (vault, key) = match (vault, key) {
            (Ok(vault), Ok(key)) => (vault, key),
            (Err(fault), _) | (_, Err(fault)) => {
                target.assignment = Err(fault.clone());
                lacks = true;
                continue;
            }
        };
        let of = OfTarget {
            id: *id,
            name: target.identity.name.clone(),
            template: target.template,
        };
        let naming = || {
            let own = names.iter().filter(|(of, ..)| of == scope);
            Naming::of(appliance, scope, own.map(|(_, id, name)| (*id, name.as_str())))
        };
        let Ok(assignment) = &mut target.assignment else {
            continue;
        };
        if let Err(error) = assignment.fill(|used| value(vault, used, &of, &naming), key) {
            target.assignment = Err(fault(&error));
            lacks = true;
            continue;
        }
        let secrets = assignment
            .deployments
            .iter()
            .filter(|assigned| assigned.revision != assigned.stated);
        told.extend(secrets.map(|assigned| SiteRevision {
            deployment: assigned.id,
            revision: assigned.revision,
            target: *id,
            stated: assigned.stated,
        }));
    }
    let recorded = &generation.local.site_revisions;
    told.retain(|one| recorded.told(&one.deployment, &one.stated) != one.revision);
    if lacks && appliance.db.read(Mark::read)? != generation.mark {
        // A file that is gone may have been replaced.
        return Err(superseded());
    }
    if told.is_empty() {
        return Ok(());
    }
    match record(appliance, generation.mark, &told) {
        Ok(()) => Ok(()),
        Err(error) if error.is(SUPERSEDED) => Err(error),
        Err(error) => {
            tracing::error!(%error, "what agents shall be told could not be recorded");
            let fault = fault(&error);
            for one in told {
                if let Some(target) = targets.get_mut(&one.target).and_then(Arc::get_mut) {
                    target.assignment = Err(fault.clone());
                }
            }
            Ok(())
        }
    }
}

/// Opens what a scope has for the release that speaks for it.
fn open(generation: &Generation, appliance: &Appliance, scope: &Scope) -> Result<Vault> {
    let speaks = generation
        .governing
        .iter()
        .find(|governing| governing.release.scope == *scope);
    let sealed = match speaks.map(|governing| (&governing.release, &governing.desired)) {
        Some((release, Ok(Some(document)))) => sealed_for_site(appliance, release, document)?,
        _ => None,
    };
    Ok(Vault::new(
        appliance.folder(),
        scope,
        &generation.local.kept_secrets,
        sealed,
    ))
}

fn value(
    vault: &Vault,
    used: &SecretUse,
    of: &OfTarget,
    naming: &dyn Fn() -> Result<Naming>,
) -> Result<Arc<SecretValue>> {
    let needed = NeededSecret {
        name: used.name.clone(),
        target: used.per_target.then(|| of.clone()),
        declared: used.clone(),
        used_by: Vec::new(),
    };
    if let Some(value) = vault.value(&needed)? {
        return Ok(value);
    }
    let missing = MissingSecret::of(&needed, &naming()?);
    let error = Error::new(
        Class::State,
        MISSING,
        format!("target {:?} waits for {missing}", of.name),
    );
    Err(if missing.sealed {
        error
    } else {
        error.remedy(format!("enter it: `{}`", missing.remedy()))
    })
}

/// Records what agents are told, unless something changed since: then whoever looks next does.
fn record(appliance: &Appliance, mark: Mark, told: &[SiteRevision]) -> Result<()> {
    appliance.db.write(|transaction| {
        if Mark::read(transaction)? == mark {
            return site_revisions::record(transaction, told);
        }
        Err(superseded())
    })
}

fn fault(error: &Error) -> Arc<Fault> {
    Arc::new(Fault::secret(error))
}
