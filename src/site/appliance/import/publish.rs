//! Makes a release visible: one transaction publishes it, and with automatic activation makes it live (X14 and X15).

use super::outcome::Needed;
use super::take_in::{StoredContent, Taken};
use crate::appliance::last_generation;
use crate::appliance::release_plan::ReleasePlan;
use crate::appliance::release_rows::{names, pages};
use crate::appliance::secret::{MissingSecret, Readiness};
use crate::appliance::state::Appliance;
use crate::bundle::Head;
use crate::db::site::owners::Held;
use crate::db::site::receipts::ReceiptRow;
use crate::db::site::release::Activated;
use crate::db::site::{self, BlobRow, Publication};
use crate::domain::{Hash, Result, Step, Timestamp, limits};
use crate::store::Staging;

/// A release that is published; copies of what that decided are still to be laid out.
pub(super) struct Published {
    pub(super) head: Head,
    pub(super) head_digest: Hash,
    /// The receipt of the import, as kept.
    pub(super) receipt: ReceiptRow,
    /// Whether it went live.
    pub(super) activated: Option<Activated>,
    /// Why it cannot go live now.
    pub(super) held: Option<Held>,
    /// What it lacks.
    pub(super) missing: Vec<MissingSecret>,
    /// What changes with it.
    pub(super) plan: ReleasePlan,
    /// What of its content was here already.
    pub(super) needed: Needed,
    pub(super) staging: Staging,
    pub(super) resumed_bytes: u64,
}

/// Publishes what was taken in.
pub(super) fn publish(appliance: &Appliance, taken: Taken, confirmed_date: Option<Timestamp>) -> Result<Published> {
    let Taken {
        head_bytes,
        signatures,
        head,
        head_digest,
        chain,
        content,
        staging,
        started,
        goes_live,
    } = taken;
    let StoredContent {
        graph,
        targets,
        readiness,
        plan,
        needed,
        blobs,
        mut midstates,
        resumed_bytes,
    } = content;
    let signer = appliance.signer().map_err(|error| error.at(Step::X14))?;
    let scope = head.scope();
    let is_complete = readiness.missing.is_empty();
    let made = if goes_live && is_complete {
        readiness.make(appliance, &scope, started)
    } else {
        Readiness::nothing().make(appliance, &scope, started)
    };
    let made = made.map_err(|error| error.at(Step::X15))?;
    let pages = pages(&head);
    let chunk_bytes = head.chunk_bytes.max(limits::CHUNK_BYTES_MIN);
    let mut rows = blobs.iter().map(|(digest, size)| {
        Ok(BlobRow {
            digest: *digest,
            size: *size,
            pieces: midstates.remove(digest).map(|states| (chunk_bytes, states)),
        })
    });
    let mut names = names(&graph).map(Ok);
    // What this release replaces or removes is served no more.
    let _withdrawn = goes_live
        .then(|| last_generation::forget(appliance.folder()))
        .transpose()
        .map_err(|error| error.at(Step::X15))?;
    let published = appliance
        .db
        .write(|transaction| {
            let published = site::publish(
                transaction,
                Publication {
                    scope: scope.clone(),
                    counter: head.counter(),
                    head: head_digest,
                    head_bytes: &head_bytes,
                    signatures: &signatures,
                    root_version: chain.newest().version,
                    version: &head.version,
                    imported_at: started,
                    confirmed_date,
                    home_hosts: &head.home_hosts,
                    pages: &pages,
                    // A date far ahead proves nothing beyond the life of the root that vouches for it, and nothing to other domains.
                    time_floor: head.issued_at.min(chain.newest().expires),
                    targets: &targets,
                    activate: goes_live && is_complete,
                    waits: goes_live && !is_complete,
                    blobs: &mut rows,
                    names: &mut names,
                    signer: &signer,
                },
            )?;
            // The scope is there by now, and what is live has its values in the same moment.
            made.record(transaction, started)?;
            Ok(published)
        })
        .map_err(|error| made.drop_files(error))
        .map_err(|error| error.at(Step::X14))?;
    Ok(Published {
        head,
        head_digest,
        receipt: published.receipt,
        activated: published.activated,
        held: published.held,
        missing: readiness.missing,
        plan,
        needed,
        staging,
        resumed_bytes,
    })
}
