//! A bundle unpacked: what it carries as a standard OCI image layout, for tools that know nothing of airlock.
//!
//! ```text
//! bundle (verified) ──> WorkFolder: a store, as at a site ──> layout/: blobs, names ──> DIR, in one rename
//! needs, from bases ──┘                                                          └────> or an archive of it, written out
//! ```
//!
//! - **Nothing has its name before everything was verified**: content grows in `DIR.partial`, and becomes `DIR` when signature, every byte and
//!   every reference are good. A refusal leaves nothing; a stop leaves `DIR.partial`, and the next run goes on where its journal ends.
//! - **A place that cannot take it is told first**: before a byte is written it is asked what its file system can, and how much is free.
//! - **A layout is whole**: what the bundle only needs comes from bases, and without it nothing is unpacked.
//! - **What is no content of an image stays out**: documents of the release, and what layers are merely copied from.
//!
//! Names stand in `index.json` as `org.opencontainers.image.ref.name` (read by skopeo, podman, oras) and `io.containerd.image.name` (read by
//! containerd and docker), both with host, repository and tag: a layout may hold many repositories.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")
)]

mod archive;
mod filling;
mod layout;
mod needs;
mod room;
mod work_folder;

pub use archive::{archive_bytes, write_archive};
pub use filling::Filled;
pub use work_folder::{WorkFolder, check_free};
