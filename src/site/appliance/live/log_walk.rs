//! The seals of the audit log while a server runs: what is new is compared soon after it is written, and all of it again, a bounded number
//! of rows at a time, whenever the database changed and once in a while where nobody told of a change.
//!
//! A log that broke holds again only when a walk over all of it has found nothing.

use std::time::{Duration, Instant};

use super::database_look::DatabaseLook;
use super::health::Check;
use super::live_state::Live;
use crate::appliance::Appliance;
use crate::db::Watch;
use crate::db::site::audit::{self, Sealed};
use crate::db::site::stream_log;
use crate::domain::Result;
use crate::panics::{self, caught};

/// Time between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Rows that one look compares of the walk over all of them: a fraction of a second's work.
const ROWS: u64 = 2000;
/// What changes a file past the database tells nobody.
const ANYHOW: Duration = Duration::from_secs(3600);

/// Looks until `wait` says that it is time to end; `is_broken`: whether the log did not hold at the start.
pub(super) fn keep(live: &Live, mut watch: Watch, is_broken: bool, wait: impl Fn(Duration) -> bool) {
    let (mut walk, mut database) = (LogWalk::new(is_broken), DatabaseLook::new(live));
    while !wait(PAUSE) {
        database.look(live, Instant::now());
        let looked = caught("audit", || {
            panics::point("audit");
            // A database that cannot be asked is read, and says what is wrong with it.
            let changed = watch.changed().unwrap_or(true);
            walk.look(live.appliance(), changed, Instant::now())
        });
        match looked.flatten() {
            Ok(Verdict::AsBefore) => {}
            Ok(Verdict::HoldsAgain) => {
                tracing::info!("the audit log holds again");
                live.note(|health| &mut health.audit, Check::Good);
            }
            Err(error) => {
                if !walk.is_broken {
                    // Once, and not every second.
                    tracing::error!(%error, "the audit log does not hold: nothing is imported until it does");
                }
                walk.broke();
                live.note(|health| &mut health.audit, Check::of("audit", Some(&error)));
            }
        }
    }
}

/// What a look came to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    AsBefore,
    HoldsAgain,
}

/// Where the walks stand.
struct LogWalk {
    /// The newest row that was compared; nothing until all before it were.
    newest: Option<Sealed>,
    /// Where the walk over all of it stands; nothing where none is under way.
    whole: Option<Sealed>,
    /// When the next one begins, whether or not anything changed.
    anyhow: Option<Instant>,
    is_broken: bool,
}

impl LogWalk {
    fn new(is_broken: bool) -> Self {
        Self {
            newest: None,
            whole: Some(Sealed::default()),
            anyhow: None,
            is_broken,
        }
    }

    fn broke(&mut self) {
        *self = Self::new(true);
    }

    fn look(&mut self, appliance: &Appliance, changed: bool, now: Instant) -> Result<Verdict> {
        if let Some(newest) = self.newest.filter(|_| changed) {
            self.newest = Some(
                appliance
                    .db
                    .read(|connection| audit::verify_after(connection, newest, u64::MAX))?,
            );
        }
        if self.whole.is_none() && (changed || self.anyhow.is_none_or(|at| at <= now)) {
            self.whole = Some(Sealed::default());
        }
        let Some(from) = self.whole else {
            return Ok(Verdict::AsBefore);
        };
        let (at, is_end) = appliance.db.read(|connection| {
            let at = audit::verify_after(connection, from, ROWS)?;
            Ok((at, at.number == audit::last_number(connection)?))
        })?;
        if !is_end {
            self.whole = Some(at);
            return Ok(Verdict::AsBefore);
        }
        appliance.db.read(|connection| {
            let domains = stream_log::domains(connection)?.into_iter();
            domains
                .map(|domain| stream_log::verify(connection, domain))
                .try_for_each(|rows| rows.map(drop))
        })?;
        (self.newest, self.whole, self.anyhow) = (Some(at), None, now.checked_add(ANYHOW));
        let was_broken = std::mem::replace(&mut self.is_broken, false);
        Ok(if was_broken {
            Verdict::HoldsAgain
        } else {
            Verdict::AsBefore
        })
    }
}
