//! Targets and their agents: what the vendor assigns, what agents ask for, and the wire contract that both sides share.

mod agents;
#[cfg(all(feature = "vendor", feature = "site"))]
mod contract;
mod targets;
mod truth;
