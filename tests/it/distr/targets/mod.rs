//! Targets of an appliance: which there are, what they are told, who may log in, and the operator's commands.

mod cli;
mod manifests;
pub(crate) mod rules;
mod secrets;
pub(crate) mod serving;
mod watch;
