//! What every emulator is: fed with plain in any cuts, it hands out the bits of its producer, block by block.
//!
//! An emulator is told where it starts and how much plain its operation still has, because the producers look ahead and end
//! differently than they go on. It is never told where a piece ends: whoever takes its blocks compares borders and stops it.

use std::fmt;

use super::work::Work;

/// Plain bytes before a start that an emulator may be given.
pub const DICTIONARY: usize = 32_768;

/// Where an emulator begins.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// Plain right before, at most [`DICTIONARY`] bytes, of the same operation.
    pub before: &'a [u8],
    /// Plain bytes of the operation before this start.
    pub position: u64,
    /// Plain bytes from here to the end of what is encoded: of the operation, or of one block of a framed one.
    pub left: u64,
    /// Bits of the first byte that are used already, below 8.
    pub phase: u32,
    /// The operation ends with what is left. Always so but for the blocks of a framed operation.
    pub last: bool,
}

impl fmt::Debug for Start<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Start")
            .field("before", &self.before.len())
            .field("position", &self.position)
            .field("left", &self.left)
            .field("phase", &self.phase)
            .field("last", &self.last)
            .finish()
    }
}

/// A place between two blocks, counted from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Border {
    /// Plain bytes before it.
    pub plain: u64,
    /// Bits before it, without those of the phase.
    pub bits: u64,
    /// The bits behind the last whole byte, as the low ones of a byte; the others are 0.
    pub tail: u8,
}

/// Why an emulator was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Whoever takes the blocks has what it wanted.
    Enough,
    /// The blocks are not those that were expected.
    Differs,
    /// More work than was allowed.
    Work,
}

/// Takes what an emulator makes.
pub trait Output {
    /// Takes one block: its whole bytes, and the border at its end. The first byte of the first block has 0 in the bits of the phase.
    ///
    /// # Errors
    ///
    /// Any, to stop the emulator.
    fn block(&mut self, bytes: &[u8], border: Border) -> Result<(), Stop>;
}

/// An exact emulator of one producer. All memory is taken when it is made.
pub trait Encoder: fmt::Debug + Send {
    /// Forgets everything, and begins anew.
    fn start(&mut self, start: &Start<'_>);

    /// Takes plain; at the last byte of what was said to be left, ends. With nothing left from the start, it ends with an empty feed.
    ///
    /// # Errors
    ///
    /// What `output` or `work` stopped it with. It must be started again before it is fed again.
    fn feed(&mut self, plain: &[u8], output: &mut dyn Output, work: &mut Work) -> Result<(), Stop>;
}
