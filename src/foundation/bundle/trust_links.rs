//! Entry 02 of a bundle: the root links that a site may not hold yet.

use serde::{Deserialize, Serialize};

use crate::crypto::{Chain, Envelope, canonical};
use crate::domain::{Class, Error, Hash, Result, limits};

/// Entry 02.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustLinks {
    /// Trust domain: a hint, repeated signed in the head.
    pub(super) domain: Hash,
    /// Roots 2..M.
    pub(super) roots: Vec<Envelope>,
}

/// Returns entry 02.
pub(super) fn trust_bytes(chain: &Chain) -> Vec<u8> {
    canonical::to_vec(&TrustLinks {
        domain: chain.domain(),
        roots: chain.links().cloned().collect(),
    })
}

/// Reads entry 02.
///
/// # Errors
///
/// `E-TRUST` for content that does not parse, `E-LIMIT` for too many links.
pub(super) fn parse_trust(bytes: &[u8]) -> Result<TrustLinks> {
    let document: TrustLinks = canonical::envelopes_from_slice(bytes, "the list of root links")
        .map_err(|error| error.into_class(Class::Trust))?;
    if document.roots.len() > limits::ROOT_LINKS {
        return Err(Error::new(
            Class::Limit,
            "links",
            format!("{} root links are offered", document.roots.len()),
        )
        .expected(format!("at most {}", limits::ROOT_LINKS)));
    }
    Ok(document)
}
