//! What earlier runs fetched from registries: `cache/content/<hex>` of the workspace, safe to delete at any time.
//!
//! Nothing there is believed: a blob is used after its hash was compared, and kept under its name after its hash was computed. How much
//! stays there is for the encoder to bound, which keeps layers in the same folder.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD};
use sha2::{Digest as _, Sha256};

use crate::domain::{Digest, Hash, Result};
use crate::stream::{create_own_folder, open_plain, read_exact_or_end, unnamed_file};

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct KeptContent {
    folder: PathBuf,
}

impl KeptContent {
    /// The folder of a workspace, there or not: to look, and not to keep.
    pub(super) fn at(workspace: &Path) -> Self {
        Self {
            folder: workspace.join("cache/content"),
        }
    }

    /// Opens the folder of a workspace.
    ///
    /// # Errors
    ///
    /// `E-IO`, `E-SPACE`.
    pub(super) fn of(workspace: &Path) -> Result<Self> {
        let folder = workspace.join("cache");
        create_own_folder(&folder)?;
        let folder = folder.join("content");
        create_own_folder(&folder)?;
        Ok(Self { folder })
    }

    /// Opens a blob whose bytes are right; any other is as good as none.
    pub(super) fn open(&self, digest: &Digest, size: u64) -> Option<File> {
        let mut file = open_plain(&self.path(digest)).ok().flatten()?;
        if file.metadata().ok()?.len() != size {
            return None;
        }
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        loop {
            let count = read_exact_or_end(&mut file, &mut buffer).ok()?;
            hash.update(buffer.get(..count).unwrap_or_default());
            if count < buffer.len() {
                break;
            }
        }
        file.rewind().ok()?;
        (Digest(Hash(hash.finalize().into())) == *digest).then_some(file)
    }

    /// Whether a blob is here, by its name and size alone.
    pub(super) fn has(&self, digest: &Digest, size: u64) -> bool {
        let found = std::fs::symlink_metadata(self.path(digest));
        found.is_ok_and(|found| found.is_file() && found.len() == size)
    }

    /// Keeps a blob while it is read.
    pub(super) fn keeping(&self, digest: &Digest, size: u64, reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        match unnamed_file(&self.folder) {
            Ok(file) => Box::new(Keeping {
                reader,
                copy: Some((file, Sha256::new())),
                digest: *digest,
                left: size,
                path: self.path(digest),
            }),
            // A bundle can be made without a copy of what it is made of.
            Err(_) => reader,
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.0.to_hex())
    }
}

struct Keeping {
    reader: Box<dyn Read + Send>,
    copy: Option<(File, Sha256)>,
    digest: Digest,
    left: u64,
    path: PathBuf,
}

impl Read for Keeping {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        let came = buffer.get(..count).unwrap_or_default();
        self.left = self.left.saturating_sub(count as u64);
        if let Some((file, hash)) = &mut self.copy {
            hash.update(came);
            // A full disk ends the copy and not the bundle, which says itself where it has no room.
            if file.write_all(came).is_err() {
                self.copy = None;
            }
        }
        if self.left == 0
            && let Some((file, hash)) = self.copy.take()
            && Digest(Hash(hash.finalize().into())) == self.digest
        {
            let unnamed = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
            // Under its name already, or without one: the next run finds out.
            rustix::fs::linkat(CWD, &unnamed, CWD, &self.path, AtFlags::SYMLINK_FOLLOW).ok();
        }
        Ok(count)
    }
}
