//! Backup and restore of a workspace: keys, root documents, ledger, and the packages that it was told by, in one encrypted file
//! ([`crate::backup`]); and put back as a whole folder, or not at all.
//!
//! The ledger is copied online; keys and root documents are read before and after, and must be the same. Packages are durable before the
//! ledger names them, so they are looked for after it was copied.
//!
//! What the workspace signed since the backup was made it does not know when it is put back, and would sign other content under the same
//! numbers, which sites refuse. So what is at hand is compared (`--against`), and what is turned back is said before anything is written.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::workspace::{CHAIN, KEYS, LEDGER, Workspace, free_folder};
use crate::backup::{BackupWriter, Entry, Kind, OpenedBackup, Sealing, check_room, damaged, names_in};
use crate::crypto::canonical::{self, integer};
use crate::db::ledger::{highest_numbers, put_restored};
use crate::db::{Db, Reader, Schema, sealed_log};
use crate::domain::{Class, Counter, Error, Hash, Name, Result, Scope, Timestamp, limits};
use crate::stream::{
    Expected, LockFile, create_folder, create_new, look, open_beside, open_or_create, read_bounded, space, sync_folder,
};

/// The copy of the ledger while a backup is made.
const COPY: &str = "ledger.db.copy";
/// Folders of packages, below which sites have theirs.
const PACKAGES: [&str; 2] = ["packages", "evidence"];
/// No key file is longer.
const KEY_BYTES: u64 = 64 << 10;
/// Bytes that are copied at a time.
const COPIED: usize = 64 << 10;
/// Bytes that stay free: others write too.
const MARGIN: u64 = 8 << 20;
/// How often it is tried to meet a moment in which nothing changes.
const TRIES: usize = 8;

/// What a backup of a workspace is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceFacts {
    /// The trust domain.
    pub domain: Hash,
    /// The highest number that was signed in each scope.
    pub numbers: Vec<NumberFact>,
    /// Rows of the ledger's log.
    #[serde(with = "integer")]
    pub rows: u64,
    /// The vendor.
    pub vendor: String,
    /// Its newest root.
    #[serde(with = "integer")]
    pub version: u64,
}

/// The highest number that was signed in a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberFact {
    channel: Name,
    domain: Hash,
    #[serde(with = "integer")]
    epoch: u64,
    product: Name,
    #[serde(with = "integer")]
    sequence: u64,
}

impl NumberFact {
    /// Returns the scope.
    pub fn scope(&self) -> Scope {
        Scope {
            domain: self.domain,
            product: self.product.clone(),
            channel: self.channel.clone(),
        }
    }

    /// Returns the number.
    pub fn counter(&self) -> Counter {
        Counter {
            epoch: self.epoch,
            sequence: self.sequence,
        }
    }
}

/// What went into a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUpWorkspace {
    /// What it says of the workspace.
    pub facts: WorkspaceFacts,
    /// Files.
    pub files: u64,
    /// Bytes of the backup.
    pub bytes: u64,
}

impl WorkspaceFacts {
    fn read(ledger: &Reader, chain: &crate::crypto::Chain) -> Result<Self> {
        ledger.read(|connection| {
            let numbers = highest_numbers(connection)?.into_iter();
            Ok(Self {
                domain: chain.domain(),
                numbers: numbers
                    .map(|(scope, counter)| NumberFact {
                        channel: scope.channel,
                        domain: scope.domain,
                        epoch: counter.epoch,
                        product: scope.product,
                        sequence: counter.sequence,
                    })
                    .collect(),
                rows: sealed_log::newest(connection)?.0,
                vendor: chain.newest().vendor.clone(),
                version: chain.newest().version,
            })
        })
    }
}

