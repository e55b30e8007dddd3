//! Writes a recipe.

use super::grammar::{OP_FRAMED, OP_RAW, OP_STREAM, RAW};
use crate::leb128;

/// A recipe under way.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    raw: Vec<u8>,
}

impl Writer {
    /// Adds bytes as they are; neighbours become one operation.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
    }

    /// Adds a stream: plain bytes and bits of each piece.
    pub fn stream(&mut self, pieces: &[(u64, u64)]) {
        self.end_raw();
        self.bytes.push(OP_STREAM);
        leb128::write(pieces.len() as u64, &mut self.bytes);
        for (plain, bits) in pieces {
            leb128::write(*plain, &mut self.bytes);
            leb128::write(*bits, &mut self.bytes);
        }
    }

    /// Adds blocks that the producer frames.
    pub fn framed(&mut self, block: u64, plain: u64, bytes: u64) {
        self.end_raw();
        self.bytes.push(OP_FRAMED);
        for value in [block, plain, bytes] {
            leb128::write(value, &mut self.bytes);
        }
    }

    fn end_raw(&mut self) {
        let most = usize::try_from(*RAW.end()).unwrap_or(usize::MAX);
        for part in self.raw.chunks(most) {
            self.bytes.push(OP_RAW);
            leb128::write(part.len() as u64, &mut self.bytes);
            self.bytes.extend_from_slice(part);
        }
        self.raw.clear();
    }

    /// Bytes so far.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.raw.len()
    }

    /// The recipe.
    pub fn finish(mut self) -> Vec<u8> {
        self.end_raw();
        self.bytes
    }
}
