//! Media: what bundles are read from and written to: files, folders with one bundle in them, pipes.

mod in_place;
mod old_head;
mod output;
mod seekable;
mod source;
mod uncached;

pub use in_place::BundleInPlace;
pub use output::BundleFile;
pub use seekable::input;
pub use source::{BundleSource, open};
pub use uncached::UncachedFile;
