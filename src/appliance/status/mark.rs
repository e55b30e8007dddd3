//! A second copy of the highest number, in a file of its own: numbers are never given twice, whatever happens to the database.
//!
//! It is raised in blocks, so that it costs nothing. A number below the mark may have been given, one above it was not.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::appliance::folder::STATUS_MARK;
use crate::crypto::canonical::{self, integer};
use crate::domain::{Result, Timestamp};
use crate::stream::{open_plain, read_bounded, write_atomically};

const BYTES: u64 = 4096;
/// Numbers that are set aside at a time.
pub(super) const BLOCK: u64 = 100_000;

/// The file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    #[serde(with = "integer")]
    below: u64,
}

/// Returns the mark; none when there is no file, or one that cannot be read.
pub(super) fn read(state: &Path) -> Option<u64> {
    let file = open_plain(&state.join(STATUS_MARK)).ok()??;
    let bytes = read_bounded(file, BYTES, "the mark of the status database").ok()?;
    let mark: Mark = canonical::from_slice(&bytes, "the mark of the status database").ok()?;
    Some(mark.below)
}

/// Writes the mark.
///
/// # Errors
///
/// `E-IO` and `E-SPACE`.
pub(super) fn write(state: &Path, below: u64) -> Result<()> {
    write_atomically(&state.join(STATUS_MARK), &canonical::to_vec(&Mark { below }), 0o600)
}

/// Returns a number that no appliance has given yet, where both copies are gone: one that grows with time.
pub(super) fn guess(now: Timestamp) -> u64 {
    u64::try_from(now.unix()).unwrap_or(0).saturating_mul(1000).max(1)
}
