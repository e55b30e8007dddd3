//! What sites told goes into a hub that keeps the recorded wire contract: everything once, nothing for others.

mod access;
mod answers;
mod command;
pub(crate) mod hub;
mod lines;
mod refusals;
mod remedies;
mod sending;
mod stops;
mod whose;
pub(crate) mod world;
