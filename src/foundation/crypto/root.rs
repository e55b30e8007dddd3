//! Trust root documents: the vendor's keys, and which role may sign what (SPEC section 3).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

use super::canonical::{self, integer};
use super::key::{KeyId, PublicKey};
use crate::domain::{Class, Error, Hash, Name, Result, Timestamp, Version, limits};

/// A key as a root document lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Id; must be the one that follows from the bytes.
    pub id: KeyId,
    /// The public key.
    pub public: PublicKey,
    /// `ed25519`.
    pub scheme: Scheme,
}

/// Signature scheme of a key or rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Ed25519, strict.
    Ed25519,
}

/// A threshold over keys of one scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Ids of the keys that count, ascending.
    pub keys: Vec<KeyId>,
    /// Scheme of these keys.
    pub scheme: Scheme,
    /// How many distinct keys must sign.
    pub threshold: usize,
}

/// What a role is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table of the specification says what each signs")]
pub enum RoleName {
    Ack,
    Licence,
    Release,
    Root,
    Withdrawal,
}

impl RoleName {
    /// Every role that a root document must define.
    pub const ALL: [Self; 5] = [Self::Ack, Self::Licence, Self::Release, Self::Root, Self::Withdrawal];

    /// Returns the name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Licence => "licence",
            Self::Release => "release",
            Self::Root => "root",
            Self::Withdrawal => "withdrawal",
        }
    }
}

/// Rules of every role. All five are always present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the table of the specification says what each signs")]
pub struct Roles {
    pub ack: Vec<Rule>,
    pub licence: Vec<Rule>,
    pub release: Vec<Rule>,
    pub root: Vec<Rule>,
    pub withdrawal: Vec<Rule>,
}

impl Roles {
    /// Returns the rules of a role.
    pub fn get(&self, name: RoleName) -> &[Rule] {
        match name {
            RoleName::Ack => &self.ack,
            RoleName::Licence => &self.licence,
            RoleName::Release => &self.release,
            RoleName::Root => &self.root,
            RoleName::Withdrawal => &self.withdrawal,
        }
    }

    /// Returns the rules of a role, to change them.
    pub fn get_mut(&mut self, name: RoleName) -> &mut Vec<Rule> {
        match name {
            RoleName::Ack => &mut self.ack,
            RoleName::Licence => &mut self.licence,
            RoleName::Release => &mut self.release,
            RoleName::Root => &mut self.root,
            RoleName::Withdrawal => &mut self.withdrawal,
        }
    }
}

/// Takes `null` for a member that says nothing. Such a member is written as none at all, so the comparison of bytes refuses it, as it does
/// `null` for every other optional member.
fn or_nothing<'de, D, T>(deserializer: D) -> std::result::Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The epoch that a scope of this vendor is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRule {
    /// The channel.
    pub channel: Name,
    /// The epoch that releases of the scope must carry.
    #[serde(with = "integer")]
    pub epoch: u64,
    /// The product.
    pub product: Name,
}

/// A checked trust root document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootDocument {
    /// Epochs other than 0.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "Vec::is_empty")]
    pub epochs: Vec<EpochRule>,
    /// After this time the root no longer vouches for new imports.
    pub expires: Timestamp,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Every key of every role.
    pub keys: Vec<Key>,
    /// Products the vendor may sign for.
    pub products: Vec<Name>,
    /// Version of airlock that reads the document.
    pub reader: Version,
    /// Who may sign what.
    pub roles: Roles,
    /// Whether the time floor of this trust domain starts again at `issued_at`.
    #[serde(default, deserialize_with = "or_nothing", skip_serializing_if = "std::ops::Not::not")]
    pub time_reset: bool,
    /// The vendor's name, for people.
    pub vendor: String,
    /// 1, 2, 3 …
    #[serde(with = "integer")]
    pub version: u64,
}

impl Key {
    /// Lists a key under its id.
    pub fn of(public: PublicKey) -> Self {
        Self {
            id: public.id(),
            public,
            scheme: Scheme::Ed25519,
        }
    }

    /// Returns it as canonical JSON on one line, as it stands in a root or in the file of a site's keys.
    pub fn line(&self) -> String {
        String::from_utf8_lossy(&canonical::to_vec(self)).into_owned()
    }
}

/// A role of keys that no root names: a site's status key, or those of its approvers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signers {
    rules: [Rule; 1],
    keys: BTreeMap<KeyId, PublicKey>,
}

