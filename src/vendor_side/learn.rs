//! Takes into the ledger what another workspace of the vendor signed, from the bundle itself.

use std::collections::BTreeSet;

use super::Workspace;
use super::signed_head::SignedHead;
use crate::bundle::{Head, OpenedBundle, inventory, read_desired, read_graph};
use crate::crypto::Chain;
use crate::db::ledger::{self, Recorded};
use crate::domain::{Class, Digest, Error, FixId, Hash, Result, Step, Timestamp};

/// A release that the ledger knows now.
#[derive(Debug)]
pub struct Learned {
    /// Its head.
    pub head: Head,
    /// Head digest.
    pub head_digest: Hash,
    /// How many pieces of content it consists of.
    pub items: usize,
    /// Whether it was known before.
    pub recorded: Recorded,
    /// Those of the given fixes that were not known of it.
    pub new_fixes: Vec<FixId>,
    /// Everything that it is known to fix now.
    pub fixes: Vec<FixId>,
}

/// Verifies a bundle of this workspace's trust domain and records its number and what it consists of. The same again changes nothing.
///
/// It counts when the release role of the root under which it was made signed it: keys may have been replaced since, and it may have
/// expired. Of its content only the documents that come first are read; every blob is known by the index that hangs on the head.
///
/// # Errors
///
/// `E-TRUST unknown-domain` and `missing-link`, those of reading a bundle up to its documents; `E-EQUIVOCATION number-used` when this
/// workspace signed the number for other content; those of the ledger.
pub fn learn(workspace: &Workspace, opened: OpenedBundle, fixes: &[FixId], at: Timestamp) -> Result<Learned> {
    let chain = workspace.chain();
    let (domain, _) = opened.links()?;
    check_domain(domain, chain)?;
    let signed = opened.verify_as_made(chain)?;
    let bytes = signed.head_bytes().to_vec();
    let bundle = signed.read_index(|_, _| Ok(()))?;
    let (head, head_digest) = (bundle.head().clone(), bundle.head_digest());
    let index = bundle.index().clone();
    let named: Vec<(String, Digest)> = bundle
        .index()
        .names()
        .map(|(repository, _, digest)| (repository.to_owned(), digest))
        .collect();
    let names: Vec<(&str, Digest)> = named.iter().map(|(name, digest)| (name.as_str(), *digest)).collect();
    let scope = head.scope();
    // Where content is copied from what no manifest refers to, only the manifests tell which that is.
    let (desired, bases_only) = if index.needed_bases().is_empty() {
        (read_desired(bundle)?, BTreeSet::new())
    } else {
        let graph = read_graph(bundle)?;
        (graph.desired, graph.bases_only)
    };
    let items = inventory(&head, &index, &bases_only);
    let record = SignedHead {
        head: head_digest,
        bytes: &bytes,
        audience: &head.audience,
        scope: &scope,
        counter: head.counter(),
        names: &names,
        items: &items,
        fixes,
        desired: desired.as_ref(),
    };
    let (recorded, before, now) = workspace.ledger()?.write(|transaction| {
        ledger::record_release(transaction, &scope, head.counter(), head_digest, &head.version, at).map_err(|error| {
            if error.class() != Class::Equivocation {
                return error;
            }
            // Nothing is signed here: there is no number to raise.
            error.remedy("two releases were signed under one number, as happens where a ledger was restored and went on: this one cannot be learned; sign the next release with a number above both, which every site takes, and end the finding foreign-release with `airlock vendor ledger end FINDING`")
        })?;
        let before = ledger::fixes_of(transaction, head_digest)?;
        let recorded = record.record(transaction)?;
        ledger::match_receipts(transaction, head_digest, at)?;
        Ok((recorded, before, ledger::fixes_of(transaction, head_digest)?))
    })?;
    Ok(Learned {
        items: items.len(),
        head,
        head_digest,
        recorded,
        new_fixes: now.iter().filter(|fix| !before.contains(fix)).cloned().collect(),
        fixes: now,
    })
}

/// Refuses what another vendor made.
pub(crate) fn check_domain(domain: Hash, chain: &Chain) -> Result<()> {
    if domain == chain.domain() {
        return Ok(());
    }
    Err(Error::new(
        Class::Trust,
        "unknown-domain",
        format!("the bundle belongs to the trust domain {domain}"),
    )
    .expected(format!("{}, that of this workspace", chain.domain()))
    .remedy("name the workspace of the vendor who made it")
    .at(Step::X3))
}
