//! A file in a backup, and which names it may have.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use crate::crypto::canonical::{self, integer};
use crate::domain::Result;

use super::head::damaged;

/// Bytes of the line of an entry.
pub(super) const ENTRY_BYTES: usize = 2048;
/// Parts and bytes of a name.
const PARTS: usize = 8;
const NAME_BYTES: usize = 1024;

/// A file in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Permissions of its owner, as the system counts them; nobody else's are kept.
    #[serde(with = "integer")]
    pub mode: u64,
    /// Its name below the folder, parts divided by `/`.
    pub path: String,
    /// Its bytes.
    #[serde(with = "integer")]
    pub size: u64,
}

impl Entry {
    /// A file that only its owner may read and write.
    pub fn private(path: impl Into<String>, size: u64) -> Self {
        Self {
            mode: 0o600,
            path: path.into(),
            size,
        }
    }

    pub(super) fn parse(line: &[u8]) -> Result<Self> {
        let entry: Self =
            canonical::from_slice(line, "an entry of the backup").map_err(|error| damaged().with_source(error))?;
        if entry.is_sound() { Ok(entry) } else { Err(damaged()) }
    }

    /// Whether it is a name below a folder, and permissions of an owner that may read it.
    pub(super) fn is_sound(&self) -> bool {
        let path = Path::new(&self.path);
        let parts: Vec<Component<'_>> = path.components().collect();
        let are_plain = parts.iter().all(|part| matches!(part, Component::Normal(_)));
        let again: Vec<&str> = self.path.split('/').collect();
        are_plain
            && (1..=PARTS).contains(&parts.len())
            && again.len() == parts.len()
            && self.path.len() <= NAME_BYTES
            && !self.path.bytes().any(|byte| byte.is_ascii_control())
            && matches!(self.mode, 0o400 | 0o600)
    }
}