impl Signers {
    /// Makes the role of a key that has it alone.
    pub fn one(key: PublicKey) -> Self {
        Self::of([key], 1)
    }

    /// Makes the role of keys of which so many must sign.
    pub fn of(keys: impl IntoIterator<Item = PublicKey>, threshold: usize) -> Self {
        let keys: BTreeMap<KeyId, PublicKey> = keys.into_iter().map(|key| (key.id(), key)).collect();
        let rules = [Rule {
            keys: keys.keys().copied().collect(),
            scheme: Scheme::Ed25519,
            threshold,
        }];
        Self { rules, keys }
    }

    /// Returns the role.
    pub fn role(&self) -> Role<'_> {
        Role {
            rules: &self.rules,
            keys: self.keys.clone(),
        }
    }
}

/// A role with its keys at hand: what [`super::verify_role`] needs.
#[derive(Debug)]
pub struct Role<'a> {
    rules: &'a [Rule],
    keys: BTreeMap<KeyId, PublicKey>,
}

impl Role<'_> {
    /// Returns the rules, all of which must hold.
    pub fn rules(&self) -> &[Rule] {
        self.rules
    }

    /// Returns a key of the role by its id.
    pub fn key(&self, id: KeyId) -> Option<PublicKey> {
        self.keys.get(&id).copied()
    }
}

impl RootDocument {
    /// Parses and checks a payload whose signatures were verified before.
    ///
    /// # Errors
    ///
    /// `E-TRUST` with a sub-code for every way in which a root document can be wrong; `E-LIMIT` for its size.
    pub fn parse(payload: &[u8]) -> Result<Self> {
        if payload.len() > limits::ROOT_BYTES {
            return Err(Error::new(
                Class::Limit,
                "root-size",
                format!("a root document has {} bytes", payload.len()),
            )
            .expected(format!("at most {}", limits::ROOT_BYTES)));
        }
        let document: Self = canonical::from_slice(payload, "a root document")
            .map_err(|error| weak_key(payload).unwrap_or_else(|| error.into_class(Class::Trust)))?;
        document.check()?;
        Ok(document)
    }

    /// Checks everything that holds within one document.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn check(&self) -> Result<()> {
        if !(1..=limits::VENDOR_BYTES).contains(&self.vendor.len()) {
            return Err(wrong("vendor", "the vendor's name is empty or longer than 200 bytes"));
        }
        if self.version == 0 {
            return Err(wrong("version", "the version is 0"));
        }
        if self.issued_at >= self.expires {
            return Err(wrong("times", "it expires before it was issued"));
        }
        if self.products.is_empty() || !strictly_ascending(&self.products) {
            return Err(wrong("products", "its products are missing, repeated or out of order"));
        }
        let scopes: Vec<_> = self.epochs.iter().map(|rule| (&rule.product, &rule.channel)).collect();
        if !strictly_ascending(&scopes) || self.epochs.iter().any(|rule| !self.products.contains(&rule.product)) {
            return Err(wrong(
                "epochs",
                "its epochs are repeated, out of order or of another product",
            ));
        }
        self.check_keys()
    }

    fn check_keys(&self) -> Result<()> {
        let ids: Vec<KeyId> = self.keys.iter().map(|key| key.id).collect();
        if !strictly_ascending(&ids) {
            return Err(wrong("keys", "its keys are repeated or out of order"));
        }
        // The id is a hash over the bytes, so distinct right ids mean distinct key bytes.
        if let Some(key) = self.keys.iter().find(|key| key.public.id() != key.id) {
            return Err(wrong(
                "key-id",
                format!("the id {} does not follow from its key's bytes", key.id),
            ));
        }
        let mut used: BTreeSet<KeyId> = BTreeSet::new();
        for name in RoleName::ALL {
            let rules = self.roles.get(name);
            if rules.is_empty() {
                return Err(wrong("role", format!("the role {} has no rule", name.as_str())));
            }
            let mut of_role: BTreeSet<KeyId> = BTreeSet::new();
            for rule in rules {
                if rule.threshold == 0 || rule.threshold > rule.keys.len() {
                    return Err(wrong(
                        "threshold",
                        format!(
                            "the role {} wants {} of {} keys",
                            name.as_str(),
                            rule.threshold,
                            rule.keys.len()
                        ),
                    ));
                }
                if !strictly_ascending(&rule.keys) {
                    return Err(wrong(
                        "role-keys",
                        format!("the role {} repeats keys or has them out of order", name.as_str()),
                    ));
                }
                if let Some(id) = rule.keys.iter().find(|id| !ids.contains(id)) {
                    return Err(wrong(
                        "role-keys",
                        format!("the role {} names the unlisted key {id}", name.as_str()),
                    ));
                }
                of_role.extend(&rule.keys);
            }
            if let Some(id) = of_role.iter().find(|id| used.contains(id)) {
                return Err(wrong("shared-key", format!("the key {id} is in two roles")));
            }
            used.extend(of_role);
        }
        if used.len() != ids.len() {
            return Err(wrong("unused-key", "it lists a key that no role uses"));
        }
        Ok(())
    }

    /// Returns a role with its keys.
    pub fn role(&self, name: RoleName) -> Role<'_> {
        let rules = self.roles.get(name);
        let ids: BTreeSet<KeyId> = rules.iter().flat_map(|rule| rule.keys.iter().copied()).collect();
        Role {
            rules,
            keys: self
                .keys
                .iter()
                .filter(|key| ids.contains(&key.id))
                .map(|key| (key.id, key.public))
                .collect(),
        }
    }

    /// Returns the epoch that releases of a scope must carry.
    pub fn epoch(&self, product: &Name, channel: &Name) -> u64 {
        self.epochs
            .iter()
            .find(|rule| rule.product == *product && rule.channel == *channel)
            .map_or(0, |rule| rule.epoch)
    }

    /// Returns the payload bytes.
    pub fn to_payload(&self) -> Vec<u8> {
        canonical::to_vec(self)
    }
}

