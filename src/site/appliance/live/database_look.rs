//! The structure of the database while a server runs: looked at again whenever its file was written, by SQLite or past it.
//!
//! What is read already stays in memory, so requests may go on as if nothing were; `/readyz` says what the disk holds.

use std::time::{Duration, Instant, SystemTime};

use super::health::Check;
use super::live_state::Live;
use crate::domain::Error;
use crate::panics::caught;

/// Of the time of a thread, a look takes no more than one part in this and one.
const REST: u32 = 9;
/// The longest that a change is not looked at for that.
const REST_MAX: Duration = Duration::from_secs(60);

/// What a look remembers for the next one.
pub(super) struct DatabaseLook {
    written_at: Option<SystemTime>,
    rest_until: Option<Instant>,
    is_failing: bool,
}

impl DatabaseLook {
    /// Begins with what was checked at the start.
    pub(super) fn new(live: &Live) -> Self {
        Self {
            written_at: live.appliance().database_written_at(),
            rest_until: None,
            is_failing: false,
        }
    }

    /// Looks, where the file was written since the last look.
    pub(super) fn look(&mut self, live: &Live, now: Instant) {
        let written_at = live.appliance().database_written_at();
        if written_at == self.written_at || self.rest_until.is_some_and(|until| now < until) {
            return;
        }
        self.written_at = written_at;
        let looked = caught("database", || live.appliance().check_database_file());
        let rest = now.elapsed().saturating_mul(REST).min(REST_MAX);
        self.rest_until = Instant::now().checked_add(rest);
        match looked.flatten() {
            Ok(()) if self.is_failing => {
                self.is_failing = false;
                live.note(|health| &mut health.database, Check::Good);
            }
            Ok(()) => {}
            Err(error) => self.fail(live, error),
        }
    }

    fn fail(&mut self, live: &Live, error: Error) {
        let error = live.appliance().suspect_database(error);
        if !self.is_failing {
            // Once, and not with every look.
            tracing::error!(%error, "the database does not hold");
        }
        self.is_failing = true;
        live.note(|health| &mut health.database, Check::of("database", Some(&error)));
    }
}
