//! The hub's verifiers of target secrets: Argon2id, 64 MiB each, at most two at a time (D12, A03).
//!
//! Who waits stands in a queue with an end. Attempts on targets that nobody knows cost the same, but use one place only and a
//! queue of their own, so that guessing ids never keeps a real agent from its first login.

use std::sync::{Condvar, Mutex, PoisonError};

use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq as _;

use crate::bundle::desired::Verifier;
use crate::domain::{Class, Error, Result};
use crate::panics;

/// Hashes at one time: 64 MiB of memory each.
const AT_ONCE: usize = 2;
/// Of these, how many may be spent on ids that nobody knows.
const IN_VAIN: usize = 1;
/// Callers that wait for a place, known and unknown ids apart.
const QUEUE: usize = 32;
const QUEUE_IN_VAIN: usize = 8;

/// Places for hashes.
#[derive(Debug, Default)]
pub(super) struct Hashing {
    state: Mutex<State>,
    free: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    running_in_vain: usize,
    waiting: usize,
    waiting_in_vain: usize,
}

/// A place; given back when dropped.
struct Place<'a> {
    hashing: &'a Hashing,
    in_vain: bool,
}

impl Hashing {
    /// Checks a secret against a verifier, or does the same work for nobody; nothing when too many wait already.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL argon2`.
    pub(super) fn check(&self, verifier: Option<&Verifier>, secret: &str) -> Result<Option<bool>> {
        let Some(_place) = self.enter(verifier.is_none()) else {
            return Ok(None);
        };
        panics::point("hashing");
        let Some(verifier) = verifier else {
            hash(&[0; 16], secret)?;
            return Ok(Some(false));
        };
        // Both were checked with the document that they came in.
        let (Some(salt), Some(expected)) = (unhex(&verifier.salt), unhex(&verifier.hash)) else {
            return Ok(Some(false));
        };
        let found = hash(&salt, secret)?;
        Ok(Some(bool::from(found.as_slice().ct_eq(&expected))))
    }

    fn enter(&self, in_vain: bool) -> Option<Place<'_>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.has_place(in_vain) {
            let (waiting, most) = state.queue(in_vain);
            if *waiting >= most {
                return None;
            }
            *waiting += 1;
            while !state.has_place(in_vain) {
                state = self.free.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            *state.queue(in_vain).0 -= 1;
        }
        state.running += 1;
        state.running_in_vain += usize::from(in_vain);
        Some(Place { hashing: self, in_vain })
    }
}

impl State {
    fn has_place(&self, in_vain: bool) -> bool {
        self.running < AT_ONCE && (!in_vain || self.running_in_vain < IN_VAIN)
    }

    fn queue(&mut self, in_vain: bool) -> (&mut usize, usize) {
        if in_vain {
            (&mut self.waiting_in_vain, QUEUE_IN_VAIN)
        } else {
            (&mut self.waiting, QUEUE)
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.hashing.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running = state.running.saturating_sub(1);
        state.running_in_vain = state.running_in_vain.saturating_sub(usize::from(self.in_vain));
        drop(state);
        // All of them: the one that a single bell wakes may be of the kind that must still wait.
        self.hashing.free.notify_all();
    }
}

/// The hub hashes the 32 characters of a secret, not the bytes that they stand for.
fn hash(salt: &[u8], secret: &str) -> Result<[u8; 32]> {
    let failed = |error: argon2::Error| Error::new(Class::Internal, "argon2", format!("cannot hash a secret: {error}"));
    let params = Params::new(65_536, 1, 4, Some(32)).map_err(failed)?;
    let mut out = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(secret.as_bytes(), salt, &mut out)
        .map_err(failed)?;
    Ok(out)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    rest.is_empty()
        .then(|| {
            pairs
                .iter()
                .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
                .collect()
        })
        .flatten()
}

#[cfg(test)]
#[path = "hashing_tests.rs"]
mod tests;
