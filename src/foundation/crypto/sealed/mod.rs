//! Secrets encrypted to a site: age files of version 1 for one X25519 recipient (C2SP `age`), and what is inside.
//!
//! ```text
//! value ─> SealedSecrets (of a release, for a site) ─┐
//!                                                     ├─ plain text, padded ─> age file ─> recipient key ─> the same again
//! value ─> SecretRecord (entered or made at a site) ─┘
//! ```
//!
//! Written here over the same ciphers and curves as everything else, and not taken from the `age` crate: version 0.12 of that brings 96
//! further crates (224 are here), a second set of all the cryptography among them, curves and post-quantum keys that are never used, and
//! translations of its messages. Files of this module open with the tool `age`, and those of the tool here; the tests try both.

mod age;
mod document;
mod header;
mod plain_text;
mod record;

pub use document::{SealedSecret, SealedSecrets};
pub use record::SecretRecord;
