//! Before a release goes live: what it lacks, and what is made for it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::bound::Bound;
use super::missing::MissingSecret;
use super::naming::Naming;
use super::plan::{SecretPlan, compare};
use super::record::{self, Before};
use super::uses::{Decided, NeededSecret, uses};
use super::vault::Vault;
use super::{files, make, recipients};
use crate::appliance::state::{Appliance, ImportLock};
use crate::bundle::Places;
use crate::bundle::desired::{DesiredState, SecretSource};
use crate::crypto::{SealedSecrets, SecretRecord};
use crate::db::site::kept_secrets::{self, KeptSecret, Origin};
use crate::db::site::local_targets::LocalTarget;
use crate::db::site::release::ReleaseRow;
use crate::db::site::{audit, targets};
use crate::db::{Db, Transaction};
use crate::domain::{Digest, Error, Result, Scope, SecretName, Timestamp, Uuid};

/// What a release needs to go live.
pub(in crate::appliance) struct Readiness {
    /// What is missing, or does not fit, and only a person, or the vendor, can give.
    pub(in crate::appliance) missing: Vec<MissingSecret>,
    /// How a command names what is to be made; none where nothing is needed.
    naming: Option<Naming>,
    /// What is made here when it goes live.
    to_make: Vec<NeededSecret>,
    /// What changes beside the live release, where that was asked.
    plan: SecretPlan,
}

/// Values that were made and are durable, and that count once they are recorded.
pub(in crate::appliance) struct Made {
    state: PathBuf,
    rows: Vec<KeptSecret>,
}

/// Judges what a release of a scope lacks at this site, and what it changes beside the one that is live, where that is given. `places` are
/// those of its documents.
///
/// # Errors
///
/// Those of the database.
pub(in crate::appliance) fn judge(
    appliance: &Appliance,
    (scope, live): (&Scope, Option<&ReleaseRow>),
    state: &DesiredState,
    sealed: Option<SealedSecrets>,
    places: &dyn Fn(&Digest) -> Option<Places>,
) -> Result<Readiness> {
    let (decided, kept) = appliance
        .db
        .read(|connection| Ok((Decided::read(connection)?, kept_secrets::list(connection)?)))?;
    let vault = Vault::new(appliance.folder(), scope, &kept, sealed);
    let all = uses(state, scope, appliance.site(), &decided);
    let naming = Naming::of(
        appliance,
        scope,
        state.targets.iter().map(|target| (target.id, target.name.as_str())),
    )?;
    let plan = live.map_or_else(SecretPlan::default, |live| {
        compare(appliance, live, (&all, &vault), (&decided, &kept))
    });
    let lacking = all.into_iter().filter(|used| !vault.has(used));
    let is_made = |used: &NeededSecret| used.declared.source == SecretSource::Generate;
    let (to_make, missing): (Vec<NeededSecret>, Vec<NeededSecret>) = lacking.partition(is_made);
    let bound = Bound {
        state,
        scope,
        site: appliance.site(),
        decided: &decided,
        vault: &vault,
        places,
    };
    let absent = missing.iter().map(|used| MissingSecret::of(used, &naming));
    Ok(Readiness {
        missing: absent
            .chain(MissingSecret::too_large(&bound.too_large(), &naming))
            .collect(),
        naming: Some(naming),
        to_make,
        plan,
    })
}

/// Makes the values of its own that a new target of this site has made for it; nothing where it has none. Held with them is what keeps others
/// from the folder until they count.
///
/// # Errors
///
/// `E-BUSY` when an import runs; as [`Readiness::make`].
pub(in crate::appliance) fn for_new_target(
    appliance: &Appliance,
    scope: &Scope,
    state: &DesiredState,
    target: &LocalTarget,
    now: Timestamp,
) -> Result<Option<(ImportLock, Made)>> {
    let mut decided = appliance.db.read(Decided::read)?;
    decided.locals.push(target.clone());
    let is_own = |used: &NeededSecret| {
        used.declared.source == SecretSource::Generate
            && used.target.as_ref().is_some_and(|target_of| target_of.id == target.id)
    };
    let mut to_make = uses(state, scope, appliance.site(), &decided);
    to_make.retain(is_own);
    if to_make.is_empty() {
        return Ok(None);
    }
    let lock = appliance.lock()?;
    let readiness = Readiness {
        missing: Vec::new(),
        naming: None,
        to_make,
        plan: SecretPlan::default(),
    };
    Ok(Some((lock, readiness.make(appliance, scope, now)?)))
}

