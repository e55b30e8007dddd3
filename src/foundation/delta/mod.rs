//! Delta scripts: a plain made of parts that other blobs have, and of literal bytes between them.
//!
//! A script makes one group of a blob's plain. It is judged whole before the first byte is made, and walked as the bytes that it is. Bases
//! are known here by their number and the size of their plain only: where their bytes lie, and what class and code a fault has, is the
//! reader's affair. Normative text: M-158 and M-159.
//!
//! | File | What it is |
//! |---|---|
//! | `place` | what numbers of a script are told against: the current base, the end of the last copy of each, the time |
//! | `grammar` | the ranges of prefixes and the operations, walked where they stand |
//! | `judge` | a script is right for its group and its bases, or not |
//! | `head` | the one thing that is known of tar: another time and size in a member's head |
//! | `apply` | bases and literals to plain |
//! | `write` | a script under way |
//! | `find` | what of a plain bases have: the writer's affair |
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")
)]

mod apply;
pub mod find;
mod grammar;
mod head;
mod judge;
mod place;
mod write;

#[cfg(test)]
mod tests;

pub use apply::Applier;
pub use grammar::{BASES, LITERAL_RECORD, Operation, Ranges, Stretch};
pub use head::{HEAD, retold};
pub use judge::{Fault, Judged, RANGE_BYTES, RANGES, judge};
pub use write::Writer;
