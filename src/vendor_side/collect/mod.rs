//! Finds everything that images are made of, and where its bytes are: nothing is copied, nothing is unpacked.
//!
//! ```text
//! ImageRequest ─> Origin (layout | archive | engine | registry) ─> walk ─> BundleContent (names, manifests, absent)
//!                                                  └──> Sources (configs and layers, opened while the bundle is written)
//! ```
//!
//! Manifests keep their bytes; their digests and sizes are compared as they are read. Those of configs and layers are compared by
//! the writer of the bundle, which reads them once. A tag is looked up once. What cannot be carried is reported as one list, not
//! one by one (D10).

mod ahead;
mod archive;
mod blob_range;
mod ca_files;
mod certs_d;
mod chart_repository;
mod clients;
mod collect_event;
mod connections;
mod docker_archive;
mod downloads;
mod engine;
mod image_options;
mod image_request;
mod kept_content;
mod layout;
mod layout_entry;
mod layout_tar;
mod local_tar;
mod made;
mod origin;
mod origins;
mod patience;
mod picked;
mod plain_file;
mod plan;
mod problem;
mod reference;
mod registry;
mod registry_auth;
mod registry_blob;
mod registry_client;
mod registry_error;
mod registry_host;
mod registry_options;
mod relatives;
mod resolver;
mod source;
mod sources;
mod start;
mod tag_list;
mod walk;

pub(crate) use ca_files::certificates;
pub(crate) use chart_repository::{fetch_chart, pull_chart};
pub use collect_event::CollectEvent;
pub use image_options::ImageOptions;
pub use image_request::ImageRequest;
pub(crate) use layout::LocalLayouts;
pub(crate) use local_tar::EXPANDED_BYTES;
pub use made::MadeArtifact;
pub(crate) use origins::Origins;
pub use patience::Patience;
pub use plain_file::FileSource;
pub(crate) use problem::Problems;
pub use reference::{ImageReference, Platform};
pub(crate) use reference::{default_tag, readable};
pub(crate) use registry_client::retry_after;
pub(crate) use registry_error::{chain, is_of_registry};
pub(crate) use registry_host::{host_of, is_this_machine};
pub use registry_options::RegistryOptions;
pub(crate) use source::{DOCKER_ARCHIVE, conversion};
pub use source::{EngineImage, Pick, Source};
pub use sources::{Collection, Sources, Stored, collect};
pub(crate) use sources::{FetchedContent, collect_all, is_of_source};
pub(crate) use tag_list::tags_of;
