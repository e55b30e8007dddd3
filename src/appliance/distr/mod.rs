//! How the fleet is worded for Distr's agents (distr-protocol 0 to 2): one file each for what they deploy, for the manifest of either
//! kind of agent, and for installing them. The wire's paths and members are [`crate::protocol::distr`]'s.

mod answers;
mod connect;
mod docker;
mod kubernetes;
mod resources;
mod yaml;
