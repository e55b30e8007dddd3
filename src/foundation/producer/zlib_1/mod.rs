//! `zlib-1`: what `deflate` of zlib 1.3.1 writes at levels 6 and 9, and what pigz makes of it.

mod block;
mod chains;
mod tree;

pub(crate) use chains::Chains;
