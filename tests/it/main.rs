//! Integration tests.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test fails by panicking and says how much it tried"
)]

#[cfg(all(feature = "vendor", feature = "site"))]
#[path = "../agent/mod.rs"]
mod agent;
mod agent_bodies;
mod agent_limits;
mod agent_protocol;
mod agent_registry;
mod attacks;
mod catalogue;
mod clocks;
#[cfg(feature = "vendor")]
mod compose;
mod crash;
mod disk_full;
#[cfg(all(feature = "vendor", feature = "site"))]
mod distr;
mod medium;
mod outbound;
mod registry_damage;
mod registry_hostile;
mod registry_lists;
mod registry_live;
mod registry_pull;
mod serve_process;
mod status_bounds;
mod status_buffer;
mod status_crash;
mod status_damage;
mod status_full;
mod support;
mod target_cli;
mod target_free;
mod target_manifests;
mod target_owners;
mod target_rules;
mod target_secrets;
mod target_serving;
mod target_watch;
mod tls;
mod vectors;
#[cfg(feature = "vendor")]
mod vendor_applications;
#[cfg(feature = "vendor")]
mod vendor_charts;
#[cfg(feature = "vendor")]
mod vendor_cli;
#[cfg(feature = "vendor")]
mod vendor_layout;
#[cfg(feature = "vendor")]
mod vendor_registry;
#[cfg(feature = "vendor")]
mod vendor_removals;
#[cfg(feature = "vendor")]
mod vendor_secrets;
