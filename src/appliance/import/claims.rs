//! X13: what a release says of the targets of this site, and whether that may become true here.

use crate::appliance::desired;
use crate::appliance::state::Appliance;
use crate::bundle::Graph;
use crate::db::site::targets::{TargetSet, Undeploy, check_activation};
use crate::domain::{Result, Scope, Step};

/// Returns what the release says of this site's targets. Documents are read by now, and nothing of the large rest: what may not
/// go live is refused before the medium is read on.
pub(super) fn judge(appliance: &Appliance, scope: &Scope, graph: &Graph, goes_live: bool) -> Result<TargetSet> {
    let targets = graph
        .desired
        .as_ref()
        .map_or_else(TargetSet::default, |state| desired::of_site(state, appliance.site()));
    if goes_live {
        appliance
            .db
            .read(|connection| check_activation(connection, scope, &targets, Undeploy::AsSigned))
            .map_err(|error| error.at(Step::X13))?;
    }
    Ok(targets)
}
