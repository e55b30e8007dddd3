//! Damage of what the store holds (case F23): told by everybody alike, and healed by importing the same bundle again.

mod pulls;
pub(crate) mod repair;
mod rows;
mod sources;
mod stops;
mod store;
mod truth;
mod unseen;
mod ward;
