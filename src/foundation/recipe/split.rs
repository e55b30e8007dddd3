//! Cuts plain, as it comes, into the pieces of a recipe.
//!
//! Pieces up to two mebibytes are gathered and given away, to be made by whoever has time. Larger ones are never gathered: they are made
//! here, as their plain comes. Either way the parts come out in the order of the recipe.

use std::sync::Arc;

use crate::producer::{DICTIONARY, Encoder, Start, Work};

use super::buffers::PieceBuffers;
use super::grammar::{Operation, Operations, Pieces};
use super::judge::{Fault, Judged};
use super::piece::{AHEAD, Framed, GATHERED, Goal, Made, Piece, Wanted, fault};
use crate::stream::PooledVec;

/// Plain that is looked at once.
const PART: usize = 65_536;

/// What is to be done next.
#[derive(Debug)]
pub enum Step {
    /// A piece that anybody can make.
    Piece(Piece),
    /// A part that is made.
    Made(Made),
}

/// Where the recipe is.
#[derive(Debug)]
enum State {
    /// Between two operations.
    Between,
    /// In a stream.
    Stream {
        /// The pieces after this one.
        after: (usize, u64),
        plain: u64,
        bits: u64,
        streaming: Option<Box<Wanted>>,
    },
    /// In a framed operation.
    Framed { block: u64, number: u64, bytes: u64 },
}

/// Cuts plain into pieces.
#[derive(Debug)]
pub struct Splitter {
    recipe: Judged,
    gathered: u64,
    /// Where the next operation stands in the recipe.
    next: usize,
    state: State,
    /// Plain of the operation from `base` on, and of those behind it.
    buffer: PooledVec,
    base: u64,
    /// Where the piece begins in the operation, and how much plain the operation has.
    start: u64,
    all: u64,
    phase: u32,
    /// How much plain of the operation the emulator here was given.
    fed: u64,
    encoder: Option<Box<dyn Encoder>>,
    work: Work,
    /// What pieces are given away in.
    buffers: PieceBuffers,
}

impl Splitter {
    /// For a recipe.
    pub fn new(recipe: Judged, buffers: &PieceBuffers) -> Self {
        Self::gathering(recipe, GATHERED, buffers)
    }

    /// With another bound of what is gathered.
    pub(super) fn gathering(recipe: Judged, gathered: u64, buffers: &PieceBuffers) -> Self {
        Self {
            gathered,
            work: Work::of_blob(recipe.plain),
            recipe,
            next: 0,
            state: State::Between,
            buffer: buffers.plain(PART),
            base: 0,
            start: 0,
            all: 0,
            phase: 0,
            fed: 0,
            encoder: None,
            buffers: buffers.clone(),
        }
    }

    /// Takes plain in any cuts.
    ///
    /// # Errors
    ///
    /// [`Fault::Differs`] and [`Fault::Work`] of pieces that are made here, and what `emit` fails with.
    pub fn feed<E: From<Fault>>(&mut self, plain: &[u8], emit: &mut dyn FnMut(Step) -> Result<(), E>) -> Result<(), E> {
        for part in plain.chunks(PART) {
            self.buffer.extend_from_slice(part);
            while self.advance(emit)? {}
        }
        Ok(())
    }

    /// Takes the end of the plain.
    ///
    /// # Errors
    ///
    /// As [`feed`](Self::feed); [`Fault::Differs`] if the plain was not as much as the recipe says.
    pub fn finish<E: From<Fault>>(&mut self, emit: &mut dyn FnMut(Step) -> Result<(), E>) -> Result<(), E> {
        while self.advance(emit)? {}
        let complete =
            matches!(self.state, State::Between) && self.next == self.recipe.bytes.len() && self.buffer.is_empty();
        if complete { Ok(()) } else { Err(Fault::Differs.into()) }
    }

    /// Goes one step on; false if that needs more plain.
    fn advance<E: From<Fault>>(&mut self, emit: &mut dyn FnMut(Step) -> Result<(), E>) -> Result<bool, E> {
        match &mut self.state {
            State::Between => self.begin(emit),
            State::Stream { streaming: Some(_), .. } => self.stream(emit),
            State::Stream {
                plain, bits, streaming, ..
            } => {
                let (plain, bits) = (*plain, *bits);
                let goal = Goal::Exactly { plain, bits };
                if plain > self.gathered {
                    *streaming = Some(Box::new(Wanted::new(goal, &self.buffers, Arc::default())));
                    self.start_here();
                    return Ok(true);
                }
                let end = self.all.min(self.start + plain + AHEAD);
                if self.available() < end {
                    return Ok(false);
                }
                let piece = self.piece(end, self.all - self.start, true, goal, None);
                emit(Step::Piece(piece))?;
                self.next_piece(plain, bits)?;
                Ok(true)
            }
            State::Framed { block, number, bytes } => {
                let (block, number, bytes) = (*block, *number + 1, *bytes);
                let end = self.all.min(self.start + block);
                if self.available() < end {
                    return Ok(false);
                }
                let last = number == self.recipe.producer.blocks(self.all, block);
                let plain = end - self.start;
                let most = plain * 10 + 65_536;
                let goal = Goal::Block { plain, most };
                let piece = self.piece(end, plain, last, goal, Some(Framed { bytes, last }));
                emit(Step::Piece(piece))?;
                self.start = end;
                self.state = State::Framed { block, number, bytes };
                if last {
                    self.end_operation();
                } else {
                    self.forget(end);
                }
                Ok(true)
            }
        }
    }

