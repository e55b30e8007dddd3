//! Ways out of a bundle and of an appliance: layouts, comparisons.

mod access;
mod diff;
mod extract;
mod extract_bases;
mod snippets;
mod told;
mod workbench;
