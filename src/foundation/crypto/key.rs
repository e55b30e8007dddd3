//! Ed25519 keys and their ids; strict verification only.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::Signer as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::{Class, Error, Hash, Result};

/// Label in front of the public key bytes whose hash is the key's id (SPEC section 2).
const KEY_ID_LABEL: &[u8] = b"airlock-key-ed25519-v1\n";

/// Name of a key: the hash over a fixed label and the 32 public key bytes.
pub type KeyId = Hash;

/// A public key that passed the checks for canonical form and small order.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Hash", into = "Hash")]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// Checks the 32 bytes: a canonical encoding of a point that is not of small order.
    ///
    /// # Errors
    ///
    /// `E-TRUST weak-key`.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        let weak = || {
            Error::new(
                Class::Trust,
                "weak-key",
                format!("{} is not an Ed25519 key to trust", Hash(*bytes)),
            )
            .expected("a canonical point that is not of small order")
        };
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| weak())?;
        // Decoding reduces y modulo p; only the reduced form may name the key.
        if key.is_weak() || key.to_edwards().compress().to_bytes() != *bytes {
            return Err(weak());
        }
        Ok(Self(key))
    }

    /// Returns the 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Returns the id under which signatures name the key.
    pub fn id(self) -> KeyId {
        let mut hasher = Sha256::new();
        hasher.update(KEY_ID_LABEL);
        hasher.update(self.0.as_bytes());
        Hash(hasher.finalize().into())
    }

    /// Whether the 64 bytes are this key's signature over the message: strict, cofactorless (SPEC section 2).
    pub fn verifies(self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0
            .verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature))
            .is_ok()
    }
}

impl TryFrom<Hash> for PublicKey {
    type Error = Error;

    fn try_from(bytes: Hash) -> Result<Self> {
        Self::from_bytes(&bytes.0)
    }
}

impl From<PublicKey> for Hash {
    fn from(key: PublicKey) -> Self {
        Self(key.to_bytes())
    }
}

impl FromStr for PublicKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bytes: Hash = text.parse().map_err(|error: crate::domain::ParseDigestError| {
            Error::new(Class::Trust, "key-form", error.to_string()).with_source(error)
        })?;
        Self::from_bytes(&bytes.0)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Hash(self.to_bytes()))
    }
}

/// A private key; the bytes are wiped when it is dropped, and it has no text form.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Makes a key from the operating system's random numbers.
    ///
    /// # Errors
    ///
    /// `E-IO` when the system has none to give.
    pub fn generate() -> Result<Self> {
        let mut secret = zeroize::Zeroizing::new([0; 32]);
        random(secret.as_mut())?;
        Ok(Self::from_secret(&secret))
    }

    /// Takes the 32 secret bytes.
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(secret))
    }

    /// Returns the 32 secret bytes, for the key file alone.
    pub(super) fn secret(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Returns the public half. There is no way to sign with another one (RUSTSEC-2022-0093).
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a message.
    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public().id())
    }
}

/// Fills a buffer with random bytes of the operating system.
///
/// # Errors
///
/// `E-IO` when the system has none to give.
pub fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| {
        Error::new(
            Class::Io,
            "random",
            format!("the system gives no random bytes: {error}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_order_and_non_canonical_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut non_canonical_identity = [0xff; 32];
        non_canonical_identity[0] = 0xee;
        non_canonical_identity[31] = 0x7f;
        for bytes in [[0; 32], identity, non_canonical_identity, [0xff; 32]] {
            let error = PublicKey::from_bytes(&bytes).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Trust, "weak-key"));
        }
        let key = SigningKey::from_secret(&[7; 32]).public();
        assert_eq!(PublicKey::from_bytes(&key.to_bytes()).unwrap(), key);
    }

    #[test]
    fn a_signature_holds_for_its_message_only() {
        let key = SigningKey::from_secret(&[7; 32]);
        let mut signature = key.sign(b"message");
        assert!(key.public().verifies(b"message", &signature));
        assert!(!key.public().verifies(b"massage", &signature));
        signature[40] ^= 1;
        assert!(!key.public().verifies(b"message", &signature));
    }
}
