//! Protocols of other programs that airlock speaks, each stated once: what stands on the wire, for whoever sends or reads it.
//!
//! How bytes are read within bounds, and what is done with them, is decided elsewhere.

pub mod distr;
