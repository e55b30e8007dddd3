//! Canonical JSON (SPEC section 1): RFC 8785 restricted, checked by writing again and comparing bytes.
//!
//! One check takes away duplicate keys, unknown members, other number forms, escapes, byte-order marks, positional arrays
//! and trailing data. It is needed even with typed parsing: derived structs accept an array in place of an
//! object.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::{Class, Error, Result, limits};

/// Base64 of the largest payload in an envelope (256 KiB): four characters for every three bytes begun.
const ENVELOPE_PAYLOAD_CHARACTERS: usize = (256 << 10) / 3 * 4 + 4;

/// Writes a value in canonical form.
///
/// # Panics
///
/// When the value has no JSON form or breaks the restrictions: documents are made of types that cannot.
pub fn to_vec<T: Serialize>(value: &T) -> Vec<u8> {
    // Through a `Value`, whose map is sorted by bytes, so that the order of a struct's fields does not matter.
    let value = serde_json::to_value(value).expect("documents have a JSON form");
    serde_json::to_vec(&value).expect("a JSON value can be written")
}

/// Parses a document and requires that its bytes are the canonical form of what was understood.
///
/// # Errors
///
/// `E-LIMIT` for depth and length of strings, `E-FORMAT` for everything else, with the sub-code `non-canonical` or
/// `grammar`.
pub fn from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    bounded_from_slice(bytes, what, limits::JSON_STRING_BYTES)
}

/// As [`from_slice`], for files of envelopes: their payloads are longer strings than documents may hold.
///
/// # Errors
///
/// As [`from_slice`].
pub fn envelopes_from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    bounded_from_slice(bytes, what, ENVELOPE_PAYLOAD_CHARACTERS)
}

fn bounded_from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8], what: &str, string_bytes: usize) -> Result<T> {
    scan(bytes, what, string_bytes, None)?;
    let value: T = parse(bytes, what)?;
    if to_vec(&value) != bytes {
        return Err(non_canonical(what));
    }
    Ok(value)
}

/// As [`from_slice`], for types whose fields are declared in sorted order: no intermediate value, for long indexes.
///
/// # Errors
///
/// As [`from_slice`].
pub fn from_sorted_slice<T: Serialize + DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    sorted_from_slice(bytes, what, None)
}

/// As [`from_sorted_slice`], for lines of which one member may be a long text.
///
/// # Errors
///
/// As [`from_slice`].
pub fn line_from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8], what: &str, long: LongMember) -> Result<T> {
    sorted_from_slice(bytes, what, Some(long))
}

/// A member whose string may have more bytes than others.
#[derive(Debug, Clone, Copy)]
pub struct LongMember {
    /// Its name, in whichever object of the document it stands.
    pub name: &'static str,
    /// How many bytes it may have between its quotes.
    pub bytes: usize,
}

fn sorted_from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8], what: &str, long: Option<LongMember>) -> Result<T> {
    scan(bytes, what, limits::JSON_STRING_BYTES, long)?;
    let value: T = parse(bytes, what)?;
    // Compared as it is written: a long document is not held twice.
    let mut rest = Rest(bytes);
    match serde_json::to_writer(&mut rest, &value) {
        Ok(()) if rest.0.is_empty() => Ok(value),
        _ => Err(non_canonical(what)),
    }
}

/// What is left of the bytes that a document is expected to be written as.
struct Rest<'a>(&'a [u8]);

impl io::Write for Rest<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Parses a document with secrets in it; no error repeats any of them, so there is none. Whoever reads one writes it again and compares.
pub(super) fn secret_from_slice<T: DeserializeOwned>(bytes: &[u8], long: LongMember) -> Option<T> {
    let what = "the secrets";
    scan(bytes, what, limits::JSON_STRING_BYTES, Some(long)).ok()?;
    parse(bytes, what).ok()
}

/// Parses without the comparison: only for the few members that are read before a newer reader is ruled out.
///
/// # Errors
///
/// `E-LIMIT` and `E-FORMAT grammar` as [`from_slice`].
pub fn lenient_from_slice<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    scan(bytes, what, limits::JSON_STRING_BYTES, None)?;
    parse(bytes, what)
}

#[expect(clippy::disallowed_methods, reason = "the strict module itself")]
fn parse<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new(Class::Format, "grammar", format!("{what} does not parse: {error}"))
            .expected("the document that the specification describes")
            .remedy(DAMAGED)
            .with_source(error)
    })
}

