//! Finds everything that images are made of, and where its bytes are: nothing is copied, nothing is unpacked.
//!
//! ```text
//! ImageRequest ─> Origin (layout | registry) ─> walk ─> BundleContent (names, manifests, absent)
//!                                                  └──> Sources (configs and layers, opened while the bundle is written)
//! ```
//!
//! Manifests keep their bytes; their digests and sizes are compared as they are read. Those of configs and layers are compared by
//! the writer of the bundle, which reads them once. A tag is looked up once. What cannot be carried is reported as one list, not
//! one by one (D10).

mod blob_range;
mod ca_files;
mod chart_repository;
mod image_options;
mod layout;
mod layout_entry;
mod layout_tar;
mod made;
mod origin;
mod plan;
mod problem;
mod reference;
mod registry;
mod registry_auth;
mod registry_blob;
mod registry_client;
mod registry_host;
mod relatives;
mod source;
mod sources;
mod walk;

pub(crate) use ca_files::certificates;
pub(crate) use chart_repository::{fetch_chart, pull_chart};
pub use image_options::ImageOptions;
pub(crate) use layout::LocalLayouts;
pub(crate) use layout_tar::EXPANDED_BYTES;
pub use made::MadeArtifact;
pub(crate) use problem::Problems;
pub use reference::{ImageReference, Platform};
pub(crate) use reference::{default_tag, readable};
pub use registry_client::RegistryOptions;
pub(crate) use registry_client::{chain, retry_after};
pub(crate) use registry_host::{host_of, is_this_machine};
pub(crate) use source::conversion;
pub use source::{Pick, Source};
pub use sources::{Collection, ImageRequest, Sources, Stored, collect};
pub(crate) use sources::{collect_all, is_of_registry};
