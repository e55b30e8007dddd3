//! X13: what a release says of the targets of this site, and whether that may become true here.

use crate::appliance::desired;
use crate::appliance::state::Appliance;
use crate::bundle::Graph;
use crate::db::site::owners::{self, Held};
use crate::db::site::targets::{TargetSet, Undeploy, check_undeploy};
use crate::domain::{Result, Scope, Step};

/// What a release says of the targets of this site.
pub(super) struct Claimed {
    pub(super) targets: TargetSet,
    /// Why it cannot go live now, though it may come in.
    pub(super) held: Option<Held>,
}

/// Returns what the release says of this site's targets. Documents are read by now, and nothing of the large rest: what states a UUID of
/// somebody else's, or may not go live, is refused before the medium is read on.
pub(super) fn judge(appliance: &Appliance, scope: &Scope, graph: &Graph, goes_live: bool) -> Result<Claimed> {
    let targets = graph
        .desired
        .as_ref()
        .map_or_else(TargetSet::default, |state| desired::of_site(state, appliance.site()));
    let held = appliance
        .db
        .read(|connection| {
            let held = owners::judge(connection, scope, &targets)?.held;
            if goes_live && held.is_none() {
                check_undeploy(connection, scope, &targets, Undeploy::AsSigned)?;
            }
            Ok(held)
        })
        .map_err(|error| error.at(Step::X13))?;
    Ok(Claimed { targets, held })
}
