//! How the fleet is worded for Distr's agents (distr-protocol 0 to 2): one file each for what they deploy, for the manifest of either
//! kind of agent, and for installing them. What a target shall run may be long, and is made piece by piece. The wire's paths and members are [`crate::protocol::distr`]'s.

mod answers;
mod connect;
mod docker;
mod document;
mod kubernetes;
mod pieces;
mod resources;
mod yaml;

pub use answers::Answer;
pub use pieces::ResourcesPieces;
