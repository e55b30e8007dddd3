//! Plain files under names of ours: no link leads elsewhere, no second name shares the bytes, and opening waits for nobody.
//!
//! What stands under a name is looked at by [`Looked`], and what was looked at is what is opened. Where a name is only looked at, for
//! somebody else to open it (SQLite), nobody but who may write into the folder can put another thing there meanwhile: whose folder it
//! is is the business of whoever opens the folder (the appliance: `appliance::folder`).

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use super::looked::Looked;
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
pub fn look(path: &Path, expected: Expected) -> Result<Option<Looked>> {
    match Looked::itself(path) {
        Ok(looked) => judge(path, &looked, expected).map(|()| Some(looked)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look at", path, error)),
    }
}

/// As [`look`], for what belongs to one user alone: the one that this process runs as.
///
/// # Errors
///
/// `E-STATE planted`; `E-STATE other-user` when it belongs to another user; `E-STATE writable` when others may write it; `E-IO`.
pub fn look_at_own(path: &Path, expected: Expected) -> Result<Option<Looked>> {
    let Some(looked) = look(path, expected)? else {
        return Ok(None);
    };
    let (owner, user) = (looked.owner(), rustix::process::geteuid().as_raw());
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
    let mode = looked.mode();
    if mode & 0o022 != 0 {
        return Err(Error::new(
            Class::State,
            "writable",
            format!("others than its owner may write {} (mode {mode:o})", path.display()),
        )
        .expected("what its owner alone may write")
        .remedy(format!("find out who did write it; then chmod go-w {}", path.display())));
    }
    Ok(Some(looked))
}

/// Opens a plain file for reading. That there is none is no error.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`, `E-SPACE`.
pub fn open_plain(path: &Path) -> Result<Option<File>> {
    look(path, Expected::File)?
        .map(|looked| opened(path, looked.open()))
        .transpose()
}

/// Opens a plain file for reading and writing in place, and makes it where there is none.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`, `E-SPACE`.
pub fn open_or_create(path: &Path, mode: u32) -> Result<File> {
    match look(path, Expected::File)? {
        Some(looked) => opened(path, looked.open_with(OFlags::RDWR | OFlags::NONBLOCK)),
        None => create_new(path, mode),
    }
}

/// Makes a file whose name is free.
///
/// # Errors
///
/// `E-STATE planted` when something stands there that is no plain file; `E-IO` when a plain file does; `E-SPACE`.
pub fn create_new(path: &Path, mode: u32) -> Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::from_raw_mode(mode))
        .map(File::from)
        .map_err(|errno| match look(path, Expected::File) {
            Err(planted) if planted.is(PLANTED) => planted,
            _ => Error::io("create", path, errno.into()),
        })
}

/// Opens, for reading, a file that this program keeps in a folder of a person's own, no link; nothing when there is none.
///
/// # Errors
///
/// `E-USAGE not-a-file` for anything else than a plain file, which is not opened; `E-IO`.
pub fn open_beside(path: &Path, doing: &str) -> Result<Option<File>> {
    let failed = |error| Error::io(doing, path, error);
    match Looked::itself(path) {
        Ok(looked) if looked.is_file() => looked.open().map(|file| Some(file.into())).map_err(failed),
        // Nobody named it.
        Ok(looked) => Err(looked
            .refusal(path)
            .remedy("move it away, and put the file back from your backup")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn opened(path: &Path, opened: io::Result<std::os::fd::OwnedFd>) -> Result<File> {
    opened.map(File::from).map_err(|error| Error::io("open", path, error))
}

fn judge(path: &Path, looked: &Looked, expected: Expected) -> Result<()> {
    let fits = match expected {
        Expected::File => looked.is_file() && looked.names() <= 1,
        Expected::Folder => looked.is_folder(),
    };
    if fits {
        return Ok(());
    }
    let found = match (looked.kind(), expected) {
        (FileType::RegularFile, Expected::File) => format!("a file with {} names (hard links)", looked.names()),
        _ => looked.what().to_owned(),
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
    use std::fs;
    use std::io::Write as _;
    use std::os::unix::fs::MetadataExt as _;

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
            FileType::Fifo,
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