impl Workspace {
    /// Makes a backup of the workspace, while other commands go on.
    ///
    /// # Errors
    ///
    /// `E-USAGE output` when something has that name; `E-BUSY`; `E-INTEGRITY read-back`; `E-STATE`, `E-IO` and `E-SPACE`. No file has the
    /// name then.
    pub fn backup(
        &self,
        path: &Path,
        sealing: Sealing<'_>,
        now: Timestamp,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BackedUpWorkspace> {
        let folder = self.folder();
        let ledger = Reader::open(&folder.join(LEDGER), &Schema::LEDGER)?;
        check_room_to_copy(folder)?;
        let copy = LedgerCopy::take(folder)?;
        let small = self.gather(&ledger, &copy)?;
        let copied = Reader::open(&copy.path, &Schema::LEDGER)?;
        let chain = Self::open(folder)?;
        let facts = WorkspaceFacts::read(&copied, chain.chain())?;
        drop(copied);
        // Without a name from now on: whatever becomes of this process, nothing of it stays.
        let ledger = copy.open()?;
        drop(copy);
        let packages = packages(folder)?;
        let length = |file: &File| {
            let found = file.metadata().map_err(|error| Error::io("look at", folder, error))?;
            Ok::<_, Error>(found.len())
        };
        let mut bytes = length(&ledger)?;
        for name in &packages {
            bytes = bytes.saturating_add(size_of(&folder.join(name))?);
        }
        check_room(path, bytes)?;
        let mut writer = BackupWriter::begin(path, Kind::Workspace, sealing, now, &canonical::to_vec(&facts))?;
        let mut files = 1_u64;
        for (name, bytes) in &small {
            writer.add(&Entry::private(name, bytes.len() as u64), bytes.as_slice())?;
            files = files.saturating_add(1);
        }
        writer.add(&Entry::private(LEDGER, length(&ledger)?), &ledger)?;
        for name in packages {
            // One that was taken in in vain may be gone by now.
            if add(&mut writer, &name, &folder.join(&name))? {
                files = files.saturating_add(1);
            }
        }
        let bytes = writer.finish(progress)?;
        Ok(BackedUpWorkspace { facts, files, bytes })
    }

    /// Copies the ledger, and reads keys and root documents that belong to it.
    fn gather(&self, ledger: &Reader, copy: &LedgerCopy) -> Result<Vec<(String, Zeroizing<Vec<u8>>)>> {
        for _ in 0..TRIES {
            let before = small(self.folder())?;
            copy.clear()?;
            ledger.copy_to(&copy.path)?;
            if before == small(self.folder())? {
                return Ok(before);
            }
        }
        Err(Error::new(
            Class::Busy,
            "backup",
            "another command changes keys or root documents all the while",
        )
        .remedy("wait for it to end"))
    }
}

/// A backup that was read to its end, and may be put back.
#[expect(missing_debug_implementations, reason = "it holds a key")]
pub struct WorkspaceRestore {
    opened: OpenedBackup,
    /// What it says of the workspace.
    pub facts: WorkspaceFacts,
    /// When it was made.
    pub made_at: Timestamp,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether the workspace that was in use was among them: then nothing was signed that is not known.
    pub is_all: bool,
    /// Higher numbers that others know, and the backup's where it has one.
    pub numbers: Vec<(Scope, Option<Counter>, Counter)>,
    /// A newer root that others know.
    pub root: Option<u64>,
    /// What could not be read of the others, for people.
    pub unread: Vec<String>,
}

impl WorkspaceRestore {
    /// Reads a backup to its end and compares it with others: workspaces, or backups with the same passphrase. Writes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`OpenedBackup`]; `E-USAGE other-vendor`; `E-IO`.
    pub fn read(
        path: &Path,
        passphrase: &str,
        against: &[PathBuf],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self> {
        let mut opened = OpenedBackup::open(path, Kind::Workspace, passphrase)?;
        let facts = opened.facts::<WorkspaceFacts>()?;
        let (files, bytes) = opened.check(&mut drop, progress)?;
        let mut restore = Self {
            made_at: opened.made_at(),
            opened,
            facts,
            files,
            bytes,
            is_all: false,
            numbers: Vec::new(),
            root: None,
            unread: Vec::new(),
        };
        for other in against {
            restore.compare(other, passphrase)?;
        }
        Ok(restore)
    }

    fn compare(&mut self, path: &Path, passphrase: &str) -> Result<()> {
        let is_folder = fs::metadata(path)
            .map_err(|error| Error::io("look at", path, error))?
            .is_dir();
        let other = if is_folder {
            let workspace = Workspace::open(path)?;
            let ledger = Reader::open(&path.join(LEDGER), &Schema::LEDGER);
            match ledger.and_then(|ledger| WorkspaceFacts::read(&ledger, workspace.chain())) {
                Ok(facts) => {
                    self.is_all |= facts.domain == self.facts.domain;
                    facts
                }
                Err(error) => {
                    self.unread.push(error.found().to_owned());
                    // The chain is read without the ledger.
                    WorkspaceFacts {
                        domain: workspace.chain().domain(),
                        numbers: Vec::new(),
                        rows: 0,
                        vendor: workspace.chain().newest().vendor.clone(),
                        version: workspace.chain().newest().version,
                    }
                }
            }
        } else {
            let opened = OpenedBackup::open(path, Kind::Workspace, passphrase)?;
            opened.facts::<WorkspaceFacts>()?
        };
        if other.domain != self.facts.domain {
            return Err(Error::new(
                Class::Usage,
                "other-vendor",
                format!("{} is of the trust domain {}", path.display(), other.domain),
            )
            .expected(format!("that of the backup, {}", self.facts.domain))
            .remedy("name the workspace or backup of this vendor, or leave --against out"));
        }
        if other.version > self.facts.version {
            self.root = self.root.max(Some(other.version));
        }
        for fact in &other.numbers {
            let (scope, to) = (fact.scope(), fact.counter());
            let held = self.facts.numbers.iter().find(|held| held.scope() == scope);
            let from = held.map(NumberFact::counter);
            if from.is_some_and(|from| from >= to) {
                continue;
            }
            match self.numbers.iter_mut().find(|(held, _, _)| *held == scope) {
                Some((_, _, held)) => *held = (*held).max(to),
                None => self.numbers.push((scope, from, to)),
            }
        }
        Ok(())
    }

    /// Puts it back into a folder that is new or empty: everything is written beside it, and takes its name at the end.
    ///
    /// # Errors
    ///
    /// `E-USAGE folder-in-use`; `E-INTEGRITY backup-damaged` when the file was changed meanwhile; `E-STATE`, `E-SPACE`, `E-IO`. Nothing is left
    /// behind then.
    pub fn put_back(&mut self, folder: &Path, now: Timestamp, progress: &mut dyn FnMut(u64, u64)) -> Result<Workspace> {
        let target = free_folder(folder)?;
        let parent = target
            .parent()
            .ok_or_else(|| Error::new(Class::Usage, "folder", "a workspace cannot be the root folder"))?;
        fs::create_dir_all(parent).map_err(|error| Error::io("create the folder", parent, error))?;
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{}.new", std::process::id()));
        let draft = parent.join(name);
        fs::create_dir(&draft).map_err(|error| Error::io("create the folder", &draft, error))?;
        let made = self.fill(&draft, now, progress).and_then(|()| {
            #[expect(clippy::disallowed_methods, reason = "a whole folder appears at once")]
            fs::rename(&draft, &target).map_err(|error| Error::io("create", &target, error))?;
            sync_folder(parent)
        });
        if let Err(error) = made {
            // The first error is the one that matters.
            fs::remove_dir_all(&draft).ok();
            return Err(error);
        }
        Workspace::open(&target)
    }

    fn fill(&mut self, draft: &Path, now: Timestamp, progress: &mut dyn FnMut(u64, u64)) -> Result<()> {
        let (wanted, free) = (self.bytes.saturating_add(MARGIN), space(draft)?.bytes);
        if wanted > free {
            return Err(Error::new(
                Class::Space,
                "no-space",
                format!("{} has {free} bytes left", draft.display()),
            )
            .expected(format!("room for {wanted} bytes"))
            .remedy("free space there, or name another folder; nothing was written"));
        }
        create_folder(&draft.join(KEYS))?;
        self.opened.rewind()?;
        let mut done = 0_u64;
        while let Some(entry) = self.opened.entry()? {
            put(draft, &entry, &mut self.opened)?;
            done = done.saturating_add(entry.size);
            progress(done, self.bytes);
        }
        let workspace = Workspace::open(draft)?;
        // What belongs together says the same.
        if workspace.chain().domain() != self.facts.domain {
            return Err(damaged());
        }
        let ledger = Db::open(&draft.join(LEDGER), &Schema::LEDGER)?;
        ledger.quick_check()?;
        ledger.write(|transaction| {
            let numbers: Vec<_> = self
                .numbers
                .iter()
                .take(32)
                .map(|(scope, _, to)| json!({"channel": scope.channel, "product": scope.product, "to": to.to_string()}))
                .collect();
            let used = self.numbers.iter().map(|(scope, _, to)| (scope, *to));
            put_restored(transaction, self.made_at, self.is_all, used)?;
            let detail = json!({"made_at": self.made_at, "numbers": numbers});
            sealed_log::append(transaction, now, "restore", &detail).map(|_| ())
        })?;
        // Closed before the folder takes its name, so that no side file stays open under the old one.
        drop(ledger);
        let handle = File::open(draft).map_err(|error| Error::io("open", draft, error))?;
        rustix::fs::syncfs(&handle).map_err(|error| Error::io("sync", draft, error.into()))
    }
}

/// Checks that the ledger has room beside itself.
fn check_room_to_copy(folder: &Path) -> Result<()> {
    let ledger = folder.join(LEDGER);
    let mut log = ledger.clone().into_os_string();
    log.push("-wal");
    let wanted = size_of(&ledger)?
        .saturating_add(size_of(Path::new(&log))?)
        .saturating_add(MARGIN);
    let free = space(folder)?.bytes;
    if wanted > free {
        return Err(Error::new(
            Class::Space,
            "no-space",
            format!("{} has {free} bytes left", folder.display()),
        )
        .expected(format!("room for {wanted} bytes"))
        .remedy("free space there and give the command again: the ledger is copied beside itself"));
    }
    Ok(())
}

/// Returns how long a file is; 0 where there is none.
fn size_of(path: &Path) -> Result<u64> {
    let found = look(path, Expected::File)?;
    Ok(found.map_or(0, |found| found.size()))
}

/// The copy of the ledger, removed when this goes.
struct LedgerCopy {
    path: PathBuf,
    lock: LockFile,
}

impl LedgerCopy {
    fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(COPY);
        let lock = LockFile::new(open_or_create(&path, 0o600)?);
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, lock }),
            Err(Errno::WOULDBLOCK) => {
                Err(
                    Error::new(Class::Busy, "backup", "another backup of this workspace is made")
                        .remedy("wait for it to end"),
                )
            }
            Err(error) => Err(Error::io("lock", &path, error.into())),
        }
    }

    /// Opens it.
    fn open(&self) -> Result<File> {
        let gone = || Error::io("open", &self.path, std::io::ErrorKind::NotFound.into());
        open_beside(&self.path, "open")?.ok_or_else(gone)
    }

    /// Empties it: into a file with something in it nothing is copied, and the journal of a stopped one is not this one's.
    fn clear(&self) -> Result<()> {
        let failed = |error| Error::io("write", &self.path, error);
        self.lock.set_len(0).map_err(failed)?;
        let mut journal = self.path.clone().into_os_string();
        journal.push("-journal");
        match fs::remove_file(journal) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }
}

