//! Values that are known here, found in texts that leave or are shown (M-97): applications print what they were given.
//!
//! A net, not a promise: a value that was replaced is not known any more, and one that is changed on its way looks like any other text.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use data_encoding::{HEXLOWER, HEXUPPER};
use zeroize::Zeroizing;

use super::stated;
use super::vault::Vault;
use crate::appliance::state::Appliance;
use crate::bundle::SecretForm;
use crate::db::site::kept_secrets;
use crate::db::site::release::{ReleaseRow, State};
use crate::domain::{Class, Error, Hash, Result, SecretValue};

/// Shorter ones stand in every other text.
const SHORTEST: usize = 6;
/// Shortest line of a value that is looked for alone: texts come line by line.
const LINE: usize = 16;
/// What stands in the place of a value.
const REDACTED: &str = "[redacted]";

/// Finds values, as they are and escaped for JSON, URLs, base64 and hex.
pub struct KnownValues(Option<AhoCorasick>);

impl KnownValues {
    /// Finds nothing.
    pub(in crate::appliance) fn none() -> Self {
        Self(None)
    }

    fn of(values: &[Arc<SecretValue>]) -> Result<Self> {
        let mut forms: Vec<Zeroizing<String>> = Vec::new();
        for value in values {
            let text = value.as_str();
            let lines = text.lines().map(str::trim).filter(|line| line.len() >= LINE);
            for part in std::iter::once(text).chain(lines).filter(|part| part.len() >= SHORTEST) {
                add_forms(part, &mut forms);
            }
        }
        if forms.is_empty() {
            return Ok(Self::none());
        }
        let found = AhoCorasick::new(forms.iter().map(|form| form.as_bytes()));
        found.map(|found| Self(Some(found))).map_err(|error| {
            Error::new(
                Class::Internal,
                "redact",
                format!("known values cannot be looked for: {error}"),
            )
            .with_source(error)
        })
    }

    /// Returns where values stand in a text; stretches may lie across one another.
    pub(in crate::appliance) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let Some(found) = &self.0 else { return Vec::new() };
        found.find_overlapping_iter(text).map(|found| found.range()).collect()
    }

    /// Returns a text without them.
    pub fn without<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut found = self.find(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_unstable_by_key(|stretch| (stretch.start, stretch.end));
        let (mut out, mut at) = (String::new(), 0);
        for stretch in found {
            if stretch.start >= at {
                out += text.get(at..stretch.start).unwrap_or_default();
                out += REDACTED;
            }
            at = at.max(stretch.end);
        }
        out += text.get(at..).unwrap_or_default();
        Cow::Owned(out)
    }
}

/// Adds what a value looks like in texts.
fn add_forms(value: &str, forms: &mut Vec<Zeroizing<String>>) {
    let mut add = |form: String| {
        let form = Zeroizing::new(form);
        if form.len() >= SHORTEST && !forms.contains(&form) {
            forms.push(form);
        }
    };
    add(value.to_owned());
    for form in [SecretForm::Compose, SecretForm::Environment, SecretForm::Values] {
        let mut escaped = Zeroizing::new(String::new());
        form.write(value, &mut escaped);
        add(escaped.to_string());
    }
    if let Ok(quoted) = serde_json::to_string(value) {
        let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        add(inside.to_owned());
        // JSON in a text of JSON, as logs of containers are.
        add(inside.replace('\\', "\\\\").replace('"', "\\\""));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    for (upper, space) in [(true, "%20"), (false, "%20"), (true, "+")] {
        let escaped = value.bytes().map(|byte| match byte {
            b' ' => space.to_owned(),
            byte if is_plain(byte) => char::from(byte).to_string(),
            byte if upper => format!("%{byte:02X}"),
            byte => format!("%{byte:02x}"),
        });
        add(escaped.collect());
    }
    add(HEXLOWER.encode(value.as_bytes()));
    add(HEXUPPER.encode(value.as_bytes()));
    // Base64 looks different behind one, two or no bytes of something else; what these share a character with is left out.
    for before in 0..3_usize {
        let bytes = Zeroizing::new([[0; 2].get(..before).unwrap_or_default(), value.as_bytes()].concat());
        let whole = bytes.len().saturating_sub(bytes.len() % 3);
        let first = if before == 0 { 0 } else { before.saturating_add(1) };
        for encoded in [
            STANDARD_NO_PAD.encode(bytes.get(..whole).unwrap_or_default()),
            URL_SAFE_NO_PAD.encode(bytes.get(..whole).unwrap_or_default()),
        ] {
            add(encoded.get(first..).unwrap_or_default().to_owned());
        }
    }
}

impl Appliance {
    /// Returns the values that are known here: of one trust domain, or all.
    ///
    /// # Errors
    ///
    /// Those of the database. A value that cannot be read is not known.
    pub fn known_values(&self, domain: Option<Hash>) -> Result<KnownValues> {
        let kept = self.db.read(kept_secrets::list)?;
        let mut values = Vec::new();
        let releases: Vec<ReleaseRow> = self.releases()?;
        let of_domain = |release: &&ReleaseRow| domain.is_none_or(|domain| release.scope.domain == domain);
        for release in releases.iter().filter(of_domain) {
            let sealed = stated::document(self, release)
                .ok()
                .flatten()
                .and_then(|document| stated::sealed_for_site(self, release, &document).ok().flatten());
            // What is kept belongs to the scope, and is found once.
            let own = if release.state == State::Retired {
                &[][..]
            } else {
                &kept[..]
            };
            values.extend(Vault::new(self.folder(), &release.scope, own, sealed).readable());
        }
        KnownValues::of(&values)
    }
}

impl fmt::Debug for KnownValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownValues")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(values: &[&str]) -> KnownValues {
        let value = |text: &&str| Arc::new(SecretValue::new(Zeroizing::new(text.as_bytes().to_vec())).ok().unwrap());
        KnownValues::of(&values.iter().map(value).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn values_are_found_in_every_form_and_short_ones_are_not() {
        let value = "p\"ss w\\rd/ü$1";
        let known = known(&[value, "short"]);
        let json = serde_json::to_string(value).unwrap();
        for text in [
            value.to_owned(),
            json.clone(),
            serde_json::to_string(&json).unwrap(),
            "p%22ss%20w%5Crd%2F%C3%BC%241".to_owned(),
            "p%22ss+w%5Crd%2F%C3%BC%241".to_owned(),
            "p%22ss%20w%5crd%2f%c3%bc%241".to_owned(),
            HEXLOWER.encode(value.as_bytes()),
            base64::engine::general_purpose::STANDARD.encode(value),
            base64::engine::general_purpose::STANDARD.encode(format!("u:{value}")),
            base64::engine::general_purpose::URL_SAFE.encode(format!("user:{value}!")),
        ] {
            let shown = known.without(&text).into_owned();
            assert!(shown.contains(REDACTED), "{text}: {shown}");
        }
        for text in ["short", "", "another text", "p%22ss"] {
            assert_eq!(known.without(text), text);
        }
        assert_eq!(known.without(&format!("<{value}{value}>")), "<[redacted][redacted]>");
        assert_eq!(format!("{known:?}"), "KnownValues");
    }

    #[test]
    fn long_lines_of_a_value_are_found_alone() {
        let known = known(&["-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nshort\n"]);
        assert_eq!(known.without("log: MIIEvQIBADANBgkqhkiG"), "log: [redacted]");
        assert_eq!(known.without("short"), "short");
    }
}
