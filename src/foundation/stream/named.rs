//! Files that a person names, on the command line or in the configuration.

use std::fs::File;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, tee};

use super::looked::Looked;
use crate::domain::{Class, Error, Result};

/// How long a pipe may have nobody who writes into it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens a file that a person named: links are followed, and a pipe is read as well as a plain file. `doing` is the verb of the
/// message: "open the trust root".
///
/// Nobody waits for a pipe into which nobody writes: who is to write may begin within two seconds. One that somebody holds open for
/// writing is waited for, as long as that program takes its time: it may be asking the person something.
///
/// # Errors
///
/// `E-USAGE not-a-file` for a device, folder or socket, which is not opened; `E-USAGE no-writer`; `E-IO`.
pub fn open_named(path: &Path, doing: &str) -> Result<File> {
    let failed = |error| Error::io(doing, path, error);
    let looked = Looked::at(path).map_err(failed)?;
    let opened = match looked.kind() {
        FileType::RegularFile => looked.open().map_err(failed)?,
        FileType::Fifo => {
            let pipe = looked.open().map_err(failed)?;
            if !has_writer(&pipe).map_err(|errno| failed(errno.into()))? {
                return Err(no_writer(path));
            }
            // From here on its end is waited for.
            fcntl_getfl(&pipe)
                .and_then(|flags| fcntl_setfl(&pipe, flags.difference(OFlags::NONBLOCK)))
                .map_err(|errno| failed(errno.into()))?;
            pipe
        }
        _ => return Err(looked.refusal(path).expected("a plain file or a pipe")),
    };
    Ok(opened.into())
}

/// Opens a file that a person named and that is read again and again: links are followed, and only a plain file will do.
///
/// # Errors
///
/// `E-USAGE not-a-file` for anything else, which is not opened; `E-IO`.
pub fn open_lasting(path: &Path, doing: &str) -> Result<File> {
    let failed = |error| Error::io(doing, path, error);
    let looked = Looked::at(path).map_err(failed)?;
    if !looked.is_file() {
        return Err(looked.refusal(path).expected("a plain file"));
    }
    Ok(looked.open().map_err(failed)?.into())
}

/// Whether somebody writes into a pipe, or did.
fn has_writer(pipe: &OwnedFd) -> rustix::io::Result<bool> {
    let patience = Timespec::try_from(PATIENCE).map_err(|_| Errno::INVAL)?;
    // Bytes, or an end after them.
    if poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&patience))? > 0 {
        return Ok(true);
    }
    // Who has opened it and is silent shows only to who reads: this takes nothing out of it.
    let (_kept, copy) = pipe_with(PipeFlags::CLOEXEC)?;
    match tee(pipe.as_fd(), copy.as_fd(), 1, SpliceFlags::NONBLOCK) {
        Ok(0) => Ok(false),
        Ok(_) | Err(Errno::AGAIN) => Ok(true),
        Err(errno) => Err(errno),
    }
}

fn no_writer(path: &Path) -> Error {
    Error::new(
        Class::Usage,
        "no-writer",
        format!("{} is a pipe, and nobody writes into it", path.display()),
    )
    .expected("a plain file, or a pipe that something writes into")
    .remedy("start what writes into the pipe, then this command; or name a plain file")
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;
    use crate::stream::open_beside;

    fn text(mut file: File) -> String {
        let mut text = String::new();
        #[expect(clippy::disallowed_methods, reason = "a file that this test wrote")]
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn kinds_are_told_apart_and_only_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        File::create(path("file")).unwrap().write_all(b"x").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        mkfifoat(CWD, path("pipe"), Mode::RWXU).unwrap();
        std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        assert_eq!(text(open_named(&path("file"), "open").unwrap()), "x");
        assert_eq!(text(open_named(&path("link"), "open").unwrap()), "x");
        assert_eq!(text(open_beside(&path("file"), "open").unwrap().unwrap()), "x");
        for name in ["link", "pipe", "socket", "."] {
            let error = open_beside(&path(name), "open").unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "not-a-file"), "{name}");
        }
        assert_eq!(text(open_lasting(&path("link"), "open").unwrap()), "x");
        for other in [
            path("pipe"),
            path("socket"),
            folder.path().to_owned(),
            "/dev/null".into(),
        ] {
            let error = open_lasting(&other, "open").unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "not-a-file"), "{other:?}");
        }
        for other in [path("socket"), folder.path().to_owned(), "/dev/null".into()] {
            let error = open_named(&other, "open").unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "not-a-file"), "{other:?}");
        }
        assert!(open_beside(&path("none"), "open").unwrap().is_none());
    }
}
