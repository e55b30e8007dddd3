//! A second copy of the highest position of every stream, in a file of its own: numbers are never given twice, whatever happens to the
//! database.
//!
//! A mark is raised in blocks, so that it costs nothing. A position below it may have been given, one above it was not. There is one
//! for each trust domain: a common one would tell each vendor how much the others' agents report (M-81). Each time the file is
//! raised, the database is told before: one that knows of less is an older copy of itself.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::appliance::folder::STATUS_MARK;
use crate::crypto::canonical::{self, integer};
use crate::domain::{Hash, Result, Timestamp};
use crate::stream::{open_plain, read_bounded, write_atomically};

/// Room for thousands of vendors.
const BYTES: u64 = 1 << 20;
/// Positions that are set aside at a time.
const BLOCK: u64 = 100_000;

/// The marks of every stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// How often they were raised.
    pub(super) raises: u64,
    below: BTreeMap<Hash, u64>,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    marks: Vec<Mark>,
    #[serde(with = "integer")]
    raises: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    #[serde(with = "integer")]
    below: u64,
    domain: Hash,
}

impl Marks {
    /// Returns the marks; none when there is no file, or one that cannot be read.
    pub(super) fn read(state: &Path) -> Option<Self> {
        let file = open_plain(&state.join(STATUS_MARK)).ok()??;
        let bytes = read_bounded(file, BYTES, "the marks of the status database").ok()?;
        let document: Document = canonical::from_slice(&bytes, "the marks of the status database").ok()?;
        Some(Self {
            raises: document.raises,
            below: document.marks.iter().map(|mark| (mark.domain, mark.below)).collect(),
        })
    }

    /// Writes them.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-SPACE`.
    pub(super) fn write(&self, state: &Path) -> Result<()> {
        let marks = self.below.iter().map(|(domain, below)| Mark {
            below: *below,
            domain: *domain,
        });
        let document = Document {
            marks: marks.collect(),
            raises: self.raises,
        };
        write_atomically(&state.join(STATUS_MARK), &canonical::to_vec(&document), 0o600)
    }

    /// Returns every stream's mark: positions from there on were never given.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Hash, u64)> {
        self.below.iter().map(|(domain, below)| (domain, *below))
    }

    /// Whether every position below one lies below the stream's mark.
    pub(super) fn covers(&self, domain: &Hash, next: u64) -> bool {
        self.below.get(domain).is_some_and(|below| next < *below)
    }

    /// Sets positions of a stream aside, up to the end of a block: how far exactly is told by what was needed, and others' agents share
    /// in that.
    pub(super) fn raise(&mut self, domain: Hash, next: u64) {
        let below = self.below.entry(domain).or_default();
        *below = (next / BLOCK).saturating_add(1).saturating_mul(BLOCK).max(*below);
    }
}

/// Returns a position that no appliance has given yet, where both copies are gone: one that grows with time.
pub(super) fn guess(now: Timestamp) -> u64 {
    u64::try_from(now.unix()).unwrap_or(0).saturating_mul(1000).max(1)
}
