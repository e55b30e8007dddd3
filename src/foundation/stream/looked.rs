//! Files that are looked at before they are opened.
//!
//! Opening acts: a tape rewinds, a watchdog arms, a modem line rises, a pipe waits for its other end. So what stands at a path is first
//! held by `O_PATH`, which touches nothing, and only what is of an expected kind is then opened: through that very handle, so that
//! what was looked at is what is opened, whatever happens to the name in between.
//!
//! [`Looked`] is the one door. Who named the path decides what may be opened:
//!
//! | Who named it | Links | What may be opened |
//! |---|---|---|
//! | a person, on the command line or in the configuration: [`open_named`](super::open_named) | followed | a plain file, or a pipe that somebody writes into (`<(…)`, `/dev/fd/N`, a named one) |
//! | this program, in the state folder: [`open_plain`](super::open_plain) and its kin | refused, hard ones too | a plain file |
//! | this program, in a vendor's workspace: [`open_beside`](super::open_beside) | refused | a plain file |
//! | a medium, or a file that somebody else wrote | the caller's rule, by [`Looked`] | a plain file |

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::path::Arg;

use crate::domain::{Class, Code, Error};

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

    /// Looks at a path. Links above its last name are followed; a link under that name is what it is.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn itself(path: &Path) -> io::Result<Self> {
        Self::in_folder(CWD, path)
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

    /// Returns the bytes of the disk that it has.
    pub fn allocated(&self) -> u64 {
        // Counted in 512 bytes, whatever the file system's blocks are.
        u64::try_from(self.stat.st_blocks).unwrap_or(0).saturating_mul(512)
    }

    /// Returns its permission bits.
    pub fn mode(&self) -> u32 {
        self.stat.st_mode & 0o7777
    }

    /// Returns the user it belongs to.
    pub fn owner(&self) -> u32 {
        self.stat.st_uid
    }

    /// Returns how many names it has (hard links).
    pub fn names(&self) -> u64 {
        // Its type differs between platforms.
        #[allow(clippy::unnecessary_cast, reason = "32 bits on some platforms")]
        let names = self.stat.st_nlink as u64;
        names
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
            FileType::Symlink => "a symbolic link",
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

#[cfg(test)]
mod tests {
    use std::fs::File;
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
