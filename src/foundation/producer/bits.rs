//! The bits of one block at a time, lowest first, in memory that was taken before.

use super::encoder::{Border, Output, Stop};

/// Bytes that the largest block of any producer stays below: 65,535 plain bytes at 16 bits, and its tables.
const ROOM: usize = 192 * 1_024;

/// Bits that no output has taken yet.
#[derive(Debug)]
pub(crate) struct Bits {
    bytes: Box<[u8]>,
    filled: usize,
    pending: u64,
    /// Bits of `pending`, below 8 between two calls.
    count: u32,
    /// Bits handed out in whole bytes, with those of the phase.
    out: u64,
    phase: u32,
}

impl Bits {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; ROOM].into_boxed_slice(),
            filled: 0,
            pending: 0,
            count: 0,
            out: 0,
            phase: 0,
        }
    }

    pub(crate) fn start(&mut self, phase: u32) {
        self.filled = 0;
        self.pending = 0;
        self.count = phase;
        self.out = 0;
        self.phase = phase;
    }

    /// Adds the low `width` bits of a value that has no others; at most 48.
    #[inline]
    pub(crate) fn put(&mut self, value: u64, width: u32) {
        self.pending |= value << self.count;
        self.count += width;
        self.bytes[self.filled..self.filled + 8].copy_from_slice(&self.pending.to_le_bytes());
        self.filled += (self.count >> 3) as usize;
        self.pending >>= self.count & !7;
        self.count &= 7;
    }

    /// Fills the last byte with 0.
    pub(crate) fn align(&mut self) {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
    }

    /// Bits of the last byte that are used: where the next one goes.
    pub(crate) fn next_phase(&self) -> u32 {
        self.count
    }

    /// Adds whole bytes at a byte's border.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.count, 0, "bytes begin at a byte");
        self.bytes[self.filled..self.filled + bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }

    /// Hands out a block that ends behind so many plain bytes.
    pub(crate) fn hand_out(&mut self, plain: u64, output: &mut dyn Output) -> Result<(), Stop> {
        self.out += self.filled as u64 * 8;
        let border = Border {
            plain,
            bits: self.out + u64::from(self.count) - u64::from(self.phase),
            tail: self.pending.to_le_bytes()[0],
        };
        let filled = std::mem::take(&mut self.filled);
        output.block(&self.bytes[..filled], border)
    }
}
