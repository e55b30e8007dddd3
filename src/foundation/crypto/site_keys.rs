//! Keys of the site's role: who may agree that a package leaves (M-99). A file that people at the site keep, and guards have a copy of.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::canonical;
use super::envelope::Signature;
use super::export_approval::ExportApproval;
use super::key::{KeyId, PublicKey};
use super::root::Key;
use crate::domain::{Class, Error, Result, limits};

/// Largest file of keys.
pub const SITE_KEYS_BYTES: u64 = 64 << 10;

/// The keys, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteKeys {
    keys: Vec<PublicKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    keys: Vec<Key>,
}

impl SiteKeys {
    /// Reads `{"keys":[KEY…]}`, written as people write: white space and the order of members are free.
    ///
    /// # Errors
    ///
    /// `E-TRUST site-keys` for another document, a weak key, an id that does not follow from its key, a key that stands there twice, none,
    /// or more than 32; `E-LIMIT`.
    pub fn parse(bytes: &[u8], what: &str) -> Result<Self> {
        let wrong = |found: String| {
            Error::new(Class::Trust, "site-keys", format!("{what} {found}")).expected(format!(
                "{{\"keys\":[{{\"id\":…,\"public\":…,\"scheme\":\"ed25519\"}}]}} with 1 to {} keys, each once",
                limits::SIGNATURES
            ))
        };
        let document: Document = canonical::lenient_from_slice(bytes, what).map_err(|error| match error.class() {
            Class::Format => wrong("does not parse".to_owned()).with_source(error),
            _ => error,
        })?;
        if document.keys.is_empty() || document.keys.len() > limits::SIGNATURES {
            return Err(wrong(format!("holds {} keys", document.keys.len())));
        }
        let mut ids = BTreeSet::new();
        for key in &document.keys {
            if key.public.id() != key.id {
                return Err(wrong(format!("names a key {} whose id is {}", key.id, key.public.id())));
            }
            if !ids.insert(key.id) {
                return Err(wrong(format!("names the key {} twice", key.id)));
            }
        }
        Ok(Self {
            keys: document.keys.iter().map(|key| key.public).collect(),
        })
    }

    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Whether a key is one of them.
    pub fn has(&self, id: KeyId) -> bool {
        self.keys.iter().any(|key| key.id() == id)
    }

    /// Returns which of them have signed an approval, in the order of the signatures.
    pub fn approved(&self, approval: &ExportApproval, signatures: &[Signature]) -> Vec<KeyId> {
        let is_good = |signature: &&Signature| {
            let key = self.keys.iter().find(|key| key.id() == signature.keyid);
            key.is_some_and(|key| approval.check([*key], 1, std::slice::from_ref(signature)).is_ok())
        };
        signatures
            .iter()
            .filter(is_good)
            .map(|signature| signature.keyid)
            .collect()
    }

    /// Checks that so many of them have signed an approval.
    ///
    /// # Errors
    ///
    /// Those of [`ExportApproval::check`].
    pub fn check(&self, approval: &ExportApproval, wanted: usize, signatures: &[Signature]) -> Result<()> {
        approval.check(self.keys.iter().copied(), wanted, signatures)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::crypto::SigningKey;

    #[test]
    fn keys_are_read_as_people_write_them_and_each_counts_once() {
        let key = |n: u8| Key::of(SigningKey::from_secret(&[n; 32]).public());
        let file = |keys: &serde_json::Value| serde_json::to_vec_pretty(&json!({"keys": keys})).unwrap();
        let keys = SiteKeys::parse(&file(&json!([key(1), key(2)])), "it").unwrap();
        assert!(keys.has(key(1).id) && !keys.has(key(3).id));
        let other = json!({"id": key(2).id, "public": key(1).public, "scheme": "ed25519"});
        let many: Vec<_> = (0..33).map(key).collect();
        for (document, part) in [
            (file(&json!([])), "holds 0 keys"),
            (file(&json!(many)), "holds 33 keys"),
            (file(&json!([key(1), key(1)])), "twice"),
            (file(&json!([other])), "whose id is"),
            (b"{\"keys\":[],\"more\":1}".to_vec(), "does not parse"),
            (b"keys".to_vec(), "does not parse"),
        ] {
            let error = SiteKeys::parse(&document, "the file").unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Trust, "site-keys"), "{part}");
            assert!(error.found().contains(part), "{error}");
        }
    }
}
