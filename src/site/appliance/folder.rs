//! The state folder as a place (design, section 7): what its parts are called, whose it is, and that no name in it leads elsewhere.
//!
//! # Who may use it
//!
//! It belongs to one user, and no other works in it, root neither: what root writes the server could not read, and what the user of
//! the server put there would lead root's writing wherever it likes (D22). So its owner is compared before anything else, then
//! every name that is fixed is looked at, and each file once more when it is opened ([`crate::stream::look`]).
//!
//! # Why that look is enough
//!
//! Between a look and an opening only somebody who may write into the folder can exchange what stands there. That is nobody but
//! its owner, as whom this process runs: the folder and every folder in it belong to that user, and nobody else may write them.
//! Nor can the folder itself be exchanged under root: every folder above it must be root's. Its path is resolved once.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::domain::{Class, Code, Error, Result};
use crate::store::Store;
use crate::stream::{
    Expected, LockFile, OTHER_USER, create_new, create_own_folder, look, look_at_own, look_to_write, open_or_create,
    open_plain, read_bounded, sync_folder,
};

/// The security database while it is made: under its name stands a whole one, or none.
pub(super) const NEW_DATABASE: &str = "airlock.db.new";
/// The security database.
pub(super) const DATABASE: &str = "airlock.db";
/// What is left where the security database was found damaged while a server ran: the next one reads all of it before it uses it.
pub(super) const SUSPECT: &str = "airlock.db.damaged";
/// What a server answers from, kept beside the security database for a start on one that cannot be used.
pub(super) const GENERATION: &str = "generation.json";
/// The database that a server makes of it then.
pub(super) const GENERATION_DATABASE: &str = "generation.db";
/// The status database.
pub(super) const STATUS_DATABASE: &str = "status.db";
/// File whose lock means that a process may write the status database.
pub(super) const STATUS_LOCK: &str = "status.lock";
/// The second copy of the highest numbers in the status database.
pub(super) const STATUS_MARK: &str = "status-mark";
/// The second copy of the marks.
pub(super) const MARKS: &str = "marks";
/// Space that is given up so that a full disk can still record a refusal.
pub(super) const RESERVE: &str = "reserve";
/// File whose lock means that an import runs.
pub(super) const LOCK: &str = "lock";
/// File whose lock means that an export runs.
pub(super) const EXPORT_LOCK: &str = "export.lock";
/// Where agents find the server that holds its lock.
pub(super) const SERVED: &str = "served";
/// File whose lock means that a backup is being put back here: without a database beside it, it was not ended.
pub(super) const RESTORING: &str = "restoring";
/// Folder of the keys.
pub(super) const IDENTITY: &str = "identity";
/// The key that signs receipts and status packages.
pub(super) const STATUS_KEY: &str = "identity/status.pem";
/// The key that secrets are encrypted to.
pub(super) const RECIPIENT_KEY: &str = "identity/recipient.key";
/// The status key that shall take its place.
pub(super) const NEXT_STATUS_KEY: &str = "identity/status.next.pem";
/// The recipient key that shall take its place.
pub(super) const NEXT_RECIPIENT_KEY: &str = "identity/recipient.next.key";
/// The key under which values of secrets go into the revisions that agents are told.
pub(super) const REVISION_KEY: &str = "identity/revision.key";
/// Which life of the state folder this is.
pub(super) const INSTANCE: &str = "identity/instance.json";
/// The key of tokens and target secrets.
pub(super) const TOKEN_KEY: &str = "identity/token.key";
/// The certificate of the appliance's authority, for everybody to see.
pub(super) const AUTHORITY_CERTIFICATE: &str = "identity/ca.pem";
/// The key of the authority.
pub(super) const AUTHORITY_KEY: &str = "identity/ca.key";
/// Folder of the pinned roots.
pub(super) const ROOTS: &str = "roots";
/// Where signed receipts are laid out.
pub(super) const RECEIPTS: &str = "receipts";
/// Values of secrets that were entered or made here, each encrypted in a file of its own.
pub(super) const SECRETS: &str = "secrets";
/// What may leave.
pub(super) const OUTBOX: &str = "outbox";
/// Documents that prove something, in the store.
pub(super) const EVIDENCE_FOLDER: &str = "evidence";

