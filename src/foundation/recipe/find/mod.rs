//! The vendor's half: which producer made a gzip file, and the recipe that makes it again.
//!
//! The file is read several times and never held: surveyed once, the begin of its largest stream tried with each producer that it may be
//! of. The recipe of the one that fits is nearly always right; where the reader's own code makes another file of it, borders are moved and
//! the file rebuilt until it is the same.

mod seek;
mod survey;
mod trial;

#[cfg(test)]
mod tests;

pub use seek::{Found, RECIPE, Search, Why, inflated};
