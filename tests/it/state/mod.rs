//! The state folder: whose it is, what may stand in it, what `init` takes, and what messages send people to.

mod commands;
mod init;
mod newer;
mod newer_commands;
mod owner;
mod pipes;
mod planted;
mod refusals;
mod stopped_init;
mod surroundings;
mod workshop;
