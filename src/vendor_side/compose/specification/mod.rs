//! The compose specification: what may stand where, as a table of shapes, and the walk that compares a document with it.
//!
//! ```text
//! document ─> service ─> deploy ─> words ─> shape (the walk) ─> form ─> command
//! ```
//!
//! The table is written from the public specification and from what docker compose (see [`COMPOSE_VERSION`]) answers; nothing of its
//! schema's text is in here. A table of our own, and not a schema library: every finding has its place in the file and says what is
//! expected there.

mod command;
mod deploy;
mod document;
mod form;
mod service;
mod shape;
mod words;

pub use document::COMPOSE_VERSION;
pub(super) use document::check;
pub(super) use form::{nanoseconds, size};
