//! Helm charts, read as hostile input and packed as OCI artifacts.
//!
//! ```text
//! folder ─(pack)─┐
//! tgz ───────────┼─> archive ─(files)─> Chart: name, version, default values, images written into templates
//! registry ──────┤                  └─> artifact: manifest, config, the archive byte for byte
//! index.yaml ────┘
//! ```
//!
//! # Threats
//!
//! Archives with links, `..`, absolute paths, several roots, repeated names, bombs, and charts inside charts without end
//! (CVE-2026-35206: a chart called `..`). Nothing is ever unpacked to disk. No template is executed.

mod archive;
mod artifact;
mod contents;
mod ignore;
mod metadata;
mod pack;
mod scan;

pub(super) use archive::CHART_BYTES;
pub(super) use artifact::{CHART_LAYER, artifact};
pub(super) use contents::{Chart, overlay};
pub(super) use pack::{ChartFolder, pack};
