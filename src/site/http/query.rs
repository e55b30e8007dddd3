//! The query of a `/v2/` request: a few known parameters, each at most once, the rest ignored.

use crate::domain::limits::REGISTRY_PAGE;

/// What the query says.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// How many entries are wanted: never more than a page holds, whatever was asked.
    pub(super) limit: usize,
    /// The number as it was asked, for the link to the next page.
    pub(super) asked_limit: bool,
    /// The entry after which to go on.
    pub(super) last: String,
    /// The registry host that a mirror stands in for.
    pub(super) namespace: Option<String>,
    /// Filter of a list of referrers.
    pub(super) artifact_type: Option<String>,
}

/// Why a query cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadQuery {
    /// `n` is no number.
    Number,
    /// Not decodable, or a parameter stands twice.
    Form,
}

/// Reads the raw query.
pub(super) fn parse(query: Option<&str>) -> Result<Query, BadQuery> {
    let mut found = Query {
        limit: REGISTRY_PAGE,
        ..Query::default()
    };
    let (mut seen_limit, mut seen_last) = (false, false);
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "n" => {
                once(&mut seen_limit)?;
                if value.is_empty() || !value.bytes().all(|c| c.is_ascii_digit()) {
                    return Err(BadQuery::Number);
                }
                // A number too large for any type asks for more than a page, like every other large one.
                found.limit = value.parse().unwrap_or(usize::MAX).min(REGISTRY_PAGE);
                found.asked_limit = true;
            }
            "last" => {
                once(&mut seen_last)?;
                found.last = decode(value)?;
            }
            "ns" => set(&mut found.namespace, value)?,
            "artifactType" => set(&mut found.artifact_type, value)?,
            _ => {}
        }
    }
    Ok(found)
}

fn once(seen: &mut bool) -> Result<(), BadQuery> {
    if std::mem::replace(seen, true) {
        return Err(BadQuery::Form);
    }
    Ok(())
}

fn set(place: &mut Option<String>, value: &str) -> Result<(), BadQuery> {
    if place.replace(decode(value)?).is_some() {
        return Err(BadQuery::Form);
    }
    Ok(())
}

/// Decodes percent-encoding once. A plus sign stays one: media types end in `+json`, and no value holds a blank.
pub(super) fn decode(text: &str) -> Result<String, BadQuery> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            rest.next()
                .and_then(|c| char::from(c).to_digit(16))
                .ok_or(BadQuery::Form)
        };
        let code = digit()? << 4 | digit()?;
        bytes.push(u8::try_from(code).map_err(|_| BadQuery::Form)?);
    }
    let text = String::from_utf8(bytes).map_err(|_| BadQuery::Form)?;
    if text.chars().any(char::is_control) {
        return Err(BadQuery::Form);
    }
    Ok(text)
}

/// Encodes a value for the link to the next page.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_capped_and_nothing_else_is_a_number() {
        for (query, limit) in [
            (None, 1000),
            (Some(""), 1000),
            (Some("n=0"), 0),
            (Some("n=7"), 7),
            (Some("n=1000"), 1000),
            (Some("n=1001"), 1000),
            (Some("n=9223372036854775808"), 1000),
            (Some("n=99999999999999999999999999999999"), 1000),
        ] {
            assert_eq!(parse(query).unwrap().limit, limit, "{query:?}");
        }
        for query in ["n=", "n=-1", "n=x", "n=1.5", "n=%31", "n=+1"] {
            assert_eq!(parse(Some(query)), Err(BadQuery::Number), "{query}");
        }
    }

    #[test]
    fn values_are_decoded_once() {
        let query = parse(Some(
            "ns=docker.io&artifactType=application%2Fvnd.x%2Bjson&last=%2541&x=%ZZ&last2",
        ))
        .unwrap();
        assert_eq!(query.namespace.as_deref(), Some("docker.io"));
        assert_eq!(query.artifact_type.as_deref(), Some("application/vnd.x+json"));
        assert_eq!(query.last, "%41");
        for query in [
            "last=%",
            "last=%4",
            "last=%zz",
            "last=%ff",
            "last=%00",
            "ns=a&ns=a",
            "n=1&n=1",
        ] {
            assert_eq!(parse(Some(query)), Err(BadQuery::Form), "{query}");
        }
        assert_eq!(encode("a/b:c d"), "a%2Fb%3Ac%20d");
        assert_eq!(decode(&encode("ä/+&=")).unwrap(), "ä/+&=");
    }
}
