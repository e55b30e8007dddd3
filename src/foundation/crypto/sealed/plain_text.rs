//! The canonical JSON of documents with secrets, in one buffer that is wiped and never moves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::header::UNIT_BYTES;
use crate::crypto::canonical::{LongMember, secret_from_slice};
use crate::domain::limits::SECRET_BYTES;
use crate::domain::{SecretName, SecretValue};

/// Bytes of a value and its base64, and of what stands around it, are less than these.
const AROUND: usize = 256;
/// The member that may be longer than others.
const VALUE: LongMember = LongMember {
    name: "value",
    bytes: SECRET_BYTES.div_ceil(3).saturating_mul(4),
};

/// A document that is being written. Whatever it holds but values needs no escapes: ids, names and numbers.
pub(super) struct PlainText(Zeroizing<Vec<u8>>);

impl PlainText {
    /// Begins one that has room for so many values, each with so many targets.
    pub(super) fn with_room<'a>(values: impl Iterator<Item = (&'a SecretValue, usize)>) -> Self {
        let room = values.fold(4 * UNIT_BYTES, |room, (value, targets)| {
            room.saturating_add(value.as_str().len().saturating_mul(2))
                .saturating_add(targets.saturating_mul(40))
                .saturating_add(AROUND)
        });
        Self(Zeroizing::new(Vec::with_capacity(room)))
    }

    /// Writes what stands there as it is.
    pub(super) fn write(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Writes a name.
    pub(super) fn name(&mut self, name: &SecretName) {
        self.write(&format!("\"name\":\"{name}\""));
    }

    /// Writes a value.
    pub(super) fn value(&mut self, value: &SecretValue) {
        self.write("\"value\":\"");
        let begin = self.0.len();
        let length = value.as_str().len().div_ceil(3).saturating_mul(4);
        self.0.resize(begin.saturating_add(length), 0);
        let written = STANDARD.encode_slice(value.as_str(), self.0.get_mut(begin..).unwrap_or_default());
        debug_assert_eq!(written.ok(), Some(length), "base64 has this length");
        self.write("\"");
    }

    /// Ends it: its `pad` member, which stands as `"pad":""` so far, gets as many zeros as make it a multiple of 1,024 bytes.
    pub(super) fn padded(mut self) -> Zeroizing<Vec<u8>> {
        const EMPTY: &[u8] = b"\"pad\":\"";
        let missing = self.0.len().next_multiple_of(UNIT_BYTES).saturating_sub(self.0.len());
        // The members before it are short, and hold no quotes.
        let at = self.0.windows(EMPTY.len()).position(|part| part == EMPTY);
        let at = at.map_or(0, |at| at.saturating_add(EMPTY.len()));
        let end = self.0.len();
        self.0.resize(end.saturating_add(missing), b'0');
        self.0.copy_within(at..end, at.saturating_add(missing));
        if let Some(pad) = self.0.get_mut(at..at.saturating_add(missing)) {
            pad.fill(b'0');
        }
        self.0
    }
}

/// Parses a document; nothing, and no word of why, when it is none.
pub(super) fn parse<T: serde::de::DeserializeOwned>(plain: &[u8]) -> Option<T> {
    secret_from_slice(plain, VALUE)
}

/// A value as it stands in a document.
pub(super) struct Encoded(pub(super) SecretValue);

impl<'de> Deserialize<'de> for Encoded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Encoded;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value in base64")
            }

            // Where nothing is escaped, and base64 needs no escapes, the text is not copied before.
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Encoded, E> {
                let mut bytes = Zeroizing::new(vec![0; text.len()]);
                let length = STANDARD
                    .decode_slice(text, &mut bytes)
                    .map_err(|_| E::custom("no base64"))?;
                bytes.truncate(length);
                SecretValue::new(bytes).map(Encoded).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}
