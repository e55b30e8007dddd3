//! Byte plumbing over `std::io`: bounded reads, whole reads, and files that appear complete or not at all.

mod atomic;
mod bounded;

pub use atomic::{create_folder, sync_folder, write_atomically};
pub use bounded::{read_bounded, read_exact_or_end};
