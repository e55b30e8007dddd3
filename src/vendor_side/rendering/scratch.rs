//! A folder of one's own for a while.
//!
//! It is locked for as long as it is used. One that nobody holds is left from a process that was killed.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::geteuid;

use super::running;
use crate::domain::{Class, Error, Result};
use crate::stream::LockFile;

const NAME: &str = "airlock-chart-";

/// A folder that nobody else may look into; it goes when this does.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    _lock: LockFile,
}

impl Scratch {
    /// Makes one among the machine's temporary files.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn new() -> Result<Self> {
        loop {
            let path = std::env::temp_dir().join(format!("{NAME}{:016x}", random()?));
            DirBuilder::new()
                .mode(0o700)
                .create(&path)
                .map_err(|error| Error::io("create the folder", &path, error))?;
            running::made(&path);
            let lock = match open(&path) {
                Ok(lock) => lock,
                // As below.
                Err(rustix::io::Errno::NOENT) => {
                    running::remove(&path);
                    continue;
                }
                Err(error) => return Err(Error::io("open", &path, error.into())),
            };
            // Where the file system has no locks, nobody removes what is left.
            lock.lock().ok();
            if is_still(&lock, &path) {
                return Ok(Self { path, _lock: lock });
            }
            // Before it was locked another process took it for one that was left.
            running::remove(&path);
        }
    }

    /// Removes what processes of this user left that were killed. What cannot be removed stays among the temporary files.
    pub(super) fn remove_left() {
        let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
            return;
        };
        for entry in entries.flatten() {
            let is_named = entry.file_name().to_str().is_some_and(is_name);
            let is_own = |file: &Metadata| file.is_dir() && file.uid() == geteuid().as_raw();
            if !is_named || !entry.metadata().is_ok_and(|file| is_own(&file)) {
                continue;
            }
            let path = entry.path();
            if let Ok(lock) = open(&path)
                && lock.try_lock().is_ok()
                && is_still(&lock, &path)
            {
                fs::remove_dir_all(&path).ok();
            }
        }
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a folder in it.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir(&path).map_err(|error| Error::io("create the folder", &path, error))?;
        Ok(path)
    }

    /// Writes a file in it, in place of one that is there.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.path.join(name);
        File::create(&path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|error| Error::io("write", &path, error))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        running::remove(&self.path);
    }
}

fn random() -> Result<u64> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| {
        let found = format!("the system gives no random bytes: {error}");
        Error::new(Class::Io, "random", found)
    })?;
    Ok(u64::from_le_bytes(random))
}

fn is_name(name: &str) -> bool {
    let digits = name.strip_prefix(NAME).unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Opens a folder, never through a link.
fn open(path: &Path) -> rustix::io::Result<LockFile> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::open(path, flags, Mode::empty())?;
    Ok(LockFile::new(File::from(folder)))
}

/// Whether a folder that was opened still stands there.
fn is_still(folder: &File, path: &Path) -> bool {
    match (folder.metadata(), fs::symlink_metadata(path)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}
