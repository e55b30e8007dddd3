//! SHA-256 values: the 32 bytes, as a bare hash (signed documents) and as an OCI digest (content).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// 32 bytes of SHA-256, written as 64 lower-case hex digits.
///
/// Every value of the array is a legal hash, so the field is public.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub [u8; 32]);

/// A content digest, written `sha256:` and 64 lower-case hex digits (OCI image-spec, descriptor).
///
/// Other algorithms do not fit: content named by them is refused where it enters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub Hash);

/// Why a text is no hash or digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {expected}")]
pub struct ParseDigestError {
    /// The offending text, cut to 80 characters.
    found: String,
    expected: &'static str,
}

impl Hash {
    /// Returns the 64 lower-case hex digits.
    pub fn to_hex(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from(DIGITS[usize::from(nibble)]));
            }
        }
        text
    }

    /// Returns the hash in groups that two people can compare by voice: `1a2b 3c4d …`.
    pub fn spoken(self) -> String {
        let hex = self.to_hex();
        let mut text = String::with_capacity(80);
        for (n, c) in hex.chars().enumerate() {
            if n > 0 && n % 4 == 0 {
                text.push(' ');
            }
            text.push(c);
        }
        text
    }
}

impl FromStr for Hash {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_hex(text).map(Self).ok_or_else(|| ParseDigestError {
            found: text.chars().take(80).collect(),
            expected: "64 lower-case hex digits",
        })
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.strip_prefix("sha256:")
            .and_then(parse_hex)
            .map(|bytes| Self(Hash(bytes)))
            .ok_or_else(|| ParseDigestError {
                found: text.chars().take(80).collect(),
                expected: "sha256: and 64 lower-case hex digits",
            })
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

macro_rules! string_conversions {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = <$type as FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )*};
}
pub(crate) use string_conversions;

string_conversions!(Hash, Digest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_parses() {
        let hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let digest: Digest = format!("sha256:{hex}").parse().unwrap();
        assert_eq!(digest.to_string(), format!("sha256:{hex}"));
        assert_eq!(hex.parse::<Hash>().unwrap(), digest.0);
        for bad in [
            "",
            hex,
            "sha256:",
            "sha256:../../x",
            &format!("SHA256:{hex}"),
            &format!("sha256:{}", hex.to_uppercase()),
            &format!("sha256:{}", &hex[1..]),
            &format!("sha256:{hex}0"),
            &format!("md5:{hex}"),
            &format!(" sha256:{hex}"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_spoken_fingerprint_has_sixteen_groups() {
        assert_eq!(Hash([0xab; 32]).spoken(), vec!["abab"; 16].join(" "));
    }
}
