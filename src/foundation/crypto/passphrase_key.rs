//! A key that comes from a passphrase, and what is made of it: sums that show it was the right one, and keys for a file in records.
//!
//! Argon2id takes the time and the memory of RFC 9106's second choice (64 MiB, three passes, four lanes) unless it is told otherwise. A file
//! that states what its key took is bounded, so that none asks for more than a machine has. What is made of the key is bound to the bytes it
//! is made for, the head of a file.
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

const LANES: u32 = 4;

/// What deriving a key takes, and so what a guess takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassphraseCost {
    memory_kib: u32,
    passes: u32,
}

impl PassphraseCost {
    /// 64 MiB and three passes.
    pub const USUAL: Self = Self {
        memory_kib: 64 << 10,
        passes: 3,
    };
    /// As little as there is: for passphrases that nobody could guess.
    pub const LEAST: Self = Self {
        memory_kib: 8 * LANES,
        passes: 1,
    };
    const MOST: Self = Self {
        memory_kib: 256 << 10,
        passes: 16,
    };

    /// What a file states; nothing where that is less than there is, or more than is done.
    pub fn stated(memory_kib: u64, passes: u64) -> Option<Self> {
        let (memory_kib, passes) = (u32::try_from(memory_kib).ok()?, u32::try_from(passes).ok()?);
        let is_bounded = (Self::LEAST.memory_kib..=Self::MOST.memory_kib).contains(&memory_kib)
            && (Self::LEAST.passes..=Self::MOST.passes).contains(&passes);
        is_bounded.then_some(Self { memory_kib, passes })
    }

    /// Returns the memory that it takes.
    pub fn memory_kib(self) -> u64 {
        self.memory_kib.into()
    }

    /// Returns how often the memory is gone through.
    pub fn passes(self) -> u64 {
        self.passes.into()
    }
}

/// A key that comes from a passphrase.
#[expect(missing_debug_implementations, reason = "it is a secret")]
pub struct PassphraseKey(Zeroizing<[u8; 32]>);

/// Encrypts and decrypts the records of one file.
#[expect(missing_debug_implementations, reason = "it is a secret")]
pub struct RecordKey(ChaCha20Poly1305);

impl PassphraseKey {
    /// Derives the key; at the usual cost that takes some tenths of a second.
    ///
    /// # Errors
    ///
    /// `E-INTERNAL argon2`.
    pub fn derive(passphrase: &str, salt: &[u8; SALT_BYTES], cost: PassphraseCost) -> Result<Self> {
        let failed =
            |error: argon2::Error| Error::new(Class::Internal, "argon2", format!("cannot derive a key: {error}"));
        let mut key = Zeroizing::new([0; 32]);
        let params = Params::new(cost.memory_kib, cost.passes, LANES, Some(key.len())).map_err(failed)?;
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
    fn a_key_is_of_its_passphrase_salt_cost_purpose_and_bytes() {
        let derive = |passphrase, salt, cost| PassphraseKey::derive(passphrase, &[salt; SALT_BYTES], cost).unwrap();
        let (least, more) = (PassphraseCost::LEAST, PassphraseCost::stated(33, 1).unwrap());
        let key = derive("correct horse", 1, least);
        let sum = key.sum("check", b"head");
        assert_eq!(sum, derive("correct horse", 1, least).sum("check", b"head"));
        for (passphrase, salt, cost) in [
            ("correct horsf", 1, least),
            ("correct horse", 2, least),
            ("correct horse", 1, more),
        ] {
            assert_ne!(sum, derive(passphrase, salt, cost).sum("check", b"head"));
        }
        assert_ne!(sum, key.sum("other", b"head"));
        assert_ne!(sum, key.sum("check", b"hebd"));
    }

    #[test]
    fn no_file_asks_for_more_than_is_done() {
        for (memory_kib, passes) in [(32, 1), (64 << 10, 3), (256 << 10, 16)] {
            assert!(
                PassphraseCost::stated(memory_kib, passes).is_some(),
                "{memory_kib} {passes}"
            );
        }
        for (memory_kib, passes) in [(31, 1), (32, 0), ((256 << 10) + 1, 1), (32, 17), (u64::MAX, 1)] {
            assert_eq!(
                PassphraseCost::stated(memory_kib, passes),
                None,
                "{memory_kib} {passes}"
            );
        }
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
