//! Layers that travel smaller than they are: what arrives is what was made, or nothing.

mod arrive;
mod bases;
mod command;
mod delta;
mod delta_vectors;
mod gzip;
mod real_programs;
mod registry;
mod repaired;
mod spoilt;
mod stage;
