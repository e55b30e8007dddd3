//! The lazy search of levels 6 and 9: chains of positions with one hash of three bytes, in a window of 64 KiB that moves by half.
//!
//! The first byte of the window is never matched, and a block that begins before it cannot be stored.

use crate::producer::bits::Bits;
use crate::producer::encoder::{Encoder, Output, Start, Stop};
use crate::producer::window::{HALF, ROOM, WINDOW, common, small, zeros};
use crate::producer::work::{START, Work};

use super::block::{Blocks, store};

const HASH_BITS: u32 = 15;
const SHORTEST: usize = 3;
const LONGEST: usize = 258;
/// Plain that must be seen to go on before the end.
const AHEAD: usize = LONGEST + SHORTEST + 1;
/// The farthest match.
const FARTHEST: usize = HALF - AHEAD;
/// A match of three bytes is not taken from farther away.
const FAR: usize = 4_096;
/// A window that moved so far numbers its positions anew.
const RENUMBER: u32 = 1 << 30;

/// What a level sets.
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// Behind a match so long a quarter of the chain is searched.
    good: usize,
    /// A match so long is not looked for a better one behind it.
    lazy: usize,
    /// A match so long ends a search.
    nice: usize,
    /// Candidates of a search.
    chain: u32,
}

/// How what is encoded ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The last block says so.
    Finished,
    /// As pigz ends a block that others follow: at a byte.
    Joined,
}

/// The emulator.
#[derive(Debug)]
pub(crate) struct Chains {
    effort: Effort,
    window: Box<[u8; ROOM]>,
    /// The number of the last position of each hash.
    heads: Box<[u32; 1 << HASH_BITS]>,
    /// The number before it with the same hash, by position.
    before: Box<[u32; HALF]>,
    /// The number of the window's first byte, which like everything below it stands for nothing.
    number: u32,
    index: usize,
    filled: usize,
    /// Plain bytes of what is encoded that are not in the window yet.
    left: u64,
    /// Plain bytes between the start and the window's first byte; negative while the start lies in it.
    moved: i64,
    /// Where the block begins, if in the window.
    block: Option<usize>,
    /// Plain bytes of the block.
    block_size: usize,
    to_insert: usize,
    pending_literal: bool,
    length: usize,
    place: usize,
    blocks: Blocks,
    bits: Bits,
    ending: Ending,
    started: bool,
}

impl Chains {
    pub(crate) fn level_6() -> Self {
        Self::new(Effort {
            good: 8,
            lazy: 16,
            nice: 128,
            chain: 128,
        })
    }

