//! The outbox: names, files and rows of packages. What lies there without a row goes, what has one stays.
//!
//! A package's file has its head's digest as its name, so that packages of all vendors lie side by side; the name that it has wherever it
//! goes is [its head's](crate::package::Head::file_name).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::appliance::folder::{EXPORT_LOCK, OUTBOX};
use crate::appliance::state::Appliance;
use crate::db::site::packages;
use crate::domain::{Class, Error, Hash, Result};
use crate::stream::{Expected, LockFile, create_new, lock_holder, look, open_or_create, open_plain, sync_folder};

/// How names of packages end.
const ENDING: &str = ".airlock-status";
/// What is being written.
const UNFINISHED: &str = ".package.new";

/// Held while an export runs; the system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct ExportLock {
    _file: LockFile,
}

impl Appliance {
    /// Takes the lock of an export, and puts the outbox in order (E0): drafts of earlier lives of the state folder end, and so does what lies
    /// there without a row.
    ///
    /// # Errors
    ///
    /// `E-BUSY export` when another one runs; `E-STATE instance`; `E-STATE`, `E-IO` and `E-SPACE`.
    pub fn lock_export(&self) -> Result<ExportLock> {
        let path = self.folder().join(EXPORT_LOCK);
        let file = LockFile::new(open_or_create(&path, 0o600)?);
        match file.try_lock() {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let found = match lock_holder(&file) {
                    Some(holder) => format!("{holder} is making or signing a status package"),
                    None => "another export is running".to_owned(),
                };
                return Err(Error::new(Class::Busy, "export", found).remedy("wait for it to end"));
            }
            Err(error) => return Err(Error::io("lock", &path, error.into())),
        }
        let lock = ExportLock { _file: file };
        self.instance()?;
        for head in self.db.read(packages::stale_drafts)? {
            self.db.write(|transaction| packages::drop_draft(transaction, head))?;
        }
        clear(self, &lock)?;
        Ok(lock)
    }

    /// Returns where the file of a package stands.
    pub fn package_path(&self, head: Hash) -> PathBuf {
        self.folder().join(OUTBOX).join(format!("{head}{ENDING}"))
    }

    /// Opens the file of a package; nothing when it is gone.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `E-IO` and `E-SPACE`.
    pub fn open_package(&self, head: Hash) -> Result<Option<File>> {
        open_plain(&self.package_path(head))
    }
}

/// Takes away what lies in the outbox without a row.
///
/// # Errors
///
/// `E-IO`; those of the database.
pub(super) fn clear(appliance: &Appliance, _lock: &ExportLock) -> Result<()> {
    let outbox = appliance.folder().join(OUTBOX);
    let heads: BTreeSet<String> = appliance
        .db
        .read(packages::heads)?
        .into_iter()
        .map(|head| format!("{head}{ENDING}"))
        .collect();
    let listed = fs::read_dir(&outbox).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut removed = false;
    for entry in listed.map_err(|error| Error::io("list", &outbox, error))? {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        // Temporary names are those of files that were being replaced.
        let ours = name == UNFINISHED || name.trim_end_matches(".new").ends_with(ENDING);
        if ours && !heads.contains(name) {
            remove(&entry.path())?;
            removed = true;
        }
    }
    if removed {
        sync_folder(&outbox)?;
    }
    Ok(())
}

/// Writes a package whose name follows from what is written: durable under a temporary name, then under its own (E3).
///
/// # Errors
///
/// `E-STATE planted`, `E-IO` and `E-SPACE`; those of `make`.
pub(super) fn put<T>(
    appliance: &Appliance,
    _lock: &ExportLock,
    make: impl FnOnce(&mut File) -> Result<(Hash, T)>,
) -> Result<T> {
    let temporary = appliance.folder().join(OUTBOX).join(UNFINISHED);
    remove(&temporary)?;
    let mut file = create_new(&temporary, 0o600)?;
    let made = make(&mut file).and_then(|(head, value)| {
        let path = appliance.package_path(head);
        look(&path, Expected::File)?;
        file.sync_all().map_err(|error| Error::io("write", &temporary, error))?;
        #[expect(clippy::disallowed_methods, reason = "a durable file gets its name")]
        fs::rename(&temporary, &path).map_err(|error| Error::io("write", &path, error))?;
        Ok(value)
    });
    if made.is_err() {
        // The temporary file is worthless now, and the next export takes it away too; the error that matters is the first one.
        fs::remove_file(&temporary).ok();
    }
    let value = made?;
    sync_folder(&appliance.folder().join(OUTBOX))?;
    Ok(value)
}

/// Makes a file without a name, for what is put together before it is written.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO` and `E-SPACE`.
pub(super) fn spool(appliance: &Appliance, _lock: &ExportLock) -> Result<File> {
    let path = appliance.folder().join(OUTBOX).join(UNFINISHED);
    remove(&path)?;
    let file = create_new(&path, 0o600)?;
    remove(&path)?;
    Ok(file)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}
