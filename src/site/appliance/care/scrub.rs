//! Everything that releases hold, hashed anew from the medium: no faster than is asked for, and from where an earlier walk was stopped.
//!
//! What does not match is set aside by the store, which tells of it as whoever meets damage does; what mends it says [`Appliance::damage`].
//! Nothing is held meanwhile: imports, pulls and `gc` go on. What came behind the walk has its turn the next time.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::appliance::Appliance;
use crate::db::site::scrub::{self, Walk};
use crate::db::site::{audit, damage};
use crate::domain::{Digest, Hash, Result};
use crate::store::Condition;

/// How often it is kept how far the walk is.
const KEEP: Duration = Duration::from_millis(500);
/// And after how many bytes at the latest.
const KEEP_BYTES: u64 = 1 << 30;

/// How fast content is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(Option<u64>);

/// What a walk came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrubbed {
    /// What was found.
    pub walk: Walk,
    /// How many had their turn before this one went on.
    pub before: u64,
}

/// What an earlier sleep and how much was read since the beginning say about the next one.
struct Pacer {
    pace: Pace,
    begun: Instant,
    bytes: u64,
}

impl Pace {
    /// So many bytes a second at most; 0: as fast as it goes.
    pub fn bytes_per_second(rate: u64) -> Self {
        Self((rate > 0).then_some(rate))
    }

    /// How long so many bytes take at least.
    fn time_for(self, bytes: u64) -> Duration {
        match self.0 {
            Some(rate) => {
                let nanos = u128::from(bytes).saturating_mul(1_000_000_000) / u128::from(rate);
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            }
            None => Duration::ZERO,
        }
    }
}

impl Pacer {
    fn step(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        let ahead = self.pace.time_for(self.bytes).saturating_sub(self.begun.elapsed());
        if !ahead.is_zero() {
            std::thread::sleep(ahead);
        }
    }
}

impl Appliance {
    /// Hashes all content of all releases anew; goes on where a walk was stopped, unless a fresh one is asked for. `progress` is told of
    /// bytes that had their turn, of how many.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO` and `E-SPACE`; what is damaged is none.
    pub fn scrub(&self, pace: Pace, fresh: bool, progress: &mut dyn FnMut(u64, u64)) -> Result<Scrubbed> {
        let mut contents = self.db.read(damage::contents)?;
        contents.sort_unstable_by_key(|content| content.digest);
        let stopped = self.db.read(scrub::stopped)?.filter(|_| !fresh);
        let before = stopped.map_or(0, |walk| walk.checked);
        let mut walk = stopped.unwrap_or(Walk {
            begun_at: self.clock.now(),
            after: Digest(Hash([0; 32])),
            checked: 0,
            bytes: 0,
            damaged: 0,
            missing: 0,
        });
        if before > 0 {
            contents.retain(|content| content.digest > walk.after);
        }
        let left = contents.iter().map(|content| content.size).fold(0, u64::saturating_add);
        let total = walk.bytes.saturating_add(left);
        let (mut kept, mut kept_bytes) = (Instant::now(), walk.bytes);
        let mut pacer = Pacer {
            pace,
            begun: Instant::now(),
            bytes: 0,
        };
        for content in contents {
            let mut read = walk.bytes;
            let condition = self.store.scrub(&content.digest, content.size, &mut |bytes| {
                pacer.step(bytes);
                read = read.saturating_add(bytes);
                progress(read, total);
                Ok(())
            })?;
            walk.after = content.digest;
            walk.checked = walk.checked.saturating_add(1);
            walk.bytes = walk.bytes.saturating_add(content.size);
            match condition {
                Condition::Whole => {}
                // A release that was let go meanwhile lacks nothing.
                Condition::Missing
                    if !self
                        .db
                        .read(|connection| damage::is_known(connection, &content.digest))? => {}
                Condition::Missing => walk.missing = walk.missing.saturating_add(1),
                Condition::Damaged(_) => walk.damaged = walk.damaged.saturating_add(1),
            }
            if kept.elapsed() >= KEEP || walk.bytes.saturating_sub(kept_bytes) >= KEEP_BYTES {
                self.db.write(|transaction| scrub::keep(transaction, &walk))?;
                (kept, kept_bytes) = (Instant::now(), walk.bytes);
            }
        }
        self.db.write(|transaction| {
            scrub::end(transaction)?;
            let detail = json!({
                "begun_at": walk.begun_at, "bytes": walk.bytes, "checked": walk.checked, "damaged": walk.damaged, "missing": walk.missing,
            });
            audit::append(transaction, self.clock.now(), "scrub", &detail, &[]).map(|_| ())
        })?;
        // What was met before and is whole by now.
        self.settle_damage()?;
        Ok(Scrubbed { walk, before })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_take_their_time() {
        let pace = Pace::bytes_per_second(1 << 20);
        assert_eq!(pace.time_for(1 << 20), Duration::from_secs(1));
        assert_eq!(pace.time_for(512 << 10), Duration::from_millis(500));
        assert_eq!(pace.time_for(0), Duration::ZERO);
        assert_eq!(Pace::bytes_per_second(0).time_for(u64::MAX), Duration::ZERO);
        assert!(Pace::bytes_per_second(1).time_for(u64::MAX) > Duration::from_secs(1 << 33));
    }
}
