//! The emulator: blocks of 65,535 plain bytes, the last one flushed.

use crate::producer::bits::Bits;
use crate::producer::encoder::{Encoder, Output, Start, Stop};
use crate::producer::format::STORED;
use crate::producer::work::{START, Work};

use super::block::{Blocks, Edition};
use super::history::History;
use super::tokens::Tokens;
use super::{level_5, level_6};

/// How one block is searched.
type Search = fn(&mut History, &mut Tokens, &[u8]);

/// How what is encoded ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// One stream, closed.
    Stream,
    /// A block of pgzip: flushed, and the last one closed.
    Flushed,
}

/// The emulator.
#[derive(Debug)]
pub(crate) struct Fast {
    search: Search,
    frame: Frame,
    /// Plain before a start that is used.
    dictionary: usize,
    history: History,
    tokens: Tokens,
    blocks: Blocks,
    plain: Vec<u8>,
    bits: Bits,
    left: u64,
    total: u64,
    last: bool,
    started: bool,
}

impl Fast {
    pub(crate) fn level_5() -> Self {
        Self::new(level_5::search, Frame::Stream, 0, Edition::Second)
    }

    pub(crate) fn level_6() -> Self {
        Self::new(level_6::search, Frame::Stream, 0, Edition::Second)
    }

    /// Level 5 as pgzip runs it.
    pub(crate) fn pgzip_2() -> Self {
        Self::new(level_5::search, Frame::Flushed, 16_384, Edition::Second)
    }

    /// Level 5 as pgzip runs it over older releases.
    pub(crate) fn pgzip_1() -> Self {
        Self::new(level_5::search, Frame::Flushed, 16_384, Edition::First)
    }

    fn new(search: Search, frame: Frame, dictionary: usize, edition: Edition) -> Self {
        Self {
            search,
            frame,
            dictionary,
            history: History::new(),
            tokens: Tokens::new(),
            blocks: Blocks::new(edition),
            plain: Vec::with_capacity(STORED),
            bits: Bits::new(),
            left: 0,
            total: 0,
            last: true,
            started: false,
        }
    }

    fn block(&mut self, sync: bool) {
        let size = self.plain.len();
        self.total += size as u64;
        if sync && size < 128 {
            match size {
                0 => return,
                1..=32 => self.blocks.store(&self.plain, &mut self.bits),
                _ => self.blocks.plain(&self.plain, true, &mut self.bits),
            }
            self.history.forget();
        } else {
            self.tokens.clear();
            (self.search)(&mut self.history, &mut self.tokens, &self.plain);
            let tokens = self.tokens.len();
            if tokens == 0 {
                self.blocks.store(&self.plain, &mut self.bits);
            } else if tokens > size - (size >> 4) {
                self.blocks.plain(&self.plain, sync, &mut self.bits);
            } else {
                self.blocks.tokens(&mut self.tokens, &self.plain, sync, &mut self.bits);
            }
        }
        self.plain.clear();
    }
}

impl Encoder for Fast {
    fn start(&mut self, start: &Start<'_>) {
        self.history.start();
        self.tokens.clear();
        self.blocks.start();
        self.plain.clear();
        self.bits.start(start.phase);
        (self.left, self.total, self.last) = (start.left, 0, start.last);
        self.started = false;
        let before = &start.before[start.before.len().saturating_sub(self.dictionary)..];
        if !before.is_empty() {
            (self.search)(&mut self.history, &mut self.tokens, before);
        }
    }

    fn feed(&mut self, mut plain: &[u8], output: &mut dyn Output, work: &mut Work) -> Result<(), Stop> {
        if !std::mem::replace(&mut self.started, true) {
            work.count(START)?;
        }
        while !plain.is_empty() {
            // A whole block waits for what follows: the last one is flushed.
            if self.plain.len() == STORED {
                self.block(false);
                self.bits.hand_out(self.total, output)?;
            }
            let some = plain.len().min(STORED - self.plain.len());
            let (taken, rest) = plain.split_at(some);
            self.plain.extend_from_slice(taken);
            self.left = self.left.saturating_sub(some as u64);
            plain = rest;
        }
        if self.left > 0 {
            return Ok(());
        }
        self.block(true);
        if self.frame == Frame::Flushed {
            self.blocks.store(&[], &mut self.bits);
        }
        if self.frame == Frame::Stream || self.last {
            self.blocks.finish(&mut self.bits);
        }
        self.bits.hand_out(self.total, output)
    }
}
