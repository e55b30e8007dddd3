//! Looks for secrets in what would travel in clear (J11), and refuses them by name.
//!
//! Nothing here repeats a value: findings name a file, a line or a path, and a key.

mod findings;
mod keys;
mod text;

pub(super) use findings::{AllowPlain, Findings};
pub(super) use text::{private_key, secret_shapes};
