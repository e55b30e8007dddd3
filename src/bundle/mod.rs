//! The container format. Normative text: `bundle-spec/SPEC.md`.
//!
//! ```text
//! write:  BundleContent ─> BundleLayout ─> UnsignedBundle ─> signatures ─> bytes before the payload
//! read:   OpenedBundle ─> SignedBundle ─> VerifiedBundle ─> Sink
//!           X2, X3          X4, X5          X9a              X11, X12, X13
//!
//! 00-format 01-signatures 02-trust 03-head 04-approvals 05-index/… 06-fill │ chunks/… │ 00 00
//! └─ sizes read under caps, all else constant ┘└── generated from the signed head and index ──┘
//! ```
//!
//! A `VerifiedBundle` can only be made by the reader: holding one is the proof.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")
)]

mod blob_hasher;
mod check_only;
mod content;
mod cut;
pub mod desired;
mod entry;
mod frame;
mod graph;
mod head;
mod index;
mod layout;
mod payload;
mod prologue;
mod readback;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use check_only::CheckOnly;
pub use content::{BlobSource, BundleContent};
pub use graph::{Graph, Referrer};
pub use head::{Builder, DocumentEntry, Head, PageEntry, Totals};
pub use index::{Absent, Blob, Index, Need, TagLine};
pub use layout::{BundleLayout, Packing, ReleaseStatement};
pub use payload::Sink;
pub use reader::{Input, OpenedBundle, SignedBundle, VerifiedBundle};
pub use writer::UnsignedBundle;