impl Readiness {
    /// Nothing is needed.
    pub(in crate::appliance) fn nothing() -> Self {
        Self {
            missing: Vec::new(),
            naming: None,
            to_make: Vec::new(),
            plan: SecretPlan::default(),
        }
    }

    /// Returns what changes when it goes live.
    pub(in crate::appliance) fn plan(&self) -> SecretPlan {
        let naming = self.naming.as_ref();
        let made = self
            .to_make
            .iter()
            .filter_map(|used| Some(MissingSecret::of(used, naming?)));
        SecretPlan {
            made: made.map(|made| made.label()).collect(),
            ..self.plan.clone()
        }
    }

    /// Makes what is to be made; only for who holds the lock of the state folder. Nothing counts before [`Made::record`].
    ///
    /// # Errors
    ///
    /// `E-STATE recipient-key`, `planted`; `E-IO`, `E-SPACE`.
    pub(in crate::appliance) fn make(&self, appliance: &Appliance, scope: &Scope, now: Timestamp) -> Result<Made> {
        let state = appliance.folder();
        let mut made = Made {
            state: state.to_owned(),
            rows: Vec::with_capacity(self.to_make.len()),
        };
        if self.to_make.is_empty() {
            return Ok(made);
        }
        files::tidy(state, &appliance.db)?;
        for used in &self.to_make {
            match one(state, &appliance.db, scope, used, now) {
                Ok(row) => made.rows.push(row),
                Err(error) => return Err(made.drop_files(error)),
            }
        }
        Ok(made)
    }
}

fn one(state: &Path, db: &Db, scope: &Scope, used: &NeededSecret, now: Timestamp) -> Result<KeptSecret> {
    let (name, target) = used.place();
    let alphabet = used.declared.alphabet();
    let length = usize::try_from(used.declared.length()).unwrap_or(usize::MAX);
    let value = make::value(alphabet, length)?;
    let Before { values: earlier, .. } = record::before(state, db, scope, (&name, target), &value)?;
    let record = SecretRecord {
        scope: scope.clone(),
        name,
        target,
        value,
        earlier,
    };
    keep(state, record, Origin::Generated, now)
}

/// Lays a value down as a file; it counts once its row is recorded.
///
/// # Errors
///
/// `E-STATE recipient-key`, `planted`; `E-IO`, `E-SPACE`.
pub(super) fn keep(state: &Path, record: SecretRecord, origin: Origin, now: Timestamp) -> Result<KeptSecret> {
    let file = files::put(state, &record.seal(&recipients::public(state)?)?)?;
    Ok(KeptSecret {
        scope: record.scope,
        name: record.name,
        target: record.target,
        origin,
        at: now,
        file,
    })
}

impl Made {
    /// Lets the values count, in the transaction that needs them.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(in crate::appliance) fn record(&self, transaction: &Transaction<'_>, now: Timestamp) -> Result<()> {
        for row in &self.rows {
            kept_secrets::put(transaction, row)?;
            audit::append(
                transaction,
                now,
                "secret",
                &detail(&row.scope, (&row.name, row.target), "generated"),
                &[],
            )?;
        }
        if !self.rows.is_empty() {
            targets::raise_edition(transaction)?;
        }
        Ok(())
    }

    /// Removes what was made in vain, and returns the error that made it so. What cannot be removed now the next act removes.
    pub(in crate::appliance) fn drop_files(&self, error: Error) -> Error {
        let names: Vec<String> = self.rows.iter().map(|row| row.file.clone()).collect();
        match files::remove(&self.state, &names) {
            Ok(()) => error,
            Err(left) => error.and_then(&left),
        }
    }
}

/// What an audit row says of an act about a value: never the value, nor what follows from it.
pub(super) fn detail(scope: &Scope, (name, target): (&SecretName, Option<Uuid>), result: &str) -> Value {
    let mut detail = json!({
        "channel": scope.channel, "domain": scope.domain, "name": name, "product": scope.product, "result": result,
    });
    if let (Some(target), Some(members)) = (target, detail.as_object_mut()) {
        members.insert("target".into(), target.to_string().into());
    }
    detail
}
