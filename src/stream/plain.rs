//! Plain files under names of ours: no link leads elsewhere, no second name shares the bytes, and opening waits for nobody.
//!
//! A name is looked at before it is opened, because opening a device does something to it, and the opened file is looked at once
//! more. Between the two only somebody who may write into the folder can put another thing there: whose folder it is is the
//! business of whoever opens the folder (the appliance: `appliance::folder`).

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::domain::{Class, Code, Error, Result};

/// Something stands under a name where only a plain file, or only a folder, of ours may stand.
pub const PLANTED: Code = Code::new("planted");

/// Something belongs to another user than the one that this process runs as.
pub const OTHER_USER: Code = Code::new("other-user");

/// What a name must lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A regular file with one name.
    File,
    /// A folder.
    Folder,
}

/// Looks at what stands under a name; opens and follows nothing. Nothing there is no error.
///
/// # Errors
///
/// `E-STATE planted` for anything but what is expected; `E-IO`.
pub fn look(path: &Path, expected: Expected) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => judge(path, &metadata, expected).map(|()| Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look at", path, error)),
    }
}

/// As [`look`], for what belongs to one user alone: the one that this process runs as.
///
/// # Errors
///
/// `E-STATE planted`; `E-STATE other-user` when it belongs to another user; `E-STATE writable` when others may write it; `E-IO`.
pub fn look_at_own(path: &Path, expected: Expected) -> Result<Option<Metadata>> {
    let Some(metadata) = look(path, expected)? else {
        return Ok(None);
    };
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner != user {
        return Err(Error::new(
            Class::State,
            OTHER_USER,
            format!(
                "{} belongs to the user {owner}, and this is user {user}",
                path.display()
            ),
        )
        .expected("everything in a state folder to belong to the user that the folder belongs to")
        .remedy(format!(
            "find out who made it; then, as root: chown -h {user} {}",
            path.display()
        )));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(Error::new(
            Class::State,
            "writable",
            format!("others than its owner may write {} (mode {mode:o})", path.display()),
        )
        .expected("what its owner alone may write")
        .remedy(format!("find out who did write it; then chmod go-w {}", path.display())));
    }
    Ok(Some(metadata))
}

/// Opens a plain file for reading. That there is none is no error.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`, `E-SPACE`.
pub fn open_plain(path: &Path) -> Result<Option<File>> {
    if look(path, Expected::File)?.is_none() {
        return Ok(None);
    }
    open(path, OFlags::RDONLY, Mode::empty())
}

/// Opens a plain file for reading and writing in place, and makes it where there is none.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`, `E-SPACE`.
pub fn open_or_create(path: &Path, mode: u32) -> Result<File> {
    if look(path, Expected::File)?.is_some()
        && let Some(file) = open(path, OFlags::RDWR, Mode::empty())?
    {
        return Ok(file);
    }
    create_new(path, mode)
}

/// Makes a file whose name is free.
///
/// # Errors
///
/// `E-STATE planted` when something stands there that is no plain file; `E-IO` when a plain file does; `E-SPACE`.
pub fn create_new(path: &Path, mode: u32) -> Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
    match open(path, flags, Mode::from_raw_mode(mode)) {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(Error::io("create", path, Errno::NOENT.into())),
        Err(error) => match look(path, Expected::File) {
            Err(planted) if planted.is(PLANTED) => Err(planted),
            _ => Err(error),
        },
    }
}

fn open(path: &Path, flags: OFlags, mode: Mode) -> Result<Option<File>> {
    let always = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags | always, mode) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => {
            let verb = if flags.contains(OFlags::CREATE) {
                "create"
            } else {
                "open"
            };
            return Err(Error::io(verb, path, errno.into()));
        }
    };
    let metadata = file.metadata().map_err(|e| Error::io("look at", path, e))?;
    judge(path, &metadata, Expected::File)?;
    Ok(Some(file))
}

fn judge(path: &Path, metadata: &Metadata, expected: Expected) -> Result<()> {
    let kind = metadata.file_type();
    let fits = match expected {
        Expected::File => kind.is_file() && metadata.nlink() <= 1,
        Expected::Folder => kind.is_dir(),
    };
    if fits {
        return Ok(());
    }
    let found = if kind.is_symlink() {
        "a symbolic link".to_owned()
    } else if kind.is_dir() {
        "a folder".to_owned()
    } else if kind.is_fifo() {
        "a named pipe".to_owned()
    } else if kind.is_socket() {
        "a socket".to_owned()
    } else if kind.is_file() && expected == Expected::File {
        format!("a file with {} names (hard links)", metadata.nlink())
    } else if kind.is_file() {
        "a file".to_owned()
    } else {
        "a device".to_owned()
    };
    Err(
        Error::new(Class::State, PLANTED, format!("{} is {found}", path.display()))
            .expected(match expected {
                Expected::File => "nothing, or a regular file that has this one name",
                Expected::Folder => "a folder of its own, not a link to one",
            })
            .remedy(format!(
                "find out who put it there; then move it away (mv {} …) and try again",
                path.display()
            )),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn only_plain_files_are_looked_at_opened_and_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        create_new(&path("plain"), 0o600).unwrap().write_all(b"x").unwrap();
        assert!(open_plain(&path("plain")).unwrap().is_some());
        assert!(open_plain(&path("none")).unwrap().is_none());
        assert_eq!(create_new(&path("plain"), 0o600).unwrap_err().class(), Class::Io);
        open_or_create(&path("late"), 0o640).unwrap();
        assert_eq!(fs::metadata(path("late")).unwrap().mode() & 0o777, 0o640);
        create_new(&path("outside"), 0o600).unwrap();
        std::os::unix::fs::symlink("outside", path("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", path("dangling")).unwrap();
        fs::hard_link(path("outside"), path("hard")).unwrap();
        fs::create_dir(path("folder")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            path("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        for name in ["link", "dangling", "hard", "folder", "pipe", "socket"] {
            let path = path(name);
            let refusals = [
                look(&path, Expected::File).unwrap_err(),
                open_plain(&path).unwrap_err(),
                open_or_create(&path, 0o600).unwrap_err(),
                create_new(&path, 0o600).unwrap_err(),
            ];
            for error in refusals {
                assert_eq!(error.class(), Class::State, "{name}: {error}");
                assert!(
                    error.is(PLANTED) && error.found().contains(&*path.to_string_lossy()),
                    "{error}"
                );
            }
        }
        assert!(!path("nowhere").try_exists().unwrap());
        assert!(look(&path("folder"), Expected::Folder).unwrap().is_some());
        for name in ["link", "plain"] {
            assert!(look(&path(name), Expected::Folder).unwrap_err().is(PLANTED), "{name}");
        }
    }
}
