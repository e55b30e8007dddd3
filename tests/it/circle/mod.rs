//! The whole circle by the command line: bundle, import, agents, package, ledger, a smaller bundle with an acknowledgement, and again.

mod mistaken;
pub(crate) mod stage;
mod summary;
mod whole;
