//! Which secrets a deployment uses, and where their values come from. No value stands here.

use serde::{Deserialize, Serialize};

use super::grammar::wrong;
use crate::crypto::canonical::integer;
use crate::domain::{Error, Result, SecretName, Uuid};

/// Characters of a generated value when nothing else is said.
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// How many of them when nothing else is said.
const LENGTH: u64 = 32;
/// Fewest and most characters of a generated value.
const LENGTHS: std::ops::RangeInclusive<u64> = 8..=1024;

/// A secret that a deployment uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretUse {
    /// Characters of a generated value: 2 to 94 of `!` to `~`, ascending. See [`SecretUse::alphabet`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alphabet: Option<String>,
    /// Characters of a generated value, 8 to 1,024. See [`SecretUse::length`].
    #[serde(default, skip_serializing_if = "Option::is_none", with = "integer::optional")]
    pub length: Option<u64>,
    /// Its name.
    pub name: SecretName,
    /// Each target has a value of its own; else the whole site has one.
    pub per_target: bool,
    /// Where its value comes from.
    pub source: SecretSource,
}

/// Where the value of a secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretSource {
    /// A document of the release, sealed to the site.
    Sealed,
    /// A person at the site enters it.
    Ask,
    /// The appliance makes it.
    Generate,
}

impl SecretSource {
    /// Returns the word in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Ask => "ask",
            Self::Generate => "generate",
        }
    }
}

impl SecretUse {
    /// Returns the characters that a generated value is made of: letters and digits unless the release says otherwise.
    pub fn alphabet(&self) -> &str {
        self.alphabet.as_deref().unwrap_or(ALPHABET)
    }

    /// Returns how many characters a generated value has: 32 unless the release says otherwise.
    pub fn length(&self) -> u64 {
        self.length.unwrap_or(LENGTH)
    }

    /// Whether an alphabet is one: 2 to 94 different characters `!` to `~`, ascending.
    pub fn is_alphabet(text: &str) -> bool {
        text.len() >= 2 && text.bytes().all(|c| c.is_ascii_graphic()) && text.as_bytes().is_sorted_by(|a, b| a < b)
    }

    /// Whether a generated value may have so many characters.
    pub fn is_length(length: u64) -> bool {
        LENGTHS.contains(&length)
    }
}

/// Checks the secrets of one deployment.
///
/// # Errors
///
/// `E-CONTENT desired-state`.
pub(super) fn check(deployment: Uuid, secrets: &[SecretUse]) -> Result<()> {
    let at = |what: &str, expected: &str| -> Error { wrong(format!("deployment {deployment}: {what}"), expected) };
    if secrets.is_empty() || !secrets.is_sorted_by(|a, b| a.name < b.name) {
        return Err(at(
            "its secrets are empty, repeated or out of order",
            "each once, ascending by name, and no such member where there are none",
        ));
    }
    for secret in secrets {
        let is_made = secret.source == SecretSource::Generate;
        let is_bound = secret.alphabet.is_some() || secret.length.is_some();
        let is_good = secret.alphabet.as_deref().is_none_or(SecretUse::is_alphabet)
            && secret.length.is_none_or(SecretUse::is_length);
        if !is_good || (is_bound && !is_made) {
            return Err(at(
                &format!("the secret {} has an alphabet or a length that cannot be", secret.name),
                "2 to 94 different characters from ! to ~, ascending, and 8 to 1,024 of them, for generated secrets alone",
            ));
        }
    }
    Ok(())
}

/// Finds two uses that share a value and say different things of it.
///
/// # Errors
///
/// `E-CONTENT desired-state`.
pub(super) fn check_agreement<'a>(uses: impl Iterator<Item = (Uuid, &'a SecretUse)>) -> Result<()> {
    let mut said = std::collections::BTreeMap::new();
    for (target, secret) in uses {
        let whose = secret.per_target.then_some(target);
        if *said.entry((&secret.name, whose)).or_insert(secret) != secret {
            return Err(wrong(
                format!("deployments say different things of the secret {}", secret.name),
                "one source, alphabet and length wherever it is the same value",
            ));
        }
    }
    Ok(())
}
