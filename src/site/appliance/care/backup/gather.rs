//! Small files and copies of the databases that belong together, while servers and imports go on.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use zeroize::Zeroizing;

use super::facts::SiteFacts;
use crate::appliance::folder::{
    DATABASE, EVIDENCE_FOLDER, IDENTITY, MARKS, OUTBOX, RECEIPTS, ROOTS, SECRETS, STATUS_DATABASE, STATUS_MARK,
};
use crate::appliance::{Appliance, identity};
use crate::db::site::acknowledgements::{self, Reached};
use crate::db::site::stream_log;
use crate::db::{Reader, Schema};
use crate::domain::{Class, Error, Result};
use crate::stream::{Expected, LockFile, look, open_or_create, open_plain, read_bounded};

/// No small file of an appliance is longer.
const SMALL: u64 = 4 << 20;
/// How often it is tried to meet a moment in which nothing changes.
const TRIES: usize = 8;

/// A copy of a database beside it, removed when this goes.
pub(super) struct Copied {
    /// Its name in the backup.
    pub(super) name: &'static str,
    pub(super) path: PathBuf,
    _lock: LockFile,
}

/// What belongs together.
pub(super) struct Gathered {
    pub(super) small: Vec<(String, Zeroizing<Vec<u8>>)>,
    /// Packages, and documents that prove something: written once, and held open, so that nobody takes them away.
    pub(super) held: Vec<(String, File)>,
    pub(super) databases: Vec<Copied>,
    pub(super) facts: SiteFacts,
}

/// Gathers.
///
/// # Errors
///
/// `E-BUSY backup` when another one runs, or keys and acknowledgements change all the while; `E-STATE`, `E-IO`, `E-SPACE`.
pub(super) fn gather(appliance: &Appliance, content: bool) -> Result<Gathered> {
    // Whoever changes keys, secrets or pins is waited out where that takes moments. An import may hold it for hours, and changes none of
    // these: what is read twice says whether anything did change.
    let _lock = match appliance.lock() {
        Ok(lock) => Some(lock),
        Err(error) if error.class() == Class::Busy => None,
        Err(error) => return Err(error),
    };
    let _identity = identity::hold(appliance.folder())?;
    let state = appliance.folder();
    for _ in 0..TRIES {
        let before = (small(state)?, acknowledged(appliance)?);
        let mut databases = vec![copy(state, DATABASE, |copy| appliance.db.copy_to(copy))?];
        // Second: what `airlock.db` says was signed is in it.
        let status = state.join(STATUS_DATABASE);
        if look(&status, Expected::File)?.is_some() {
            databases.push(copy(state, STATUS_DATABASE, |copy| {
                Reader::open(&status, &Schema::STATUS)?.copy_to(copy)
            })?);
        }
        let held = held(state)?;
        if before != (small(state)?, acknowledged(appliance)?) {
            continue;
        }
        let copied = Reader::open(&state.join(copy_name(DATABASE)), &Schema::SITE)?;
        let (facts, _) = copied.read(|connection| SiteFacts::read(connection, state, content))?;
        return Ok(Gathered {
            small: before.0,
            held,
            databases,
            facts,
        });
    }
    Err(Error::new(
        Class::Busy,
        "backup",
        "another command changes keys, secrets, pins or acknowledgements all the while",
    )
    .remedy("wait for it to end"))
}

/// Returns what vendors said that they have: `status.db` lets it go once `airlock.db` has it.
fn acknowledged(appliance: &Appliance) -> Result<Vec<Reached>> {
    appliance.db.read(|connection| {
        let domains = stream_log::domains(connection)?.into_iter();
        domains
            .map(|domain| acknowledgements::reached(connection, domain))
            .collect()
    })
}

fn small(state: &Path) -> Result<Vec<(String, Zeroizing<Vec<u8>>)>> {
    let mut files = Vec::new();
    let mut read = |name: String| -> Result<()> {
        if let Some(file) = open_plain(&state.join(&name))? {
            files.push((
                name,
                Zeroizing::new(read_bounded(file, SMALL, "a file of the state folder")?),
            ));
        }
        Ok(())
    };
    for name in [MARKS, STATUS_MARK] {
        read(name.to_owned())?;
    }
    for folder in [IDENTITY, ROOTS, SECRETS, RECEIPTS] {
        for name in names(&state.join(folder))? {
            read(format!("{folder}/{name}"))?;
        }
    }
    Ok(files)
}

fn held(state: &Path) -> Result<Vec<(String, File)>> {
    let mut files = Vec::new();
    for folder in [OUTBOX, EVIDENCE_FOLDER] {
        for name in names(&state.join(folder))? {
            // Damaged content proves nothing, and may be large.
            if folder == EVIDENCE_FOLDER && name.contains(".blob-") {
                continue;
            }
            if let Some(file) = open_plain(&state.join(folder).join(&name))? {
                files.push((format!("{folder}/{name}"), file));
            }
        }
    }
    Ok(files)
}

/// Returns the names in a folder, sorted, but for what is being written under a name of before.
fn names(folder: &Path) -> Result<Vec<String>> {
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

fn copy_name(database: &str) -> String {
    format!("{database}.copy")
}

fn copy(state: &Path, name: &'static str, make: impl FnOnce(&Path) -> Result<()>) -> Result<Copied> {
    let path = state.join(copy_name(name));
    let lock = LockFile::new(open_or_create(&path, 0o600)?);
    match lock.try_lock() {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            return Err(
                Error::new(Class::Busy, "backup", "another backup of this state folder is made")
                    .remedy("wait for it to end"),
            );
        }
        Err(error) => return Err(Error::io("lock", &path, error.into())),
    }
    // What a stopped one left is not to be copied into.
    lock.set_len(0).map_err(|error| Error::io("write", &path, error))?;
    let copied = Copied {
        name,
        path,
        _lock: lock,
    };
    make(&copied.path)?;
    Ok(copied)
}

impl Copied {
    /// Opens it, and returns its bytes.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `E-IO`.
    pub(super) fn open(&self) -> Result<(File, u64)> {
        let gone = || Error::io("open", &self.path, std::io::ErrorKind::NotFound.into());
        let file = open_plain(&self.path)?.ok_or_else(gone)?;
        let size = file
            .metadata()
            .map_err(|error| Error::io("look at", &self.path, error))?
            .size();
        Ok((file, size))
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // One that stays is emptied by the next backup.
        fs::remove_file(&self.path).ok();
    }
}
