//! A number that was signed with other bytes: whether it is the same release, only that its layers travelled otherwise.
//!
//! What is copied depends on which older layers are at hand, and a cache may be lost. Whoever meets that is not to look for secrets.

use crate::bundle::{Head, UnsignedBundle, content_hash};
use crate::db::{Connection, ledger};
use crate::domain::{Class, Digest, Error, Result, Scope, counted};

/// Layers that are told one by one.
const TOLD: usize = 3;

/// Tells the refusal of a number as what it is: of the same release the ways to the same bytes. `lacking` are older layers that are not at hand.
///
/// # Errors
///
/// Those of the ledger.
pub(super) fn told(
    connection: &Connection,
    scope: &Scope,
    bundle: &UnsignedBundle,
    lacking: &[(Digest, u64)],
    error: Error,
) -> Result<Error> {
    let counter = bundle.head().counter();
    let Some(known) = ledger::signed_release(connection, scope, counter)? else {
        return Ok(error);
    };
    let bytes = ledger::head_bytes(connection, known.head)?;
    let before = bytes.and_then(|bytes| Head::parse(&bytes).ok());
    let items = bundle.inventory();
    let content = content_hash(items.iter().map(|item| item.digest));
    let is_same = ledger::contents_of(connection, known.head)? == Some((items.len() as u64, content));
    let Some(before) = before.filter(|before| is_same && is_same_release(before, bundle.head())) else {
        return Ok(error);
    };
    let (then, now) = (before.volumes.len(), bundle.head().volumes.len());
    let how = if before.volumes == bundle.head().volumes {
        "its layers travelled otherwise".to_owned()
    } else if then == now {
        "its volumes are cut otherwise".to_owned()
    } else {
        format!(
            "it was in {} then and is in {} now",
            counted(then, "file"),
            counted(now, "file")
        )
    };
    let found = format!(
        "release {counter} of {scope} was already signed as {:?} with the same content, but {how} (head {})",
        known.version, known.head
    );
    let error = |found: String| {
        Error::new(Class::Equivocation, "number-used", found).expected(
            "the --base, --full, --encodings, --level and --volume-size of then, and the same older layers at hand",
        )
    };
    Ok(match names(lacking) {
        Some(names) => error(format!(
            "{found}; nothing is copied now from {}, for their bytes are not at hand: {names}",
            counted(lacking.len() as u64, "older layer")
        ))
        .remedy("pass on the bundle that was signed then; or make the bundles again that these layers came with, which brings them back into the cache; or raise the sequence number"),
        None => error(found).remedy("pass on the bundle that was signed then; or make it as it was made then, with --no-cache where the cache was empty; or raise the sequence number"),
    })
}

/// Returns the names of some layers; nothing where there are none.
pub(super) fn names(layers: &[(Digest, u64)]) -> Option<String> {
    let (first, _) = layers.first()?;
    let mut names = first.to_string();
    for (digest, _) in layers.iter().take(TOLD).skip(1) {
        names += &format!(", {digest}");
    }
    if layers.len() > TOLD {
        names += ", …";
    }
    Some(names)
}

/// Whether two heads differ in nothing but how the content travels.
fn is_same_release(before: &Head, now: &Head) -> bool {
    let as_now = Head {
        builder: now.builder.clone(),
        chunk_bytes: now.chunk_bytes,
        index: now.index.clone(),
        payload_offset: now.payload_offset,
        reader: now.reader,
        requires: now.requires.clone(),
        totals: now.totals,
        volumes: now.volumes.clone(),
        ..before.clone()
    };
    as_now == *now
}
