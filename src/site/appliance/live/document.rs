//! The desired-state document of a release: found in its signed head, hashed, and parsed once for as long as its file stays the same.

use std::sync::Arc;

use super::head::signed_head;
use crate::appliance::desired;
use crate::appliance::pins::Pins;
use crate::bundle::desired::DesiredState;
use crate::bundle::{DocumentEntry, Head};
use crate::db::Connection;
use crate::db::site::release::ReleaseRow;
use crate::domain::{Class, Digest, DocumentType, Error, Result, limits};
use crate::store::Store;

/// A desired-state document that was checked.
#[derive(Debug)]
pub(in crate::appliance) struct DesiredDocument {
    pub(in crate::appliance) digest: Digest,
    pub(in crate::appliance) state: DesiredState,
    /// Documents of the release that hold secrets, each sealed to a site.
    pub(in crate::appliance) sealed: Vec<Digest>,
}

/// Reads the signed document of a release that is here; nothing when it has none.
///
/// # Errors
///
/// As [`signed_head`] and [`load`].
pub(in crate::appliance) fn desired_of(
    connection: &Connection,
    pins: &Pins,
    release: &ReleaseRow,
    store: &Store,
) -> Result<Option<Arc<DesiredDocument>>> {
    let head = signed_head(connection, pins, release)?;
    load(&head, release, store, std::iter::empty())
}

/// Reads the document that a signed head names; nothing when it names none. One of `known` that is the same file still is not parsed
/// again.
///
/// # Errors
///
/// `E-STATE` when the head is another release's, or the document is gone or changed; those of its grammar; `E-IO`.
pub(super) fn load<'a>(
    head: &[u8],
    release: &ReleaseRow,
    store: &Store,
    known: impl Iterator<Item = &'a Arc<DesiredDocument>>,
) -> Result<Option<Arc<DesiredDocument>>> {
    let head = Head::parse(head)?;
    if head.scope() != release.scope || head.counter() != release.counter {
        return Err(Error::new(
            Class::State,
            "release-damaged",
            format!(
                "its signed head is that of release {} of {}",
                head.counter(),
                head.scope()
            ),
        )
        .remedy("import the bundle of this release again: `airlock import FILE`"));
    }
    let Some(entry) = desired::document(&head.documents) else {
        return Ok(None);
    };
    let is_sealed = |document: &&DocumentEntry| document.kind == DocumentType::Secrets;
    let sealed: Vec<Digest> = head
        .documents
        .iter()
        .filter(is_sealed)
        .map(|document| document.digest)
        .collect();
    // One desired state may travel with other sealed documents.
    let mut kept = known.filter(|document| document.digest == entry.digest && document.sealed == sealed);
    if let Some(kept) = kept.next().filter(|kept| store.is_unchanged(&kept.digest)) {
        return Ok(Some(kept.clone()));
    }
    let bytes = store.read(&entry.digest, limits::MANIFEST_BYTES)?;
    Ok(Some(Arc::new(DesiredDocument {
        digest: entry.digest,
        state: DesiredState::parse(&bytes)?,
        sealed,
    })))
}
