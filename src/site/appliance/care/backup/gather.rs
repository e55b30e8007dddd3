//! Small files and copies of the databases that belong together, while servers and imports go on.
//!
//! Nobody is kept waiting: no lock is held while a database is copied. What changes keys, secrets, pins or acknowledgements meanwhile is
//! noticed, for the small files are read before and after; what is caught in the middle of such a change is what a stop there leaves.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use zeroize::Zeroizing;

use super::facts::SiteFacts;
use crate::appliance::folder::{
    DATABASE, EVIDENCE_FOLDER, IDENTITY, MARKS, OUTBOX, RECEIPTS, ROOTS, SECRETS, STATUS_DATABASE, STATUS_MARK,
};
use crate::appliance::{Appliance, identity, marks, pins};
use crate::backup::names_in;
use crate::db::site::acknowledgements::{self, Reached};
use crate::db::site::stream_log;
use crate::db::{Reader, Schema};
use crate::domain::{Class, Error, Result};
use crate::stream::{Expected, LockFile, look, open_or_create, open_plain, read_bounded, space};

/// No small file of an appliance is longer.
const SMALL: u64 = 4 << 20;
/// Bytes that stay free beside the copies: others write too.
const MARGIN: u64 = 8 << 20;
/// How often it is tried to meet a moment in which nothing changes.
const TRIES: usize = 8;

/// A copy of a database beside it, removed when this goes.
struct Copied {
    /// Its name in the backup.
    name: &'static str,
    path: PathBuf,
    lock: LockFile,
}

