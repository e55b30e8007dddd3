//! The container format. Normative text: `bundle-spec/SPEC.md`.

mod content;
mod index;

pub use content::{Content, ContentSource};
pub use index::TagLine;
