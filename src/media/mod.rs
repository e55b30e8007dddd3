//! Media: what bundles are read from and written to: files, folders with one bundle in them, pipes.

mod output;
mod source;
mod uncached;

pub use output::{BundleFile, replace_prologue};
pub use source::{BundleSource, open};
pub use uncached::UncachedFile;
