//! Reads gzip and deflate, and says where blocks end: to the bit in the stream, to the byte in the plain.
//!
//! Other inflaters do not tell where blocks end; a recipe is made of just that.

mod block;
mod code;
mod gzip;
mod source;

#[cfg(test)]
mod tests;

pub use block::{Block, BlockKind, Inflater};
pub use gzip::{Member, is_gzip};
pub use source::{Fault, Source};
