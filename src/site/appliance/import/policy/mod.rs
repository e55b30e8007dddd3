//! Whether a verified head may come in: audience, number, time (X6 to X8). Pure decisions, one file a question.

mod audience;
#[cfg(test)]
mod fixtures;
mod sequence;
mod time;

pub(super) use audience::{check_audience, check_scope};
pub(super) use sequence::{Sequence, check_sequence};
pub(super) use time::{Present, check_time};
