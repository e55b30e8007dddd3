//! Members of OCI documents: a text that two parsers could read differently is refused before any typed reading (SPEC M-53).
//!
//! Parsers differ in what they take: which of two members of one name they keep, half of a surrogate pair, numbers that no
//! 64 bits hold, whether `Layers` is `layers` (Go's parser says yes, and folds U+017F and U+212A too), and what they call a
//! digest. So no object may hold a name twice, numbers are short, no name may equal one of the image specification but for
//! its case, and every `digest` is `sha256:` and 64 lower-case hex digits. Annotations may have any names.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::{Class, Digest, Error, Result};

/// Names that mean something to a client.
const KNOWN: [&str; 20] = [
    "annotations",
    "architecture",
    "artifactType",
    "config",
    "data",
    "digest",
    "features",
    "fsLayers",
    "layers",
    "manifests",
    "mediaType",
    "os",
    "os.features",
    "os.version",
    "platform",
    "schemaVersion",
    "size",
    "subject",
    "urls",
    "variant",
];

/// Most characters of a number.
const NUMBER_CHARS: usize = 32;
/// Most digits of its exponent: what is shorter, every parser holds.
const EXPONENT_DIGITS: usize = 2;

/// Checks the members of a document.
///
/// # Errors
///
/// `E-CONTENT manifest` for what is no JSON, repeats a name or has a number that parsers read differently; then `ambiguous` for
/// a name that differs by case only; then `digest` for a digest in another form.
pub(super) fn check(bytes: &[u8]) -> Result<()> {
    let mut findings = Findings::default();
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    Members {
        findings: &mut findings,
        name: Name::Other,
    }
    .deserialize(&mut parser)
    .and_then(|()| parser.end())
    .map_err(|error| content("manifest", format!("a manifest does not parse: {error}")).with_source(error))?;
    if !numbers_are_short(bytes) {
        return Err(content(
            "manifest",
            "a manifest has a number that parsers read differently".into(),
        )
        .expected("at most 32 characters, and two digits of exponent"));
    }
    findings.ambiguous.or(findings.digest).map_or(Ok(()), Err)
}

/// Judges the numbers of a text that is JSON.
fn numbers_are_short(text: &[u8]) -> bool {
    let (mut rest, mut in_string) = (text, false);
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => rest = after.get(1..).unwrap_or_default(),
            b'-' | b'0'..=b'9' if !in_string => {
                let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                let length = after.iter().take_while(|byte| is_part(byte)).count();
                let (more, following) = after.split_at(length);
                let exponent = more.iter().skip_while(|byte| !byte.eq_ignore_ascii_case(&b'e'));
                if length >= NUMBER_CHARS || exponent.filter(|byte| byte.is_ascii_digit()).count() > EXPONENT_DIGITS {
                    return false;
                }
                rest = following;
            }
            _ => {}
        }
    }
    true
}

/// Why a text that is JSON is refused all the same: the first of each kind.
#[derive(Default)]
struct Findings {
    ambiguous: Option<Error>,
    digest: Option<Error>,
}

/// What the member is called whose value comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Digest,
    Annotations,
    Other,
}

struct Members<'a> {
    findings: &'a mut Findings,
    name: Name,
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names: HashSet<String> = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let free = self.name == Name::Annotations;
            if let Some(known) = KNOWN
                .into_iter()
                .find(|known| !free && *known != name && folded(&name).eq(folded(known)))
            {
                self.findings.ambiguous.get_or_insert_with(|| {
                    content("ambiguous", format!("a manifest has a member {name:?}"))
                        .expected(format!("{known:?}, which some clients take it for, or another name"))
                });
            }
            let next = match name.as_str() {
                _ if free => Name::Other,
                "digest" => Name::Digest,
                "annotations" => Name::Annotations,
                _ => Name::Other,
            };
            if !names.insert(name) {
                return Err(A::Error::custom("a member stands twice"));
            }
            map.next_value_seed(Members {
                findings: &mut *self.findings,
                name: next,
            })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list
            .next_element_seed(Members {
                findings: &mut *self.findings,
                name: Name::Other,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if self.name == Name::Digest
            && let Err(error) = text.parse::<Digest>()
        {
            self.findings
                .digest
                .get_or_insert_with(|| content("digest", format!("a descriptor names content by: {error}")));
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Folds a name as Go's JSON parser does.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    })
}

fn content(code: &'static str, found: String) -> Error {
    Error::new(Class::Content, code, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reading_only() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for good in [
            format!(
                r#"{{"layers":[{{"digest":"{digest}","annotations":{{"Size":"9","digest":"x"}}}}],"x":null,"y":1.5}}"#
            ),
            "{}".into(),
            r#"{"config":{"digest":7}}"#.into(),
            r#"{"x":[-0,1E+99,11111111111111111111111111111111,"\\",1],"y":"1e4000\"111111111111111111111111111111111"}"#.into(),
        ] {
            check(good.as_bytes()).unwrap_or_else(|error| panic!("{good}: {error:?}"));
        }
        for (bad, code) in [
            (r#"{"a":1,"a":1}"#, "manifest"),
            (r#"{"a":[{"b":1,"b":1}]}"#, "manifest"),
            (r#"{"annotations":{"b":"1","b":"1"}}"#, "manifest"),
            (r#"{"Layers":[]}"#, "ambiguous"),
            ("{\"layer\u{17f}\":[]}", "ambiguous"),
            (r#"{"layers":[{"SIZE":1}]}"#, "ambiguous"),
            (r#"{"layers":[{"digest":"sha256:AB"}]}"#, "digest"),
            (
                r#"{"subject":{"digest":"md5:d41d8cd98f00b204e9800998ecf8427e"}}"#,
                "digest",
            ),
            (r#"{"digest":"x","Layers":[]}"#, "ambiguous"),
            (r#"{"Layers":[],"a":1,"a":1}"#, "manifest"),
            (r#"{"x":"\ud800"}"#, "manifest"),
            (r#"{"\udc00\ud800":1}"#, "manifest"),
            (r#"{"x":1e400}"#, "manifest"),
            (r#"{"x":[-0.1,1e-100]}"#, "manifest"),
            (r#"{"x":111111111111111111111111111111111}"#, "manifest"),
            (r#"{"annotations":{"x":{"Layers":[]}}}"#, "ambiguous"),
            ("{} {}", "manifest"),
            ("", "manifest"),
        ] {
            let error = check(bad.as_bytes()).unwrap_err();
            assert_eq!((error.class(), error.code()), (Class::Content, code), "{bad}");
        }
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert_eq!(check(deep.as_bytes()).unwrap_err().code(), "manifest");
    }
}
