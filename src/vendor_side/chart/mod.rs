//! Helm charts, read as hostile input and packed as OCI artifacts.
//!
//! ```text
//! folder ─(pack)─┐
//! tgz ───────────┼─> archive ─(files)─> Chart: name, version, default values, templates
//! registry ──────┤                  └─> artifact: manifest, config, the archive byte for byte
//! index.yaml ────┘
//!
//! template ─(actions)─> words ─(expression, partial)─> lines with holes ─(written)─> images, and lines that cannot be told
//! ```
//!
//! The second line reads a chart without helm (`reading`): what follows from the values alone is told, for the rest there are holes, and
//! an image with a hole in it is nobody's proof. With helm, `rendering` takes its place, and only what helm cannot work out here (`asks`) is
//! read that way (`elsewhere`).
//!
//! # Threats
//!
//! Archives with links, `..`, absolute paths, several roots, repeated names, bombs, and charts inside charts without end
//! (CVE-2026-35206: a chart called `..`). Nothing is ever unpacked to disk.

mod actions;
mod archive;
mod artifact;
mod asks;
mod branch;
mod contents;
mod elsewhere;
mod expression;
mod ignore;
mod in_text;
mod metadata;
mod overlay;
mod pack;
mod partial;
mod reading;
mod suspect;
mod template;
mod value_schema;
mod written;

pub(super) use archive::CHART_BYTES;
pub(super) use artifact::{CHART_LAYER, artifact};
pub(super) use asks::Ask;
pub(super) use contents::Chart;
pub(super) use elsewhere::{elsewhere, said_of};
pub(super) use in_text::{InText, images_in_text};
pub(super) use overlay::overlay;
pub(super) use pack::{ChartFolder, pack};
pub(super) use partial::ReleaseWords;
pub(super) use reading::{OpenPlace, Pod, Reading, Seen, Spoilt, read};
pub(super) use suspect::{digits_alone, is_image_key, is_named_so, suspects_in};
pub(super) use template::Template;
