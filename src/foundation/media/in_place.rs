//! A bundle whose bytes before the payload are rewritten where it lies: it is the old one or the new one whenever it stops.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::old_head::{OldHead, SUFFIX, beside};
use super::seekable::Seekable;
use crate::container::Input;
use crate::domain::{Class, Error, Result};
use crate::stream::{LockFile, Looked, sync_folder, write_atomically};

/// Bytes copied at a time.
const COPY: usize = 1 << 20;

/// A bundle file that nobody else signs meanwhile.
#[derive(Debug)]
pub struct BundleInPlace {
    /// The file's own path, links followed.
    path: PathBuf,
    file: LockFile,
    size: u64,
    /// Whether a signing that was cut off was undone first.
    restored: bool,
}

impl BundleInPlace {
    /// Opens a bundle file for signing, and puts its old head back where an earlier signing was cut off.
    ///
    /// # Errors
    ///
    /// `E-USAGE not-a-file` for a folder, pipe or device; `E-BUSY` when somebody else signs it; `E-IO` when it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |error: io::Error| Error::io("open for signing", path, error).remedy(DETACHED);
        let looked = Looked::at(path).map_err(|e| Error::io("open", path, e))?;
        if !looked.is_file() {
            let refusal = looked.refusal(path).expected("a bundle file, which is signed in place");
            return Err(refusal.remedy(if looked.is_folder() {
                "name the bundle file in the folder itself"
            } else {
                "name the bundle file itself, or copy the bundle to a file first"
            }));
        }
        let own = looked.real_path().map_err(failed)?;
        let file = LockFile::new(File::from(looked.open_with(OFlags::RDWR).map_err(failed)?));
        match file.try_lock() {
            // Some network file systems have no locks; then people must take turns themselves.
            Ok(()) | Err(rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOLCK) => {}
            Err(rustix::io::Errno::AGAIN) => {
                return Err(
                    Error::new(Class::Busy, "signing", format!("{} is being signed", path.display()))
                        .remedy("wait for the other signing to end, and try again"),
                );
            }
            Err(error) => return Err(Error::io("lock", path, error.into())),
        }
        let size = file.metadata().map_err(|e| Error::io("look at", path, e))?.len();
        let mut bundle = Self {
            path: own,
            file,
            size,
            restored: false,
        };
        if let Some(old) = OldHead::find(&bundle.file, size, &bundle.path)? {
            bundle.put_back(&old)?;
            bundle.restored = true;
        }
        Ok(bundle)
    }

    /// Whether an earlier signing was cut off and has been undone.
    pub fn was_restored(&self) -> bool {
        self.restored
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads the bundle from its beginning.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn input(&self) -> Result<Box<dyn Input>> {
        let input = self
            .file
            .try_clone()
            .and_then(|file| Seekable::new(file, self.size))
            .map_err(|e| Error::io("read", &self.path, e))?;
        Ok(Box::new(input))
    }

    /// Puts new bytes in place of those before the payload. The old ones stand beside the file, synced, until the new ones are.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`. Where the old bytes could be kept and the new ones not be written, the bundle is the old one.
    pub fn replace(&mut self, prologue: &[u8]) -> Result<()> {
        let mut old = vec![0; prologue.len()];
        self.file
            .read_exact_at(&mut old, 0)
            .map_err(|e| Error::io("read", &self.path, e))?;
        let backup = beside(&self.path, SUFFIX);
        write_atomically(&backup, &old, 0o644).map_err(|error| error.remedy(DETACHED))?;
        let written = self
            .file
            .write_all_at(prologue, 0)
            .and_then(|()| self.file.sync_all())
            .map_err(|e| Error::io("write", &self.path, e));
        if let Err(error) = written {
            if let Some(old) = OldHead::find(&self.file, self.size, &self.path)? {
                // The error that ended the writing is the one to report; where this fails too, readers take the old head.
                self.put_back(&old).ok();
            }
            return Err(error);
        }
        self.forget(&backup)
    }

    fn put_back(&mut self, old: &OldHead) -> Result<()> {
        let failed = |error| Error::io("put the old head back into", &self.path, error);
        let mut buffer = vec![0; COPY];
        let mut at = 0;
        loop {
            let count = old.file.read_at(&mut buffer, at).map_err(failed)?;
            if count == 0 {
                break;
            }
            self.file
                .write_all_at(buffer.get(..count).unwrap_or_default(), at)
                .map_err(failed)?;
            at = at.saturating_add(count as u64);
        }
        self.file.sync_all().map_err(failed)?;
        self.forget(&old.path)
    }

    fn forget(&self, backup: &Path) -> Result<()> {
        std::fs::remove_file(backup).map_err(|e| Error::io("remove", backup, e))?;
        sync_folder(self.path.parent().unwrap_or(Path::new(".")))
    }
}

/// What to do where a medium cannot be written.
const DETACHED: &str =
    "write the signature into a file of its own with --detached FILE, or copy the bundle to where it can be written";
