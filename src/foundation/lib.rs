//! What both sides of the gap stand on: neither knows the other, and both read what the other wrote by what is here.
//!
//! Which module may use which is a table of the program's page.

pub mod backup;
pub mod bundle;
#[cfg(feature = "client-tls")]
pub mod client_tls;
pub mod container;
pub mod crypto;
pub mod db;
pub mod delta;
pub mod domain;
pub mod encoding;
pub mod extract;
pub mod inflate;
mod leb128;
pub mod media;
pub mod package;
pub mod panics;
pub mod producer;
pub mod protocol;
pub mod recipe;
pub mod store;
pub mod stream;
