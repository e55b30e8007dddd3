//! The bundle format: the vectors of its specification, and the attack catalogue that they make up.

mod catalogue;
pub(crate) mod vectors;
