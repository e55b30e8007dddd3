//! What every airlock file has in common: the container. Normative text: `bundle-spec/SPEC.md`, sections 4 and 6.
//!
//! ```text
//! 00-format 01-signatures 02-trust 03-head 04-approvals 05-index/… 06-fill │ chunks/… │ 00 00
//! └─ prologue: sizes read under caps, all else constant ┘└ pages ┘└─ fill ─┘└─ cut ──┘ └ end ┘
//!
//! write:  blobs ─ BlobReader ─> plain chunks ─┐                    ┌─> stored chunks
//! read:   stored chunks ─ Source ─────────────┼─ pump, all cores ──┼─> Collector ─> PayloadSink
//! check:  stored chunks ─ Source ─────────────┘                    └─> nothing: hashes are compared
//! ```
//!
//! # Reading: two hashes a byte, on whose thread
//!
//! | Thread | For every chunk | In |
//! |---|---|---|
//! | the workers, by turns | header compared, stored bytes read into a pooled buffer | payload order |
//! | the same worker | stored hash compared; decoded; each blob that lies whole in it hashed and compared | any order |
//! | the same worker | a piece of a blob larger than a chunk hashed, behind the piece before it | payload order |
//! | the same worker | stored ([`ContentStore`]) | any order |
//! | the caller's | the `PayloadSink` told what is verified | payload order |
//!
//! A chunk stays on one core from the first byte to the last, no byte is copied between threads, and no thread writes for all. What workers store before its turn has come is good as far as it was
//! compared, and nobody can see it: the order in which it counts is the caller's thread's. The early blobs pass through all three before
//! the first of the others is read, so that no layer is taken from a bundle whose reference graph is not good.
//!
//! Some blobs travel in another form ([`PayloadBlob::is_encoded`]): what lies in chunks is cut and packed as ever, but has no digest to be
//! compared with, and is nothing to store. It is handed on in order, and whoever takes it makes the blob of it; until that is whole, no
//! chunk of it is a place to go on from.
//!
//! A blob is hashed once. The states of that hash at the ends of its chunks (`crypto::RunningHash`) are kept: they prove each piece
//! alone when it is served, and a reading that was stopped goes on from the last of them without the bytes before it.
//!
//! A file may come in volumes ([`VolumeTable`]): complete containers with the same head and index, each with a range of the chunks. A
//! [`Source`] that was given those at hand reads them as one payload: behind the last chunk of a volume its end, then the first of the next.
//! A repair file holds some chunks of the payload ([`ChunkRanges`]), for who has the rest: its source passes over the others without a byte.
//!
//! What a file means (its head, the lines of its index besides chunks, who must sign) belongs to the module that knows the
//! kind; it gives a [`Kind`] with the words, caps and units in which kinds differ.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")
)]

mod blob_reader;
// A site's healing alone picks blobs out of a payload.
mod chosen;
mod chunk;
mod chunk_ranges;
mod collect;
mod copy_damage;
mod cut;
mod decode;
mod encode;
mod entry;
mod expanded;
mod format_lines;
mod frame;
mod hash_chain;
mod kind;
mod large;
mod outline;
mod pages;
mod prefixed;
mod prologue;
mod pump;
mod read_back;
mod signed_digest;
mod sink;
mod source;
mod volumes;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use chosen::read_chosen;
pub use chosen::{Beside, ChosenSink};
pub(crate) use chunk::{Chunk, check_chunks};
pub use chunk_ranges::ChunkRanges;
pub use copy_damage::is_copy_damage;
pub(crate) use cut::{Payload, PayloadBlob};
pub(crate) use decode::read_payload;
pub(crate) use encode::{ChunkEncoder, ChunksOut, OneFile, write_chunk, write_payload};
pub(crate) use entry::{BLOCK, END_BYTES, entry_bytes, header, padding};
pub use expanded::zstd_reader;
pub(crate) use format_lines::{claimed_repair, claimed_volume, format_lines, is_of_repair, repair_lines, volume_lines};
pub(crate) use frame::stated_size;
pub(crate) use kind::{Caps, Kind, OtherKind};
pub use outline::{Builder, PageEntry, Totals};
pub(crate) use outline::{check_features, check_outline};
pub(crate) use pages::{PageReader, PageWriter, page_entries, read_fill, read_pages};
pub(crate) use prefixed::{check_prefixed, decode_prefixed, encode_prefixed};
pub(crate) use prologue::{
    EMPTY_APPROVALS, Prologue, approvals_bytes, bytes_before_payload, room_for_signatures, signatures_bytes,
};
pub(crate) use read_back::{check_stored, compare_stored, copy_chosen, copy_stored, read_back};
pub(crate) use signed_digest::check_digest;
pub use signed_digest::digest_of;
pub use sink::ContentStore;
pub(crate) use sink::PayloadSink;
pub use source::Input;
pub(crate) use source::Source;
pub(crate) use volumes::VolumeTable;
