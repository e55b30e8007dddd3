//! Status packages: what is written comes back, and everything else is refused with its class.

pub(crate) mod bits;
mod guards;
pub(crate) mod made;
mod round_trip;
mod runs;
mod summary;
mod vectors;
mod verdicts;
