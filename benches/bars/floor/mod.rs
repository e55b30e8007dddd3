//! The bare programs: only the named work, with the same libraries, in a few lines.

mod create;
mod move_bytes;
mod network;
mod take_in;

pub(crate) use create::create;
pub(crate) use move_bytes::{copy, cp, hash, read, tar};
pub(crate) use network::{fetch, push};
pub(crate) use take_in::take_in;
