//! Makes a backup: as `.partial` beside its name, synced, read back from the medium, and only then named.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, CWD, RenameFlags, fadvise, renameat_with};
use rustix::io::Errno;

use super::entry::Entry;
use super::head::{Head, Kind, WORD};
use super::read::{OpenedBackup, begin};
use super::records::{RECORD, Sealer};
use crate::crypto::{PassphraseCost, PassphraseKey, RECORD_TAG_BYTES};
use crate::domain::{Class, Error, Result, Timestamp};
use crate::stream::{LockFile, Looked, create_new, space, sync_folder};

/// The last line.
pub(super) const END: &[u8] = b"airlock-backup-end\n";
/// Bytes of the facts.
pub(super) const FACTS_BYTES: usize = 4 << 20;
/// Bytes that are copied at a time.
const COPIED: usize = 64 << 10;

/// Bytes of head, facts, names and last line, beside the files.
const OTHER_BYTES: u64 = 1 << 20;

/// What a backup is encrypted with.
#[expect(missing_debug_implementations, reason = "it holds a passphrase")]
#[derive(Clone, Copy)]
pub struct Sealing<'a> {
    /// The passphrase.
    pub passphrase: &'a str,
    /// What each guess at it shall take.
    pub cost: PassphraseCost,
}

impl<'a> Sealing<'a> {
    /// With a passphrase that a person chose.
    pub fn usual(passphrase: &'a str) -> Self {
        Self {
            passphrase,
            cost: PassphraseCost::USUAL,
        }
    }
}

/// Checks that a backup of files with so many bytes has room where it is to be written.
///
/// # Errors
///
/// `E-SPACE no-space`; `E-IO`.
pub fn check_room(path: &Path, bytes: u64) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let tags = (bytes / RECORD as u64).saturating_mul(RECORD_TAG_BYTES as u64);
    let wanted = bytes.saturating_add(tags).saturating_add(OTHER_BYTES);
    let free = space(folder)?.bytes;
    if wanted <= free {
        return Ok(());
    }
    Err(Error::new(
        Class::Space,
        "no-space",
        format!("{} has {free} bytes left", folder.display()),
    )
    .expected(format!("room for {wanted} bytes"))
    .remedy("free space there, or name another place with -o; nothing was written"))
}

/// A backup that is being made. Dropped before it is finished, nothing of it stays.
#[expect(missing_debug_implementations, reason = "it holds a key")]
pub struct BackupWriter {
    path: PathBuf,
    partial: PathBuf,
    key: PassphraseKey,
    head: Head,
    /// Held until the file has its name: of two who make the same one, one ends here.
    file: LockFile,
    sealer: Option<Sealer<File>>,
    is_named: bool,
}

impl BackupWriter {
    /// Begins a backup at a name that is free. `facts` is the canonical JSON of what it is of.
    ///
    /// # Errors
    ///
    /// `E-USAGE output` when something has that name; `E-BUSY backup`; `E-IO`, `E-SPACE`.
    pub fn begin(path: &Path, kind: Kind, sealing: Sealing<'_>, made_at: Timestamp, facts: &[u8]) -> Result<Self> {
        check_free(path)?;
        let mut name = OsString::from(path.file_name().unwrap_or_default());
        name.push(".partial");
        let partial = path.with_file_name(name);
        let file = take(&partial)?;
        let (head, key) = Head::make(kind, sealing.passphrase, sealing.cost, made_at)?;
        let failed = |error| Error::io("write", &partial, error);
        let mut out = file.try_clone().map_err(failed)?;
        out.write_all(&head.bytes).map_err(failed)?;
        let sealer = Sealer::new(out, key.records(super::head::RECORDS, &head.bytes));
        let mut writer = Self {
            path: path.to_owned(),
            partial,
            key,
            head,
            file,
            sealer: Some(sealer),
            is_named: false,
        };
        writer.framed(facts)?;
        Ok(writer)
    }

    /// Adds a file.
    ///
    /// # Errors
    ///
    /// `E-BUSY backup` when it has other bytes than its size says; `E-IO`, `E-SPACE`.
    pub fn add(&mut self, entry: &Entry, mut content: impl Read) -> Result<()> {
        if !entry.is_sound() {
            return Err(Error::new(
                Class::Internal,
                "backup-name",
                format!("{:?} cannot be in a backup", entry.path),
            ));
        }
        self.framed(&crate::crypto::canonical::to_vec(entry))?;
        let mut buffer = zeroize::Zeroizing::new(vec![0_u8; COPIED]);
        let mut left = entry.size;
        loop {
            let count = content
                .read(&mut buffer)
                .map_err(|error| Error::io("read", Path::new(&entry.path), error))?;
            let bytes = buffer.get(..count).unwrap_or_default();
            if count as u64 > left || (count == 0 && left > 0) {
                return Err(Error::new(
                    Class::Busy,
                    "backup",
                    format!("another command changed {} while it was copied", entry.path),
                )
                .remedy("wait for it to end"));
            }
            if count == 0 {
                return Ok(());
            }
            self.put(bytes)?;
            left = left.saturating_sub(count as u64);
        }
    }

