//! The vendor's half: which producer made a gzip file, and the recipe that makes it again.
//!
//! The file is read several times and never held: surveyed once, its first plain tried with each producer that it may be of, and the one
//! that fits rebuilds it whole before a recipe is given.

mod seek;
mod survey;
mod trial;

#[cfg(test)]
mod tests;

pub use seek::{Found, RECIPE, Why, find};
