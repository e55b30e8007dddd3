//! Detached signatures in a file of their own.

use std::fs::File;
use std::path::Path;

use crate::crypto::{Signature, canonical};
use crate::domain::{Class, Error, Result, limits};
use crate::stream::read_bounded;

/// Reads a detached signature file.
pub(super) fn read_signatures(path: &Path) -> Result<Vec<Signature>> {
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Signatures {
        signatures: Vec<Signature>,
    }
    let file = File::open(path).map_err(|e| Error::io("open the signature file", path, e))?;
    let bytes = read_bounded(file, limits::SIGNATURES_BYTES, "the signature file")?;
    let document: Signatures =
        canonical::from_slice(&bytes, "the signature file").map_err(|error| error.into_class(Class::Signature))?;
    Ok(document.signatures)
}