    /// Ends the backup: durable, read back from its first byte to its last, and named. Returns its bytes.
    ///
    /// # Errors
    ///
    /// `E-IO read-back` when the medium holds something else than what was written; `E-USAGE output` when the name was taken
    /// meanwhile; `E-IO`, `E-SPACE`.
    pub fn finish(mut self, progress: &mut dyn FnMut(u64, u64)) -> Result<u64> {
        self.put(&0_u32.to_be_bytes())?;
        let failed = |error| Error::io("write", &self.partial, error);
        if let Some(sealer) = self.sealer.take() {
            let mut out = sealer.finish().map_err(failed)?;
            out.write_all(END).and_then(|()| out.sync_all()).map_err(failed)?;
        }
        // As far as the system does so: what is read next comes from the medium.
        fadvise(&*self.file, 0, None, Advice::DontNeed).ok();
        let size = self.file.metadata().map_err(failed)?.len();
        let again = File::open(&self.partial).map_err(failed)?;
        let checked = begin(&again, &self.partial)
            .and_then(|_| OpenedBackup::with_key(again, &self.head, &self.key))
            .and_then(|mut opened| opened.check(&mut drop, progress));
        checked.map_err(|error| {
            if error.class() == Class::Io {
                return error;
            }
            Error::new(
                Class::Io,
                "read-back",
                format!("{} does not hold what was written into it", self.partial.display()),
            )
            .expected("the bytes that were written")
            .remedy("use another medium; this one cannot be trusted")
            .with_source(error)
        })?;
        match renameat_with(CWD, &self.partial, CWD, &self.path, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(taken(&self.path, "is there already")),
            // File systems that cannot say it: nobody else gives this name but in this very moment.
            Err(Errno::INVAL | Errno::NOSYS) => {
                check_free(&self.path)?;
                #[expect(clippy::disallowed_methods, reason = "the file was synced")]
                fs::rename(&self.partial, &self.path).map_err(|error| Error::io("name", &self.path, error))?;
            }
            Err(errno) => return Err(Error::io("name", &self.path, errno.into())),
        }
        self.is_named = true;
        sync_folder(self.path.parent().unwrap_or(Path::new(".")))?;
        Ok(size)
    }

    fn framed(&mut self, bytes: &[u8]) -> Result<()> {
        let length = u32::try_from(bytes.len())
            .ok()
            .filter(|length| *length as usize <= FACTS_BYTES);
        let length = length.ok_or_else(|| {
            Error::new(
                Class::Limit,
                "size",
                format!("{} bytes are to be said of the backup", bytes.len()),
            )
        })?;
        self.put(&length.to_be_bytes())?;
        self.put(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.sealer {
            Some(sealer) => sealer
                .write(bytes)
                .map_err(|error| Error::io("write", &self.partial, error)),
            None => Ok(()),
        }
    }
}

impl Drop for BackupWriter {
    fn drop(&mut self) {
        if !self.is_named {
            // The error that ended the writing is the one to report.
            fs::remove_file(&self.partial).ok();
        }
    }
}

/// Makes the file under its name of before, or takes up what a stopped backup left there.
fn take(partial: &Path) -> Result<LockFile> {
    let file = match Looked::itself(partial) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => create_new(partial, 0o600)?,
        Err(error) => return Err(Error::io("look at", partial, error)),
        Ok(looked) if looked.is_file() && looked.names() == 1 => looked
            .open_with(rustix::fs::OFlags::RDWR)
            .map(File::from)
            .map_err(|error| Error::io("open", partial, error))?,
        Ok(looked) => return Err(taken(partial, &format!("is {}", looked.what()))),
    };
    let file = LockFile::new(file);
    match file.try_lock() {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            return Err(Error::new(
                Class::Busy,
                "backup",
                format!("another command writes {}", partial.display()),
            )
            .remedy("wait for it to end"));
        }
        Err(error) => return Err(Error::io("lock", partial, error.into())),
    }
    let failed = |error| Error::io("write", partial, error);
    let size = file.metadata().map_err(failed)?.len();
    let mut begin = vec![0; WORD.len()];
    let is_ours = size == 0 || (file.read_exact_at(&mut begin, 0).is_ok() && begin == WORD);
    if !is_ours {
        return Err(taken(partial, "is another file than a backup that was stopped"));
    }
    file.set_len(0).map_err(failed)?;
    Ok(file)
}

fn check_free(path: &Path) -> Result<()> {
    if path.file_name().is_none() {
        return Err(taken(path, "is no name of a file"));
    }
    if path == Path::new("-") {
        return Err(taken(path, "is no file, and a backup is read back"));
    }
    match Looked::itself(path) {
        Ok(looked) => Err(taken(path, &format!("is {} already", looked.what()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("look at", path, error)),
    }
}

fn taken(path: &Path, what: &str) -> Error {
    Error::new(Class::Usage, "output", format!("{} {what}", path.display()))
        .expected("a free name")
        .remedy("give another name with -o, or move it away: a backup replaces nothing")
}
