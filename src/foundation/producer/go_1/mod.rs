//! `go-1`: what `compress/flate` of Go 1.8 to 1.26 writes. Levels 4 to 9 search chains, level 1 a table.

mod block;
mod chains;
mod table;

pub(crate) use chains::Chains;
pub(crate) use table::Table;
