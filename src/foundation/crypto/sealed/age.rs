//! Encrypts to an X25519 recipient, and decrypts with its secret key: age, version 1, in memory.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::header::{AgeFile, CHUNK_BYTES, NONCE_BYTES, TAG_BYTES, VERSION};
use crate::crypto::{RecipientKey, random};
use crate::domain::{Class, Error, Result};

/// A key, wiped after its use.
type Secret = Zeroizing<[u8; 32]>;
/// What the key of a file is derived for.
const WRAP: &[u8] = b"age-encryption.org/v1/X25519";

/// Encrypts a plain text, whose bytes are a multiple of 1,024.
///
/// # Errors
///
/// `E-IO random`; `E-TRUST weak-key` for a recipient that hides nothing.
pub(super) fn seal(recipient: &RecipientKey, plain: &[u8]) -> Result<Vec<u8>> {
    let mut file_key = Zeroizing::new([0; 16]);
    random(file_key.as_mut())?;
    let mut ephemeral = Zeroizing::new([0; 32]);
    random(ephemeral.as_mut())?;
    let mut nonce = [0; NONCE_BYTES];
    random(&mut nonce)?;

    let ephemeral = StaticSecret::from(*ephemeral);
    let share = PublicKey::from(&ephemeral).to_bytes();
    let shared = ephemeral.diffie_hellman(&PublicKey::from(recipient.public.0));
    if !shared.was_contributory() {
        return Err(Error::new(
            Class::Trust,
            "weak-key",
            format!("{} is not an X25519 key to encrypt for", recipient.public),
        ));
    }
    let key = wrap_key(shared.as_bytes(), &share, &recipient.public.0);
    let mut wrapped = file_key.to_vec();
    let tag = encrypt(&key, [0; 12], &mut wrapped);
    wrapped.extend_from_slice(&tag);

    let mut file = VERSION.to_vec();
    let text = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
    file.extend_from_slice(format!("\n-> X25519 {}\n{}\n---", text(&share), text(&wrapped)).as_bytes());
    let code = code_of(&file_key, &file);
    file.extend_from_slice(format!(" {}\n", text(&code)).as_bytes());
    file.extend_from_slice(&nonce);

    let key = derived(&nonce, file_key.as_slice(), b"payload");
    let mut chunks = (0_u64..).zip(plain.chunks(CHUNK_BYTES)).peekable();
    // No plain text in a buffer that moves when it grows.
    file.reserve_exact(
        plain
            .len()
            .saturating_add(plain.len().div_ceil(CHUNK_BYTES).saturating_mul(TAG_BYTES)),
    );
    while let Some((number, chunk)) = chunks.next() {
        let begin = file.len();
        file.extend_from_slice(chunk);
        let tag = encrypt(
            &key,
            chunk_nonce(number, chunks.peek().is_none()),
            file.get_mut(begin..).unwrap_or_default(),
        );
        file.extend_from_slice(&tag);
    }
    Ok(file)
}

/// Decrypts a file; nothing when it is for another key.
///
/// # Errors
///
/// What is wrong with it, as the end of a sentence: its form, or that it opens and its content was changed.
pub(super) fn open(secret: &[u8; 32], file: &[u8]) -> std::result::Result<Option<Zeroizing<Vec<u8>>>, &'static str> {
    let file = AgeFile::parse(file)?;
    let secret = StaticSecret::from(*secret);
    let public = PublicKey::from(&secret).to_bytes();
    let shared = secret.diffie_hellman(&PublicKey::from(file.share));
    if !shared.was_contributory() {
        return Err("has an X25519 share of small order");
    }
    let mut file_key = Zeroizing::new(file.wrapped.to_vec());
    if !decrypt(
        &wrap_key(shared.as_bytes(), &file.share, &public),
        [0; 12],
        &mut file_key,
    ) {
        return Ok(None);
    }
    let mut code = hmac(derived(&[], &file_key, b"header").as_slice());
    code.update(file.covered);
    if code.verify_slice(&file.code).is_err() {
        return Err("has a header that was changed");
    }
    let key = derived(&file.nonce, &file_key, b"payload");
    let mut plain = Zeroizing::new(Vec::with_capacity(file.chunks.len()));
    let mut chunks = (0_u64..)
        .zip(file.chunks.chunks(CHUNK_BYTES.saturating_add(TAG_BYTES)))
        .peekable();
    while let Some((number, chunk)) = chunks.next() {
        let mut buffer = Zeroizing::new(chunk.to_vec());
        if !decrypt(&key, chunk_nonce(number, chunks.peek().is_none()), &mut buffer) {
            return Err("has content that was changed");
        }
        plain.extend_from_slice(&buffer);
    }
    Ok(Some(plain))
}

/// Checks the form of a file, for who has no key.
///
/// # Errors
///
/// What is wrong with it, as the end of a sentence.
pub(super) fn check(file: &[u8]) -> std::result::Result<(), &'static str> {
    AgeFile::parse(file).map(drop)
}

fn encrypt(key: &Secret, nonce: [u8; 12], buffer: &mut [u8]) -> [u8; TAG_BYTES] {
    let cipher = ChaCha20Poly1305::new(key.as_slice().try_into().expect("a key has 32 bytes"));
    let tag = cipher.encrypt_inout_detached(&nonce.into(), &[], buffer.into());
    tag.expect("a chunk is short").into()
}

/// Decrypts a buffer, whose tag it takes away; it is not to be used when it was changed.
fn decrypt(key: &Secret, nonce: [u8; 12], buffer: &mut Vec<u8>) -> bool {
    let cipher = ChaCha20Poly1305::new(key.as_slice().try_into().expect("a key has 32 bytes"));
    let Some((plain, tag)) = buffer.split_last_chunk_mut::<TAG_BYTES>() else {
        return false;
    };
    let tag = (*tag).into();
    if cipher
        .decrypt_inout_detached(&nonce.into(), &[], plain.into(), &tag)
        .is_err()
    {
        return false;
    }
    buffer.truncate(buffer.len().saturating_sub(TAG_BYTES));
    true
}

fn chunk_nonce(number: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    for (byte, counted) in nonce.iter_mut().skip(3).zip(number.to_be_bytes()) {
        *byte = counted;
    }
    if let Some(byte) = nonce.last_mut() {
        *byte = u8::from(last);
    }
    nonce
}

fn wrap_key(shared: &[u8; 32], share: &[u8; 32], recipient: &[u8; 32]) -> Secret {
    derived(&[share.as_slice(), recipient].concat(), shared, WRAP)
}

/// HKDF-SHA-256 for 32 bytes (RFC 5869): extract, and the first block of expand.
fn derived(salt: &[u8], secret: &[u8], purpose: &[u8]) -> Secret {
    let mut extract = hmac(salt);
    extract.update(secret);
    let drawn = Zeroizing::new(<[u8; 32]>::from(extract.finalize().into_bytes()));
    let mut expand = hmac(drawn.as_slice());
    expand.update(purpose);
    expand.update(&[1]);
    Zeroizing::new(expand.finalize().into_bytes().into())
}

fn code_of(file_key: &[u8; 16], covered: &[u8]) -> [u8; 32] {
    let mut code = hmac(derived(&[], file_key, b"header").as_slice());
    code.update(covered);
    code.finalize().into_bytes().into()
}

fn hmac(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256>>::new_from_slice(key).expect("HMAC takes keys of any length")
}

#[cfg(test)]
#[path = "age_tests.rs"]
mod tests;