/// What to do about a document that nobody would have written like this: mostly it was damaged on its way.
const DAMAGED: &str = "copy the file again, or use another copy, and compare its SHA-256 with the sender's; if it is the same, the document \
    must be made again with airlock or another tool that follows the specification";

fn non_canonical(what: &str) -> Error {
    Error::new(
        Class::Format,
        "non-canonical",
        format!("{what} is not in canonical form"),
    )
    .expected("canonical JSON: sorted keys, no white space, no duplicates, nothing unknown, nothing after the end")
    .remedy(DAMAGED)
}

/// Bounds depth and strings before any parser allocates for them, and refuses control characters inside strings.
fn scan(bytes: &[u8], what: &str, string_bytes: usize, long: Option<LongMember>) -> Result<()> {
    let limit = |code, found: String, expected: String| Error::new(Class::Limit, code, found).expected(expected);
    let (mut depth, mut in_string, mut escaped, mut length) = (0_usize, false, false, 0_usize);
    let mut most = string_bytes;
    // Where the string that was closed last began and ended, and the byte before this one.
    let (mut begun, mut last, mut before) = (0, (0, 0), b'\0');
    for (at, &byte) in bytes.iter().enumerate() {
        if in_string {
            length = length.saturating_add(1);
            match byte {
                _ if escaped => {
                    escaped = false;
                    // Canonical form escapes a control character; documents may not hold one at all.
                    if matches!(byte, b'b' | b'f' | b'n' | b'r' | b't' | b'u') {
                        return Err(non_canonical(what));
                    }
                }
                b'\\' => escaped = true,
                b'"' => (in_string, last) = (false, (begun, at)),
                0..=0x1f | 0x7f => return Err(non_canonical(what)),
                _ => {}
            }
            if length > most.saturating_add(1) {
                return Err(limit(
                    "string-length",
                    format!("{what} holds a string of more than {most} bytes"),
                    "shorter strings".into(),
                ));
            }
        } else {
            match byte {
                b'"' => {
                    (in_string, length, begun) = (true, 0, at.saturating_add(1));
                    most = match long {
                        Some(long) if before == b':' && bytes.get(last.0..last.1) == Some(long.name.as_bytes()) => {
                            long.bytes
                        }
                        _ => string_bytes,
                    };
                }
                b'{' | b'[' => {
                    depth = depth.saturating_add(1);
                    if depth > limits::JSON_DEPTH {
                        return Err(limit(
                            "depth",
                            format!("{what} is nested deeper than {} levels", limits::JSON_DEPTH),
                            "a flatter document".into(),
                        ));
                    }
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        before = byte;
    }
    Ok(())
}

/// Reads and writes integers that may be left out: 0 to 2^53 − 1.
pub mod optional_integer {
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    struct Integer(#[serde(with = "super::integer")] u64);

    /// Writes the number.
    ///
    /// # Errors
    ///
    /// When the number is out of range.
    pub fn serialize<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => super::integer::serialize(value, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a number. In its place `null` is understood, as with every other member, and is not the one form.
    ///
    /// # Errors
    ///
    /// When it is no integer or out of range.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        let integer = Option::<Integer>::deserialize(deserializer)?;
        Ok(integer.map(|Integer(value)| value))
    }
}

/// An integer of 0..2^53−1, the range that every JSON reader keeps exactly.
pub mod integer {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::domain::limits::JSON_INTEGER_MAX;

    /// Writes the number.
    ///
    /// # Errors
    ///
    /// When the number is out of range.
    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        if *value > JSON_INTEGER_MAX {
            return Err(serde::ser::Error::custom("a number is above 2^53-1"));
        }
        serializer.serialize_u64(*value)
    }

    /// Reads a number.
    ///
    /// # Errors
    ///
    /// When it is no integer or out of range.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let value = u64::deserialize(deserializer)?;
        if value > JSON_INTEGER_MAX {
            return Err(serde::de::Error::custom("a number is above 2^53-1"));
        }
        Ok(value)
    }

    /// The same for a member that may be left out.
    pub mod optional {
        use serde::{Deserialize as _, Deserializer, Serializer};

        use super::super::Integer;

        /// Writes the number.
        ///
        /// # Errors
        ///
        /// When the number is out of range.
        pub fn serialize<S: Serializer>(value: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
            match value {
                Some(value) => super::serialize(value, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// Reads a number.
        ///
        /// # Errors
        ///
        /// When it is no integer or out of range.
        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
            Ok(Option::<Integer>::deserialize(deserializer)?.map(|value| value.0))
        }
    }
}

/// An [`integer`] in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Integer(#[serde(with = "integer")] pub u64);

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        b: String,
        #[serde(with = "integer")]
        a: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        c: Option<bool>,
    }

    #[test]
    fn keys_are_sorted_and_only_that_form_is_read() {
        let sample = Sample {
            b: "é\"\\".into(),
            a: 7,
            c: None,
        };
        let bytes = to_vec(&sample);
        assert_eq!(bytes, "{\"a\":7,\"b\":\"é\\\"\\\\\"}".as_bytes());
        assert_eq!(from_slice::<Sample>(&bytes, "sample").unwrap(), sample);
        for (bad, code) in [
            (r#"{"b":"","a":7}"#, "non-canonical"),
            (r#"{"a":7, "b":""}"#, "non-canonical"),
            ("{\"a\":7,\"b\":\"\"}\n", "non-canonical"),
            (r#"{"a":7,"b":"\u0061"}"#, "non-canonical"),
            (r#"{"a":7,"b":"\n"}"#, "non-canonical"),
            ("{\"a\":7,\"b\":\"\u{7f}\"}", "non-canonical"),
            (r#"{"a":7,"b":"","c":null}"#, "non-canonical"),
            (r#"["",7,true]"#, "non-canonical"),
            (r#"{"a":7,"a":7,"b":""}"#, "grammar"),
            (r#"{"a":7,"b":"","d":1}"#, "grammar"),
            (r#"{"a":7.0,"b":""}"#, "grammar"),
            (r#"{"a":-1,"b":""}"#, "grammar"),
            (r#"{"a":9007199254740992,"b":""}"#, "grammar"),
            (r#"{"a":7,"b":""}{}"#, "grammar"),
            ("\u{feff}{\"a\":7,\"b\":\"\"}", "grammar"),
            (r#"{"a":7}"#, "grammar"),
        ] {
            let error = from_slice::<Sample>(bad.as_bytes(), "sample").unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Format, code), "{bad}");
        }
    }

    #[test]
    fn depth_and_strings_are_bounded_at_exactly_the_limit() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(
            scan(
                nested(limits::JSON_DEPTH).as_bytes(),
                "x",
                limits::JSON_STRING_BYTES,
                None
            )
            .is_ok()
        );
        assert_eq!(
            scan(
                nested(limits::JSON_DEPTH + 1).as_bytes(),
                "x",
                limits::JSON_STRING_BYTES,
                None,
            )
            .unwrap_err()
            .class(),
            Class::Limit
        );
        let string = |length: usize| format!("\"{}\"", "x".repeat(length));
        assert!(
            scan(
                string(limits::JSON_STRING_BYTES).as_bytes(),
                "x",
                limits::JSON_STRING_BYTES,
                None,
            )
            .is_ok()
        );
        assert_eq!(
            scan(
                string(limits::JSON_STRING_BYTES + 1).as_bytes(),
                "x",
                limits::JSON_STRING_BYTES,
                None,
            )
            .unwrap_err()
            .class(),
            Class::Limit
        );
    }

    #[test]
    fn one_member_alone_may_be_long() {
        let long = LongMember {
            name: "b",
            bytes: limits::JSON_STRING_BYTES + 2,
        };
        let text =
            |a: &str, b: usize, c: usize| format!("{{\"{a}\":\"{}\",\"c\":\"{}\"}}", "x".repeat(b), "y".repeat(c));
        let most = limits::JSON_STRING_BYTES;
        for (name, b, c, fits) in [
            ("b", most + 2, most, true),
            ("b", most + 3, 0, false),
            ("b", 0, most + 1, false),
            ("a", most + 1, 0, false),
        ] {
            let found = scan(text(name, b, c).as_bytes(), "x", most, Some(long));
            assert_eq!(found.is_ok(), fits, "{name} {b} {c}");
        }
        // A value is no name.
        let value = format!("[\"b\",\"{}\"]", "x".repeat(most + 1));
        assert!(scan(value.as_bytes(), "x", most, Some(long)).is_err());
    }
}
