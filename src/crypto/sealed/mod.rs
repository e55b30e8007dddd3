//! Secrets encrypted to a site: age files of version 1 for one X25519 recipient (C2SP `age`), and what is inside.
//!
//! ```text
//! value ─> SealedSecrets (of a release, for a site) ─┐
//!                                                     ├─ plain text, padded ─> age file ─> recipient key ─> the same again
//! value ─> SecretRecord (entered or made at a site) ─┘
//! ```
//!
//! Written here and not taken from the `age` crate: that one brings a second set of all the cryptography that is here already, and
//! translations of its messages. Files of this module open with `age`, and those of `age` here.

mod age;
mod document;
mod header;
mod plain_text;
mod record;

pub use document::{SealedSecret, SealedSecrets};
pub use record::SecretRecord;
