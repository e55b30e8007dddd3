//! Content under the digest that was signed for it.

use sha2::{Digest as _, Sha256};

use super::kind::Kind;
use crate::domain::{Class, Digest, Error, Hash, Result};

/// Returns the digest of bytes that are at hand.
pub fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Hash(Sha256::digest(bytes).into()))
}

/// Compares the digest of content with the one that was signed.
///
/// # Errors
///
/// `E-INTEGRITY content-digest`.
pub(crate) fn check_digest(kind: &Kind, signed: Digest, found: Digest) -> Result<()> {
    if found == signed {
        return Ok(());
    }
    Err(Error::new(
        Class::Integrity,
        "content-digest",
        format!("content signed as {signed} is {found}"),
    )
    .remedy(format!(
        "tell {}: the {} was built wrong, although its signature is good",
        kind.maker, kind.noun
    )))
}
