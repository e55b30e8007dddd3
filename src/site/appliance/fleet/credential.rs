//! What lets a target's agent in, from what was signed and what was issued or learnt here.

use sha2::{Digest as _, Sha256};

use crate::bundle::desired::Verifier;
use crate::crypto::canonical;
use crate::db::site::target_secrets::SecretRow;
use crate::domain::{Hash, Timestamp};

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

impl Credential {
    pub(super) fn new(generation: u64, row: Option<&SecretRow>, verifier: Option<&Verifier>) -> Self {
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
