//! Forward refusal: what a document says before its other members may be looked at.

use serde::Deserialize;

use super::canonical;
use crate::domain::{Class, Error, Result, Version};

/// The members that are read before a newer reader is ruled out.
#[derive(Deserialize)]
struct Peek {
    reader: Version,
    requires: Vec<String>,
}

/// Refuses a document that names a feature which is none of the `known`, before its other members are looked at.
///
/// `what` is what is parsed, `noun` what needs the feature, `known` what this reader knows. Signatures were verified before.
///
/// # Errors
///
/// `E-FORMAT needs-newer-reader`; `E-FORMAT` and `E-LIMIT` for what is no such document at all.
pub fn check_features(bytes: &[u8], what: &str, noun: &str, known: &[&str]) -> Result<()> {
    let peek: Peek = canonical::lenient_from_slice(bytes, what)?;
    let unknown = peek.requires.iter().find(|feature| !known.contains(&feature.as_str()));
    match unknown {
        None => Ok(()),
        Some(feature) => Err(Error::new(
            Class::Format,
            "needs-newer-reader",
            format!(
                "the {noun} needs the feature {feature:?}, which airlock {} does not know",
                Version::current()
            ),
        )
        .remedy(format!("update airlock to {} and try again", peek.reader))),
    }
}
