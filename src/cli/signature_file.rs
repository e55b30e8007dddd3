//! Detached signatures in a file of their own.

use std::path::Path;

use crate::crypto::{Signature, canonical};
use crate::domain::{Class, Result, limits};
use crate::stream::{open_named, read_bounded};

/// Reads a detached signature file.
pub(super) fn read_signatures(path: &Path) -> Result<Vec<Signature>> {
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Signatures {
        signatures: Vec<Signature>,
    }
    let file = open_named(path, "open the signature file")?;
    let bytes = read_bounded(file, limits::SIGNATURES_BYTES, "the signature file")?;
    let document: Signatures =
        canonical::from_slice(&bytes, "the signature file").map_err(|error| error.into_class(Class::Signature))?;
    Ok(document.signatures)
}
