//! Makes the value of a secret.

use zeroize::Zeroizing;

use crate::crypto::random;
use crate::domain::{Class, Error, Result, SecretValue};

/// Makes a value of so many characters of an alphabet, each as likely as the others. The alphabet has 2 to 94 characters of one byte.
///
/// # Errors
///
/// `E-IO random`.
pub(super) fn value(alphabet: &str, length: usize) -> Result<SecretValue> {
    let letters = alphabet.as_bytes();
    let mut text = Zeroizing::new(Vec::with_capacity(length));
    let mut pool = Zeroizing::new([0_u8; 64]);
    // The largest multiple of their number below 256: what is above would make some likelier.
    let fair = 256_usize.saturating_sub(256_usize.checked_rem(letters.len()).unwrap_or(0));
    while text.len() < length {
        random(pool.as_mut())?;
        let drawn = pool.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        for byte in drawn.take(length.saturating_sub(text.len())) {
            if let Some(letter) = byte.checked_rem(letters.len()).and_then(|place| letters.get(place)) {
                text.push(*letter);
            }
        }
    }
    SecretValue::new(text).map_err(|what| Error::new(Class::Internal, "secret-value", format!("a made value {what}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_character_comes_and_no_other() {
        for (alphabet, length) in [("0123456789abcdefghijklmnopqrstuvwxyz", 32), ("01", 8), ("!~", 1024)] {
            let mut seen = BTreeSet::new();
            let mut values = BTreeSet::new();
            for _ in 0..200 {
                let value = value(alphabet, length).unwrap();
                assert_eq!(value.as_str().len(), length);
                seen.extend(value.as_str().chars());
                values.insert(value.as_str().to_owned());
            }
            assert_eq!(seen, alphabet.chars().collect());
            // 8 bits make 256 values only.
            assert!(values.len() > if length == 8 { 50 } else { 199 });
        }
    }
}
