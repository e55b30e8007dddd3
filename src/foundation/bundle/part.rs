//! What of a bundle a file holds: all of it, a volume, or single chunks for who has the rest. Entry 00 says it, and is held against the
//! signed head.

use super::head::Head;
use super::kind::BUNDLE;
use super::volume_set::volume_of;
use crate::container::{ChunkRanges, claimed_repair, is_of_repair, repair_lines};
use crate::domain::{Class, Error, Result};

/// What of a bundle a file holds.
#[derive(Debug)]
pub(super) enum Part {
    /// A volume, counted from 1; of a bundle in one file the only one.
    Volume(usize),
    /// These chunks alone: it is a repair file.
    Repair(ChunkRanges),
}

impl Part {
    /// Reads entry 00 of a bundle with this head.
    ///
    /// # Errors
    ///
    /// `E-FORMAT format-lines`.
    pub(super) fn of(head: &Head, format: &[u8]) -> Result<Self> {
        if !is_of_repair(format) {
            return volume_of(head, format).map(Self::Volume);
        }
        claimed_repair(format)
            .filter(|chunks| chunks.last() <= head.totals.chunks && format == repair_lines(&BUNDLE, chunks).as_bytes())
            .map(Self::Repair)
            .ok_or_else(|| {
                Error::new(
                    Class::Format,
                    "format-lines",
                    "the format lines name chunks that the bundle does not have, or not as a repair file names them",
                )
                .expected(format!(
                    "ascending ranges of the chunks 1 to {}, none touching the next",
                    head.totals.chunks
                ))
            })
    }
}