/// Parts of a state folder, beside the store's.
const FOLDERS: [&str; 5] = [IDENTITY, ROOTS, RECEIPTS, SECRETS, OUTBOX];
/// Files with fixed names.
const FILES: [&str; 39] = [
    DATABASE,
    "airlock.db-wal",
    "airlock.db-shm",
    "airlock.db-journal",
    NEW_DATABASE,
    "airlock.db.new-wal",
    "airlock.db.new-shm",
    "airlock.db.new-journal",
    SUSPECT,
    GENERATION,
    GENERATION_DATABASE,
    "generation.db-wal",
    "generation.db-shm",
    "generation.db-journal",
    STATUS_DATABASE,
    "status.db-wal",
    "status.db-shm",
    "status.db-journal",
    "status.db.new",
    "status.db.new-wal",
    "status.db.new-shm",
    "status.db.new-journal",
    STATUS_LOCK,
    STATUS_MARK,
    MARKS,
    RESERVE,
    LOCK,
    EXPORT_LOCK,
    SERVED,
    RESTORING,
    STATUS_KEY,
    RECIPIENT_KEY,
    NEXT_STATUS_KEY,
    NEXT_RECIPIENT_KEY,
    REVISION_KEY,
    INSTANCE,
    TOKEN_KEY,
    AUTHORITY_CERTIFICATE,
    AUTHORITY_KEY,
];
/// Those that are written anew under a temporary name.
const REWRITTEN: [&str; 6] = [
    STATUS_MARK,
    MARKS,
    INSTANCE,
    AUTHORITY_CERTIFICATE,
    AUTHORITY_KEY,
    GENERATION,
];
/// The folder of a file system's own repairs, which a mounted state folder may hold.
const NOT_OURS: &str = "lost+found";

/// There is no security database.
pub(super) const DATABASE_MISSING: Code = Code::new("database-missing");

/// Checks the state folder of an appliance before anything in it is opened, and returns its resolved path.
///
/// # Errors
///
/// `E-STATE other-user` when it belongs to another user, before anything else is looked at; `planted`, `writable`,
/// `database-missing`; `E-IO`.
pub(super) fn check(folder: &Path) -> Result<PathBuf> {
    let folder = check_names(folder)?;
    if look(&folder.join(DATABASE), Expected::File)?.is_none() {
        return Err(without_database(&folder)?);
    }
    Ok(folder)
}

/// As [`check`], whether there is a security database or not.
///
/// # Errors
///
/// As [`check`].
pub(super) fn check_names(folder: &Path) -> Result<PathBuf> {
    let Some(folder) = resolve(folder)? else {
        return Err(missing(folder).remedy(
            "make an appliance with `airlock init --trust ROOT.JSON --site NAME`, or point --state at the right folder",
        ));
    };
    for name in FOLDERS {
        look_at_own(&folder.join(name), Expected::Folder)?;
    }
    Store::examine_folders(&folder)?;
    for name in FILES {
        look_at_own(&folder.join(name), Expected::File)?;
    }
    for name in REWRITTEN {
        look_to_write(&folder.join(name))?;
    }
    Ok(folder)
}

/// Returns when the file of the security database was written last, by whomever; nothing where it cannot be looked at.
pub(super) fn database_written_at(folder: &Path) -> Option<SystemTime> {
    let found = fs::symlink_metadata(folder.join(DATABASE));
    found.ok()?.modified().ok()
}

/// Whether a backup is being put back into a folder, or that was stopped.
///
/// # Errors
///
/// `planted`; `E-IO`.
pub(super) fn is_restoring(folder: &Path) -> Result<bool> {
    look(&folder.join(RESTORING), Expected::File).map(|found| found.is_some())
}