impl Drop for LedgerCopy {
    fn drop(&mut self) {
        // One that stays is emptied by the next backup.
        fs::remove_file(&self.path).ok();
    }
}

fn small(folder: &Path) -> Result<Vec<(String, Zeroizing<Vec<u8>>)>> {
    let mut files = Vec::new();
    let mut read = |name: String, most: u64| -> Result<()> {
        if let Some(file) = open_beside(&folder.join(&name), "open")? {
            files.push((
                name,
                Zeroizing::new(read_bounded(file, most, "a file of the workspace")?),
            ));
        }
        Ok(())
    };
    read(CHAIN.to_owned(), limits::TRUST_BYTES)?;
    for name in names_in(&folder.join(KEYS))? {
        read(format!("{KEYS}/{name}"), KEY_BYTES)?;
    }
    Ok(files)
}

fn packages(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for kind in PACKAGES {
        for site in names_in(&folder.join(kind))? {
            for name in names_in(&folder.join(kind).join(&site))? {
                files.push(format!("{kind}/{site}/{name}"));
            }
        }
    }
    Ok(files)
}

/// Adds a file as it is now; says whether it is there.
fn add(writer: &mut BackupWriter, name: &str, path: &Path) -> Result<bool> {
    let Some(file) = open_beside(path, "open")? else {
        return Ok(false);
    };
    let found = file.metadata().map_err(|error| Error::io("look at", path, error))?;
    writer.add(&Entry::private(name, found.len()), file)?;
    Ok(true)
}

fn put(draft: &Path, entry: &Entry, opened: &mut OpenedBackup) -> Result<()> {
    let parts: Vec<&str> = entry.path.split('/').collect();
    let is_known = match parts.as_slice() {
        [name] => [CHAIN, LEDGER].contains(name),
        [folder, name] => *folder == KEYS && !name.starts_with('.'),
        [folder, site, name] => PACKAGES.contains(folder) && !site.starts_with('.') && !name.starts_with('.'),
        _ => false,
    };
    if !is_known {
        return Err(damaged());
    }
    let path = draft.join(&entry.path);
    create_folder(path.parent().unwrap_or(draft))?;
    // What everybody may know is a file as any.
    let is_public = entry.path == CHAIN || path.extension() == Some("pub".as_ref());
    let mut file = create_new(&path, if is_public { 0o644 } else { 0o600 })?;
    loop {
        let bytes = opened.content(COPIED)?;
        if bytes.is_empty() {
            return Ok(());
        }
        file.write_all(bytes)
            .map_err(|error| Error::io("write", &path, error))?;
    }
}