    /// The end of the plain that is here, counted in the operation.
    fn available(&self) -> u64 {
        self.base + self.buffer.len() as u64
    }

    /// A place of the operation in the buffer.
    fn at(&self, position: u64) -> usize {
        usize::try_from(position - self.base).unwrap_or(usize::MAX)
    }

    fn before(&self) -> u64 {
        self.start.saturating_sub(DICTIONARY as u64)
    }

    fn piece(&self, end: u64, left: u64, last: bool, goal: Goal, framed: Option<Framed>) -> Piece {
        let part = &self.buffer[self.at(self.before())..self.at(end)];
        Piece {
            plain: self.buffers.piece(part),
            before: self.at(self.start) - self.at(self.before()),
            position: self.start,
            left,
            phase: self.phase,
            last,
            goal,
            framed,
        }
    }

    /// Begins the next operation.
    fn begin<E: From<Fault>>(&mut self, emit: &mut dyn FnMut(Step) -> Result<(), E>) -> Result<bool, E> {
        let mut operations = Operations::of(&self.recipe.bytes[self.next..]);
        let Some(operation) = operations.next() else {
            return Ok(false);
        };
        let next = self.recipe.bytes.len() - operations.left();
        match operation.ok_or(Fault::Recipe("bytes that are no operation"))? {
            Operation::Raw(raw) => {
                let bytes = raw.to_vec();
                emit(Step::Made(Made {
                    bytes: bytes.into(),
                    tail: 0,
                    work: 0,
                    framed: None,
                }))?;
            }
            Operation::Stream(pieces) => {
                let after = (self.recipe.bytes.len() - pieces.left(), pieces.number());
                self.all = pieces.flatten().map(|(plain, _)| plain).sum();
                (self.start, self.phase) = (0, 0);
                self.take_piece(after)?;
            }
            Operation::Framed { block, plain, bytes } => {
                (self.start, self.phase, self.all) = (0, 0, plain);
                self.state = State::Framed {
                    block,
                    number: 0,
                    bytes,
                };
            }
        }
        self.next = next;
        Ok(true)
    }

    fn take_piece(&mut self, (at, count): (usize, u64)) -> Result<(), Fault> {
        let mut pieces = Pieces::at(&self.recipe.bytes[at..], count);
        let (plain, bits) = pieces
            .next()
            .flatten()
            .ok_or(Fault::Recipe("bytes that are no operation"))?;
        let after = (self.recipe.bytes.len() - pieces.left(), pieces.number());
        self.state = State::Stream {
            after,
            plain,
            bits,
            streaming: None,
        };
        Ok(())
    }

    fn next_piece(&mut self, plain: u64, bits: u64) -> Result<(), Fault> {
        self.start += plain;
        self.phase = u32::try_from((u64::from(self.phase) + bits) % 8).unwrap_or(0);
        match self.state {
            State::Stream { after, .. } if after.1 > 0 => {
                self.forget(self.start);
                self.take_piece(after)
            }
            _ => {
                self.end_operation();
                Ok(())
            }
        }
    }

    fn end_operation(&mut self) {
        let end = self.at(self.all);
        self.buffer.drain(..end);
        self.base = 0;
        self.state = State::Between;
    }

    /// Forgets plain that nothing from a position on looks at.
    fn forget(&mut self, position: u64) {
        let keep = position.saturating_sub(DICTIONARY as u64);
        if keep > self.base {
            let end = self.at(keep);
            self.buffer.drain(..end);
            self.base = keep;
        }
    }

    fn start_here(&mut self) {
        let before = &self.buffer[self.at(self.before())..self.at(self.start)];
        let encoder = self.encoder.get_or_insert_with(|| self.recipe.producer.encoder());
        encoder.start(&Start {
            before,
            position: self.start,
            left: self.all - self.start,
            phase: self.phase,
            last: true,
        });
        self.fed = self.start;
    }

    /// Makes a large piece from the plain that came.
    fn stream<E: From<Fault>>(&mut self, emit: &mut dyn FnMut(Step) -> Result<(), E>) -> Result<bool, E> {
        let State::Stream {
            plain,
            bits,
            streaming: Some(wanted),
            ..
        } = &mut self.state
        else {
            return Ok(true);
        };
        let (plain, bits) = (*plain, *bits);
        let end = self.all.min(self.start + plain + AHEAD);
        let to = end.min(self.base + self.buffer.len() as u64);
        let place = |position: u64| usize::try_from(position - self.base).unwrap_or(usize::MAX);
        let part = &self.buffer[place(self.fed)..place(to)];
        let worked = self.work.done();
        if let Some(encoder) = &mut self.encoder {
            fault(encoder.feed(part, &mut **wanted, &mut self.work))?;
        }
        self.fed = to;
        let complete = wanted.complete;
        let made = Made {
            bytes: wanted.bytes.split(),
            tail: wanted.tail,
            work: self.work.done() - worked,
            framed: None,
        };
        if to == end && !complete {
            return Err(Fault::Differs.into());
        }
        emit(Step::Made(made))?;
        if complete {
            self.next_piece(plain, bits)?;
            return Ok(true);
        }
        self.forget(to.min(self.start + plain));
        Ok(false)
    }
}
