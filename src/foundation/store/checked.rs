//! Which files were checked, and whether they are still the same files (threat model R05).
//!
//! A file counts as checked for as long as device, inode, size, modification and change time stay what they were when its
//! bytes were hashed. Nobody without the power to write raw blocks can change content and keep all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::Stat;

use super::pieces::Pieces;
use crate::domain::Digest;

/// Files remembered; a forgotten one is hashed again when it is asked for.
const FILES: usize = 1 << 17;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<&Stat> for FileIdentity {
    fn from(stat: &Stat) -> Self {
        // The field types differ between architectures.
        #[allow(
            clippy::unnecessary_cast,
            clippy::cast_possible_wrap,
            clippy::useless_conversion,
            reason = "the kernel's types differ between architectures; only equality matters"
        )]
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size as i64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }
}

/// How far a file was checked.
#[derive(Debug, Clone)]
pub(super) enum Checked {
    /// Every byte.
    Whole,
    /// By pieces, which remember it themselves.
    Pieces(Arc<Pieces>),
}

/// The files that were checked.
#[derive(Debug, Default)]
pub(super) struct CheckedFiles(Mutex<HashMap<Digest, (FileIdentity, Checked)>>);

impl CheckedFiles {
    /// Returns how far a file was checked, if it is the same file still.
    pub(super) fn get(&self, digest: &Digest, identity: FileIdentity) -> Option<Checked> {
        match self.lock().get(digest) {
            Some((known, checked)) if *known == identity => Some(checked.clone()),
            _ => None,
        }
    }

    /// Remembers how far a file was checked. Where another caller was first, its pieces are used by both; one that has checked every
    /// byte settles it for all.
    pub(super) fn keep(&self, digest: Digest, identity: FileIdentity, checked: Checked) -> Checked {
        let mut files = self.lock();
        if let Some((known, earlier)) = files.get(&digest)
            && *known == identity
            && matches!(checked, Checked::Pieces(_))
        {
            return earlier.clone();
        }
        if files.len() >= FILES {
            files.clear();
        }
        files.insert(digest, (identity, checked.clone()));
        checked
    }

    pub(super) fn forget(&self, digest: &Digest) {
        self.lock().remove(digest);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, (FileIdentity, Checked)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
