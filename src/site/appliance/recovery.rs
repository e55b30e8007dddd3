//! What somebody does after a loss: the two acts that begin another life of the state folder, since it was put back or its keys were
//! replaced, and another token key for one that is lost.

use std::path::PathBuf;

use serde_json::json;

use super::identity::{hold, settle_held};
use super::keys::{self, Keys};
use super::state::Appliance;
use super::status_key::Replaced;
use super::{enrolment, instance, last_generation, status_key};
use crate::db::site::audit;
use crate::db::site::instances::Reason;
use crate::db::site::kept_secrets::KeptSecret;
use crate::db::site::own_keys::{self, OwnKey};
use crate::domain::{Class, Error, Hash, InstanceId, Result, Timestamp};

/// Why somebody says that the state is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The folder, or a part of it, was put back from a copy.
    Restored,
    /// Another folder like it is in use.
    Cloned,
}

/// A status key that was replaced.
#[derive(Debug)]
pub struct Rotated {
    /// Fingerprint of the new key, to compare by voice.
    pub status_key: Hash,
    /// The new life of the folder.
    pub instance: InstanceId,
    /// The new enrolment files, by trust domain.
    pub enrolments: Vec<(Hash, PathBuf)>,
    /// Values of secrets that could not be read any more: they are to be entered again.
    pub unreadable: Vec<KeptSecret>,
}

impl Appliance {
    /// Begins another life of the state folder, whatever its parts say; vendors learn the reason.
    ///
    /// # Errors
    ///
    /// `E-BUSY`, `E-STATE`, `E-IO` and `E-SPACE`.
    pub fn recover(&self, recovery: Recovery, now: Timestamp) -> Result<InstanceId> {
        let _lock = self.lock()?;
        // Nothing begins on pages that cannot be read: a whole copy is needed, and begins by itself.
        self.db.quick_check()?;
        let _held = hold(self.folder())?;
        status_key::finish(self.folder(), &self.db)?;
        let reason = match recovery {
            Recovery::Restored => Reason::Restored,
            Recovery::Cloned => Reason::Cloned,
        };
        let instance = instance::begin(self.folder(), &self.db, reason, now)?;
        enrolment::lay_out(self.folder(), &self.db)?;
        Ok(instance)
    }

    /// Makes another token key in place of one that is lost. No token and no secret of this site counts any more.
    ///
    /// # Errors
    ///
    /// `E-POLICY token-key-good` where the key is good: nothing has changed then. `E-BUSY`; `E-STATE`, `E-IO` and `E-SPACE`.
    pub fn replace_lost_token_key(&self, now: Timestamp) -> Result<()> {
        let _lock = self.lock()?;
        self.db.quick_check()?;
        let _held = hold(self.folder())?;
        if Keys::open_own(self.folder(), &*self.db).is_ok() {
            return Err(Error::new(
                Class::Policy,
                "token-key-good",
                "the token key is there and good: another one would lock every agent out",
            )
            .remedy("keep it; one target gets another secret with `airlock target secret TARGET --yes`"));
        }
        let withdrawn = last_generation::forget(self.folder())?;
        // The row first: a key that was made in vain is replaced by the next try, and a key without its row would not be known.
        self.db
            .write(|transaction| audit::append(transaction, now, "token-key", &json!({}), &[]).map(|_| ()))?;
        drop(withdrawn);
        keys::replace_lost(self.folder())?;
        let proof = Keys::open(self.folder())?.proof();
        self.db
            .write(|transaction| own_keys::put(transaction, OwnKey::Token, proof))
    }

    /// Makes another status key and another recipient key; vendors take them only from the new enrolment files.
    ///
    /// # Errors
    ///
    /// `E-BUSY`; `E-STATE`, `E-IO` and `E-SPACE`: nothing has changed then, or the new keys count and the next command goes on.
    pub fn rotate_status_key(&self, now: Timestamp) -> Result<Rotated> {
        let _lock = self.lock()?;
        self.db.quick_check()?;
        let held = hold(self.folder())?;
        settle_held(&held, self.folder(), &self.db, now)?;
        let replaced = status_key::replace(self.folder(), &self.db, self.identity(), now);
        let Replaced { instance, unreadable } =
            replaced.map_err(|error| match status_key::finish(self.folder(), &self.db) {
                Ok(()) => error,
                Err(left) => error.and_then(&left),
            })?;
        let settled = status_key::settle(self.folder(), &self.db, &instance);
        settled.map_err(|error| {
            let first = error.advice().map_or_else(|| "mend that".to_owned(), ToOwned::to_owned);
            error.remedy(format!(
                "{first}; then `airlock release list` finishes the change: the new keys count already"
            ))
        })?;
        Ok(Rotated {
            status_key: self.status_key()?.public().id(),
            instance,
            enrolments: enrolment::lay_out(self.folder(), &self.db)?,
            unreadable,
        })
    }
}