/// Says what to do about a folder without a security database.
fn without_database(folder: &Path) -> Result<Error> {
    let held = names(folder)?;
    if is_restoring(folder)? {
        return Ok(Error::new(
            Class::State,
            DATABASE_MISSING,
            format!(
                "a backup is being put back into {}, or that was stopped before its end",
                folder.display()
            ),
        )
        .expected("an appliance's state folder")
        .remedy("wait for it; where nothing is at work there, give the same `airlock restore BACKUP --state DIR` again: it takes away what it left"));
    }
    let remedy = if held.is_empty() {
        "make an appliance with `airlock init --trust ROOT.JSON --site NAME`, or point --state at the right folder"
    } else {
        "end airlock serve, then put a whole copy of this folder in its place, point --state at the right folder, or make a new appliance in another one with `airlock init --trust ROOT.JSON --site NAME --state NEW`"
    };
    Ok(missing(folder).remedy(remedy))
}

/// Makes folders anew that may be empty, which many a tool that copies leaves out; the others must be there.
///
/// # Errors
///
/// `E-STATE folder-missing`; `planted`; `E-IO` and `E-SPACE`.
pub(super) fn complete(state: &Path) -> Result<()> {
    for name in [IDENTITY, ROOTS] {
        check_there(state, name)?;
    }
    for name in [RECEIPTS, SECRETS, OUTBOX] {
        let folder = state.join(name);
        if look(&folder, Expected::Folder)?.is_none() {
            create_own_folder(&folder)?;
            sync_folder(state)?;
        }
    }
    Ok(())
}

/// Says that a folder without which this is no appliance is there.
///
/// # Errors
///
/// `E-STATE folder-missing`; `planted`; `E-IO`.
pub(super) fn check_there(state: &Path, name: &str) -> Result<()> {
    let folder = state.join(name);
    match look(&folder, Expected::Folder)? {
        Some(_) => Ok(()),
        None => Err(Error::new(
            Class::State,
            "folder-missing",
            format!("there is no folder {}", folder.display()),
        )
        .expected("a state folder with all its parts")
        .remedy("end airlock serve, then put a whole copy of the state folder in its place")),
    }
}

/// Makes an empty folder for a new appliance, or takes one that is empty; returns its resolved path.
///
/// # Errors
///
/// `E-STATE` when anything is in it, whatever that is: `already` an appliance, `part-of-state` something of one, `not-empty`
/// something else; those of [`check`]. Nothing was touched then. `E-IO`, `E-SPACE`.
pub(super) fn take_empty(folder: &Path) -> Result<PathBuf> {
    let resolved = if let Some(resolved) = resolve(folder)? {
        resolved
    } else {
        let there = folder
            .ancestors()
            .skip(1)
            .find(|above| above.symlink_metadata().is_ok());
        check_above(there.unwrap_or(Path::new(".")))?;
        crate::stream::create_folder(folder)?;
        resolve(folder)?.ok_or_else(|| missing(folder))?
    };
    let held = names(&resolved)?;
    if held.is_empty() {
        return Ok(resolved);
    }
    let place = resolved.display();
    let whole = "give another --state folder; if this one is damaged, end airlock serve, then put a whole copy of it in its place";
    let part = |name: &String| is_part(name);
    Err(if held.iter().any(|name| name == DATABASE) {
        Error::new(
            Class::State,
            "already",
            format!("an appliance lives in {place} already"),
        )
        .remedy(format!(
            "to pin a further vendor, use `airlock trust add ROOT --fingerprint HEX`; to make another appliance, {whole}"
        ))
    } else if let Some(name) = held.iter().find(|name| part(name)) {
        Error::new(
            Class::State,
            "part-of-state",
            format!("{place} holds {name:?}, a part of an appliance's state, and no {DATABASE}"),
        )
        .remedy(format!(
            "{whole}; what an interrupted `airlock init` left, and nobody ever used, may be moved away by hand"
        ))
    } else {
        let name = held.first().cloned().unwrap_or_default();
        Error::new(Class::State, "not-empty", format!("{place} holds {name:?}")).remedy("give another --state folder")
    }
    .expected("a new or empty folder"))
}

