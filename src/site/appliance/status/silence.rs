//! Agents that are not heard any more, as lines of the log: once when one has been silent for a while, and once when it is heard again.

use std::time::{Duration, Instant};

use super::shared::{Heard, Shared};

/// An agent that was not heard for so many seconds is silent: agents ask every few, and what is kept of it lags by a minute.
pub const SILENT_SECONDS: i64 = 600;
/// How often it is looked.
const LISTEN: Duration = Duration::from_secs(60);

/// When it was looked last.
#[derive(Debug)]
pub(super) struct Silence(Instant);

impl Default for Silence {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Silence {
    /// Looks now and then who has not been heard for a while, and says so once.
    pub(super) fn look(&mut self, shared: &Shared) {
        let now = Instant::now();
        if now.saturating_duration_since(self.0) < LISTEN {
            return;
        }
        self.0 = now;
        let limit = Duration::from_secs(SILENT_SECONDS.unsigned_abs());
        for (target, contact) in shared.contacts().iter_mut() {
            let Heard::At(heard) = contact.heard else { continue };
            let silent = now.saturating_duration_since(heard);
            if silent > limit {
                contact.heard = Heard::Silent(heard);
                tracing::warn!(%target, name = contact.name, since = silent.as_secs(), "a target is silent");
            }
        }
    }
}
