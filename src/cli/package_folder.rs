//! Folders with status packages in them, as the media are on which sites bring them.

use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::domain::{Class, Error, Result};
use crate::stream::Looked;

/// How packages are called that a site exports.
const ENDING: &str = ".airlock-status";
/// Names looked at in a folder before giving up.
const ENTRIES: usize = 10_000;

/// Returns the files that were named, and in place of each folder the packages in it, in the order of their names.
///
/// # Errors
///
/// `E-FORMAT source` for a folder that holds no package; `E-LIMIT folder`; `E-IO`.
pub(super) fn packages(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        // What is not there, or no folder, is for whoever reads it.
        match Looked::at(path) {
            Ok(looked) if path != Path::new("-") && looked.is_folder() => files.extend(packages_in(&looked, path)?),
            _ => files.push(path.clone()),
        }
    }
    Ok(files)
}

fn packages_in(folder: &Looked, path: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Error::io("list", path, error);
    let folder = folder.open().map_err(failed)?;
    let mut found = Vec::new();
    let entries = rustix::fs::Dir::read_from(&folder).map_err(|errno| failed(errno.into()))?;
    for (count, entry) in entries.enumerate() {
        if count >= ENTRIES {
            return Err(Error::new(
                Class::Limit,
                "folder",
                format!("{} holds more than {ENTRIES} entries", path.display()),
            )
            .remedy("name the packages themselves"));
        }
        let entry = entry.map_err(|errno| failed(errno.into()))?;
        let name = entry.file_name().to_bytes();
        if name.starts_with(b".") || !name.ends_with(ENDING.as_bytes()) {
            continue;
        }
        // A link, pipe or device that is called like a package is nothing to open.
        if Looked::in_folder(folder.as_fd(), entry.file_name())
            .map_err(failed)?
            .is_file()
        {
            found.push(path.join(OsStr::from_bytes(name)));
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(Error::new(
            Class::Format,
            "source",
            format!("{} holds no status package", path.display()),
        )
        .expected(format!("files whose names end in {ENDING}"))
        .remedy("check that the right medium is mounted; a package that is called otherwise is named itself"));
    }
    Ok(found)
}
