//! Volumes that came before their turn: kept as they are, compared and durable, until those before them are here.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::earlier::{kept_volume, volume_path};
use super::folder::Staging;
use crate::domain::{Error, Result};
use crate::stream::{create_new, open_plain, sync_folder};

impl Staging {
    /// Opens what was kept of a volume of a size.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`; `E-IO`.
    pub fn kept_volume(&self, volume: usize, bytes: u64) -> Result<Option<(File, PathBuf)>> {
        kept_volume(self.folder(), volume, bytes)
    }

    /// Keeps a volume, which `write` writes: it has its name when it is durable.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`; `E-IO` and `E-SPACE`; those of `write`.
    pub fn keep_volume(
        &self,
        volume: usize,
        write: impl FnOnce(&mut dyn Write, &dyn Fn(io::Error) -> Error) -> Result<()>,
    ) -> Result<()> {
        let path = volume_path(self.folder(), volume);
        // One that a kill left goes, as every part that no journal names.
        let part = path.with_extension("part");
        if open_plain(&part)?.is_some() {
            fs::remove_file(&part).map_err(|e| Error::io("remove", &part, e))?;
        }
        let failed = |error| Error::io("write", &part, error);
        let mut file = BufWriter::with_capacity(1 << 20, create_new(&part, 0o600)?);
        let written = write(&mut file, &failed).and_then(|()| {
            let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
            file.sync_all().map_err(failed)
        });
        if let Err(error) = written {
            return Err(match fs::remove_file(&part) {
                Ok(()) => error,
                Err(left) => error.and_then(&Error::io("remove", &part, left)),
            });
        }
        #[expect(clippy::disallowed_methods, reason = "the file was synced")]
        fs::rename(&part, &path).map_err(|e| Error::io("name", &path, e))?;
        sync_folder(self.folder())
    }
}
