//! The pinned roots: one chain file per trust domain, `roots/<domain>.json`, put there by the site's administrator.

use std::fs;
use std::path::Path;

use crate::crypto::Chain;
use crate::domain::{Class, Error, Result, limits};
use crate::stream::{open_plain, read_bounded};

/// Vendors on one appliance.
const PINS: usize = 256;

/// Reads and walks every chain file of the folder.
///
/// # Errors
///
/// `E-STATE pin-damaged` when a file does not hold the chain that its name says, `planted` when it is no plain file; `E-IO`.
pub(super) fn read(folder: &Path) -> Result<Vec<Chain>> {
    let entries = fs::read_dir(folder).map_err(|e| Error::io("read the folder", folder, e))?;
    let mut pins = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::io("read the folder", folder, e))?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let Some(file) = open_plain(&path)? else { continue };
        let bytes = read_bounded(file, limits::TRUST_BYTES, "a pinned root")?;
        let damaged = |found: String| {
            Error::new(Class::State, "pin-damaged", format!("{} {found}", path.display()))
                .expected("the chain file that was pinned")
                .remedy("put the vendor's chain file there again under this name, or a whole copy of the state folder in its place")
        };
        let chain = Chain::parse(&bytes).map_err(|e| damaged(format!("does not hold: {e}")).with_source(e))?;
        if path.file_stem().and_then(|stem| stem.to_str()) != Some(chain.domain().to_hex().as_str()) {
            return Err(damaged(format!("holds the root of domain {}", chain.domain())));
        }
        if pins.len() == PINS {
            return Err(Error::new(
                Class::State,
                "pins",
                format!("{} holds more than {PINS} roots", folder.display()),
            ));
        }
        pins.push(chain);
    }
    Ok(pins)
}
