//! Agents that poll: the status buffer alone, and `airlock serve` with everything in front of it.

mod buffer;
mod load;

pub(crate) use buffer::bars as buffer_bars;
