//! Files that are looked at before they are opened.
//!
//! Opening acts: a tape rewinds, a watchdog arms, a modem line rises, a pipe waits for its other end. So what stands at a path is first
//! held by `O_PATH`, which touches nothing, and only what is of an expected kind is then opened: through that very handle, so that
//! what was looked at is what is opened, whatever happens to the name in between.
//!
//! | Who named it | Links | What may be opened |
//! |---|---|---|
//! | a person, on the command line: [`open_named`] | followed | a plain file, or a pipe (`<(…)`, `/dev/fd/N`) |
//! | this program, in a folder of its own: [`open_beside`] | refused | a plain file |
//! | a medium, or a file that somebody else wrote | the caller's rule, by [`Looked`] | a plain file |

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::path::Arg;

use crate::domain::{Class, Code, Error, Result};

/// Sub-code of a path at which something else stands than a file.
pub const NOT_A_FILE: Code = Code::new("not-a-file");

/// What a look needs: the name alone, nothing of what is behind it.
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// What stands at a path: held, not opened.
#[derive(Debug)]
pub struct Looked {
    handle: OwnedFd,
    stat: Stat,
}

impl Looked {
    /// Looks at a path and follows links.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn at(path: &Path) -> io::Result<Self> {
        Self::of(rustix::fs::openat(CWD, path, LOOK, Mode::empty())?)
    }

    /// Looks at a name in a folder. A link is what it is: nothing that could be opened.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn in_folder(folder: BorrowedFd<'_>, name: impl Arg) -> io::Result<Self> {
        Self::of(rustix::fs::openat(
            folder,
            name,
            LOOK | OFlags::NOFOLLOW,
            Mode::empty(),
        )?)
    }

    /// Looks at a path below a folder. No part of it leads out: no link, no `..`, no path from the root.
    ///
    /// # Errors
    ///
    /// `EXDEV` for a path that leads out; `ENOSYS` where the system is older than Linux 5.6; else those of the system.
    pub fn below(folder: BorrowedFd<'_>, path: &Path) -> io::Result<Self> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        Self::of(rustix::fs::openat2(folder, path, LOOK, Mode::empty(), resolve)?)
    }

    fn of(handle: OwnedFd) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&handle)?;
        Ok(Self { handle, stat })
    }

    /// Returns what kind of thing it is.
    pub fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    /// Whether it is a plain file.
    pub fn is_file(&self) -> bool {
        self.kind() == FileType::RegularFile
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.kind() == FileType::Directory
    }

    /// Returns its size in bytes.
    pub fn size(&self) -> u64 {
        u64::try_from(self.stat.st_size).unwrap_or(0)
    }

    /// Returns its permission bits.
    pub fn mode(&self) -> u32 {
        self.stat.st_mode & 0o7777
    }

    /// Returns the path that led here, every link of it followed.
    ///
    /// # Errors
    ///
    /// Those of the system, for example where `/proc` is not mounted.
    pub fn real_path(&self) -> io::Result<PathBuf> {
        std::fs::read_link(self.again())
    }

    /// Opens what was looked at for reading. Never waits: not for a pipe's other end, not for a lease.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn open(&self) -> io::Result<OwnedFd> {
        self.open_with(OFlags::RDONLY | OFlags::NONBLOCK)
    }

    /// As [`Self::open`], for other purposes than reading without waiting.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn open_with(&self, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY;
        Ok(rustix::fs::open(self.again(), flags, Mode::empty())?)
    }

    /// Returns what it is, in a word or two.
    pub fn what(&self) -> &'static str {
        match self.kind() {
            FileType::RegularFile => "a plain file",
            FileType::Directory => "a folder",
            FileType::Symlink => "a link",
            FileType::Fifo => "a pipe",
            FileType::Socket => "a socket",
            FileType::BlockDevice | FileType::CharacterDevice => "a device",
            FileType::Unknown => "no file",
        }
    }

    /// Refuses it as what no file can be read from.
    pub fn refusal(&self, path: &Path) -> Error {
        Error::new(
            Class::Usage,
            NOT_A_FILE,
            format!("{} is {}", path.display(), self.what()),
        )
        .expected("a plain file")
        .remedy("name the file itself")
    }

    fn again(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.handle.as_fd().as_raw_fd()))
    }
}

