//! What a folder that goes into a backup holds.

use std::fs;
use std::path::Path;

use crate::domain::{Error, Result};
use crate::stream::{Expected, look};

/// Returns the names in a folder, sorted, but for what is being written under a name of before; none where there is no folder.
///
/// # Errors
///
/// `E-STATE planted` where something else has its name; `E-IO`.
pub fn names_in(folder: &Path) -> Result<Vec<String>> {
    if look(folder, Expected::Folder)?.is_none() {
        return Ok(Vec::new());
    }
    let failed = |error| Error::io("list", folder, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        match name.to_str() {
            Some(name) if !name.starts_with('.') => names.push(name.to_owned()),
            _ => {}
        }
    }
    names.sort();
    Ok(names)
}
