//! Looks for secrets in what would travel in clear (J11), and refuses them by name.
//!
//! Nothing here repeats a value: findings name a file, a line or a path, and a key.

mod allow_plain;
mod chart_template;
mod configuration;
mod findings;
mod keys;
mod source;
mod text;
mod value;

pub(super) use allow_plain::AllowPlain;
pub(super) use findings::Findings;
pub(super) use text::{private_key, secret_shapes};
