//! Media: what bundles are read from and written to: files, folders with one bundle or its volumes in them, pipes.

mod in_place;
mod largest_file;
mod old_head;
mod output;
mod seekable;
mod source;
mod uncached;
mod volume_files;
mod volumes;

pub use in_place::BundleInPlace;
pub use largest_file::{FAT_FILE_BYTES, check_file_size};
pub use output::BundleFile;
pub use seekable::input;
pub use source::{BundleSource, open, open_all, sets};
pub use uncached::UncachedFile;
pub use volume_files::{VolumeFiles, volumes_at};
