//! Travel forms: how a blob travels smaller than it is, and comes out byte for byte. Normative text: `bundle-spec/SPEC.md`, section 18.
//!
//! ```text
//! write:  source ─> TravelWriter ─ records, over all cores ─> travel form ─> a content source of the payload's writer
//! read:   chunks ─ container ─> travel bytes ─> Restorer ─> original bytes, hashed ─> whoever stores the blob
//!                                              └ records ─> frames with a prefix ─> plain ─> form ─┘
//!                                 bases ─ scripts ─┘
//!                                                form `gzip`: plain ─ Splitter ─> pieces, over all cores ─ Joiner ─> gzip file
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
//! | `base` | the blobs that a plain is copied from, opened: their plains, read at random |
//! | `unpacked` | plains of gzip files among them: inflated once, there for as long as blobs name them |
//! | `base_work` | what that takes, and how much of it is too much |
//! | `gathered` | the body of a record that comes in parts |
//! | `groups` | a plain that has bases, group by group: its scripts and literal bytes |
//! | `window` | the plain under way, and the part of it that is a frame's prefix |
//! | `rebuilding` | plain to the gzip file that it is the plain of, by its recipe |
//! | `workshop` | the pieces of a recipe, made on all cores, in order |
//! | `original` | the restored blob: its digest, and the states that prove its pieces |
//! | `restorer` | travel bytes to original bytes |
//! | `travel_writer` | a source to travel bytes |
//! | `delta_writer` | the same, where bases have a part of it |
//!
//! # Threats and defences
//!
//! - *Bytes that nobody vouched for*: every byte of a travel form lies in chunks whose stored hash was compared. A decoder sees a frame only
//!   after the record's head and the frame's header were found to say what follows from the index.
//! - *Small input, endless output*: the plain size of every record follows from the signed line, and no more is decoded.
//! - *Large numbers*: memory is a window of 12 MiB, one record, and 8 MiB of plain in pieces with what is made of them, whatever line and
//!   recipe say; all of it grows with what came. A recipe is judged whole before the first piece is made, and what searches take is counted.
//! - *Work without end for some kilobytes*: a base is inflated once, however many blobs name it, and what all of them inflate to is bounded by
//!   what is made of them, before the first is opened.
//! - *Parts of what else the site holds*: a script is judged whole against the stated sizes of its bases before a byte of them is read, a base's
//!   plain is compared with what was signed of it, and what a site holds of others is no base (`E-DEPENDENCY needs`, before anything is read).
//! - *A result that is another blob*: the digest of what was made is compared before anything gets a name.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")
)]

mod base;
mod base_work;
mod delta_writer;
mod gathered;
mod groups;
mod line;
mod original;
mod plain_cut;
mod rebuilding;
mod record;
mod restorer;
mod travel_writer;
mod unpacked;
mod window;
mod workshop;

#[cfg(test)]
mod delta_fuzz_tests;
#[cfg(test)]
mod fuzz_tests;
#[cfg(test)]
mod gzip_tests;
#[cfg(test)]
mod tests;

pub use base::{Base, BasePlains, OpenedBase, unpack};
pub use base_work::BaseWork;
pub use delta_writer::{Bases, Made, write_delta_travel};
pub(crate) use groups::Copying;
pub use line::{Encoding, Gzip};
pub(crate) use line::{EncodingLine, Mentioned, check_plain_size};
pub(crate) use restorer::{Buffers, Restored, Restorer, Statement};
pub use travel_writer::{Level, TravelForm, write_gzip_travel, write_travel};
pub use unpacked::Unpacked;