/// Opens a file that a person named: links are followed, and a pipe is read as well as a plain file. `doing` is the verb of the
/// message: "open the trust root".
///
/// # Errors
///
/// `E-USAGE not-a-file` for a device, folder or socket, which is not opened; `E-IO`.
pub fn open_named(path: &Path, doing: &str) -> Result<File> {
    let failed = |error| Error::io(doing, path, error);
    let looked = Looked::at(path).map_err(failed)?;
    match looked.kind() {
        FileType::RegularFile => looked.open(),
        // The person wants it read: its other end may come later.
        FileType::Fifo => looked.open_with(OFlags::RDONLY),
        _ => return Err(looked.refusal(path).expected("a plain file or a pipe")),
    }
    .map(File::from)
    .map_err(failed)
}

/// Opens a file that this program keeps in a folder of its own, no link; nothing when there is none.
///
/// # Errors
///
/// `E-USAGE not-a-file` for anything else than a plain file, which is not opened; `E-IO`.
pub fn open_beside(path: &Path, doing: &str) -> Result<Option<File>> {
    let failed = |error| Error::io(doing, path, error);
    match Looked::in_folder(CWD, path) {
        Ok(looked) if looked.is_file() => looked.open().map(|file| Some(file.into())).map_err(failed),
        // Nobody named it.
        Ok(looked) => Err(looked
            .refusal(path)
            .remedy("move it away, and put the file back from your backup")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    fn text(mut file: File) -> String {
        let mut text = String::new();
        #[expect(clippy::disallowed_methods, reason = "a file that this test wrote")]
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn what_was_looked_at_is_what_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        File::create(&path).unwrap().write_all(b"first").unwrap();
        let looked = Looked::at(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(CWD, &path, Mode::RWXU).unwrap();
        assert_eq!(text(looked.open().unwrap().into()), "first");
        assert_eq!(Looked::at(&path).unwrap().what(), "a pipe");
    }

    #[test]
    fn kinds_are_told_apart_and_only_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        File::create(path("file")).unwrap().write_all(b"x").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        rustix::fs::mkfifoat(CWD, path("pipe"), Mode::RWXU).unwrap();
        std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        assert_eq!(text(open_named(&path("file"), "open").unwrap()), "x");
        assert_eq!(text(open_named(&path("link"), "open").unwrap()), "x");
        assert_eq!(text(open_beside(&path("file"), "open").unwrap().unwrap()), "x");
        for name in ["link", "pipe", "socket", "."] {
            let error = open_beside(&path(name), "open").unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "not-a-file"), "{name}");
        }
        for other in [path("socket"), folder.path().to_owned(), "/dev/null".into()] {
            let error = open_named(&other, "open").unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Usage, "not-a-file"), "{other:?}");
        }
        assert!(open_beside(&path("none"), "open").unwrap().is_none());
    }

    #[test]
    fn nothing_below_a_folder_leads_out() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir_all(inner.join("deep")).unwrap();
        File::create(folder.path().join("secret")).unwrap();
        File::create(inner.join("own")).unwrap();
        std::os::unix::fs::symlink("../secret", inner.join("out")).unwrap();
        std::os::unix::fs::symlink("../own", inner.join("deep/up")).unwrap();
        let held = Looked::at(&inner).unwrap().open_with(OFlags::PATH).unwrap();
        for good in ["own", "deep/up", "deep/../own"] {
            assert!(
                Looked::below(held.as_fd(), Path::new(good)).unwrap().is_file(),
                "{good}"
            );
        }
        for bad in ["out", "../secret", "deep/../../secret", "/etc/hostname"] {
            let error = Looked::below(held.as_fd(), Path::new(bad)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::CrossesDevices, "{bad}");
        }
    }
}
