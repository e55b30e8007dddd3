//! Values that are known here, found in texts that leave or are shown (M-97): applications print what they were given.
//!
//! Known are values that are used, those that they took the place of (as many as their record holds), forgotten ones, and what any release
//! here sealed. Where one of them cannot be read, texts of its scope are not shown, and none of its vendor's agents leaves. A net, not a
//! promise: a value that is changed on its way looks like any other text.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::decoded::decoded;
use super::recipients;
use super::record;
use super::search::Search;
use super::stated;
use super::uses::{Decided, uses};
use super::vault::sealed_value;
use crate::appliance::state::Appliance;
use crate::bundle::desired::SecretSource;
use crate::crypto::SealedSecrets;
use crate::db::site::kept_secrets::{self, KeptSecret};
use crate::db::site::release::{ReleaseRow, State};
use crate::domain::{Class, Code, Error, Hash, Result, Scope};

/// What stands in the place of a value.
const REDACTED: &str = "[redacted]";
/// A value cannot be read, and so not be taken out of texts.
const UNREADABLE: Code = Code::new("secrets-unreadable");

/// Finds values, as they are and escaped for JSON, URLs, base64 and hex.
#[derive(Default)]
pub struct KnownValues {
    search: Search,
    /// Scopes with values that cannot be read, and what is wrong with each of these.
    unreadable: Vec<(Scope, Error)>,
}

impl KnownValues {
    /// Finds nothing.
    pub(in crate::appliance) fn none() -> Self {
        Self::default()
    }

    /// Checks that every value can be taken out of texts.
    ///
    /// # Errors
    ///
    /// `E-STATE secrets-unreadable` where one cannot be read.
    pub(in crate::appliance) fn check(&self) -> Result<()> {
        match self.unreadable.as_slice() {
            [] => Ok(()),
            [(_, error)] => Err(error.again()),
            [(_, first), ..] => {
                let errors: Vec<Error> = self.unreadable.iter().map(|(_, error)| error.again()).collect();
                let found = format!("texts of agents may hold {} values that cannot be read", errors.len());
                let listed = Error::listing_errors(Class::State, UNREADABLE, found, &errors);
                Err(listed.expected(EXPECTED).remedy(first.advice().unwrap_or_default()))
            }
        }
    }

