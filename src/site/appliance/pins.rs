//! The pinned roots: one chain file per trust domain, `roots/<domain>.json`, put there by the site's administrator.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::crypto::Chain;
use crate::db::site::release::ReleaseRow;
use crate::domain::{Class, Error, Hash, Result, limits};
use crate::stream::{PLANTED, open_plain, read_bounded};

/// Vendors on one appliance.
const PINS: usize = 256;

/// Reads and walks every chain file of the folder.
///
/// # Errors
///
/// `E-STATE pin-damaged` when a file does not hold the chain that its name says, `planted` when it is no plain file; `E-IO`.
pub(super) fn read(folder: &Path) -> Result<Vec<Chain>> {
    let Pins { chains, damaged } = read_good(folder)?;
    match damaged.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(chains),
    }
}

/// The pins of an appliance. What is wrong with one vendor's concerns that vendor.
#[derive(Debug, Default)]
pub(super) struct Pins {
    /// The chains, as they were pinned.
    pub(super) chains: Vec<Chain>,
    /// Files that do not hold the chain that their name says, by that name.
    pub(super) damaged: Vec<(String, Error)>,
}

impl Pins {
    /// Returns, for each vendor whose releases are here and whose root is not, that it is missing.
    pub(super) fn missing(&self, releases: &[ReleaseRow]) -> Vec<Error> {
        let domains: BTreeSet<Hash> = releases.iter().map(|release| release.scope.domain).collect();
        let is_pinned = |domain: &Hash| {
            let damaged = self.damaged.iter().any(|(name, _)| *name == domain.to_hex());
            damaged || self.chains.iter().any(|pin| pin.domain() == *domain)
        };
        domains
            .into_iter()
            .filter(|domain| !is_pinned(domain))
            .map(missing)
            .collect()
    }
}

/// Says that releases of a vendor are here, and its pinned root is not.
fn missing(domain: Hash) -> Error {
    Error::new(
        Class::State,
        "pin-missing",
        format!("releases of the trust domain {domain} are here, and its pinned root is not: nothing of them can be verified any more"),
    )
    .expected("the root of every vendor whose releases are here")
    .remedy("pin the vendor's root again with `airlock trust add ROOT --fingerprint HEX`")
}

/// As [`read`]; damaged files are told beside the good ones.
///
/// # Errors
///
/// `E-IO`; `E-STATE pins`.
pub(super) fn read_good(folder: &Path) -> Result<Pins> {
    let entries = fs::read_dir(folder).map_err(|e| Error::io("read the folder", folder, e))?;
    let mut pins = Pins::default();
    for entry in entries {
        let path = entry.map_err(|e| Error::io("read the folder", folder, e))?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        if pins.chains.len() + pins.damaged.len() == PINS {
            return Err(Error::new(
                Class::State,
                "pins",
                format!("{} holds more than {PINS} roots", folder.display()),
            ));
        }
        match read_one(&path) {
            Ok(chain) => pins.chains.push(chain),
            // What somebody put there is no damage of one vendor's: the folder is not ours alone.
            Err(error) if error.class() == Class::State && !error.is(PLANTED) => {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                pins.damaged.push((name, error));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(pins)
}

fn read_one(path: &Path) -> Result<Chain> {
    let damaged = |found: String| {
        Error::new(Class::State, "pin-damaged", format!("{} {found}", path.display()))
            .expected("the chain file that was pinned")
            .remedy("pin the vendor's root again with `airlock trust add ROOT --fingerprint HEX`")
    };
    let gone = || Error::io("open", path, std::io::ErrorKind::NotFound.into());
    let file = open_plain(path)?.ok_or_else(gone)?;
    let bytes = read_bounded(file, limits::TRUST_BYTES, "a pinned root")
        .map_err(|e| damaged(format!("does not hold: {e}")).with_source(e))?;
    let chain = Chain::parse(&bytes).map_err(|e| damaged(format!("does not hold: {e}")).with_source(e))?;
    if path.file_stem().and_then(|stem| stem.to_str()) != Some(chain.domain().to_hex().as_str()) {
        return Err(damaged(format!("holds the root of domain {}", chain.domain())));
    }
    Ok(chain)
}
