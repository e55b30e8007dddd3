//! A key that comes from a passphrase, and what is made of it: sums that show it was the right one, and keys for a file in records.
//!
//! Argon2id takes the time and the memory of RFC 9106's second choice (64 MiB, three passes, four lanes): nothing of that is stated in a
//! file, so that no file asks for more. What is made of the key is bound to the bytes it is made for, the head of a file.
//!
//! A record is encrypted with ChaCha20-Poly1305 under a nonce of its number and of whether it is the last one: none can be left out,
//! moved or added, and a file that was cut off has no last one.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::{Class, Error, Hash, Result};

/// Bytes of the salt that a passphrase is taken with.
pub const SALT_BYTES: usize = 16;
/// Bytes that a record has besides its plain ones.
pub const RECORD_TAG_BYTES: usize = 16;

const MEMORY_KIB: u32 = 64 << 10;
const PASSES: u32 = 3;
const LANES: u32 = 4;

/// A key that comes from a passphrase.
#[expect(missing_debug_implementations, reason = "it is a secret")]
pub struct PassphraseKey(Zeroizing<[u8; 32]>);

/// Encrypts and decrypts the records of one file.
#[expect(missing_debug_implementations, reason = "it is a secret")]
pub struct RecordKey(ChaCha20Poly1305);

impl PassphraseKey {
    /// Derives the key; takes 64 MiB and some tenths of a second.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL argon2`.
    pub fn derive(passphrase: &str, salt: &[u8; SALT_BYTES]) -> Result<Self> {
        let failed =
            |error: argon2::Error| Error::new(Class::Internal, "argon2", format!("cannot derive a key: {error}"));
        let mut key = Zeroizing::new([0; 32]);
        let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(key.len())).map_err(failed)?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.as_bytes(), salt, key.as_mut())
            .map_err(failed)?;
        Ok(Self(key))
    }

    /// Returns what shows that a key is this one, without telling it.
    pub fn sum(&self, purpose: &str, bytes: &[u8]) -> Hash {
        Hash(*self.derived(purpose, bytes))
    }

    /// Returns the key for the records of a file that begins with these bytes.
    pub fn records(&self, purpose: &str, bytes: &[u8]) -> RecordKey {
        let key = self.derived(purpose, bytes);
        RecordKey(ChaCha20Poly1305::new(
            key.as_slice().try_into().expect("a key has 32 bytes"),
        ))
    }

    fn derived(&self, purpose: &str, bytes: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut sum = <Hmac<Sha256>>::new_from_slice(self.0.as_slice()).expect("HMAC takes keys of any length");
        sum.update(purpose.as_bytes());
        sum.update(&[0]);
        sum.update(bytes);
        Zeroizing::new(sum.finalize().into_bytes().into())
    }
}

impl RecordKey {
    /// Encrypts a record in place and appends its tag.
    pub fn seal(&self, number: u64, is_last: bool, record: &mut Vec<u8>) {
        let nonce = nonce(number, is_last);
        let tag = self
            .0
            .encrypt_inout_detached(&nonce.into(), &[], record.as_mut_slice().into());
        let tag: [u8; RECORD_TAG_BYTES] = tag.expect("a record is short").into();
        record.extend_from_slice(&tag);
    }

    /// Decrypts a record in place and takes its tag away. Where this says no, it is not what was sealed, and not to be used.
    #[must_use]
    pub fn open(&self, number: u64, is_last: bool, record: &mut Vec<u8>) -> bool {
        let nonce = nonce(number, is_last);
        let Some((plain, tag)) = record.split_last_chunk_mut::<RECORD_TAG_BYTES>() else {
            return false;
        };
        let tag = (*tag).into();
        let opened = self.0.decrypt_inout_detached(&nonce.into(), &[], plain.into(), &tag);
        record.truncate(record.len().saturating_sub(RECORD_TAG_BYTES));
        opened.is_ok()
    }
}

/// Three zeros, the number, and whether it is the last one, as age has it.
fn nonce(number: u64, is_last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    for (byte, counted) in nonce.iter_mut().skip(3).zip(number.to_be_bytes()) {
        *byte = counted;
    }
    if let Some(byte) = nonce.last_mut() {
        *byte = u8::from(is_last);
    }
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_its_passphrase_salt_purpose_and_bytes() {
        let key = PassphraseKey::derive("correct horse", &[1; SALT_BYTES]).unwrap();
        let again = PassphraseKey::derive("correct horse", &[1; SALT_BYTES]).unwrap();
        let sum = key.sum("check", b"head");
        assert_eq!(sum, again.sum("check", b"head"));
        for (passphrase, salt) in [("correct horsf", 1), ("correct horse", 2)] {
            let other = PassphraseKey::derive(passphrase, &[salt; SALT_BYTES]).unwrap();
            assert_ne!(sum, other.sum("check", b"head"));
        }
        assert_ne!(sum, key.sum("other", b"head"));
        assert_ne!(sum, key.sum("check", b"hebd"));
    }

    #[test]
    fn a_record_opens_in_its_place_alone_and_with_no_bit_changed() {
        let key = PassphraseKey(Zeroizing::new([7; 32])).records("records", b"head");
        let mut sealed = b"some text".to_vec();
        key.seal(3, true, &mut sealed);
        let opens = |number, is_last, bytes: &[u8]| {
            let mut record = bytes.to_vec();
            key.open(number, is_last, &mut record).then_some(record)
        };
        assert_eq!(opens(3, true, &sealed).as_deref(), Some(b"some text".as_slice()));
        assert_eq!(opens(3, false, &sealed), None);
        assert_eq!(opens(4, true, &sealed), None);
        assert_eq!(opens(3, true, &sealed[..sealed.len() - 1]), None);
        assert_eq!(opens(3, true, &[]), None);
        for place in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[place] ^= 1;
            assert_eq!(opens(3, true, &bad), None, "byte {place}");
        }
        let other = PassphraseKey(Zeroizing::new([7; 32])).records("records", b"heae");
        assert!(!other.open(3, true, &mut sealed));
    }
}
