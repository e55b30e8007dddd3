//! Writes a bundle file: under a partial name, synced, read back from the medium, and only then under its own name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom};
use std::num::NonZero;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, OFlags};

use super::old_head::{SUFFIX, beside};
use crate::domain::{Class, Error, Result};
use crate::stream::{PAGE, sync_folder};

/// What is appended to the name of a bundle while it is written.
pub(super) const PARTIAL: &str = ".partial";
/// Bytes after which their write-back is asked for.
const WRITTEN_BACK: u64 = 8 << 20;

/// A bundle on its way to its name. Dropped before [`BundleFile::publish`], it leaves nothing behind.
#[derive(Debug)]
pub struct BundleFile {
    path: PathBuf,
    partial: PathBuf,
    file: File,
    /// Where the next byte goes.
    position: u64,
    /// Up to where write-back was asked for.
    asked: u64,
    published: bool,
}

impl BundleFile {
    /// Begins a bundle that will be called `path`; the payload is written from `payload_offset` on.
    ///
    /// # Errors
    ///
    /// `E-USAGE output` when something stands in the way that is no file; `E-IO` and `E-SPACE`.
    pub fn create(path: &Path, payload_offset: u64) -> Result<Self> {
        let partial = beside(path, PARTIAL);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            // What somebody put under this name is neither followed nor waited for.
            .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
            .open(&partial)
            .map_err(|error| in_the_way(&partial).unwrap_or_else(|| Error::io("create", &partial, error)))?;
        file.seek(SeekFrom::Start(payload_offset))
            .map_err(|e| Error::io("seek in", &partial, e))?;
        Ok(Self {
            path: path.to_owned(),
            partial,
            file,
            position: payload_offset,
            asked: payload_offset,
            published: false,
        })
    }

    /// Returns the path under which the bundle stands until it is published.
    pub fn partial_path(&self) -> &Path {
        &self.partial
    }

    /// Asks for the write-back of what came, in whole pages: the medium is busy while the next chunks are packed, and the sync at the end
    /// finds little to do.
    fn write_back(&mut self) {
        let end = self.position.saturating_sub(self.position % PAGE as u64);
        let length = end.saturating_sub(self.asked);
        if let Some(length) = NonZero::new(length).filter(|length| length.get() >= WRITTEN_BACK) {
            // Advice: a file system that has no use for it loses nothing.
            rustix::fs::fadvise(&self.file, self.asked, Some(length), Advice::DontNeed).ok();
            self.asked = end;
        }
    }

    /// Writes the bytes before the payload and makes the whole file durable.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub fn seal(&mut self, prologue: &[u8]) -> Result<()> {
        self.file
            .write_all_at(prologue, 0)
            .and_then(|()| self.file.sync_all())
            .map_err(|e| Error::io("write", &self.partial, e))
    }

    /// Gives the bundle another name than the one that it was begun for.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub(super) fn publish_as(mut self, path: &Path) -> Result<()> {
        path.clone_into(&mut self.path);
        self.publish()
    }

    /// Gives the bundle its name.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    pub fn publish(mut self) -> Result<()> {
        #[expect(clippy::disallowed_methods, reason = "the file was synced by seal and read back")]
        fs::rename(&self.partial, &self.path).map_err(|e| Error::io("name", &self.path, e))?;
        self.published = true;
        // What a signing left of an earlier bundle of this name belongs to none any more.
        match fs::remove_file(beside(&self.path, SUFFIX)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &beside(&self.path, SUFFIX), error));
            }
            _ => {}
        }
        sync_folder(self.path.parent().unwrap_or(Path::new(".")))
    }
}

/// Says what stands under the partial name that is no file, where something does: it is never written to, nor removed.
fn in_the_way(partial: &Path) -> Option<Error> {
    let kind = fs::symlink_metadata(partial).ok()?.file_type();
    // A folder has its own advice.
    if kind.is_file() || kind.is_dir() {
        return None;
    }
    let what = if kind.is_symlink() {
        "link"
    } else if kind.is_fifo() {
        "pipe"
    } else {
        "device"
    };
    Some(
        Error::new(
            Class::Usage,
            "output",
            format!(
                "{} is a {what}, where the file is written before it gets its name",
                partial.display()
            ),
        )
        .expected("nothing, or a file that an earlier run left")
        .remedy("find out who put it there, and remove it; nothing was written"),
    )
}

impl io::Write for BundleFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.position = self.position.saturating_add(count as u64);
        self.write_back();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for BundleFile {
    fn drop(&mut self) {
        if !self.published {
            // The error that ended the writing is the one to report.
            fs::remove_file(&self.partial).ok();
        }
    }
}