/// Resolves the path of a folder that belongs to this user alone, and that nobody can exchange; none where there is nothing.
fn resolve(folder: &Path) -> Result<Option<PathBuf>> {
    // Without a slash or dot at its end, which would follow a link.
    let given: PathBuf = folder.components().collect();
    let whose = look_at_own(&given, Expected::Folder).map_err(|error| {
        let error = if is_denied(&error) {
            let (place, user) = (given.display(), rustix::process::geteuid());
            let found = format!("{place} stands where the user {user}, who this is, may not even look");
            Error::new(Class::State, OTHER_USER, found).with_source(error)
        } else {
            error
        };
        if error.is(OTHER_USER) {
            error
                .expected("the user that the state folder belongs to: no other may write in it")
                .remedy("run this command as the user that the folder belongs to")
        } else {
            error
        }
    })?;
    if whose.is_none() {
        return Ok(None);
    }
    let resolved = given.canonicalize().map_err(|e| Error::io("look at", &given, e))?;
    check_above(resolved.parent().unwrap_or(Path::new("/")))?;
    look_at_own(&resolved, Expected::Folder).map(|found| found.map(|_| resolved))
}

/// Whether the system did not let this user look.
fn is_denied(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied)
}

/// Root works in no folder that somebody else could exchange for another one.
fn check_above(folder: &Path) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let resolved = folder.canonicalize().map_err(|e| Error::io("look at", folder, e))?;
    for above in resolved.ancestors() {
        let metadata = fs::symlink_metadata(above).map_err(|e| Error::io("look at", above, e))?;
        let mode = metadata.mode();
        // The group of root may have other members, and an access list shows as what the group may.
        let shared = mode & 0o022 != 0;
        // In a folder with the sticky bit nobody renames what belongs to another.
        if metadata.uid() != 0 || (shared && mode & 0o1000 == 0) {
            return Err(Error::new(
                Class::State,
                "parent-writable",
                format!(
                    "others than root may exchange what is in {} (user {}, mode {:o}), above the state folder",
                    above.display(),
                    metadata.uid(),
                    mode & 0o7777
                ),
            )
            .expected("folders of root's alone above a state folder that root works in")
            .remedy("move the state folder below folders that only root may write, or let another user own and run the appliance"));
        }
    }
    Ok(())
}

/// Returns the names in a folder, sorted.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|e| Error::io("list", folder, e))?;
    let mut names: Vec<String> = entries
        .iter()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != NOT_OURS)
        .collect();
    names.sort();
    Ok(names)
}

/// Whether a name in the state folder is one of an appliance's.
fn is_part(name: &str) -> bool {
    let fixed = FOLDERS.iter().chain(&FILES).chain(&crate::store::FOLDERS);
    fixed.into_iter().any(|part| *part == name)
        || [STATUS_DATABASE, DATABASE, GENERATION_DATABASE]
            .iter()
            .any(|database| name.starts_with(database))
}

fn missing(folder: &Path) -> Error {
    Error::new(
        Class::State,
        DATABASE_MISSING,
        format!("there is no {}", folder.join(DATABASE).display()),
    )
    .expected("an appliance's state folder")
}

