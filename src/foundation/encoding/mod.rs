//! Travel forms: how a blob travels smaller than it is, and comes out byte for byte. Normative text: `bundle-spec/SPEC.md`, section 18.
//!
//! ```text
//! write:  source ─> TravelWriter ─ records, over all cores ─> travel form ─> a content source of the payload's writer
//! read:   chunks ─ container ─> travel bytes ─> Restorer ─> original bytes, hashed ─> whoever stores the blob
//!                                              └ records ─> frames with a prefix ─> plain ─> form ─┘
//! ```
//!
//! The [container](crate::container) knows of all this one word: that the bytes of a blob in its chunks are a travel form. It cuts and
//! packs by their number, compares no digest with them, and hands them on in order. What a line of the index says is an [`Encoding`], and
//! a [`Restorer`] makes the blob of it on the thread that knows the order. Nobody behind it can tell a restored blob from one that
//! travelled as it is.
//!
//! | File | What it is |
//! |---|---|
//! | `line` | [`Encoding`]: what a blob line says, its grammar and bounds |
//! | `plain_cut` | which record holds which bytes of the plain: derived, never stated |
//! | `record` | a record's head, judged before its body is taken |
//! | `window` | the plain under way, and the part of it that is a frame's prefix |
//! | `original` | the restored blob: its digest, and the states that prove its pieces |
//! | `restorer` | travel bytes to original bytes |
//! | `travel_writer` | a source to travel bytes |
//!
//! # Threats and defences
//!
//! - *Bytes that nobody vouched for*: every byte of a travel form lies in chunks whose stored hash was compared. A decoder sees a frame only
//!   after the record's head and the frame's header were found to say what follows from the index.
//! - *Small input, endless output*: the plain size of every record follows from the signed line, and no more is decoded.
//! - *Large numbers*: memory is a window of 12 MiB and one record, whatever the line says; both grow with what came.
//! - *A result that is another blob*: the digest of what was made is compared before anything gets a name.
//!
//! Where form `gzip` joins: [`Encoding`] gets the form, and the [`Restorer`] hands plain to what rebuilds instead of handing it on. Until
//! then a bundle that names such a producer is refused by the head's `requires`.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")
)]

mod line;
mod original;
mod plain_cut;
mod record;
mod restorer;
mod travel_writer;
mod window;

#[cfg(test)]
mod tests;

pub use line::Encoding;
pub(crate) use line::{EncodingLine, Mentioned, check_plain_size};
pub(crate) use restorer::{Restorer, Statement, Windows};
pub use travel_writer::{Level, TravelForm, write_travel};
