//! Charts carried out by helm itself, and the images of everything that comes out.
//!
//! ```text
//! what templates ask ─(renderings)─> circumstances ─┐
//! archive, values ──────────(scratch, program, helm)┴> text ─(documents)─> objects ─(objects, custom_resources)─> Reading
//! ```
//!
//! # Threats
//!
//! Charts are other people's programs for helm. It runs with an empty environment and folders of its own, without plugins, with every
//! proxy pointing nowhere, for a minute, with a gigabyte of memory and 64 MiB of output at most, and with everything that it may have
//! started ended with it, also where this program is told to end (`running`) or killed (`guard`). What one that was killed laid out goes with
//! the next (`scratch`). Nothing that it writes is believed beyond the names in it.

mod custom_resources;
mod differences;
mod documents;
mod guard;
mod helm;
mod labels;
mod named;
mod objects;
mod program;
mod quoting;
mod renderings;
mod running;
mod scratch;

pub(super) use differences::{Difference, differences};
pub use helm::HelmChoice;
pub(super) use helm::{Capabilities, Helm, HelmChart};
pub(super) use renderings::{Rendering, Renderings, renderings};
pub use running::end_programs;
