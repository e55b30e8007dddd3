//! The keys that secrets for this site are encrypted to: the present one, one that is about to take its place, and those that it replaced,
//! for what is here already.

use std::fs;
use std::path::Path;

use zeroize::Zeroizing;

use crate::appliance::folder::{IDENTITY, NEXT_RECIPIENT_KEY, RECIPIENT_KEY};
use crate::appliance::own_key::{self, LOST};
use crate::crypto::{KeyFile, RecipientKey};
use crate::domain::{Code, Error, Result};

/// No key is left that opens anything.
pub(super) const LOST_KEY: Code = Code::new("recipient-key");

/// A secret key.
pub(in crate::appliance) type Secret = Zeroizing<[u8; 32]>;

/// Reads the present one.
///
/// # Errors
///
/// `E-STATE recipient-key` when it is missing, readable by others, or no key; `planted`.
pub(in crate::appliance) fn present(state: &Path) -> Result<Secret> {
    own_key::read(&state.join(RECIPIENT_KEY), "recipient-key", LOST, KeyFile::secret)
}

/// Reads all: the present one first. One of the others that cannot be read opens nothing.
///
/// # Errors
///
/// As [`present`], where no key is left; `E-IO`.
pub(in crate::appliance) fn all(state: &Path) -> Result<Vec<Secret>> {
    let present = present(state);
    let folder = state.join(IDENTITY);
    let entries = fs::read_dir(&folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut names: Vec<String> = entries
        .map_err(|error| Error::io("list", &folder, error))?
        .iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| {
            name.strip_prefix("recipient-")
                .and_then(|rest| rest.strip_suffix(".key"))
                .is_some()
        })
        .collect();
    names.sort();
    let next = state.join(NEXT_RECIPIENT_KEY);
    let others = std::iter::once(next).chain(names.iter().map(|name| folder.join(name)));
    let others = others.filter_map(|path| KeyFile::read(&path).ok()?.secret().ok());
    let (lost, keys) = match present {
        Ok(key) => (None, std::iter::once(key).chain(others).collect::<Vec<_>>()),
        Err(error) => (Some(error), others.collect()),
    };
    match lost {
        Some(error) if keys.is_empty() => Err(error),
        _ => Ok(keys),
    }
}

/// Returns the public half of the present one.
///
/// # Errors
///
/// As [`present`].
pub(in crate::appliance) fn public(state: &Path) -> Result<RecipientKey> {
    present(state).map(|secret| RecipientKey::of_secret(&secret))
}
