//! From applications and targets to what travels: every image by digest, documents with the placeholder host, desired state.
//!
//! ```text
//! prepare   files read, charts fetched, secrets refused ─> what must be collected    nothing is decided by the network
//! collect   (another module) every image, one pass, one list of what is missing
//! assemble  digests ─> compose files, values, desired state                          pure
//! compare   earlier release ─> nothing disappears without `removed`, no UUID changes  pure
//! ```

mod agents;
mod assemble;
mod chart_report;
mod closure;
mod compose_application;
mod earlier_release;
mod gathered;
mod helm_addresses;
mod helm_application;
mod helm_branches;
mod helm_carried;
mod helm_chart;
mod helm_images;
mod helm_judgement;
mod helm_question;
mod helm_site;
mod helm_work;
mod ids;
mod outside;
mod prepare;

pub(super) use assemble::assemble;
pub use chart_report::{ChartReport, ChartWay};
pub(super) use earlier_release::{EarlierRelease, Removals};
pub(super) use ids::Ids;
pub(super) use outside::check_walls;
pub(super) use prepare::{ChartOptions, Prepared, prepare};
