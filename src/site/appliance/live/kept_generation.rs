//! Keeps what is served beside the database, for a start that cannot use that ([`last_generation`]): written once a generation, and again
//! where somebody took it away.

use std::time::{Duration, Instant};

use super::generation::Mark;
use super::live_state::Live;
use crate::appliance::last_generation;
use crate::domain::Result;

/// Of the time of a thread, writing takes no more than one part in this and one.
const REST: u32 = 9;
/// The longest that a change is not written for that.
const REST_MAX: Duration = Duration::from_secs(60);

/// What was written last.
#[derive(Debug, Default)]
pub(super) struct KeptGeneration {
    kept: Option<Mark>,
    rest_until: Option<Instant>,
    is_failing: bool,
}

impl KeptGeneration {
    /// Writes the present generation down, unless that is what is kept, or writing had its share of the time.
    pub(super) fn look(&mut self, live: &Live, now: Instant) {
        if !live.is_whole() || self.rest_until.is_some_and(|until| now < until) {
            return;
        }
        let kept = self.keep(live);
        if let Err(error) = &kept
            && !self.is_failing
        {
            // Once per failure, not once a second.
            tracing::error!(%error, "what is served could not be kept beside the database");
        }
        self.is_failing = kept.is_err();
        if !matches!(kept, Ok(false)) {
            let rest = now.elapsed().saturating_mul(REST).min(REST_MAX);
            self.rest_until = Instant::now().checked_add(rest);
        }
    }

    /// Says whether something was written.
    fn keep(&mut self, live: &Live) -> Result<bool> {
        let appliance = live.appliance();
        let generation = live.generation();
        if self.kept == Some(generation.mark) && last_generation::is_there(appliance.folder())? {
            return Ok(false);
        }
        let now = appliance.clock.now();
        last_generation::keep(appliance.folder(), &appliance.db, &generation.releases(), now)?;
        self.kept = Some(generation.mark);
        Ok(true)
    }
}
