//! Content on disk: blobs named by their digest, and the staging of a running import.
//!
//! ```text
//! $STATE/blobs/sha256/ab/<64 hex>    verified, read-only, byte-exact
//! $STATE/incoming/<head digest>/     journal, and <64 hex>.part of the large blob under way
//! $STATE/evidence/<64 hex>.corrupt   blobs whose bytes changed under us
//! ```
//!
//! A name in `blobs/` appears only after the bytes behind it were verified and are durable. Names are hex digits made here: no
//! text from a bundle ever becomes part of a path. Who may be served which blob is the database's business, so a blob
//! that a stopped import left behind is never visible.

mod blobs;
mod space;
mod staging;

pub use blobs::Store;
pub use space::{Space, space};
pub use staging::Staging;
