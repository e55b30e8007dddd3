//! Taking packages in: V0 to V13, what is refused and what it leaves, what is found, and what a stop leaves.

mod commands;
mod found;
mod lives;
pub(crate) mod refused;
mod shrunk;
mod stops;
mod taken;
