//! `klauspost-2`: what `flate` of klauspost/compress 1.20.3, and the library of Go 1.27, writes at levels 5 and 6, and pgzip with it.
//!
//! A table of codes is used again as long as that seems cheaper, and tables of positions hold what came long before: a stream is one
//! piece.

mod block;
mod fast;
mod history;
mod level_5;
mod level_6;
mod tokens;

pub(crate) use fast::Fast;
