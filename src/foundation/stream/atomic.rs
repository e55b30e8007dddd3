//! Small files that appear whole or not at all, and folders that survive a power cut.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::plain::{Expected, create_new, look};
use crate::domain::{Error, Result};

/// Writes a file under a temporary name beside it, syncs it, renames it, and syncs the folder.
///
/// # Errors
///
/// `E-STATE planted` when one of the two names leads to anything but a plain file; `E-IO` and `E-SPACE`. The old file, if any, is
/// untouched then.
pub fn write_atomically(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    write_atomically_of(path, mode, |_| Ok(bytes))
}

/// As [`write_atomically`], where what is written follows from the new file itself.
///
/// # Errors
///
/// As [`write_atomically`], and those of `make`.
pub fn write_atomically_of<B: AsRef<[u8]>>(
    path: &Path,
    mode: u32,
    make: impl FnOnce(&File) -> Result<B>,
) -> Result<()> {
    let temporary = temporary(path);
    look(path, Expected::File)?;
    if look(&temporary, Expected::File)?.is_some() {
        // An interrupted try left it.
        fs::remove_file(&temporary).map_err(|e| Error::io("remove", &temporary, e))?;
    }
    let mut file = create_new(&temporary, mode)?;
    let written = make(&file).and_then(|bytes| {
        let written = file.write_all(bytes.as_ref()).and_then(|()| file.sync_all());
        #[expect(clippy::disallowed_methods, reason = "the atomic helper itself")]
        let renamed = written.and_then(|()| fs::rename(&temporary, path));
        renamed.map_err(|error| Error::io("write", path, error))
    });
    if let Err(error) = written {
        // The temporary file is worthless now; the error that matters is the first one.
        fs::remove_file(&temporary).ok();
        return Err(error);
    }
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Looks at both names that [`write_atomically`] would use, before it is too late to refuse.
///
/// # Errors
///
/// `E-STATE planted`, `E-IO`.
pub fn look_to_write(path: &Path) -> Result<()> {
    look(path, Expected::File)?;
    look(&temporary(path), Expected::File).map(|_| ())
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    path.with_file_name(name)
}

/// Makes a folder and its parents with mode 0700; an existing folder is fine.
///
/// # Errors
///
/// `E-IO` and `E-SPACE`.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::io("create the folder", path, e))
}

/// Makes a folder with mode 0700 where nothing stands yet; one that is there is fine when it is no link to one.
///
/// # Errors
///
/// `E-STATE planted` when something else stands there; `E-IO` and `E-SPACE`.
pub fn create_own_folder(path: &Path) -> Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => look(path, Expected::Folder).map(|_| ()),
        made => made.map_err(|e| Error::io("create the folder", path, e)),
    }
}

/// Makes the names in a folder durable.
///
/// # Errors
///
/// `E-IO`.
pub fn sync_folder(path: &Path) -> Result<()> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| Error::io("sync the folder", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::PLANTED;

    #[test]
    fn what_an_interrupted_try_left_is_replaced_and_what_was_planted_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let temporary = folder.path().join(".file.new");
        let read = |path: &Path| {
            let file = File::open(path).unwrap();
            crate::stream::read_bounded(file, 99, "it").unwrap()
        };
        create_new(&temporary, 0o600)
            .unwrap()
            .write_all(b"half of a long t")
            .unwrap();
        write_atomically(&path, b"whole", 0o600).unwrap();
        assert_eq!(read(&path), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let victim = folder.path().join("victim");
        create_new(&victim, 0o600).unwrap().write_all(b"other").unwrap();
        for name in [&temporary, &path] {
            fs::remove_file(name).ok();
            std::os::unix::fs::symlink(&victim, name).unwrap();
            assert!(write_atomically(&path, b"evil", 0o600).unwrap_err().is(PLANTED));
            fs::remove_file(name).unwrap();
            fs::hard_link(&victim, name).unwrap();
            assert!(write_atomically(&path, b"evil", 0o600).unwrap_err().is(PLANTED));
            fs::remove_file(name).unwrap();
        }
        assert_eq!(read(&victim), b"other");
        write_atomically(&path, b"good", 0o600).unwrap();
        assert_eq!(read(&path), b"good");
        std::os::unix::fs::symlink(folder.path(), folder.path().join("link")).unwrap();
        assert!(create_own_folder(&folder.path().join("link")).unwrap_err().is(PLANTED));
        create_own_folder(&folder.path().join("own")).unwrap();
        create_own_folder(&folder.path().join("own")).unwrap();
    }
}
