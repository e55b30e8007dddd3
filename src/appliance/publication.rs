//! Makes a release visible: one transaction, then the copies of what it decided (X14 to X16).

use super::import::Outcome;
use super::intake::{Content, Taken};
use super::marks;
use super::state::{Appliance, RECEIPTS};
use crate::crypto::{Receipt, ReceiptResult};
use crate::db;
use crate::db::site::release::Mark;
use crate::db::site::{BlobRow, NameRow, Page, Publication, receipts};
use crate::domain::{Error, Result, Scope, Step, limits};
use crate::store::Staging;
use crate::stream::write_atomically;

/// Whether a published release goes live by itself (D16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    Automatic,
    Manual,
}

/// Publishes what was taken in, and with automatic activation makes it live in the same transaction.
///
/// Returns what became of it and what could not be tidied up after everything that matters was done.
pub(super) fn publish(appliance: &Appliance, taken: Taken, activation: Activation) -> Result<(Outcome, Vec<Error>)> {
    let Taken {
        head_bytes,
        signatures,
        head,
        head_digest,
        chain,
        content,
        staging,
        now,
    } = taken;
    let Content {
        graph,
        targets,
        blobs,
        mut pieces,
        resumed_bytes,
    } = content;
    let key = appliance.status_key().map_err(|error| error.at(Step::X14))?;
    let scope = head.scope();
    let pages: Vec<Page> = head
        .index
        .iter()
        .map(|page| Page {
            sha256: page.sha256,
            size: page.size,
        })
        .collect();
    let chunk_bytes = head.chunk_bytes.max(limits::CHUNK_BYTES_MIN);
    let mut rows = blobs.iter().map(|(digest, size)| {
        Ok(BlobRow {
            digest: *digest,
            size: *size,
            pieces: pieces.remove(digest).map(|hashes| (chunk_bytes, hashes)),
        })
    });
    let contents = graph.contents().map(|content| NameRow::Content {
        repository: content.repository.clone(),
        digest: content.digest,
        media_type: content.media_type.map(ToOwned::to_owned),
    });
    let tags = graph.tags.iter().filter_map(|line| {
        let tag = line.tag.clone()?;
        Some(NameRow::Tag {
            repository: line.repository.clone(),
            tag,
            digest: line.digest,
        })
    });
    let referrers = graph.referrers.iter().map(|referrer| NameRow::Referrer {
        repository: referrer.repository.clone(),
        subject: referrer.subject,
        digest: referrer.digest,
        media_type: referrer.media_type.to_owned(),
        artifact_type: referrer.artifact_type.clone(),
        annotations: serde_json::to_string(&referrer.annotations).expect("a map of strings has a JSON form"),
    });
    let mut names = contents.chain(tags).chain(referrers).map(Ok);
    let mut receipt = |number, audit| {
        let receipt = Receipt {
            at: now,
            audit,
            channel: head.channel.clone(),
            domain: head.domain,
            epoch: head.epoch,
            head: head_digest,
            number,
            product: head.product.clone(),
            result: ReceiptResult::Imported,
            root_version: chain.newest().version,
            sequence: head.sequence,
            site: appliance.site().clone(),
            version: head.version.clone(),
        };
        Ok(receipt.sign(&key))
    };
    let published = appliance
        .db
        .write(|transaction| {
            db::site::publish(
                transaction,
                Publication {
                    scope: scope.clone(),
                    counter: head.counter(),
                    head: head_digest,
                    head_bytes: &head_bytes,
                    signatures: &signatures,
                    root_version: chain.newest().version,
                    version: &head.version,
                    imported_at: now,
                    home_hosts: &head.home_hosts,
                    pages: &pages,
                    // A date far ahead proves nothing beyond the life of the root that vouches for it.
                    time_floor: head.issued_at.min(chain.newest().expires),
                    targets: &targets,
                    activate: activation == Activation::Automatic,
                    blobs: &mut rows,
                    names: &mut names,
                    receipt: &mut receipt,
                },
            )
        })
        .map_err(|error| error.at(Step::X14))?;
    let mark = Mark {
        counter: head.counter(),
        head: head_digest,
    };
    let number = published.receipt_number;
    let mut warnings = settle(appliance, &scope, mark, number, &published.receipt);
    warnings.extend(staging.remove().err().map(|error| error.at(Step::X16)));
    Ok((
        Outcome::Published {
            receipt: number,
            activated: published.activated,
            resumed_bytes,
        },
        warnings,
    ))
}

/// X16 once more, for a release whose import was stopped between its transaction and the copies of what that decided.
pub(super) fn settle_again(appliance: &Appliance, scope: &Scope, mark: Mark) -> Result<Vec<Error>> {
    let mut warnings = match appliance.db.read(|connection| receipts::of(connection, mark.head))? {
        Some(receipt) => settle(appliance, scope, mark, receipt.number, &receipt.envelope),
        None => Vec::new(),
    };
    let discarded = Staging::discard(&appliance.store, mark.head);
    warnings.extend(discarded.err().map(|error| error.at(Step::X16)));
    Ok(warnings)
}

/// Lays out the copies of what the transaction decided; returns what went wrong, which undoes nothing.
fn settle(appliance: &Appliance, scope: &Scope, mark: Mark, receipt: u64, envelope: &[u8]) -> Vec<Error> {
    let path = appliance.folder().join(RECEIPTS).join(format!("{receipt}.json"));
    [
        marks::raise(appliance.folder(), scope, mark),
        write_atomically(&path, envelope, 0o600),
    ]
    .into_iter()
    .filter_map(Result::err)
    .map(|error| error.at(Step::X16))
    .collect()
}
