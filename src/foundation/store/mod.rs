//! Content on disk: blobs named by their digest, and the staging of a running import.
//!
//! ```text
//! $STATE/blobs/sha256/ab/<64 hex>    verified, read-only, byte-exact
//! $STATE/incoming/<head digest>/     journal, midstates, <64 hex>.part of the large blob under way, volumes before their turn, name
//! $STATE/evidence/<64 hex>.blob-<n>  blobs whose bytes changed under us, for an expert to look at
//! ```
//!
//! A name in `blobs/` appears only after the bytes behind it were verified and are durable. Names are hex digits made here: no
//! text from a bundle ever becomes part of a path. Who may be served which blob is the database's business, so a blob
//! that a stopped import left behind is never visible.
//!
//! Of every blob above 4 MiB the database keeps a proof of its pieces: the states of its own SHA-256 at their ends (`crypto::RunningHash`),
//! 32 bytes for 4 MiB, which cost no hash of their own.
//!
//! Whoever sends content opens it here ([`BlobReader`]): it is hashed before its first byte leaves, whole or by pieces, and again
//! whenever its file moved. What does not match is set aside, and the one who opened the store is told.

mod blobs;
mod checked;
mod condition;
mod evidence;
mod failure;
mod left_over;
mod names;
mod pieces;
mod reader;
mod scrub;
mod staging;

pub use blobs::{Damage, FOLDERS, Store};
pub use condition::Condition;
pub use left_over::LeftOver;
pub use names::folder_bytes;
pub use reader::BlobReader;
pub use staging::{Earlier, Shelf, Staging, make_way};

pub use crate::stream::{Space, capacity, space};
