//! X3: root links of a bundle move trust forward, in a transaction of their own (TX-T), whatever becomes of the rest.
//!
//! They move the floor of their own domain with it, never beyond the clock (threat model 2.6).

use serde_json::json;

use crate::appliance::present;
use crate::appliance::state::Appliance;
use crate::bundle::OpenedBundle;
use crate::crypto::Chain;
use crate::db::site::audit;
use crate::db::site::stream_log::Told;
use crate::domain::{Result, Step, Timestamp};

/// What the bundle is judged by.
pub(super) struct Followed {
    /// The held chain, and every valid link that the bundle adds to it.
    pub(super) chain: Chain,
    /// The floor of its domain, after these links.
    pub(super) floor: Timestamp,
    /// Version of the newest root that was held before.
    pub(super) from: u64,
}

/// Follows the links of a bundle.
///
/// With `keep` the new ones are stored, also those before one that is refused.
///
/// # Errors
///
/// At X3: `E-TRUST`, `E-STATE`, `E-IO` and `E-SPACE`.
pub(super) fn follow(appliance: &Appliance, opened: &OpenedBundle, keep: bool, clock: Timestamp) -> Result<Followed> {
    let (domain, links) = opened.links()?;
    let held = appliance.chain(domain).map_err(|error| error.at(Step::X3))?;
    let step = held.extend(&links);
    let first = held.newest().version.saturating_add(1);
    let floor = appliance
        .db
        .read(|connection| present::floor_with(connection, &step.chain, first, clock))
        .map_err(|error| error.at(Step::X3))?;
    if step.added > 0 && keep {
        appliance
            .db
            .write(|transaction| {
                present::keep_links(transaction, &step.chain, first, clock)?;
                let (from, to) = (held.newest().version, step.chain.newest().version);
                let fingerprint = step.chain.fingerprint();
                let detail = json!({"domain": domain, "fingerprint": fingerprint, "from": from, "to": to});
                let told = json!({"fingerprint": fingerprint, "from": from, "to": to});
                audit::append(transaction, clock, "trust", &detail, &[Told { domain, detail: told }])
            })
            .map_err(|error| error.at(Step::X3))?;
    }
    match step.refusal {
        Some(refusal) => Err(refusal.at(Step::X3)),
        None => Ok(Followed {
            chain: step.chain,
            floor,
            from: held.newest().version,
        }),
    }
}
