//! Files of the workspace that packages pass through: `incoming/` while they are judged, `packages/SITE/` when they were taken in,
//! `evidence/SITE/` when they contradict what is known (V0, V12).

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::copied::Copied;
use super::verdict::Identity;
use crate::domain::{Class, Error, Result, SiteId, limits};
use crate::stream::{Expected, LockFile, create_own_folder, look, open_plain, sync_folder};

const INCOMING: &str = "incoming";
const PACKAGES: &str = "packages";
const EVIDENCE: &str = "evidence";

/// The right to take packages in: one process has it.
#[derive(Debug)]
pub(super) struct Desk {
    folder: PathBuf,
    /// The workspace folder itself, so that nothing is left of a lock.
    _lock: LockFile,
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
        match lock.try_lock() {
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
    pub(super) fn store(&self, copied: &Copied, identity: &Identity) -> Result<()> {
        self.put(copied, PACKAGES, &identity.site, &file_name(identity, 8))
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

    fn put(&self, copied: &Copied, kind: &str, site: &SiteId, name: &str) -> Result<()> {
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
        sync_folder(&folder)
    }
}

/// `INSTANCE8-NUMBER-HEAD`, with so many digits of the head.
fn file_name(identity: &Identity, digits: usize) -> String {
    let Identity {
        instance, number, head, ..
    } = identity;
    let short = |text: &str, count: usize| text.chars().take(count).collect::<String>();
    format!(
        "{}-{number}-{}",
        short(instance.as_str(), 8),
        short(&head.to_string(), digits)
    )
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|e| Error::io("remove", path, e))
}
