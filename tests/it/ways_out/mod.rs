//! Ways out of a bundle and of an appliance: layouts, comparisons, files, credentials, snippets, copies.

mod access;
mod diff;
mod extract;
mod extract_bases;
mod extract_places;
mod file_choice;
mod file_commands;
mod file_world;
mod files;
mod gone_names;
#[cfg(feature = "edge")]
mod mirror;
#[cfg(feature = "edge")]
mod push_registry;
mod snippets;
mod told;
mod workbench;
