//! Content under the digest that was signed for it.

use super::kind::Kind;
use crate::domain::{Class, Digest, Error, Result};

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
