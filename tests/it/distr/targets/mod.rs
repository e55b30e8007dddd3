//! Targets of an appliance: which there are, what they are told, who may log in, and the operator's commands.

mod cli;
mod free;
mod manifests;
mod owners;
mod rules;
mod secrets;
mod serving;
mod vendors;
mod watch;
