//! Refused logins as lines of the log: who tried, from where, and why not. Bounded, so that neither an agent with a wrong secret, which
//! tries again every few seconds for ever, nor a spray of invented ids fills a disk. Secrets are in none of them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::limiter::Limiter;
use crate::appliance::fleet::Hub;
use crate::domain::Uuid;

/// Lines in a minute about one target and address, and about all.
const OF_ONE: u32 = 1;
const OF_ALL: u32 = 30;

/// Writes them.
#[derive(Debug)]
pub(super) struct Refusals {
    of_one: Limiter<(Uuid, IpAddr)>,
    of_all: Limiter<()>,
    /// Refusals since the last line that got none.
    unsaid: AtomicU64,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self {
            of_one: Limiter::new(OF_ONE),
            of_all: Limiter::new(OF_ALL),
            unsaid: AtomicU64::new(0),
        }
    }

    /// Notes that a secret did not let somebody in; `why` where that is not the secret's fault.
    pub(super) fn note(&self, hub: &Hub, target: &Uuid, address: IpAddr, why: Option<&'static str>) {
        if !self.of_one.take((*target, address)).passes || !self.of_all.take(()).passes {
            self.unsaid.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let unsaid = self.unsaid.swap(0, Ordering::Relaxed);
        let (name, reason) = hub.stranger(target);
        tracing::warn!(
            %target,
            name = name.as_deref().unwrap_or("-"),
            %address,
            reason = why.unwrap_or(reason),
            unsaid = (unsaid > 0).then_some(unsaid),
            "a login was refused"
        );
    }
}
