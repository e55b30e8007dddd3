//! Content hashed anew from its medium, as slowly as is asked for.

use rustix::fs::{Advice, fadvise};

use super::blobs::Store;
use super::condition::Condition;
use super::pieces::hash_paced;
use crate::domain::{Digest, Result};

impl Store {
    /// As [`Store::check`], from the medium and not from memory, so that what the medium holds is what is judged; `pace` is told of every
    /// step, and may wait. What nobody else wants of it in memory does not stay there.
    ///
    /// # Errors
    ///
    /// As [`Store::check`]; those of `pace`.
    pub fn scrub(&self, digest: &Digest, size: u64, pace: &mut dyn FnMut(u64) -> Result<()>) -> Result<Condition> {
        let condition = self.condition(digest, size, |file| {
            // Advice alone: where it is not taken, what is in memory is judged.
            fadvise(file, 0, None, Advice::DontNeed).ok();
            let hash = hash_paced(file, size, pace);
            fadvise(file, 0, None, Advice::DontNeed).ok();
            hash
        })?;
        self.take_out(digest, &condition)?;
        Ok(condition)
    }
}
