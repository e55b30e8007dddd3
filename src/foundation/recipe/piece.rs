//! One part of the work: a piece of a stream, or a block of a framed operation, with all the plain that it needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::producer::{Border, Encoder, Output, Producer, Start, Stop, Work};
use crate::stream::PooledVec;

use super::buffers::PieceBuffers;
use super::judge::Fault;

/// Plain bytes behind a piece that its emulator looks at.
pub(super) const AHEAD: u64 = 262;

/// Plain bytes of the largest piece that is gathered.
pub(super) const GATHERED: u64 = 2 << 20;
/// How much longer than its plain a piece may be for which room is made at once: one of stored blocks, and the last block of a piece.
const LONGER: u64 = 65_536;

/// What a piece has to come to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goal {
    /// A piece of a stream: exactly so many plain bytes and bits, and a border there.
    Exactly { plain: u64, bits: u64 },
    /// A block of a framed operation: its plain, and at most so many bits.
    Block { plain: u64, most: u64 },
}

/// What is to be made of some plain.
#[derive(Debug)]
pub struct Piece {
    /// The dictionary, the piece, and what the emulator sees behind it.
    pub(super) plain: PooledVec,
    /// Bytes of the dictionary.
    pub(super) before: usize,
    pub(super) position: u64,
    pub(super) left: u64,
    pub(super) phase: u32,
    pub(super) last: bool,
    pub(super) goal: Goal,
    /// What the joiner compares at the end of a framed operation.
    pub(super) framed: Option<Framed>,
}

impl Piece {
    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        self.plain.len()
    }
}

impl Made {
    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// A block's place in its framed operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Framed {
    pub(super) bytes: u64,
    pub(super) last: bool,
}

/// What was made.
#[derive(Debug)]
pub struct Made {
    pub(super) bytes: PooledVec,
    /// Bits behind the last whole byte.
    pub(super) tail: u8,
    pub(super) work: u64,
    pub(super) framed: Option<Framed>,
}

/// Compares what an emulator makes with a goal, and keeps it.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) goal: Goal,
    pub(super) bytes: PooledVec,
    pub(super) tail: u8,
    pub(super) complete: bool,
    /// Whether nobody waits for it any more.
    given_up: Arc<AtomicBool>,
}

impl Wanted {
    pub(super) fn new(goal: Goal, buffers: &PieceBuffers, given_up: Arc<AtomicBool>) -> Self {
        // What a piece comes to is known; a stream that is made as its plain comes is taken away in parts.
        let bytes = match goal {
            Goal::Exactly { plain, bits } if plain <= GATHERED => bits.div_ceil(8).min(plain.saturating_add(LONGER)),
            Goal::Exactly { .. } | Goal::Block { .. } => 0,
        };
        Self {
            given_up,
            goal,
            bytes: buffers.made(usize::try_from(bytes).unwrap_or(0)),
            tail: 0,
            complete: false,
        }
    }
}

impl Output for Wanted {
    fn block(&mut self, bytes: &[u8], border: Border) -> Result<(), Stop> {
        let (plain, most) = match self.goal {
            Goal::Exactly { plain, bits } => (plain, bits),
            Goal::Block { plain, most } => (plain, most),
        };
        if border.plain > plain || border.bits > most || self.given_up.load(Ordering::Relaxed) {
            return Err(Stop::Differs);
        }
        self.bytes.extend_from_slice(bytes);
        if border.plain == plain && (border.bits == most || matches!(self.goal, Goal::Block { .. })) {
            self.tail = border.tail;
            self.complete = true;
            if matches!(self.goal, Goal::Exactly { .. }) {
                return Err(Stop::Enough);
            }
        }
        Ok(())
    }
}

/// Makes pieces of one producer; each thread has its own.
#[derive(Debug)]
pub struct Worker {
    producer: Producer,
    /// Nothing while it works: after a panic nobody knows what its state is worth.
    encoder: Option<Box<dyn Encoder>>,
    allowed: u64,
    buffers: PieceBuffers,
    given_up: Arc<AtomicBool>,
}

impl Worker {
    /// For a blob of so many plain bytes; at the next block it stops once it is given up.
    pub fn new(producer: Producer, plain: u64, buffers: &PieceBuffers, given_up: Arc<AtomicBool>) -> Self {
        Self {
            producer,
            encoder: None,
            allowed: Work::of_blob(plain).allowed(),
            buffers: buffers.clone(),
            given_up,
        }
    }

    /// Makes a piece.
    ///
    /// # Errors
    ///
    /// [`Fault::Differs`], [`Fault::Work`].
    pub fn make(&mut self, piece: &Piece) -> Result<Made, Fault> {
        let encoder = self.encoder.take();
        let mut encoder = encoder.unwrap_or_else(|| self.buffers.encoder(self.producer));
        let made = self.make_with(&mut *encoder, piece);
        self.encoder = Some(encoder);
        made
    }

    fn make_with(&self, encoder: &mut dyn Encoder, piece: &Piece) -> Result<Made, Fault> {
        let mut wanted = Wanted::new(piece.goal, &self.buffers, Arc::clone(&self.given_up));
        let mut work = Work::up_to(self.allowed);
        let (before, plain) = piece.plain.split_at(piece.before);
        encoder.start(&Start {
            before,
            position: piece.position,
            left: piece.left,
            phase: piece.phase,
            last: piece.last,
        });
        fault(encoder.feed(plain, &mut wanted, &mut work))?;
        if !wanted.complete {
            return Err(Fault::Differs);
        }
        Ok(Made {
            bytes: wanted.bytes,
            tail: wanted.tail,
            work: work.done(),
            framed: piece.framed,
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(encoder) = self.encoder.take() {
            self.buffers.done(self.producer, encoder);
        }
    }
}

/// What a stop means to a recipe.
pub(super) fn fault(fed: Result<(), Stop>) -> Result<(), Fault> {
    match fed {
        Ok(()) | Err(Stop::Enough) => Ok(()),
        Err(Stop::Differs) => Err(Fault::Differs),
        Err(Stop::Work) => Err(Fault::Work),
    }
}
