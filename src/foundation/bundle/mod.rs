//! Bundles: what a container carries from a vendor to a site. Normative text: `bundle-spec/SPEC.md`.
//!
//! ```text
//! write:  BundleContent ─> BundleLayout ─> UnsignedBundle ─> signatures ─> bytes before the payload
//! read:   OpenedBundle ─> SignedBundle ─> VerifiedBundle ─> GraphGate ─> Sink
//!           X2, X3          X4, X5          X9a              X11, X12, X13, encoded blobs restored
//! ```
//!
//! Entries, pages, chunks and frames are the [container](crate::container)'s. Here is what makes it a bundle: the head, the
//! lines of the index, the reference graph, the desired state, and who must have signed.
//!
//! A `VerifiedBundle` can only be made by the reader: holding one is the proof.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")
)]

mod absent_lines;
mod base_bundles;
mod bases;
mod check_only;
mod chosen;
mod content;
pub mod desired;
mod desired_alone;
mod early;
mod emulators;
mod feature;
mod graph;
mod head;
mod incomplete;
mod index;
mod index_lines;
mod index_reader;
mod inventory;
mod kept;
mod kind;
mod layout;
mod part;
mod payload;
mod places;
mod reader;
mod repair;
mod restoring;
mod sealed;
mod substitution;
mod taken;
mod trust_links;
mod volume_set;
mod volumes;
mod writer;

#[cfg(test)]
mod tests;

pub use absent_lines::absent_lines;
pub use base_bundles::{build_order, of_base};
pub use check_only::CheckOnly;
pub use chosen::RestoredSink;
pub use content::{BlobSource, BundleContent};
pub use desired_alone::{read_desired, read_graph};
pub use early::{EarlyContent, ManifestParts, read_early};
pub use feature::Feature;
pub use graph::{Graph, Referrer};
pub use head::{DocumentEntry, Head};
pub use index::{Absent, Blob, Index, Need, TagLine};
pub use inventory::{content_hash, inventory};
pub use kept::{kept_graph, kept_index};
pub use layout::{BundleLayout, Packing, ReleaseStatement, Travels};
pub use payload::Sink;
pub use places::Places;
pub use reader::{OpenedBundle, SignedBundle, VerifiedBundle};
pub use repair::{Lost, Mends, Repair};
pub use restoring::{Verdict, restores};
pub use sealed::sealed_for;
pub use substitution::{SecretForm, Substitution, secret_place, secret_places};
pub use taken::{TakenBlobs, TakenFile};
pub use volumes::VolumesOut;
pub use writer::UnsignedBundle;
