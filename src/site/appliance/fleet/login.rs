//! What an agent's secret is worth (D12, A03, A09).
//!
//! Whatever fails takes one of two ways: a keyed hash alone, or one hash of the expensive kind after it. The expensive one is that of
//! targets which wait for the first login with a secret of the hub's; a target whose secret was issued or used here takes the cheap one.
//! An id that nobody knows, or that has no secret, is of one kind or the other by a keyed hash of itself, always the same, for as long
//! as any target waits: so neither time says that an id is known. A secret that was tried in vain is remembered, so that an agent with
//! a wrong one, which tries again every few seconds for ever, costs one expensive hash in all.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq as _;

use super::hashing::Hashing;
use super::secret::is_secret;
use super::targets::{Fleet, FleetTarget};
use super::token::Token;
use crate::appliance::keys::Keys;
use crate::domain::{Hash, Result, Uuid};

/// Attempts remembered; when they are used up, all are forgotten.
const FAILED: usize = 1 << 14;
/// What the kind of an id that nobody knows follows from, under a key; no secret reads so.
const KIND: &str = "kind";
/// Stands for what cannot be a secret.
const NO_SECRET: &str = "-";

/// What came of a login.
#[derive(Debug)]
pub enum Login {
    /// The token for everything else.
    Token(Token),
    /// No such target, or another secret.
    Refused,
    /// Too many wait to be checked; to be tried again.
    Busy,
}

/// What a secret is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It is the target's.
    Good,
    /// No such target, or another secret.
    Wrong,
    /// Too many wait to be checked; to be tried again.
    Busy,
}

/// What a secret came to, for the one who keeps the books.
pub(super) enum Verdict {
    Good,
    /// The hub's verifier let it in for the first time: what to keep instead.
    First {
        mac: Hash,
        verifier: Hash,
    },
    Wrong,
    Busy,
}

/// Where secrets are checked. What was learnt from those that were good is the fleet's: the next one knows it from the database.
#[derive(Debug, Default)]
pub(super) struct Logins {
    hashing: Hashing,
    failed: Mutex<HashSet<[u8; 32]>>,
}

impl Logins {
    /// Checks a secret. May wait for a place to hash in.
    ///
    /// # Errors
    ///
    /// `E-STATE` when the document that could tell is not usable.
    pub(super) fn check(&self, fleet: &Fleet, keys: &Keys, target: &Uuid, secret: &str) -> Result<Verdict> {
        let state = fleet.targets.get(target).map(AsRef::as_ref);
        let fits = is_secret(secret);
        let secret = if fits { secret } else { NO_SECRET };
        let mac = keys.secret_mac(target, secret);
        let known = state.and_then(|state| state.credential.mac);
        let adopted = lock(&fleet.adopted).get(target).copied();
        let equal = |other: Option<Hash>| bool::from(other.unwrap_or(Hash([0; 32])).0.ct_eq(&mac.0)) && other.is_some();
        if equal(known) | equal(adopted) {
            return Ok(Verdict::Good);
        }
        if let Some(state) = state.filter(|state| cannot_tell(state)) {
            state.assignment()?;
        }
        let verifier = state.and_then(|state| state.credential.verifier.as_ref());
        let cheap = match (verifier, known.or(adopted)) {
            (Some(_), _) => false,
            (None, Some(_)) => true,
            (None, None) => !fleet.verifiers || keys.secret_mac(target, KIND).0[0] & 1 == 0,
        };
        if cheap {
            return Ok(Verdict::Wrong);
        }
        // A verifier that changes makes an earlier failure worth nothing.
        let hash = verifier.map_or(Hash([0; 32]), |(_, hash)| *hash);
        let attempt = keys.attempt_mac(target, &format!("{hash}{secret}"));
        if lock(&self.failed).contains(&attempt) {
            return Ok(Verdict::Wrong);
        }
        match self.hashing.check(verifier.map(|(verifier, _)| verifier), secret)? {
            None => Ok(Verdict::Busy),
            Some(true) => {
                lock(&fleet.adopted).insert(*target, mac);
                Ok(Verdict::First { mac, verifier: hash })
            }
            Some(false) => {
                let mut failed = lock(&self.failed);
                if failed.len() >= FAILED {
                    failed.clear();
                }
                failed.insert(attempt);
                Ok(Verdict::Wrong)
            }
        }
    }
}

/// Whether only a document that cannot be used knows the target's secret: refusing it then would be a guess.
fn cannot_tell(state: &FleetTarget) -> bool {
    let unread = state.assignment.as_ref().is_err_and(|fault| fault.hides_the_document());
    unread && !state.credential.issued_here && state.template.is_none()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
