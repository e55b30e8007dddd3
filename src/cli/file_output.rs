//! Where a file goes that leaves the appliance: a free name, a name in a folder, or a pipe.
//!
//! The bytes are written under a name of their own beside it, and get theirs when all of them were compared and are durable: whoever
//! finds the file finds it whole. What stands there is kept, unless the person says another word. The name that the vendor gave is used in
//! a folder alone; what it may not be was judged where it was read.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::output_place::check_outside;
use super::ui::not_written;
use crate::appliance::registry::FileLayer;
use crate::domain::{Class, Error, Result};
use crate::store::space;
use crate::stream::{Looked, create_new, sync_folder};

/// Who may do what with a file where nobody says it.
const MODE: u32 = 0o644;

/// Where a file goes.
#[derive(Debug)]
pub(super) enum Output<'a> {
    /// Under this name.
    File { path: &'a Path, replace: bool },
    /// Into this folder, under its own name.
    Folder {
        path: &'a Path,
        replace: bool,
        state: &'a Path,
    },
    /// To standard output.
    Pipe,
}

/// Takes bytes.
type Take<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

impl<'a> Output<'a> {
    /// Looks at a place before anything is read; `state` is where the appliance keeps its own.
    ///
    /// # Errors
    ///
    /// `E-USAGE output` when something stands there, or the place is the appliance's own; `E-IO`.
    pub(super) fn new(path: &'a Path, replace: bool, state: &'a Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Pipe);
        }
        check_outside(path, state)?;
        if fs::metadata(path).is_ok_and(|found| found.is_dir()) {
            return Ok(Self::Folder { path, replace, state });
        }
        let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
        if is_folder || path.file_name().is_none() {
            return Err(
                Error::new(Class::Usage, "output", format!("{} is no folder", path.display()))
                    .expected("a folder that is there, or the name of a file")
                    .remedy("make the folder, or mount the medium; nothing was written"),
            );
        }
        check_free(path, replace)?;
        Ok(Self::File { path, replace })
    }

    /// Writes the bytes that `fill` hands on, and returns the name that they got.
    ///
    /// # Errors
    ///
    /// Those of `fill`; `E-USAGE output` when the name is taken, `title` when the file has none for a folder; `E-IO`, `E-SPACE`.
    pub(super) fn write(
        self,
        file: &FileLayer,
        fill: &mut dyn FnMut(Take<'_>) -> Result<()>,
    ) -> Result<Option<PathBuf>> {
        let (path, replace) = match self {
            Self::Pipe => {
                let mut stdout = io::stdout().lock();
                fill(&mut |bytes| stdout.write_all(bytes).map_err(|error| not_written(&error)))?;
                stdout.flush().map_err(|error| not_written(&error))?;
                return Ok(None);
            }
            Self::File { path, replace } => (path.to_owned(), replace),
            Self::Folder { path, replace, state } => {
                let Some(title) = &file.title else {
                    return Err(Error::new(
                        Class::Usage,
                        "title",
                        format!("{} has no name of its own that a file may have", file.digest),
                    )
                    .expected("the name of a file")
                    .remedy("name the file with -o; nothing was written"));
                };
                let path = path.join(title);
                check_outside(&path, state)?;
                check_free(&path, replace)?;
                (path, replace)
            }
        };
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        check_room(folder, file.size)?;
        let growing = Growing::create(folder, file.mode.unwrap_or(MODE))?;
        fill(&mut |bytes| growing.write(bytes))?;
        growing.publish(&path, replace)?;
        sync_folder(folder)?;
        Ok(Some(path))
    }
}

/// A file that has another name until it is whole; dropped before, it is removed.
struct Growing {
    path: PathBuf,
    file: File,
    published: bool,
}

impl Growing {
    fn create(folder: &Path, mode: u32) -> Result<Self> {
        let path = folder.join(format!(".airlock-file-{}.partial", std::process::id()));
        Ok(Self {
            // The umask of the person counts, as for every file that a program makes.
            file: create_new(&path, mode & 0o777)?,
            path,
            published: false,
        })
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        (&self.file)
            .write_all(bytes)
            .map_err(|error| Error::io("write", &self.path, error))
    }

    fn publish(mut self, name: &Path, replace: bool) -> Result<()> {
        self.file
            .sync_all()
            .map_err(|error| Error::io("write", &self.path, error))?;
        let flags = if replace {
            RenameFlags::empty()
        } else {
            RenameFlags::NOREPLACE
        };
        match renameat_with(CWD, &self.path, CWD, name, flags) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(taken(name, "is there already")),
            // File systems that cannot say it: nobody else gives this name but in this very moment.
            Err(Errno::INVAL | Errno::NOSYS) => {
                check_free(name, replace)?;
                #[expect(clippy::disallowed_methods, reason = "the file was synced")]
                fs::rename(&self.path, name).map_err(|error| Error::io("name", name, error))?;
            }
            Err(errno) => return Err(Error::io("name", name, errno.into())),
        }
        self.published = true;
        Ok(())
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        if !self.published {
            // The error that ended the writing is the one to report.
            fs::remove_file(&self.path).ok();
        }
    }
}

fn check_room(folder: &Path, size: u64) -> Result<()> {
    let free = space(folder)?.bytes;
    if size <= free {
        return Ok(());
    }
    Err(Error::new(
        Class::Space,
        "no-space",
        format!("{} has {free} bytes left", folder.display()),
    )
    .expected(format!("room for {size} bytes"))
    .remedy("free space there, or name another place with -o; nothing was written"))
}

/// Checks that a name is free, or a plain file's where that may be replaced.
fn check_free(path: &Path, replace: bool) -> Result<()> {
    match Looked::itself(path) {
        Ok(looked) if replace && looked.is_file() => Ok(()),
        Ok(looked) if looked.is_file() => Err(taken(path, "is there already")),
        Ok(looked) => Err(taken(path, &format!("is {}", looked.what()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("look at", path, error)),
    }
}

fn taken(path: &Path, what: &str) -> Error {
    Error::new(Class::Usage, "output", format!("{} {what}", path.display()))
        .expected("a free name")
        .remedy("give another name with -o, or move it away; a file that may be lost is replaced with --replace")
}