    /// Returns a text of a scope without values; in its place why it is withheld, where one of that scope cannot be read.
    pub fn shown<'a>(&self, scope: &Scope, text: &'a str) -> Cow<'a, str> {
        match self.unreadable.iter().find(|(of, _)| of == scope) {
            Some((_, error)) if !text.is_empty() => Cow::Owned(format!("[withheld: {}]", error.found())),
            _ => self.without(text),
        }
    }

    /// Returns where values stand in a text, by where they begin; stretches may lie across one another.
    pub(in crate::appliance) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = self.search.find(text);
        if self.search.is_empty() {
            return found;
        }
        for decoded in decoded(text) {
            let stretches = self.search.find(decoded.text());
            found.extend(stretches.iter().map(|stretch| decoded.stretch(stretch)));
        }
        found.sort_unstable_by_key(|stretch| (stretch.start, stretch.end));
        found
    }

    /// Returns a text without them.
    pub fn without<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = self.find(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
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

/// What is asked for before texts leave.
const EXPECTED: &str = "every value that agents may print, to be taken out of their texts";

impl Appliance {
    /// Returns the values that are known here: of one trust domain, or all.
    ///
    /// # Errors
    ///
    /// Those of the database. That a value cannot be read is in what is returned.
    pub fn known_values(&self, domain: Option<Hash>) -> Result<KnownValues> {
        let of_domain = |scope: &Scope| domain.is_none_or(|domain| scope.domain == domain);
        let (decided, kept) = self
            .db
            .read(|connection| Ok((Decided::read(connection)?, kept_secrets::list(connection)?)))?;
        let (mut values, mut unreadable) = (Vec::new(), Vec::new());
        let keys = recipients::all(self.folder());
        for row in kept.iter().filter(|row| of_domain(&row.scope)) {
            let keys = keys.as_ref().map_err(Error::again);
            match keys.and_then(|keys| record::open(self.folder(), row, keys)) {
                Ok(record) => values.extend(std::iter::once(record.value).chain(record.earlier).map(Arc::new)),
                Err(error) => {
                    let command = |act| self.secret_command(act, &row.scope, (&row.name, row.target));
                    let commands = [command("set --replace")?, command("forget")?];
                    unreadable.push((row.scope.clone(), of_kept(row, &commands, &error)));
                }
            }
        }
        for release in self.releases()?.iter().filter(|release| of_domain(&release.scope)) {
            match self.sealed_values(release, &decided) {
                Ok(sealed) => {
                    let secrets = sealed.into_iter().flat_map(|sealed| sealed.secrets);
                    values.extend(secrets.map(|secret| Arc::new(secret.value)));
                }
                Err(error) => unreadable.push((release.scope.clone(), of_release(release, &error))),
            }
        }
        Ok(KnownValues {
            search: Search::of(&values),
            unreadable,
        })
    }

    /// Opens what a release sealed for this site. Of the live one that has to be every value; what another one sealed to a key that was
    /// lost and replaced is nobody's knowledge.
    fn sealed_values(&self, release: &ReleaseRow, decided: &Decided) -> Result<Option<SealedSecrets>> {
        let Some(document) = stated::document(self, release)? else {
            return Ok(None);
        };
        let sealed = stated::sealed_for_site(self, release, &document)?;
        if release.state == State::Active {
            let needed = uses(&document.state, &release.scope, self.site(), decided);
            let mut sealed_ones = needed
                .iter()
                .filter(|used| used.declared.source == SecretSource::Sealed);
            if sealed_ones.any(|used| sealed_value(sealed.as_ref(), used).is_none()) {
                stated::check_sealed(self, release)?;
            }
        }
        Ok(sealed)
    }
}

/// What is wrong where a value that is kept cannot be read.
fn of_kept(row: &KeptSecret, [set, forget]: &[String; 2], error: &Error) -> Error {
    let found = unreadable(&row.scope, error);
    if error.is(recipients::LOST_KEY) {
        return found.remedy(error.advice().unwrap_or_default());
    }
    if !row.counts() {
        return found.remedy(format!(
            "let it go for good with `{forget}`; a package without texts leaves as ever with --profile minimal"
        ));
    }
    found.remedy(format!(
        "enter it again with `{set}`, or let it go with `{forget}` where nothing needs it; a package without texts leaves as ever with --profile minimal"
    ))
}

/// What is wrong where what a release sealed cannot be read.
fn of_release(release: &ReleaseRow, error: &Error) -> Error {
    let found = unreadable(&release.scope, error);
    match error.advice() {
        Some(advice) if error.is(recipients::LOST_KEY) || error.is(super::SECRETS_MISSING) => found.remedy(advice),
        _ => found.remedy(format!(
            "import the bundle of release {} again with `airlock import FILE`; a package without texts leaves as ever with --profile minimal",
            release.counter
        )),
    }
}

fn unreadable(scope: &Scope, error: &Error) -> Error {
    let found = format!(
        "texts of {scope} may hold a value that cannot be read: {}",
        error.found()
    );
    Error::new(Class::State, UNREADABLE, found).expected(EXPECTED)
}

impl fmt::Debug for KnownValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KnownValues")
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use data_encoding::HEXLOWER;
    use zeroize::Zeroizing;

    use super::*;
    use crate::domain::SecretValue;

    fn known(values: &[&str]) -> KnownValues {
        let value = |text: &&str| Arc::new(SecretValue::new(Zeroizing::new(text.as_bytes().to_vec())).ok().unwrap());
        KnownValues {
            search: Search::of(&values.iter().map(value).collect::<Vec<_>>()),
            unreadable: Vec::new(),
        }
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
    fn values_are_found_behind_whatever_escapes_them() {
        let known = known(&["Pa/ss+w:r@d$9&=;x!(z)\u{e9}", "p@ss w/rd\"x", "secret and more"]);
        for text in [
            "Pa/ss%2Bw%3Ar%40d%249%26%3D%3Bx%21%28z%29%C3%A9",
            "Pa%2Fss+w%3Ar%40d%249&=;x%21%28z%29%C3%A9",
            "Pa%2Fss%2Bw%3Ar%40d%249%26%3D%3Bx!(z)%C3%A9",
            "Pa/ss+w:r@d$9&=;x!(z)%C3%A9",
            "Pa%2Fss+w:r@d$9&=%3Bx%21%28z%29%C3%A9",
            "Pa/ss+w:r@d$9\\u0026=;x!(z)\\u00e9",
            "Pa\\/ss+w:r@d$9&=;x!(z)\u{e9}",
            "Pa\\/ss+w:r@d$9\\u0026=;x!(z)\\u00e9",
            "p%40ss%20w/rd%22x",
            "p%2540ss%2520w%252Frd%2522x",
            "secret+and+more",
            "secret%20and+more",
        ] {
            assert_eq!(known.without(&format!("<{text}>")), "<[redacted]>", "{text}");
        }
        // What a text in base64 ends with belongs to the value too, and what it shares a character with before.
        for before in ["", "u:", "user:"] {
            let text = base64::engine::general_purpose::STANDARD.encode(format!("{before}p@ss w/rd\"x"));
            let shown = known.without(&text).into_owned();
            assert!(shown.ends_with(REDACTED), "{shown}");
        }
        for text in ["100%", "a\\b%2Gx", "secret and%20less"] {
            assert_eq!(known.without(text), text);
        }
    }

    #[test]
    fn values_are_found_in_pages_statements_and_command_lines() {
        let value = "Zk$9qLw3v'Tt7&Xm2";
        let known = known(&[value, "say \"<it>\" (now)"]);
        for text in [
            "Zk$9qLw3v''Tt7&Xm2",
            "Zk$9qLw3v&#39;Tt7&amp;Xm2",
            "Zk$9qLw3v&#039;Tt7&amp;Xm2",
            "Zk$9qLw3v&#x27;Tt7&amp;Xm2",
            "Zk$9qLw3v&apos;Tt7&#38;Xm2",
            "Zk&#36;9qLw3v&amp;#39;Tt7&amp;amp;Xm2",
            "Zk$9qLw3v'\\''Tt7&Xm2",
            "Zk$9qLw3v'\"'\"'Tt7&Xm2",
            "Zk\\$9qLw3v\\'Tt7\\&Xm2",
            "Zk\\$9qLw3v'Tt7&Xm2",
            "Zk$9qLw3v'\\\\''Tt7&Xm2",
            "Zk$9qLw3v\\u0027\\u0027Tt7&Xm2",
            "Zk$9qLw3v''Tt7&\n  Xm2",
            "say \"\"<it>\"\" (now)",
            "say &quot;&lt;it&gt;&quot; (now)",
            "say\\ \\\"\\<it\\>\\\"\\ \\(now\\)",
        ] {
            assert_eq!(known.without(&format!("<{text}>")), "<[redacted]>", "{text}");
        }
        for text in ["it''s & that; &amp; so", "a \\( b", "Zk$9qLw3v''Tt7"] {
            assert_eq!(known.without(text), text);
        }
    }

    #[test]
    fn long_lines_of_a_value_are_found_alone() {
        let known = known(&["-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nshort\n"]);
        assert_eq!(known.without("log: MIIEvQIBADANBgkqhkiG"), "log: [redacted]");
        assert_eq!(known.without("short"), "short");
    }
}
