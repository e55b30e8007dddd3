//! What must not travel in clear (J11): refused by name until bundles can be encrypted.
//!
//! Nothing here repeats a value: findings name a file, a line or a path, and a key.

mod findings;
mod keys;
mod text;

pub(super) use findings::{Findings, Marks};
pub(super) use text::private_key;
