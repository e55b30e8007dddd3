//! X3: root links of a bundle move trust forward, in a transaction of their own (TX-T), whatever becomes of the rest.

use serde_json::json;

use crate::appliance::state::Appliance;
use crate::bundle::OpenedBundle;
use crate::crypto::Chain;
use crate::db::site::{appliance as identity, audit, trust};
use crate::domain::{Result, Step, Timestamp};

/// Returns the chain that the bundle is judged by: the held one, and every valid link that the bundle adds to it.
///
/// With `keep` the new links are stored, also those before one that is refused.
///
/// # Errors
///
/// At X3: `E-TRUST`, `E-STATE`, `E-IO` and `E-SPACE`.
pub(super) fn follow(appliance: &Appliance, opened: &OpenedBundle, keep: bool, now: Timestamp) -> Result<Chain> {
    let (domain, links) = opened.links()?;
    let held = appliance.chain(domain).map_err(|error| error.at(Step::X3))?;
    let step = held.extend(&links);
    if step.added > 0 && keep {
        appliance
            .db
            .write(|transaction| {
                trust::store_chain(transaction, &step.chain, now)?;
                let newest = step.chain.newest();
                let floor = newest.issued_at.min(newest.expires);
                if newest.time_reset {
                    identity::reset_time_floor(transaction, floor)?;
                } else {
                    identity::raise_time_floor(transaction, floor)?;
                }
                audit::append(
                    transaction,
                    now,
                    "trust",
                    &json!({"domain": domain, "fingerprint": step.chain.fingerprint(), "from": held.newest().version, "to": newest.version}),
                )
            })
            .map_err(|error| error.at(Step::X3))?;
    }
    match step.refusal {
        Some(refusal) => Err(refusal.at(Step::X3)),
        None => Ok(step.chain),
    }
}
