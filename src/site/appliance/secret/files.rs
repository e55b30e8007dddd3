//! The folder `secrets/`: a file for each value that was entered or made here, under a random name that says nothing.
//!
//! A file counts by its row alone. It is durable before there is one, and goes after the row went; what a stopped act left without a row is
//! removed by the next act.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;

use crate::appliance::folder::SECRETS;
use crate::crypto::random;
use crate::db::Db;
use crate::db::site::kept_secrets;
use crate::domain::{Class, Error, Result};
use crate::stream::{Expected, create_new, look, open_plain, read_bounded, sync_folder};

/// Ending of the names.
const ENDING: &str = ".age";
/// Hex digits of a name.
const DIGITS: usize = 32;
/// Largest file: a value of 64 KiB and the ones before it in base64 and JSON, encrypted.
const BYTES: u64 = 1 << 20;

/// Writes a file, makes it durable, and returns its name.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`, `E-SPACE`: nothing is left of it then, or what the next act removes.
pub(super) fn put(state: &Path, bytes: &[u8]) -> Result<String> {
    let folder = state.join(SECRETS);
    let mut name = [0; DIGITS / 2];
    random(&mut name)?;
    let name = HEXLOWER.encode(&name) + ENDING;
    let path = folder.join(&name);
    let mut file = create_new(&path, 0o600)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // The first error is the one that matters.
        fs::remove_file(&path).ok();
        return Err(Error::io("write", &path, error));
    }
    sync_folder(&folder)?;
    Ok(name)
}

/// Reads a file.
///
/// # Errors
///
/// `E-STATE secret-file` when it is gone; `planted`, `E-IO`.
pub(super) fn read(state: &Path, name: &str) -> Result<Vec<u8>> {
    let path = path(state, name)?;
    let file = open_plain(&path)?.ok_or_else(|| unusable(format!("{} is missing", path.display())))?;
    read_bounded(file, BYTES, "a kept secret")
}

/// Removes files whose rows went, or never came.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`.
pub(super) fn remove(state: &Path, names: &[String]) -> Result<()> {
    for name in names {
        let path = path(state, name)?;
        look(&path, Expected::File)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", &path, error)),
            _ => {}
        }
    }
    if !names.is_empty() {
        sync_folder(&state.join(SECRETS))?;
    }
    Ok(())
}

/// Removes what stopped acts left; only for who holds the lock of the state folder: another act's file has no row yet.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`; those of the database.
pub(super) fn tidy(state: &Path, db: &Db) -> Result<()> {
    let folder = state.join(SECRETS);
    let kept: BTreeSet<String> = db.read(kept_secrets::list)?.into_iter().map(|row| row.file).collect();
    let entries = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let left: Vec<String> = entries
        .map_err(|error| Error::io("list", &folder, error))?
        .iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| is_ours(name) && !kept.contains(name))
        .collect();
    remove(state, &left)
}

/// What is wrong with a value that is kept here and cannot be read.
pub(super) fn unusable(found: String) -> Error {
    Error::new(Class::State, "secret-file", found)
        .expected("the file of a value that was entered or made here, as it was written")
        .remedy("end airlock serve and put a whole copy of the state folder in its place; or enter the value again with `airlock secret set NAME --replace`, as `airlock secret list` names it")
}

fn is_ours(name: &str) -> bool {
    let is_hex = |digits: &str| {
        digits.len() == DIGITS
            && digits
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    name.strip_suffix(ENDING).is_some_and(is_hex)
}

fn path(state: &Path, name: &str) -> Result<PathBuf> {
    if is_ours(name) {
        Ok(state.join(SECRETS).join(name))
    } else {
        Err(unusable(format!("the database names the file {name:?} of a secret")))
    }
}
