//! `release.yaml`: what a release says, as its author writes it. Every mistake is named with file, line and column.
//!
//! ```text
//! file          product, audience, times, images, notes; one section per file below
//! agents        which agents targets run
//! applications  compose files and charts, and the images they need
//! targets       where what is deployed
//! secrets       which there are, and where their values come from
//! files         plain files; repositories: all images of a pattern or a range of versions
//! listed        the same of a plain list of images; draft: a file to begin with
//! ```
//!
//! The published schema is `bundle-spec/schemas/release.schema.json`; a test keeps its keys and the parser's the same.

mod agents;
mod applications;
mod chart;
mod draft;
mod file;
mod files;
mod images;
mod listed;
mod missing;
mod mistakes;
mod one_or_many;
mod repositories;
mod secrets;
mod targets;

pub use agents::AgentEntry;
pub use applications::{ApplicationEntry, ApplicationKind, ComposeApplication, HelmApplication};
pub use chart::{ChartLocation, ImageValue, Pin};
pub use draft::Draft;
pub use file::{AudienceText, Expiry, Notes, RELEASE_FILE_BYTES, ReleaseFile, duration};
pub use files::FileEntry;
pub use images::ImageEntry;
pub use listed::{ImageLines, ListedRelease};
pub(super) use missing::MissingKeys;
pub use mistakes::Located;
pub(super) use mistakes::check_label;
pub use repositories::RepositoryEntry;
pub use secrets::{SecretEntry, SecretOrigin, SecretSource};
pub use targets::{DeploymentEntry, TargetEntry};
