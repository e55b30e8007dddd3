//! How large a package is: a round number, so that its size tells little of what is in it (M-89).

use crate::container::{END_BYTES, entry_bytes};
use crate::domain::limits;

/// Bytes of entry 01 for the room that is kept: one signature, or none.
const SIGNATURES: u64 = 512;
/// Bytes of an approval in entry 04, with the comma before it: key id, signature, and the names of the two.
const APPROVAL: u64 = 174;

/// Sizes of what a package is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Bytes of entry 00.
    pub(super) format: u64,
    /// Bytes of entry 02.
    pub(super) hints: u64,
    /// Bytes of entry 03 with the widest `payload_offset`.
    pub(super) head: u64,
    /// Approvals for which there is to be room.
    pub(super) approvals: u64,
    /// Bytes of the index page, if there is one.
    pub(super) page: Option<u64>,
    /// Bytes of the entries of all chunks.
    pub(super) chunks: u64,
}

impl Sizes {
    /// Returns the bytes of the whole file: rounded.
    pub(super) fn total(&self) -> u64 {
        let before = [
            self.format,
            SIGNATURES,
            self.hints,
            self.head,
            16_u64.saturating_add(APPROVAL.saturating_mul(self.approvals)),
            // The fill's own header.
            0,
        ];
        let sum = before
            .into_iter()
            .chain(self.page)
            .map(entry_bytes)
            .fold(self.chunks, u64::saturating_add)
            .saturating_add(END_BYTES as u64);
        rounded(sum)
    }

    /// Returns where the first chunk's header stands.
    pub(super) fn payload_offset(&self) -> u64 {
        self.total()
            .saturating_sub(self.chunks)
            .saturating_sub(END_BYTES as u64)
    }
}

/// Returns the size that a file of so many bytes gets: at most 6.25 % more, above 256 KiB.
pub fn rounded(total: u64) -> u64 {
    const LEAST: u64 = 16 << 10;
    let unit = match total.checked_ilog2() {
        Some(log) if total > 256 << 10 => 1_u64
            .checked_shl(log.saturating_sub(4))
            .unwrap_or(limits::SIZE_UNIT_MAX),
        _ => LEAST,
    };
    total
        .checked_next_multiple_of(unit.min(limits::SIZE_UNIT_MAX))
        .unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_as_the_table_says() {
        const KIB: u64 = 1 << 10;
        for (total, size) in [
            (1, 16 * KIB),
            (16 * KIB, 16 * KIB),
            (16 * KIB + 1, 32 * KIB),
            (256 * KIB, 256 * KIB),
            (256 * KIB + 1, 272 * KIB),
            (512 * KIB - 1, 512 * KIB),
            (512 * KIB, 512 * KIB),
            (512 * KIB + 1, 544 * KIB),
            (1 << 20, 1 << 20),
            ((1 << 20) + 1, (1 << 20) + (64 << 10)),
            (64 << 20, 64 << 20),
            ((64 << 20) + 1, 68 << 20),
            (128 << 20, 128 << 20),
            ((128 << 20) + 1, 136 << 20),
            ((256 << 20) + 1, 264 << 20),
            ((1 << 30) + 1, (1 << 30) + (8 << 20)),
        ] {
            assert_eq!(rounded(total), size, "{total}");
        }
        let mut before = 0;
        for total in (1_u64..40 << 20).step_by(4099) {
            let size = rounded(total);
            assert!(size >= total && size >= before && (total <= 256 << 10 || (size - total) * 16 <= total));
            before = size;
        }
    }

    #[test]
    fn the_worked_example_begins_and_ends_where_it_says() {
        let sizes = Sizes {
            format: 39,
            hints: 150,
            // The head has 1,653 bytes with an offset of five digits.
            head: 1653 + 11,
            approvals: 0,
            page: Some(671),
            chunks: entry_bytes(1423),
        };
        assert_eq!((sizes.total(), sizes.payload_offset()), (16_384, 13_312));
    }
}
