//! Integration tests.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod registry_damage;
mod registry_hostile;
mod registry_lists;
mod registry_live;
mod registry_pull;
mod serve_process;
mod support;
mod vectors;
