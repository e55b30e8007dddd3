//! The unsigned documents around the head: detached signatures, root links, approvals (entries 01, 02, 04).

use serde::{Deserialize, Serialize};

use super::entry::padding;
use crate::crypto::{Chain, Envelope, Role, Signature, canonical};
use crate::domain::{Class, Error, Hash, Result, limits};

/// Entry 04 without an approval.
pub(super) const EMPTY_APPROVALS: &[u8] = br#"{"approvals":[]}"#;

/// Entry 01.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signatures {
    signatures: Vec<Signature>,
}

/// Entry 02.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustLinks {
    /// Trust domain: a hint, repeated signed in the head.
    pub(super) domain: Hash,
    /// Roots 2..M.
    pub(super) roots: Vec<Envelope>,
}

/// Entry 04.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Approvals {
    approvals: Vec<Signature>,
}

/// Returns entry 01.
pub(super) fn signatures_bytes(signatures: &[Signature]) -> Vec<u8> {
    let mut signatures = signatures.to_vec();
    signatures.sort_by_key(|signature| signature.keyid);
    canonical::to_vec(&Signatures { signatures })
}

/// Reads entry 01.
///
/// # Errors
///
/// `E-SIGNATURE` for content that does not parse, `E-LIMIT` for too many.
pub(super) fn parse_signatures(bytes: &[u8]) -> Result<Vec<Signature>> {
    let document: Signatures =
        canonical::from_slice(bytes, "the signature list").map_err(|error| error.into_class(Class::Signature))?;
    check_count(document.signatures.len(), "signatures")?;
    Ok(document.signatures)
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

/// Reads entry 04. Approvals by keys of no site role are ignored.
///
/// # Errors
///
/// `E-POLICY` for content that does not parse, `E-LIMIT` for too many.
pub(super) fn parse_approvals(bytes: &[u8]) -> Result<Vec<Signature>> {
    let document: Approvals =
        canonical::from_slice(bytes, "the list of approvals").map_err(|error| error.into_class(Class::Policy))?;
    check_count(document.approvals.len(), "approvals")?;
    Ok(document.approvals)
}

fn check_count(count: usize, what: &'static str) -> Result<()> {
    if count > limits::SIGNATURES {
        return Err(
            Error::new(Class::Limit, "signatures", format!("the bundle carries {count} {what}"))
                .expected(format!("at most {}", limits::SIGNATURES)),
        );
    }
    Ok(())
}

/// Returns the bytes of entry 01 when every rule of a role is met exactly.
pub(super) fn room_for_signatures(role: &Role<'_>) -> u64 {
    let count = role
        .rules()
        .iter()
        .map(|rule| rule.threshold)
        .fold(0, usize::saturating_add);
    let signature = Signature {
        keyid: Hash([0; 32]),
        sig: vec![0; 64],
    };
    let bytes = signatures_bytes(&vec![signature; count.min(limits::SIGNATURES)]).len() as u64;
    bytes.saturating_add(padding(bytes))
}
