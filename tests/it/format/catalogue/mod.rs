//! The attack catalogue: every bad vector against a real appliance, the reader, and the built program.
//!
//! A vector is one case of the catalogue and is named after it (`b09-swapped`). For each: the exact class, sub-code and step;
//! an unchanged world and one more audit row; nothing left behind; its twin, made the same way without the mistake, imports;
//! and so does a newer bundle afterwards.

mod feed;
mod kit;
mod process;
mod rules;
mod sweep;
mod world;
