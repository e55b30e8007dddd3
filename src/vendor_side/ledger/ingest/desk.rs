//! Files of the workspace that packages pass through: `incoming/` while they are judged, `packages/SITE/` when they were taken in,
//! `evidence/SITE/` when they contradict what is known (V0, V12).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::copied::Copied;
use super::kept::{self, PACKAGES, file_name};
use super::verdict::Identity;
use crate::domain::{Class, Error, Result, SiteId, limits};
use crate::stream::{Expected, LockFile, create_own_folder, look, open_plain, read_exact_or_end, sync_folder};

const INCOMING: &str = "incoming";
const EVIDENCE: &str = "evidence";

/// Bytes that are compared at a time.
const COMPARED: usize = 64 << 10;
/// How often, and with what between, is looked whether the workspace is free.
const LOOKS: u32 = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// What stands where the file of a package is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// The same bytes.
    Same,
    /// Other bytes: damage, or another set of approvals.
    Another,
    /// Nothing.
    Gone,
}

/// The right to take packages in: one process has it.
#[derive(Debug)]
pub(super) struct Desk {
    folder: PathBuf,
    /// The workspace folder itself, so that nothing is left of a lock.
    _lock: LockFile,
}

/// Whether a command takes packages into a workspace now: whoever writes into its ledger waits for the package that is read.
///
/// # Errors
///
/// `E-IO`.
pub fn is_taking_in(folder: &Path) -> Result<bool> {
    let file = File::open(folder).map_err(|e| Error::io("open the folder", folder, e))?;
    match LockFile::new(file).try_lock_shared() {
        Ok(()) => Ok(false),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(errno) => Err(Error::io("lock", folder, errno.into())),
    }
}

impl Desk {
    /// Locks a workspace and removes what a stopped start left (V0).
    ///
    /// # Errors
    ///
    /// `E-BUSY ingest`; `E-STATE planted`, `E-IO`, `E-SPACE`.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let file = File::open(folder).map_err(|e| Error::io("open the folder", folder, e))?;
        let lock = LockFile::new(file);
        // Who only asks whether somebody is here holds it for a moment.
        let mut locked = lock.try_lock();
        for _ in 0..LOOKS {
            if locked != Err(rustix::io::Errno::WOULDBLOCK) {
                break;
            }
            std::thread::sleep(BETWEEN_LOOKS);
            locked = lock.try_lock();
        }
        match locked {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(Error::new(
                    Class::Busy,
                    "ingest",
                    "another command takes packages into this workspace",
                )
                .expected("one at a time")
                .remedy("wait for it to end"));
            }
            Err(errno) => return Err(Error::io("lock", folder, errno.into())),
        }
        let desk = Self {
            folder: folder.to_owned(),
            _lock: lock,
        };
        desk.clear()?;
        Ok(desk)
    }

    /// Copies a package that a person named, under a number that no other has here.
    ///
    /// # Errors
    ///
    /// Those of [`Copied::make`].
    pub(super) fn copy(&self, number: usize, from: &Path, told: &mut dyn FnMut(u64, u64)) -> Result<Copied> {
        let folder = self.folder.join(INCOMING);
        create_own_folder(&folder)?;
        Copied::make(from, folder.join(number.to_string()), told)
    }

    /// Puts a copy where the files of the packages stand that were taken in, durable (V12).
    ///
    /// Its name has digits of its instance and of its head: a site that makes two with the same ones loses its own older file.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `E-IO`, `E-SPACE`.
    pub(super) fn store(&self, copied: &Copied, identity: &Identity) -> Result<PathBuf> {
        self.put(copied, PACKAGES, &identity.site, &file_name(identity, 8))
    }

    /// Removes a file that was stored in vain.
    ///
    /// # Errors
    ///
    /// `E-IO`.
    #[expect(clippy::unused_self, reason = "files are the desk's")]
    pub(super) fn take_back(&self, path: &Path) -> Result<()> {
        remove(path)
    }

    /// Says what stands where the file of a package is kept, beside a copy of it.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `E-IO`.
    pub(super) fn kept(&self, copied: &Copied, identity: &Identity) -> Result<Kept> {
        let path = kept::path(&self.folder, identity);
        let (Some(mut kept), Some(mut copy)) = (open_plain(&path)?, open_plain(&copied.path)?) else {
            return Ok(Kept::Gone);
        };
        let size = kept.metadata().map_err(|e| Error::io("look at", &path, e))?.len();
        if size != copied.size {
            return Ok(Kept::Another);
        }
        let (mut one, mut other) = (vec![0; COMPARED], vec![0; COMPARED]);
        loop {
            let read = read_exact_or_end(&mut kept, &mut one).map_err(|e| Error::io("read", &path, e))?;
            let beside = read_exact_or_end(&mut copy, &mut other).map_err(|e| Error::io("read", &copied.path, e))?;
            if one.get(..read) != other.get(..beside) {
                return Ok(Kept::Another);
            }
            if read < COMPARED {
                return Ok(Kept::Same);
            }
        }
    }

    /// Returns the workspace's folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps a copy as evidence, durable, and lets go of the oldest of its site.
    ///
    /// # Errors
    ///
    /// As [`Self::store`].
    pub(super) fn keep_evidence(&self, copied: &Copied, identity: &Identity) -> Result<()> {
        self.put(copied, EVIDENCE, &identity.site, &file_name(identity, 64))?;
        let folder = self.folder.join(EVIDENCE).join(identity.site.as_str());
        let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&folder).map_err(|e| Error::io("list", &folder, e))? {
            let path = entry.map_err(|e| Error::io("list", &folder, e))?.path();
            let changed = fs::symlink_metadata(&path).and_then(|found| found.modified());
            files.push((changed.map_err(|e| Error::io("look at", &path, e))?, path));
        }
        files.sort();
        let surplus = files.len().saturating_sub(limits::EVIDENCE_FILES);
        for (_, path) in files.iter().take(surplus) {
            remove(path)?;
        }
        if surplus > 0 {
            sync_folder(&folder)?;
        }
        Ok(())
    }

    /// Removes every copy, and the folder they stood in.
    ///
    /// # Errors
    ///
    /// `E-STATE planted`, `E-IO`.
    pub(super) fn clear(&self) -> Result<()> {
        let folder = self.folder.join(INCOMING);
        if look(&folder, Expected::Folder)?.is_none() {
            return Ok(());
        }
        for entry in fs::read_dir(&folder).map_err(|e| Error::io("list", &folder, e))? {
            remove(&entry.map_err(|e| Error::io("list", &folder, e))?.path())?;
        }
        fs::remove_dir(&folder).map_err(|e| Error::io("remove", &folder, e))
    }

    fn put(&self, copied: &Copied, kind: &str, site: &SiteId, name: &str) -> Result<PathBuf> {
        let all = self.folder.join(kind);
        create_own_folder(&all)?;
        let folder = all.join(site.as_str());
        create_own_folder(&folder)?;
        sync_folder(&self.folder)?;
        sync_folder(&all)?;
        let path = folder.join(name);
        look(&path, Expected::File)?;
        let synced = open_plain(&copied.path)?.map_or(Ok(()), |file| file.sync_all());
        #[expect(
            clippy::disallowed_methods,
            reason = "a synced file takes its name, and the folder is synced"
        )]
        let renamed = synced.and_then(|()| fs::rename(&copied.path, &path));
        renamed.map_err(|e| Error::io("write", &path, e))?;
        sync_folder(&folder)?;
        Ok(path)
    }
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|e| Error::io("remove", path, e))
}
