//! Exact emulators of the programs that compress layers: from plain to the bits that the producer writes.
//!
//! A [`Producer`] names one function for ever. Nothing here knows of bundles, and nothing here is an error of a bundle: an emulator that
//! is stopped says why, and whoever ran it says what that means. The designs that the emulators follow are named in `NOTICE`.

mod bits;
mod encoder;
mod format;
mod go_1;
mod huffman;
mod id;
mod klauspost_2;
mod known_answer;
mod lengths;
mod sample;
mod window;
mod work;
mod zlib_1;

#[cfg(test)]
pub(crate) mod tests;

pub use encoder::{Border, DICTIONARY, Encoder, Output, Start, Stop};
pub use id::{Operation, Producer};
pub use known_answer::{ANSWER_BLOCK, answers, make};
pub use sample::Sample;
pub use work::{START, Work};
