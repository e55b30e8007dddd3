//! The work of a search, counted alike by every reader, so that a small file cannot keep a site busy for hours.

use super::encoder::Stop;

/// What each start of an emulator counts.
pub const START: u64 = 65_536;

/// Work that is still allowed.
#[derive(Debug, Clone)]
pub struct Work {
    allowed: u64,
    done: u64,
}

impl Work {
    /// For a blob of so many plain bytes: 4,096 for each, and 2^22.
    pub fn of_blob(plain: u64) -> Self {
        Self::up_to(plain.saturating_mul(4_096).saturating_add(1 << 22))
    }

    /// Exactly so much.
    pub fn up_to(allowed: u64) -> Self {
        Self { allowed, done: 0 }
    }

    /// Counts the candidates of one search and the lengths of those that passed the producer's quick check, or a [`START`].
    ///
    /// # Errors
    ///
    /// [`Stop::Work`] above what is allowed.
    #[inline]
    pub fn count(&mut self, work: u64) -> Result<(), Stop> {
        self.done = self.done.saturating_add(work);
        if self.done > self.allowed {
            Err(Stop::Work)
        } else {
            Ok(())
        }
    }

    /// What was counted.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// What is allowed.
    pub fn allowed(&self) -> u64 {
        self.allowed
    }
}
