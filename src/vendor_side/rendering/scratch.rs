//! A folder of one's own for a while.

use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::running;
use crate::domain::{Class, Error, Result};

/// A folder that nobody else may look into; it goes when this does.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one among the machine's temporary files.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn new() -> Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| {
            Error::new(
                Class::Io,
                "random",
                format!("the system gives no random bytes: {error}"),
            )
        })?;
        let path = std::env::temp_dir().join(format!("airlock-chart-{:016x}", u64::from_le_bytes(random)));
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Error::io("create the folder", &path, error))?;
        running::made(&path);
        Ok(Self(path))
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes a folder in it.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        fs::create_dir(&path).map_err(|error| Error::io("create the folder", &path, error))?;
        Ok(path)
    }

    /// Writes a file in it, in place of one that is there.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.0.join(name);
        File::create(&path)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(|error| Error::io("write", &path, error))?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        running::remove(&self.0);
    }
}
