//! The operations of a recipe, walked where they stand.

use std::ops::RangeInclusive;

use crate::leb128;

/// Bytes of one raw operation.
pub const RAW: RangeInclusive<u64> = 1..=65_536;
/// Plain bytes of a block of a framed operation.
pub const BLOCKS: RangeInclusive<u64> = 65_536..=1_048_576;

pub(super) const OP_RAW: u8 = 0;
pub(super) const OP_STREAM: u8 = 1;
pub(super) const OP_FRAMED: u8 = 2;

/// One operation.
#[derive(Debug, Clone)]
pub enum Operation<'a> {
    /// These bytes.
    Raw(&'a [u8]),
    /// One deflate stream in pieces.
    Stream(Pieces<'a>),
    /// Blocks as the producer frames them.
    Framed {
        /// Plain bytes of a block.
        block: u64,
        /// Plain bytes of all.
        plain: u64,
        /// Bytes that come out.
        bytes: u64,
    },
}

/// The pieces of a stream: plain bytes and bits of each.
#[derive(Debug, Clone)]
pub struct Pieces<'a> {
    bytes: &'a [u8],
    left: u64,
}

impl<'a> Pieces<'a> {
    /// So many pieces that stand at the begin of these bytes.
    pub(super) fn at(bytes: &'a [u8], left: u64) -> Self {
        Self { bytes, left }
    }

    /// What was not walked yet, and what stands behind the pieces.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// How many there are.
    pub fn number(&self) -> u64 {
        self.left
    }
}

impl Iterator for Pieces<'_> {
    type Item = Option<(u64, u64)>;

    /// Nothing inside stands for what is no pair of numbers; it is the last.
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let pair = leb128::read(&mut self.bytes).and_then(|plain| Some((plain, leb128::read(&mut self.bytes)?)));
        if pair.is_none() {
            self.left = 0;
        }
        Some(pair)
    }
}

/// The operations of a recipe, one after the other.
#[derive(Debug, Clone)]
pub struct Operations<'a> {
    bytes: &'a [u8],
}

impl<'a> Operations<'a> {
    /// Walks a recipe.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// What was not walked yet.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    fn operation(&mut self) -> Option<Operation<'a>> {
        let (kind, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        match *kind {
            OP_RAW => {
                let size = leb128::read(&mut self.bytes).filter(|size| RAW.contains(size))?;
                let (raw, rest) = self.bytes.split_at_checked(usize::try_from(size).ok()?)?;
                self.bytes = rest;
                Some(Operation::Raw(raw))
            }
            OP_STREAM => {
                let left = leb128::read(&mut self.bytes).filter(|count| *count > 0)?;
                let pieces = Pieces {
                    bytes: self.bytes,
                    left,
                };
                let mut walked = pieces.clone();
                for piece in walked.by_ref() {
                    piece?;
                }
                self.bytes = walked.bytes;
                Some(Operation::Stream(pieces))
            }
            OP_FRAMED => {
                let block = leb128::read(&mut self.bytes).filter(|block| BLOCKS.contains(block))?;
                let plain = leb128::read(&mut self.bytes)?;
                let bytes = leb128::read(&mut self.bytes)?;
                Some(Operation::Framed { block, plain, bytes })
            }
            _ => None,
        }
    }
}

impl<'a> Iterator for Operations<'a> {
    type Item = Option<Operation<'a>>;

    /// Nothing inside stands for what is no operation; it is the last.
    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let operation = self.operation();
        if operation.is_none() {
            self.bytes = &[];
        }
        Some(operation)
    }
}