/// What belongs together.
pub(super) struct Gathered {
    pub(super) small: Vec<(String, Zeroizing<Vec<u8>>)>,
    /// Packages, and documents that prove something: written once, and held open, so that nobody takes them away.
    pub(super) held: Vec<(String, File)>,
    /// Copies of the databases by now without a name: whatever becomes of this process, nothing of them stays.
    pub(super) databases: Vec<(&'static str, File)>,
    pub(super) facts: SiteFacts,
}

/// Gathers.
///
/// # Errors
///
/// `E-BUSY backup` when another one runs, or keys and acknowledgements change all the while; `E-STATE`, `E-IO`, `E-SPACE`.
pub(super) fn gather(appliance: &Appliance, content: bool) -> Result<Gathered> {
    let state = appliance.folder();
    check_room_to_copy(state)?;
    for _ in 0..TRIES {
        let before = (small(state)?, acknowledged(appliance)?);
        let mut databases = vec![copy(state, DATABASE, |copy| appliance.db.copy_to(copy))?];
        // Second: what `airlock.db` says was signed is in it.
        let status = state.join(STATUS_DATABASE);
        if look(&status, Expected::File)?.is_some() {
            databases.push(copy(state, STATUS_DATABASE, |copy| {
                Reader::open(&status, &Schema::STATUS)?.copy_to(copy)
            })?);
        }
        let held = held(state)?;
        if before != (small(state)?, acknowledged(appliance)?) {
            continue;
        }
        let (beside, pinned) = (marks::all(state)?, pins::read_good(&state.join(ROOTS))?.chains);
        let copied = Reader::open(&state.join(copy_name(DATABASE)), &Schema::SITE)?;
        let (facts, _) = copied.read(|connection| SiteFacts::read(connection, &beside, &pinned, content))?;
        let databases = databases.into_iter().map(|copy| Ok((copy.name, copy.open()?)));
        return Ok(Gathered {
            small: before.0,
            held,
            databases: databases.collect::<Result<_>>()?,
            facts,
        });
    }
    Err(Error::new(
        Class::Busy,
        "backup",
        "another command changes keys, secrets, pins or acknowledgements all the while",
    )
    .remedy("wait for it to end"))
}

/// Returns what vendors said that they have: `status.db` lets it go once `airlock.db` has it.
fn acknowledged(appliance: &Appliance) -> Result<Vec<Reached>> {
    appliance.db.read(|connection| {
        let domains = stream_log::domains(connection)?.into_iter();
        domains
            .map(|domain| acknowledgements::reached(connection, domain))
            .collect()
    })
}

/// Checks that the databases have room beside themselves.
fn check_room_to_copy(state: &Path) -> Result<()> {
    let mut wanted = MARGIN;
    for name in [DATABASE, STATUS_DATABASE] {
        for end in ["", "-wal"] {
            let found = look(&state.join(format!("{name}{end}")), Expected::File)?;
            wanted = wanted.saturating_add(found.map_or(0, |found| found.size()));
        }
    }
    let free = space(state)?.bytes;
    if wanted <= free {
        return Ok(());
    }
    Err(Error::new(
        Class::Space,
        "no-space",
        format!("{} has {free} bytes left", state.display()),
    )
    .expected(format!(
        "room for {wanted} bytes: the databases are copied beside themselves"
    ))
    .remedy("free space there, with `airlock gc` for one, and give the command again"))
}

fn small(state: &Path) -> Result<Vec<(String, Zeroizing<Vec<u8>>)>> {
    // A change of keys is waited out, which takes moments.
    let _identity = identity::hold(state)?;
    let mut files = Vec::new();
    let mut read = |name: String| -> Result<()> {
        if let Some(file) = open_plain(&state.join(&name))? {
            files.push((
                name,
                Zeroizing::new(read_bounded(file, SMALL, "a file of the state folder")?),
            ));
        }
        Ok(())
    };
    for name in [MARKS, STATUS_MARK] {
        read(name.to_owned())?;
    }
    for folder in [IDENTITY, ROOTS, SECRETS, RECEIPTS] {
        for name in names_in(&state.join(folder))? {
            read(format!("{folder}/{name}"))?;
        }
    }
    Ok(files)
}

fn held(state: &Path) -> Result<Vec<(String, File)>> {
    let mut files = Vec::new();
    for folder in [OUTBOX, EVIDENCE_FOLDER] {
        for name in names_in(&state.join(folder))? {
            // Damaged content proves nothing, and may be large.
            if folder == EVIDENCE_FOLDER && name.contains(".blob-") {
                continue;
            }
            if let Some(file) = open_plain(&state.join(folder).join(&name))? {
                files.push((format!("{folder}/{name}"), file));
            }
        }
    }
    Ok(files)
}

fn copy_name(database: &str) -> String {
    format!("{database}.copy")
}

fn copy(state: &Path, name: &'static str, make: impl FnOnce(&Path) -> Result<()>) -> Result<Copied> {
    let path = state.join(copy_name(name));
    let copied = Copied {
        name,
        lock: take(&path)?,
        path,
    };
    // What a stopped one left is not to be copied into, and its journal is not this one's.
    let failed = |error| Error::io("write", &copied.path, error);
    copied.lock.set_len(0).map_err(failed)?;
    remove_journal(&copied.path)?;
    make(&copied.path)?;
    Ok(copied)
}

fn take(path: &Path) -> Result<LockFile> {
    let busy = || {
        Error::new(Class::Busy, "backup", "another backup of this state folder is made").remedy("wait for it to end")
    };
    for _ in 0..TRIES {
        let lock = LockFile::new(open_or_create(path, 0o600)?);
        match lock.try_lock() {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(busy()),
            Err(error) => return Err(Error::io("lock", path, error.into())),
        }
        // Who had it took the name away, maybe just now.
        let held = lock.metadata().map_err(|error| Error::io("look at", path, error))?;
        let named = fs::symlink_metadata(path);
        if named.is_ok_and(|named| (named.dev(), named.ino()) == (held.dev(), held.ino())) {
            return Ok(lock);
        }
    }
    Err(busy())
}

fn remove_journal(copy: &Path) -> Result<()> {
    let mut name = copy.as_os_str().to_owned();
    name.push("-journal");
    match fs::remove_file(&name) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", Path::new(&name), error)),
        _ => Ok(()),
    }
}

impl Copied {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `E-IO`.
    fn open(&self) -> Result<File> {
        let gone = || Error::io("open", &self.path, std::io::ErrorKind::NotFound.into());
        open_plain(&self.path)?.ok_or_else(gone)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        // One that stays is emptied by the next backup.
        fs::remove_file(&self.path).ok();
    }
}
