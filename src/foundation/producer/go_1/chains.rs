//! The lazy search of levels 4 to 9: chains of positions with one hash of four bytes, in a window of 64 KiB that moves by half.
//!
//! Where the window lies decides bits: a search does not reach before it, and a block that begins before it cannot be stored. Its
//! place follows from the position and the size of the operation, so that a piece can begin anywhere.

use crate::producer::bits::Bits;
use crate::producer::encoder::{Encoder, Output, Start, Stop};
use crate::producer::window::{HALF, ROOM, WINDOW, common, small, zeros};
use crate::producer::work::{START, Work};

use super::block::{Blocks, Token, end};

const HASH_BITS: u32 = 17;
const SHORTEST: usize = 4;
const LONGEST: usize = 258;
/// Plain that must be seen to go on before the end.
const AHEAD: usize = SHORTEST + LONGEST;
/// Tokens of a block.
const TOKENS: usize = 16_384;
/// A window that moved so far numbers its positions anew.
const RENUMBER: u32 = 1 << 30;

/// What a level sets.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// A match so long is not looked for a better one behind it.
    lazy: usize,
    /// A match so long ends a search.
    nice: usize,
    /// Candidates of a search.
    chain: u32,
}

/// The emulator.
#[derive(Debug)]
pub(crate) struct Chains {
    effort: Effort,
    window: Box<[u8; ROOM]>,
    /// The number of the last position of each hash; 0 is none.
    heads: Box<[u32; 1 << HASH_BITS]>,
    /// The number before it with the same hash, by position.
    before: Box<[u32; HALF]>,
    /// What a position of the window has added to be its number.
    number: u32,
    index: usize,
    filled: usize,
    /// Plain bytes of what is encoded that are not in the window yet.
    left: u64,
    /// Plain bytes between the start and the window's first byte; negative while the start lies in it.
    moved: i64,
    /// Where the block begins, if in the window.
    block: Option<usize>,
    /// Positions before this one, with all four bytes, are inserted at the next step.
    to_insert: usize,
    pending_literal: bool,
    length: usize,
    distance: usize,
    tokens: Vec<Token>,
    blocks: Blocks,
    bits: Bits,
    started: bool,
}

impl Chains {
    pub(crate) fn level_6() -> Self {
        Self::new(Effort {
            lazy: 16,
            nice: 128,
            chain: 128,
        })
    }

    pub(crate) fn level_9() -> Self {
        Self::new(Effort {
            lazy: 258,
            nice: 258,
            chain: 4_096,
        })
    }

    fn new(effort: Effort) -> Self {
        Self {
            effort,
            window: zeros(),
            heads: zeros(),
            before: zeros(),
            number: 1,
            index: 0,
            filled: 0,
            left: 0,
            moved: 0,
            block: None,
            to_insert: 0,
            pending_literal: false,
            length: SHORTEST - 1,
            distance: 0,
            tokens: Vec::with_capacity(TOKENS),
            blocks: Blocks::new(),
            bits: Bits::new(),
            started: false,
        }
    }

