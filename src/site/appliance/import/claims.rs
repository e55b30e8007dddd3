//! X13: what a release says of the targets of this site, and whether that may become true here.

use crate::appliance::desired;
use crate::appliance::secret::{self, Readiness};
use crate::appliance::state::Appliance;
use crate::bundle::{Graph, Head, sealed_for};
use crate::db::site::owners::{self, Held};
use crate::db::site::targets::{TargetSet, Undeploy, check_undeploy};
use crate::domain::{Digest, DocumentType, Result, Step};

/// What a release says of the targets of this site.
pub(super) struct Claimed {
    pub(super) targets: TargetSet,
    /// What it needs of secrets before it goes live.
    pub(super) readiness: Readiness,
    /// Why it cannot go live now, though it may come in.
    pub(super) held: Option<Held>,
}

/// What is known of a release beside its head and its graph.
pub(super) struct Incoming<'a> {
    pub(super) goes_live: bool,
    /// Its documents that are sealed to sites.
    pub(super) sealed: &'a [Vec<u8>],
}

/// Returns what the release says of this site's targets. Documents are read by now, and nothing of the large rest: what states a UUID of
/// somebody else's, or may not go live, is refused before the medium is read on.
pub(super) fn judge(appliance: &Appliance, head: &Head, graph: &Graph, incoming: &Incoming<'_>) -> Result<Claimed> {
    let scope = &head.scope();
    let targets = graph
        .desired
        .as_ref()
        .map_or_else(TargetSet::default, |state| desired::of_site(state, appliance.site()));
    let held = appliance
        .db
        .read(|connection| {
            let held = owners::judge(connection, scope, &targets)?.held;
            if incoming.goes_live && held.is_none() {
                check_undeploy(connection, scope, &targets, Undeploy::AsSigned)?;
            }
            Ok(held)
        })
        .map_err(|error| error.at(Step::X13))?;
    let readiness = readiness(appliance, head, graph, incoming.sealed).map_err(|error| error.at(Step::X13))?;
    Ok(Claimed {
        targets,
        readiness,
        held,
    })
}

/// Judges what the release needs of secrets: what it must have sealed for this site, and what is to be entered or made here.
fn readiness(appliance: &Appliance, head: &Head, graph: &Graph, sealed: &[Vec<u8>]) -> Result<Readiness> {
    let Some(desired) = &graph.desired else {
        return Ok(Readiness::nothing());
    };
    if desired.secrets().next().is_none() && sealed.is_empty() {
        return Ok(Readiness::nothing());
    }
    let key = secret::recipient_key(appliance.folder())?;
    let documents = sealed.iter().map(Vec::as_slice);
    let sealed = sealed_for(head, documents, desired, appliance.site(), &key)?;
    secret::judge(appliance, &head.scope(), desired, sealed)
}

/// Returns the documents of a release that are sealed to sites.
pub(super) fn sealed_documents(head: &Head) -> Vec<Digest> {
    let sealed = head
        .documents
        .iter()
        .filter(|entry| entry.kind == DocumentType::Secrets);
    sealed.map(|entry| entry.digest).collect()
}
