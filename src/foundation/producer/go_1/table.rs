//! The search of level 1: one table of hashes, blocks of 65,535 plain bytes, matches that reach into the block before.
//!
//! Which positions the table holds depends on all that came before, so a stream of level 1 is one piece.

use crate::producer::bits::Bits;
use crate::producer::encoder::{Encoder, Output, Start, Stop};
use crate::producer::format::STORED;
use crate::producer::work::{START, Work};

use super::block::{Blocks, Token, end, store};

const TABLE_BITS: u32 = 14;
const FARTHEST: i64 = 32_768;
const LONGEST: usize = 258;
/// Plain at the end of a block that is not searched.
const MARGIN: usize = 15;

#[derive(Debug, Clone, Copy)]
struct Entry {
    bytes: u32,
    position: i64,
}

/// The emulator.
#[derive(Debug)]
pub(crate) struct Table {
    entries: Box<[Entry]>,
    plain: Vec<u8>,
    block_before: Vec<u8>,
    /// Position of the block's first byte.
    base: i64,
    left: u64,
    total: u64,
    tokens: Vec<Token>,
    blocks: Blocks,
    bits: Bits,
    started: bool,
}

/// Far enough that nothing reaches it.
const NOTHING: Entry = Entry {
    bytes: 0,
    position: -FARTHEST - 1,
};

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            entries: vec![NOTHING; 1 << TABLE_BITS].into_boxed_slice(),
            plain: Vec::with_capacity(STORED),
            block_before: Vec::with_capacity(STORED),
            base: 0,
            left: 0,
            total: 0,
            tokens: Vec::with_capacity(STORED),
            blocks: Blocks::new(),
            bits: Bits::new(),
            started: false,
        }
    }

    fn literals(&mut self, from: usize, to: usize) {
        self.tokens
            .extend(self.plain[from..to].iter().map(|byte| Token::literal(*byte)));
    }

    /// Reads an entry and puts another in its place.
    #[inline]
    fn replace(&mut self, hash: usize, bytes: u32, at: usize) -> Entry {
        let position = self.base + position(at);
        std::mem::replace(&mut self.entries[hash], Entry { bytes, position })
    }

    /// How many bytes from `at` on equal those from `from` on, which is counted from the block's begin and may lie before it.
    fn common(&self, at: usize, from: i64) -> usize {
        let end = self.plain.len().min(at + LONGEST - 4);
        let wanted = &self.plain[at..end];
        let Ok(from) = usize::try_from(from) else {
            let Some(from) = usize::try_from(position(self.block_before.len()) + from).ok() else {
                return 0;
            };
            let old = &self.block_before[from..];
            let length = equal(wanted, old);
            if length < old.len() || length == wanted.len() {
                return length;
            }
            return length + equal(&wanted[length..], &self.plain);
        };
        equal(wanted, &self.plain[from..])
    }

    fn search(&mut self) {
        self.tokens.clear();
        let size = self.plain.len();
        if size < MARGIN + 2 {
            self.block_before.clear();
            self.literals(0, size);
            self.base += position(STORED);
            return;
        }
        let limit = size - MARGIN;
        let mut emitted = 0;
        let mut at = 0;
        let mut bytes = four(&self.plain, at);
        let mut next_hash = hash(bytes);
        'block: loop {
            let mut skip = 32;
            let mut next = at;
            let mut candidate;
            loop {
                at = next;
                next = at + (skip >> 5);
                skip += skip >> 5;
                if next > limit {
                    break 'block;
                }
                let now = four(&self.plain, next);
                candidate = self.replace(next_hash, bytes, at);
                next_hash = hash(now);
                if self.base + position(at) - candidate.position <= FARTHEST && bytes == candidate.bytes {
                    break;
                }
                bytes = now;
            }
            self.literals(emitted, at);
            loop {
                at += 4;
                let from = candidate.position - self.base + 4;
                let length = self.common(at, from);
                let distance = position(at) - from;
                self.tokens
                    .push(Token::matched(small(length + 4), u32::try_from(distance).unwrap_or(1)));
                at += length;
                emitted = at;
                if at >= limit {
                    break 'block;
                }
                let behind = four(&self.plain, at - 1);
                self.replace(hash(behind), behind, at - 1);
                let here = four(&self.plain, at);
                candidate = self.replace(hash(here), here, at);
                if self.base + position(at) - candidate.position > FARTHEST || here != candidate.bytes {
                    at += 1;
                    bytes = four(&self.plain, at);
                    next_hash = hash(bytes);
                    break;
                }
            }
        }
        self.literals(emitted, size);
        self.base += position(size);
        self.block_before.clear();
        self.block_before.extend_from_slice(&self.plain);
    }

    fn block(&mut self, output: &mut dyn Output) -> Result<(), Stop> {
        let size = self.plain.len();
        self.total += size as u64;
        match size {
            0 => return Ok(()),
            1..=16 => store(&self.plain, &mut self.bits),
            17..128 => self.blocks.literals(&self.plain, &mut self.bits),
            _ => {
                self.search();
                if self.tokens.len() > size - (size >> 4) {
                    self.blocks.literals(&self.plain, &mut self.bits);
                } else {
                    self.blocks.own(&self.tokens, &self.plain, &mut self.bits);
                }
            }
        }
        self.plain.clear();
        // The last block is handed out with the end of the stream.
        if self.left > 0 {
            return self.bits.hand_out(self.total, output);
        }
        Ok(())
    }
}

impl Encoder for Table {
    fn start(&mut self, start: &Start<'_>) {
        self.entries.fill(NOTHING);
        self.plain.clear();
        self.block_before.clear();
        self.base = 0;
        self.left = start.left;
        self.total = 0;
        self.bits.start(start.phase);
        self.started = false;
    }

    fn feed(&mut self, mut plain: &[u8], output: &mut dyn Output, work: &mut Work) -> Result<(), Stop> {
        if !std::mem::replace(&mut self.started, true) {
            work.count(START)?;
        }
        while !plain.is_empty() {
            let some = plain.len().min(STORED - self.plain.len());
            let (taken, rest) = plain.split_at(some);
            self.plain.extend_from_slice(taken);
            self.left = self.left.saturating_sub(some as u64);
            plain = rest;
            if self.plain.len() == STORED {
                self.block(output)?;
            }
        }
        if self.left > 0 {
            return Ok(());
        }
        self.block(output)?;
        end(&mut self.bits);
        self.bits.hand_out(self.total, output)
    }
}

#[inline]
fn hash(bytes: u32) -> usize {
    (bytes.wrapping_mul(0x1e35_a7bd) >> (32 - TABLE_BITS)) as usize
}

#[inline]
fn four(plain: &[u8], at: usize) -> u32 {
    let bytes: &[u8; 4] = plain[at..].first_chunk().unwrap_or(&[0; 4]);
    u32::from_le_bytes(*bytes)
}

#[inline]
fn position(at: usize) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

#[inline]
fn small(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn equal(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
