//! The isolated side: the appliance, the only HTTP, its configuration, and what a process there gives up for good.

pub mod appliance;
pub mod config;
pub mod confine;
pub mod http;

// Modules below are named as those here are.
use airlock_foundation::{
    backup, bundle, container, crypto, db, domain, encoding, media, package, panics, protocol, store, stream,
};
