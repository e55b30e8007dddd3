//! The pinned roots: one chain file per trust domain, `roots/<domain>.json`, put there by the site's administrator.

use std::fs::{self, File};
use std::path::Path;

use crate::crypto::Chain;
use crate::domain::{Class, Error, Result, limits};
use crate::stream::read_bounded;

/// Vendors on one appliance.
const PINS: usize = 256;

/// Reads and walks every chain file of the folder.
///
/// # Errors
///
/// `E-STATE pin-damaged` when a file does not hold the chain that its name says; `E-IO`.
pub(super) fn read(folder: &Path) -> Result<Vec<Chain>> {
    let entries = fs::read_dir(folder).map_err(|e| Error::io("read the folder", folder, e))?;
    let mut pins = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::io("read the folder", folder, e))?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let file = File::open(&path).map_err(|e| Error::io("open", &path, e))?;
        let bytes = read_bounded(file, limits::TRUST_BYTES, "a pinned root")?;
        let damaged = |found: String| {
            Error::new(Class::State, "pin-damaged", format!("{} {found}", path.display()))
                .expected("the chain file that was pinned")
                .remedy("pin the vendor's root again with `airlock trust add`")
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
