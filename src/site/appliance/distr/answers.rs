//! What Distr's agents ask of the hub, in the words of their protocol: resources, manifests, and how they are installed.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use zeroize::Zeroizing;

use super::pieces::ResourcesPieces;
use super::{connect, docker, kubernetes, resources};
use crate::appliance::fleet::{FleetTarget, Hub, Identity, is_secret, known};
use crate::bundle::desired::TargetKind;
use crate::domain::{Class, Error, Result, Uuid};

/// Longest answer that is kept, or made at once. Longer ones are made as they are sent.
const KEPT_BYTES: usize = 64 << 10;
/// Bytes of answers that are kept: those of 10,000 targets of the usual size. What came first stays.
const ANSWER_BYTES: usize = 64 << 20;

/// A short answer.
#[derive(Clone)]
pub enum Answer {
    /// Kept for all who ask.
    Shared(Arc<[u8]>),
    /// Of secrets: nobody else holds it, and it is wiped behind.
    Own(Zeroizing<Vec<u8>>),
}

impl std::ops::Deref for Answer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({} bytes)", self.len())
    }
}

impl Hub {
    /// Returns what an agent shall run, as JSON, where that was made before and every document is still the very file that was hashed for
    /// it.
    ///
    /// # Errors
    ///
    /// `E-STATE` when what the target runs is not known.
    pub fn kept_resources(&self, identity: &Identity) -> Result<Option<Answer>> {
        let fleet = self.fleet();
        let state = known(&fleet, &identity.target)?;
        let assignment = state.assignment()?;
        let kept = state.answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(kept) = kept else { return Ok(None) };
        let documents = resources::documents_of(assignment)?;
        let unchanged = documents.iter().all(|digest| self.store().is_unchanged(digest));
        Ok(unchanged.then_some(Answer::Shared(kept)))
    }

    /// Returns what an agent shall run, as JSON, and keeps it unless secrets are in it; nothing where that is longer than what is made at once
    /// ([`Hub::resources_pieces`]). Every document was hashed, in the very file that is there now.
    ///
    /// # Errors
    ///
    /// `E-STATE` whenever that cannot be said for sure; never an empty list in its place.
    pub fn resources(&self, identity: &Identity) -> Result<Option<Answer>> {
        let fleet = self.fleet();
        let state = known(&fleet, &identity.target)?;
        let mut pieces = ResourcesPieces::begin(state, self.store())?;
        let has_secrets = state.assignment()?.has_secrets();
        if has_secrets {
            pieces.check(self.store(), self.site_view())?;
        }
        let mut answer = Zeroizing::new(Vec::new());
        while !pieces.fill(self.store(), self.site_view(), KEPT_BYTES, &mut answer)? {
            if answer.len() >= KEPT_BYTES {
                return Ok(None);
            }
        }
        if has_secrets {
            return Ok(Some(Answer::Own(answer)));
        }
        let answer: Arc<[u8]> = Arc::from(answer.as_slice());
        let bytes = fleet.answer_bytes.fetch_add(answer.len(), Ordering::Relaxed);
        if bytes.saturating_add(answer.len()) <= ANSWER_BYTES {
            *state.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer.clone());
        }
        Ok(Some(Answer::Shared(answer)))
    }

    /// Begins what an agent shall run, as JSON, once every document was found to be there as it was signed.
    ///
    /// # Errors
    ///
    /// As [`Hub::resources`].
    pub fn resources_pieces(&self, identity: &Identity) -> Result<ResourcesPieces> {
        let fleet = self.fleet();
        let pieces = ResourcesPieces::begin(known(&fleet, &identity.target)?, self.store())?;
        pieces.check(self.store(), self.site_view())?;
        Ok(pieces)
    }

    /// Returns what comes next, about `room` bytes of it, and whether that was all.
    ///
    /// # Errors
    ///
    /// `E-STATE` when a document changed since: then what was sent is no answer, and must not end like one.
    pub fn next_resources(&self, pieces: &mut ResourcesPieces, room: usize) -> Result<(Zeroizing<Vec<u8>>, bool)> {
        let mut out = Zeroizing::new(Vec::with_capacity(room));
        let done = pieces.fill(self.store(), self.site_view(), room, &mut out)?;
        Ok((out, done))
    }

    /// Returns the manifest with the secret that the caller has checked.
    ///
    /// # Errors
    ///
    /// `E-STATE` when what the target runs is not known.
    pub fn connect_manifest(&self, target: &Uuid, secret: &str) -> Result<String> {
        let fleet = self.fleet();
        self.manifest(known(&fleet, target)?, Some(secret))
    }

    /// Returns the manifest without a secret, for an agent that updates itself.
    ///
    /// # Errors
    ///
    /// As [`Hub::connect_manifest`].
    pub fn agent_manifest(&self, identity: &Identity) -> Result<String> {
        let fleet = self.fleet();
        self.manifest(known(&fleet, &identity.target)?, None)
    }

    /// Returns the script that installs an agent, with the secret that the caller has checked.
    ///
    /// # Errors
    ///
    /// As [`Hub::connect_manifest`].
    pub fn pre_connect(&self, target: &Uuid, secret: &str) -> Result<String> {
        let fleet = self.fleet();
        known(&fleet, target)?.assignment()?;
        Ok(connect::script(self.site_view(), target, secret))
    }

    /// Returns the command that installs a target's agent, in one line.
    ///
    /// # Errors
    ///
    /// `E-USAGE secret` for what is no secret; `E-STATE` when what the target runs is not known.
    pub fn install_command(&self, target: &Uuid, secret: &str) -> Result<String> {
        if !is_secret(secret) {
            return Err(
                Error::new(Class::Usage, "secret", "what was given is no secret of a target")
                    .expected("32 lower-case hex digits"),
            );
        }
        let fleet = self.fleet();
        let state = known(&fleet, target)?;
        Ok(connect::command(
            self.site_view(),
            target,
            state.assignment()?.target()?,
            secret,
        ))
    }

    fn manifest(&self, state: &FleetTarget, secret: Option<&str>) -> Result<String> {
        let (id, assignment) = (state.identity.target, state.assignment()?);
        match state.kind {
            TargetKind::Docker => docker::render(&id, assignment, self.site_view(), secret),
            TargetKind::Kubernetes => kubernetes::render(&id, assignment, self.site_view(), secret),
        }
    }
}
