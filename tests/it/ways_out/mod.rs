//! Ways out of a bundle and of an appliance: layouts, comparisons.

mod access;
mod diff;
mod extract;
mod extract_bases;
#[cfg(feature = "edge")]
mod mirror;
#[cfg(feature = "edge")]
mod push_registry;
mod snippets;
mod told;
mod workbench;
