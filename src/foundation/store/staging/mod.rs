//! The staging of one import: written by many threads, made durable in batches by one, and only then named.
//!
//! ```text
//! workers            small blob ─> a file without a name ───────────┐
//! (Shelf)            piece ─────> <64 hex>.part, at its offset ─────┤
//! the caller's       in payload order: what is verified, ───────────┴─> Batch ──> committer: Seal
//! (Staging)          how far the chunks are done                       when due    sync, name, sync the names, journal
//! ```
//!
//! # What holds at every moment, whatever thread stands where
//!
//! 1. A name in `blobs/` appears only after the bytes behind it are durable and their digest was compared. Small blobs have no name before
//!    that, so there are none to clean up; a large one grows in `<64 hex>.part` and is renamed.
//! 2. The journal says that N chunks are done only after everything in them is durable, and named as far as it is verified. So a crash
//!    costs what came since: at most 256 MiB or 5 seconds of work in the batch that fills, and as much in the one that is sealed.
//! 3. While the committer seals a batch the next one fills; a third has to wait. Files of chunks beyond N that are in a batch get their
//!    names with it: they are verified, and the next try finds them.
//! 4. After the first failure nothing is sealed any more. A sync that failed is never tried again, for the system may have dropped the
//!    pages already; and whatever was open for writing was open before the first byte, so no failure of the write-back goes unseen.
//! 5. A worker stores only what the threat model lets it: a blob whose digest it has compared itself, or a piece whose stored hash was,
//!    into a file that nobody reads before its digest was.
//!
//! A large blob's file gets all its room at once; pieces are whole pages at page borders. Of a blob of several full ones they go to the disk past
//! the page cache where the file system takes that (`O_DIRECT`): the disk is busy from the first piece, no byte is copied once more, and a
//! sync finds little to do. Else write-back is asked for piece by piece; so too for a smaller blob, for a direct write holds its worker until
//! the disk is done, which takes longer than the copy.
//!
//! # Volumes
//!
//! Of a bundle in volumes, one that comes before its turn is kept as it is, in `volume-<number>`: from its first chunk to its end, each stored
//! hash compared. When the volumes before it are here it is read as if it came then, compared once more.
//!
//! # Other heads
//!
//! What a stopped import left waits beside that of another head, in a folder of its own with the name that its release has for people, and goes
//! for newer ones only when there are several (`earlier`).
//!
//! # The journal
//!
//! `journal` holds the number of chunks that are done and how much of the large blob under way they carry. Beside it `midstates` holds 32
//! bytes for each of these chunks: the state of the blob's SHA-256 at its end where the blob goes on, else zeros. They are durable before
//! the journal is. With them the next try goes on hashing where this one stopped, and reads no byte of the large blob again; what rots on
//! the disk meanwhile is found as it is in every blob, by the same midstates, before its first byte is served.

mod batch;
mod committer;
mod earlier;
mod folder;
mod journal;
mod part;
mod shelf;
mod volumes;

#[cfg(test)]
mod tests;

pub use earlier::{Earlier, make_way};
pub use folder::Staging;
pub use shelf::Shelf;