/// Members that are read before a newer reader is ruled out.
#[derive(Deserialize)]
pub(super) struct RootReader {
    pub(super) reader: Version,
}

/// Returns the hash of a root's payload: its fingerprint, and for root 1 the trust domain.
pub(super) fn fingerprint(payload: &[u8]) -> Hash {
    use sha2::Digest as _;
    Hash(sha2::Sha256::digest(payload).into())
}

/// Why a document did not parse, when that is a key that must not be trusted.
fn weak_key(payload: &[u8]) -> Option<Error> {
    #[derive(Deserialize)]
    struct Keys {
        keys: Vec<Public>,
    }
    #[derive(Deserialize)]
    struct Public {
        public: Hash,
    }
    let document: Keys = canonical::lenient_from_slice(payload, "a root document").ok()?;
    document
        .keys
        .iter()
        .find_map(|key| PublicKey::from_bytes(&key.public.0).err())
}

fn strictly_ascending<T: Ord>(values: &[T]) -> bool {
    values.is_sorted_by(|a, b| a < b)
}

fn wrong(code: &'static str, what: impl std::fmt::Display) -> Error {
    Error::new(Class::Trust, code, format!("a root document cannot be trusted: {what}"))
        .remedy("have the vendor issue a correct root")
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    #[test]
    fn optional_members_without_content_are_left_out_and_null_is_another_form() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../../bundle-spec/vectors/trust/9671081cd487.json")).unwrap();
        let payload = file["roots"][0]["payload"].as_str().unwrap();
        let payload = base64::engine::general_purpose::STANDARD.decode(payload).unwrap();
        let payload = String::from_utf8(payload).unwrap();
        RootDocument::parse(payload.as_bytes()).unwrap();
        for (before, member, code) in [
            ("\"expires\":", "\"epochs\":null,", "non-canonical"),
            ("\"expires\":", "\"epochs\":[],", "non-canonical"),
            ("\"vendor\":", "\"time_reset\":null,", "non-canonical"),
            ("\"vendor\":", "\"time_reset\":false,", "non-canonical"),
            ("\"expires\":", "\"epochs\":{},", "grammar"),
            ("\"vendor\":", "\"time_reset\":1,", "grammar"),
        ] {
            let text = payload.replacen(before, &format!("{member}{before}"), 1);
            let error = RootDocument::parse(text.as_bytes()).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Trust, code), "{member}");
        }
        let keys = payload.split_once("\"keys\":[").unwrap().1.split_once(']').unwrap().0;
        let text = payload.replacen(&format!("[{keys}]"), "null", 1);
        assert_eq!(RootDocument::parse(text.as_bytes()).unwrap_err().code(), "grammar");
    }
}
