//! The value of a secret.

use zeroize::Zeroizing;

use super::limits::SECRET_BYTES;

/// A secret of an application: 1 to 65,536 bytes of UTF-8 without NUL. Its memory is wiped when it is dropped.
///
/// It has neither a `Debug` nor a text form: whoever writes one out asks for it by name.
#[expect(missing_debug_implementations, reason = "so that no message can hold one")]
#[derive(Clone)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// Takes the bytes of a value; the buffer becomes the value's.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the end of a sentence; the bytes are wiped.
    pub fn new(mut bytes: Zeroizing<Vec<u8>>) -> Result<Self, &'static str> {
        if bytes.is_empty() {
            return Err("is empty");
        }
        if bytes.len() > SECRET_BYTES {
            return Err("has more than 65,536 bytes");
        }
        if bytes.contains(&0) {
            return Err("holds a NUL byte");
        }
        match String::from_utf8(std::mem::take(&mut *bytes)) {
            Ok(text) => Ok(Self(Zeroizing::new(text))),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                Err("is not UTF-8")
            }
        }
    }

    /// Returns the value, for the one who must write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_texts_of_bounded_length() {
        let made = |bytes: &[u8]| SecretValue::new(Zeroizing::new(bytes.to_vec()));
        for good in ["x", " \u{1f600}\n$", &"x".repeat(SECRET_BYTES)] {
            assert_eq!(made(good.as_bytes()).ok().unwrap().as_str(), good);
        }
        for (bad, why) in [
            (&b""[..], "is empty"),
            (b"a\0b", "holds a NUL byte"),
            (b"\xff", "is not UTF-8"),
            (&vec![b'x'; SECRET_BYTES + 1], "has more than 65,536 bytes"),
        ] {
            assert_eq!(made(bad).err(), Some(why));
        }
    }
}