/// Takes a folder as [`take_empty`] does, for a backup to be put back: what an earlier try with this backup (`mark`) left that was stopped is
/// taken away, as long as nothing else has come beside it. Returns its resolved path, and the file that says so for as long as it is there.
///
/// # Errors
///
/// As [`take_empty`]; `E-STATE restore-stopped` when something else lies there; `E-BUSY restore` while another one works there.
pub(super) fn take_to_restore(folder: &Path, mark: &str, makes: &dyn Fn(&str) -> bool) -> Result<(PathBuf, LockFile)> {
    if let Some(resolved) = resolve(folder)? {
        let held = names(&resolved)?;
        let has = |name: &str| held.iter().any(|held| held == name);
        if has(RESTORING) && !has(DATABASE) {
            let _stopped = lock_restoring(&resolved)?;
            check_stopped(&resolved, mark, makes)?;
            clear(&resolved)?;
        }
    }
    let resolved = take_empty(folder)?;
    let path = resolved.join(RESTORING);
    create_new(&path, 0o600)?
        .write_all(mark.as_bytes())
        .map_err(|e| Error::io("write", &path, e))?;
    let lock = lock_restoring(&resolved)?;
    sync_folder(&resolved)?;
    Ok((resolved, lock))
}

/// Bytes of what says which backup is put back.
const MARK_BYTES: u64 = 1 << 10;

/// Checks that a stopped restore of this backup made everything in a folder.
fn check_stopped(folder: &Path, mark: &str, makes: &dyn Fn(&str) -> bool) -> Result<()> {
    let marker = folder.join(RESTORING);
    let said = match open_plain(&marker)? {
        Some(file) => read_bounded(file, MARK_BYTES, "the mark of a stopped restore")?,
        None => Vec::new(),
    };
    let is_its_own = said == mark.as_bytes();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        let place = folder.join(&below);
        for entry in fs::read_dir(&place).map_err(|e| Error::io("list", &place, e))? {
            let entry = entry.map_err(|e| Error::io("list", &place, e))?;
            let path = below.join(entry.file_name());
            let found = entry.file_type().map_err(|e| Error::io("look at", &entry.path(), e))?;
            if found.is_dir() {
                folders.push(path);
            } else if path != Path::new(RESTORING) && !(is_its_own && path.to_str().is_some_and(makes)) {
                return Err(Error::new(
                    Class::State,
                    "restore-stopped",
                    format!(
                        "a restore was stopped in {}, and {} is not of this backup",
                        folder.display(),
                        path.display()
                    ),
                )
                .expected("nothing there but what a restore of this very backup has put there")
                .remedy("give another --state folder, or move away by hand what is in this one"));
            }
        }
    }
    Ok(())
}

fn lock_restoring(folder: &Path) -> Result<LockFile> {
    let path = folder.join(RESTORING);
    let file = LockFile::new(open_or_create(&path, 0o600)?);
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::new(
            Class::Busy,
            "restore",
            format!("another command puts a backup back into {}", folder.display()),
        )
        .remedy("wait for it to end")),
        Err(error) => Err(Error::io("lock", &path, error.into())),
    }
}

/// Takes away everything in a folder that only [`take_to_restore`] let somebody write into; what says so goes last.
pub(super) fn clear(folder: &Path) -> Result<()> {
    let others = names(folder)?.into_iter().filter(|name| name != RESTORING);
    for name in others.chain([RESTORING.to_owned()]) {
        let path = folder.join(name);
        let found = fs::symlink_metadata(&path).map_err(|e| Error::io("look at", &path, e))?;
        let removed = if found.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.map_err(|e| Error::io("remove", &path, e))?;
    }
    sync_folder(folder)
}

/// Whether a backup may put a file under a name: those of an appliance, each part a plain word.
pub(super) fn may_restore(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match parts.as_slice() {
        [name] => [DATABASE, STATUS_DATABASE, STATUS_MARK, MARKS].contains(name),
        [folder, name] => {
            let known = FOLDERS.iter().chain([&EVIDENCE_FOLDER]);
            known.into_iter().any(|known| known == folder) && !name.starts_with('.')
        }
        ["blobs", "sha256", byte, name] => {
            let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            byte.len() == 2 && name.len() == 64 && is_hex(name) && name.starts_with(byte)
        }
        _ => false,
    }
}