    #[inline]
    fn four(&self, at: usize) -> u32 {
        let bytes = &self.window[at..at + 4];
        u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    /// Inserts a position, and returns the number of the one before with its hash.
    #[inline]
    fn insert(&mut self, at: usize) -> u32 {
        let hash = self.four(at).wrapping_mul(0x1e35_a7bd) >> (32 - HASH_BITS);
        let head = &mut self.heads[hash as usize];
        let before = *head;
        self.before[at & (HALF - 1)] = before;
        *head = small(at) + self.number;
        before
    }

    /// Positions from this one on cannot be inserted: fewer than four bytes follow.
    fn insertable(&self) -> usize {
        self.filled.saturating_sub(SHORTEST - 1)
    }

    fn slide(&mut self) {
        self.window.copy_within(HALF..WINDOW, 0);
        self.index -= HALF;
        self.filled -= HALF;
        self.to_insert = self.to_insert.saturating_sub(HALF);
        self.block = self.block.and_then(|block| block.checked_sub(HALF));
        self.moved += 32_768;
        self.number += 32_768;
        if self.number > RENUMBER {
            let less = self.number - 1;
            for number in self.heads.iter_mut().chain(self.before.iter_mut()) {
                *number = number.saturating_sub(less);
            }
            self.number = 1;
        }
    }

    /// The longest match at the index, among those that begin with a number.
    #[inline]
    fn search(&self, first: u32, ahead: usize, work: &mut Work) -> Result<(usize, usize), Stop> {
        let at = self.index;
        let most = ahead.min(LONGEST);
        let nice = self.effort.nice.min(most);
        let lowest = small(at.saturating_sub(HALF)) + self.number;
        let (mut length, mut distance) = (SHORTEST - 1, 0);
        let window = &*self.window;
        let mut wanted = window[(at + length) & (ROOM - 1)];
        let mut candidate = first;
        let mut tries = self.effort.chain;
        let mut compared = 0;
        while tries > 0 {
            tries -= 1;
            let place = (candidate - self.number) as usize;
            if window[(place + length) & (ROOM - 1)] == wanted {
                let found = common(window, place, at, most);
                compared += found;
                if found > length && (found > SHORTEST || at - place <= 4_096) {
                    length = found;
                    distance = at - place;
                    if found >= nice {
                        break;
                    }
                    wanted = window[(at + length) & (ROOM - 1)];
                }
            }
            if at - place >= HALF {
                // What stood there belongs to the index now.
                break;
            }
            candidate = self.before[place & (HALF - 1)];
            if candidate < lowest {
                break;
            }
        }
        work.count(u64::from(self.effort.chain - tries) + compared as u64)?;
        Ok((length, distance))
    }

    fn end_block(&mut self, at: usize, output: &mut dyn Output) -> Result<(), Stop> {
        let plain = self.block.map(|block| &self.window[block..at]);
        self.blocks.smallest(&self.tokens, plain, &mut self.bits);
        self.block = Some(at);
        self.tokens.clear();
        self.hand_out(at, output)
    }

    fn hand_out(&mut self, at: usize, output: &mut dyn Output) -> Result<(), Stop> {
        let plain = u64::try_from(self.moved + i64::from(small(at))).unwrap_or(0);
        self.bits.hand_out(plain, output)
    }

    /// Goes on until more plain has to be seen; to the end if all was.
    fn step(&mut self, output: &mut dyn Output, work: &mut Work) -> Result<(), Stop> {
        let ends = self.left == 0;
        let insertable = self.insertable();
        while self.to_insert < self.index.min(insertable) {
            self.insert(self.to_insert);
            self.to_insert += 1;
        }
        loop {
            let ahead = self.filled - self.index;
            if ahead < AHEAD && (!ends || ahead == 0) {
                return Ok(());
            }
            let first = if self.index < insertable {
                self.insert(self.index)
            } else {
                0
            };
            let (length_before, distance_before) = (self.length, self.distance);
            (self.length, self.distance) = (SHORTEST - 1, 0);
            if first >= small(self.index.saturating_sub(HALF)) + self.number
                && ahead > length_before
                && length_before < self.effort.lazy
            {
                (self.length, self.distance) = self.search(first, ahead, work)?;
            }
            if length_before >= SHORTEST && self.length <= length_before {
                self.tokens
                    .push(Token::matched(small(length_before), small(distance_before)));
                let behind = self.index + length_before - 1;
                for at in self.index + 1..behind.min(insertable) {
                    self.insert(at);
                }
                self.index = behind;
                self.pending_literal = false;
                self.length = SHORTEST - 1;
                self.to_insert = self.index;
                if self.tokens.len() == TOKENS {
                    self.end_block(self.index, output)?;
                }
            } else {
                let at = self.index;
                self.index += 1;
                self.to_insert = self.index;
                if self.pending_literal {
                    self.tokens.push(Token::literal(self.window[at - 1]));
                    if self.tokens.len() == TOKENS {
                        self.end_block(at, output)?;
                    }
                }
                self.pending_literal = true;
            }
        }
    }

    fn end(&mut self, output: &mut dyn Output) -> Result<(), Stop> {
        if self.pending_literal {
            self.tokens.push(Token::literal(self.window[self.index - 1]));
            self.pending_literal = false;
        }
        if !self.tokens.is_empty() {
            let plain = self.block.map(|block| &self.window[block..self.index]);
            self.blocks.smallest(&self.tokens, plain, &mut self.bits);
            self.tokens.clear();
        }
        end(&mut self.bits);
        self.hand_out(self.index, output)
    }
}

impl Encoder for Chains {
    fn start(&mut self, start: &Start<'_>) {
        self.heads.fill(0);
        self.before.fill(0);
        self.number = 1;
        let all = start.position + start.left;
        // The window lies as low as it can while the position may be searched at, and never where no plain is behind it.
        let mut halves = start
            .position
            .saturating_sub((WINDOW - AHEAD) as u64)
            .div_ceil(HALF as u64);
        if halves > 0 && all <= (halves - 1) * HALF as u64 + WINDOW as u64 {
            halves -= 1;
        }
        let base = halves * HALF as u64;
        let at = usize::try_from(start.position - base).unwrap_or(WINDOW);
        let before = &start.before[start.before.len().saturating_sub(at.min(HALF))..];
        self.window[at - before.len()..at].copy_from_slice(before);
        (self.index, self.filled) = (at, at);
        self.to_insert = at - before.len();
        self.left = start.left;
        self.moved = -i64::from(small(at));
        self.block = Some(at);
        self.pending_literal = false;
        (self.length, self.distance) = (SHORTEST - 1, 0);
        self.tokens.clear();
        self.bits.start(start.phase);
        self.started = false;
    }

    fn feed(&mut self, mut plain: &[u8], output: &mut dyn Output, work: &mut Work) -> Result<(), Stop> {
        if !std::mem::replace(&mut self.started, true) {
            work.count(START)?;
        }
        loop {
            let some = plain.len().min(WINDOW - self.filled);
            let (taken, rest) = plain.split_at(some);
            self.window[self.filled..self.filled + some].copy_from_slice(taken);
            self.filled += some;
            self.left = self.left.saturating_sub(some as u64);
            plain = rest;
            self.step(output, work)?;
            if self.left == 0 {
                return self.end(output);
            }
            if self.filled == WINDOW {
                self.slide();
            } else if plain.is_empty() {
                return Ok(());
            }
        }
    }
}