    pub(crate) fn level_9() -> Self {
        Self::new(Effort {
            good: 32,
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
            number: 0,
            index: 0,
            filled: 0,
            left: 0,
            moved: 0,
            block: None,
            block_size: 0,
            to_insert: 0,
            pending_literal: false,
            length: SHORTEST - 1,
            place: 0,
            blocks: Blocks::new(),
            bits: Bits::new(),
            ending: Ending::Finished,
            started: false,
        }
    }

    /// Inserts a position, and returns the number of the one before with its hash.
    #[inline]
    fn insert(&mut self, at: usize) -> u32 {
        let bytes = &self.window[at..at + 3];
        let hash = u32::from(bytes[0]) << 10 ^ u32::from(bytes[1]) << 5 ^ u32::from(bytes[2]);
        let head = &mut self.heads[(hash & ((1 << HASH_BITS) - 1)) as usize];
        let before = *head;
        self.before[at & (HALF - 1)] = before;
        *head = small(at) + self.number;
        before
    }

    /// Positions from this one on cannot be inserted: fewer than three bytes follow.
    fn insertable(&self) -> usize {
        self.filled.saturating_sub(SHORTEST - 1)
    }

    fn slide(&mut self) {
        self.window.copy_within(HALF..WINDOW, 0);
        self.index -= HALF;
        self.filled -= HALF;
        self.place = self.place.wrapping_sub(HALF);
        self.to_insert = self.to_insert.saturating_sub(HALF);
        self.block = self.block.and_then(|block| block.checked_sub(HALF));
        self.moved += 32_768;
        self.number += 32_768;
        if self.number > RENUMBER {
            let less = self.number;
            for number in self.heads.iter_mut().chain(self.before.iter_mut()) {
                *number = number.saturating_sub(less);
            }
            self.number = 0;
        }
    }

    /// The longest match at the index that is longer than the one before, or the length of that, and where it is.
    #[inline]
    fn search(&self, first: u32, length_before: usize, ahead: usize, work: &mut Work) -> Result<(usize, usize), Stop> {
        let at = self.index;
        let most = ahead.min(LONGEST);
        let nice = self.effort.nice.min(ahead);
        let lowest = small(at.saturating_sub(FARTHEST)) + self.number;
        let (mut length, mut found_at) = (length_before, self.place);
        let window = &*self.window;
        let two = [window[at & (ROOM - 1)], window[(at + 1) & (ROOM - 1)]];
        let end_of = |place: usize, length: usize| {
            [
                window[(place + length - 1) & (ROOM - 1)],
                window[(place + length) & (ROOM - 1)],
            ]
        };
        let mut wanted = end_of(at, length);
        let mut candidate = first;
        let all = self.effort.chain >> if length >= self.effort.good { 2 } else { 0 };
        let mut tries = all;
        let mut compared = 0;
        loop {
            tries -= 1;
            let place = (candidate - self.number) as usize;
            if end_of(place, length) == wanted && [window[place & (ROOM - 1)], window[(place + 1) & (ROOM - 1)]] == two
            {
                let found = common(window, place, at, most);
                compared += found;
                if found > length {
                    length = found;
                    found_at = place;
                    if found >= nice {
                        break;
                    }
                    wanted = end_of(at, length);
                }
            }
            candidate = self.before[place & (HALF - 1)];
            if candidate <= lowest || tries == 0 {
                break;
            }
        }
        work.count(u64::from(all - tries) + compared as u64)?;
        Ok((length.min(ahead), found_at))
    }

    fn write_block(&mut self, at: usize, last: bool) {
        let plain = self.block.map(|block| &self.window[block..at]);
        self.blocks.write(plain, self.block_size, last, &mut self.bits);
        self.block = Some(at);
        self.block_size = 0;
    }

    fn end_block(&mut self, at: usize, output: &mut dyn Output) -> Result<(), Stop> {
        self.write_block(at, false);
        self.hand_out(at, output)
    }

    fn hand_out(&mut self, at: usize, output: &mut dyn Output) -> Result<(), Stop> {
        let plain = u64::try_from(self.moved + i64::from(small(at))).unwrap_or(0);
        self.bits.hand_out(plain, output)
    }

    /// Goes on until more plain has to be seen; to the end if all was.
    fn step(&mut self, output: &mut dyn Output, work: &mut Work) -> Result<(), Stop> {
        let ends = self.left == 0;
        while self.to_insert < self.index.min(self.insertable()) {
            self.insert(self.to_insert);
            self.to_insert += 1;
        }
        loop {
            if self.filled - self.index < AHEAD {
                if self.index >= HALF + FARTHEST && (ends || self.filled == WINDOW) {
                    self.slide();
                }
                if !ends || self.filled == self.index {
                    return Ok(());
                }
            }
            let ahead = self.filled - self.index;
            let insertable = self.insertable();
            let first = if ahead >= SHORTEST { self.insert(self.index) } else { 0 };
            let (length_before, place_before) = (self.length, self.place);
            self.length = SHORTEST - 1;
            if first > self.number && length_before < self.effort.lazy {
                let distance = self.index - (first - self.number) as usize;
                if distance <= FARTHEST {
                    (self.length, self.place) = self.search(first, length_before, ahead, work)?;
                    if self.length == SHORTEST && self.index.wrapping_sub(self.place) > FAR {
                        self.length = SHORTEST - 1;
                    }
                }
            }
            if length_before >= SHORTEST && self.length <= length_before {
                let distance = (self.index - 1).wrapping_sub(place_before);
                let full = self.blocks.matched(small(length_before), small(distance));
                self.block_size += length_before - 1;
                let behind = self.index + length_before - 1;
                for at in self.index + 1..behind.min(insertable) {
                    self.insert(at);
                }
                self.index = behind;
                self.to_insert = behind;
                self.pending_literal = false;
                self.length = SHORTEST - 1;
                if full {
                    self.end_block(self.index, output)?;
                }
            } else {
                let at = self.index;
                self.index += 1;
                self.to_insert = self.index;
                if self.pending_literal && self.blocks.literal(self.window[at - 1]) {
                    self.end_block(at, output)?;
                }
                self.block_size += 1;
                self.pending_literal = true;
            }
        }
    }

    fn end(&mut self, output: &mut dyn Output) -> Result<(), Stop> {
        if self.pending_literal {
            self.blocks.literal(self.window[self.index - 1]);
            self.pending_literal = false;
        }
        match self.ending {
            Ending::Finished => self.write_block(self.index, true),
            Ending::Joined => {
                if !self.blocks.is_empty() {
                    self.write_block(self.index, false);
                }
                if self.bits.next_phase() % 2 == 1 {
                    store(&[], 0, &mut self.bits);
                }
                while self.bits.next_phase() > 0 {
                    // An empty block of the fixed code.
                    self.bits.put(2, 10);
                }
            }
        }
        self.hand_out(self.index, output)
    }
}

impl Encoder for Chains {
    fn start(&mut self, start: &Start<'_>) {
        self.heads.fill(0);
        self.before.fill(0);
        self.number = 0;
        let before = &start.before[start.before.len().saturating_sub(HALF)..];
        let at = before.len();
        self.window[..at].copy_from_slice(before);
        (self.index, self.filled) = (at, at);
        self.to_insert = 0;
        self.left = start.left;
        self.moved = -i64::from(small(at));
        self.block = Some(at);
        self.block_size = 0;
        self.pending_literal = false;
        (self.length, self.place) = (SHORTEST - 1, 0);
        self.blocks.start();
        self.bits.start(start.phase);
        self.ending = if start.last { Ending::Finished } else { Ending::Joined };
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
            if plain.is_empty() {
                return Ok(());
            }
        }
    }
}
