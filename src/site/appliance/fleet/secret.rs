//! Secrets of targets: 128 random bits as 32 lower-case hex digits, the form of the hub's.

use zeroize::Zeroizing;

use crate::crypto::random;
use crate::domain::Result;

/// A secret that was just issued. It is shown once and nowhere kept.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Makes a random one.
    pub(in crate::appliance) fn generate() -> Result<Self> {
        let mut bytes = Zeroizing::new([0_u8; 16]);
        random(bytes.as_mut())?;
        let mut text = Zeroizing::new(String::with_capacity(32));
        for byte in bytes.iter() {
            text.push(digit(byte >> 4));
            text.push(digit(byte & 0x0f));
        }
        Ok(Self(text))
    }

    /// Returns the text, for the one who asked for it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text may be a secret. What is none is refused like a wrong one, and is never hashed at length.
pub(in crate::appliance) fn is_secret(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap_or('0')
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_do_not_show_themselves() {
        let (a, b) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert!(is_secret(a.as_str()) && is_secret(b.as_str()));
        assert_ne!(a.as_str(), b.as_str());
        assert_eq!(format!("{a:?}"), "Secret");
        for text in [
            "",
            "0",
            "0123456789ABCDEF0123456789abcdef",
            "0123456789abcdef0123456789abcdeé",
        ] {
            assert!(!is_secret(text), "{text}");
        }
    }
}
