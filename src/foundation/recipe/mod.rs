//! Recipes: how a gzip file is made again from its plain, to the byte.
//!
//! A recipe is judged whole before the first byte is rebuilt, and walked as the bytes that it is. Faults are plain words here; whoever
//! reads a bundle gives them class and code.

mod buffers;
pub mod find;
mod grammar;
mod join;
mod judge;
mod piece;
mod rebuild;
mod split;
mod write;

#[cfg(test)]
mod tests;

pub use buffers::PieceBuffers;
pub use grammar::{BLOCKS, Operation, Operations, Pieces, RAW};
pub use join::Joiner;
pub use judge::{Fault, Judged, judge};
pub use piece::{Made, Piece, Worker};
pub use rebuild::Rebuild;
pub use split::{Splitter, Step};
pub use write::Writer;
