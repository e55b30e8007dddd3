//! What stands in documents of a release in place of what only a site knows (D9): its address, a deployment's own name, secrets.
//!
//! `bundle create` prepares the places, the appliance fills them when it serves. One pass over the signed bytes, piece by piece, so that
//! nobody needs a whole document in memory: what was put in is never looked at again, and the rest is not looked at beyond these places.

use zeroize::Zeroizing;

use super::desired::{PLACEHOLDER_HOST, PLACEHOLDER_PROJECT};
use crate::domain::{SecretName, SecretValue};

const PLACE_BEGINS: &str = "{{ .Secrets.";
const PLACE_ENDS: &str = " }}";

/// In which form a document of the release holds a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretForm {
    /// In a compose file: inside a text in double quotes, of which compose interpolates `$`.
    Compose,
    /// In an environment file: inside a value in double quotes.
    Environment,
    /// In values of a chart: inside a JSON string.
    Values,
}

impl SecretForm {
    /// Adds a value as it must stand between the quotes that are there already.
    pub fn write(self, value: &str, out: &mut Zeroizing<String>) {
        for c in value.chars() {
            match (self, c) {
                (_, '"') => out.push_str("\\\""),
                (_, '\\') => out.push_str("\\\\"),
                (_, '\n') => out.push_str("\\n"),
                (_, '\r') => out.push_str("\\r"),
                (Self::Compose, '$') => out.push_str("$$"),
                (Self::Environment, '$') => out.push_str("\\$"),
                // What readers of YAML refuse, or take for the end of a line.
                (
                    Self::Compose | Self::Values,
                    '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}',
                ) => {
                    out.push_str(&format!("\\u{:04x}", u32::from(c)));
                }
                (_, c) => out.push(c),
            }
        }
    }

    /// Returns how many bytes a value has as it must stand.
    pub fn written_bytes(self, value: &str) -> usize {
        // No character becomes more than six.
        let mut written = Zeroizing::new(String::with_capacity(value.len().saturating_mul(6)));
        self.write(value, &mut written);
        written.len()
    }
}

/// Returns the form in which `bundle create` writes the place of a secret, whatever an author wrote.
pub fn secret_place(name: &SecretName) -> String {
    format!("{PLACE_BEGINS}{name}{PLACE_ENDS}")
}

/// Returns the secrets that a document has places for, each as often as it has one.
pub fn secret_places(document: &[u8]) -> impl Iterator<Item = SecretName> {
    let text = std::str::from_utf8(document).unwrap_or_default();
    let parts = text.split(PLACE_BEGINS).skip(1);
    parts.filter_map(|part| part.split_once(PLACE_ENDS)?.0.parse().ok())
}

/// What stands in documents, and what agents get in its place.
#[derive(Clone)]
pub struct Substitution {
    /// Where one begins like another, the longer one comes first.
    places: Vec<Place>,
}

#[derive(Clone)]
struct Place {
    stands: String,
    value: Zeroizing<String>,
}

impl Substitution {
    /// For any document: the address of an appliance, and where the document says `https://`, the way it is reached.
    pub fn new(address: &str, base: &str) -> Self {
        let mut substitution = Self { places: Vec::new() };
        substitution.add(format!("https://{PLACEHOLDER_HOST}"), base.to_owned());
        substitution.add(PLACEHOLDER_HOST.to_owned(), address.to_owned());
        substitution
    }

    /// Also the name of the deployment's project or stack.
    #[must_use]
    pub fn with_project(mut self, name: String) -> Self {
        self.add(PLACEHOLDER_PROJECT.to_owned(), name);
        self
    }

    /// Also secrets, in the form that the document needs. Other templates stay as they are.
    #[must_use]
    pub fn with_secrets<'a>(
        mut self,
        form: SecretForm,
        secrets: impl IntoIterator<Item = (&'a SecretName, &'a SecretValue)>,
    ) -> Self {
        for (name, value) in secrets {
            // No character becomes more than six.
            let mut written = Zeroizing::new(String::with_capacity(value.as_str().len().saturating_mul(6)));
            form.write(value.as_str(), &mut written);
            self.places.push(Place {
                stands: secret_place(name),
                value: written,
            });
        }
        self
    }

    fn add(&mut self, stands: String, value: String) {
        self.places.push(Place {
            stands,
            value: Zeroizing::new(value),
        });
    }

    /// Returns how many times as long as a document what is made of it may be.
    pub fn growth(&self) -> usize {
        let of = |place: &Place| place.value.len().div_ceil(place.stands.len().max(1));
        self.places.iter().map(of).max().unwrap_or(1).max(1)
    }

    /// Returns how many bytes a document gets more than it has, at most where less than none.
    pub fn added(&self, document: &[u8]) -> usize {
        let mut added = 0_usize;
        self.each(document, document.len(), |part| {
            if let Part::Place(place) = part {
                added = added.saturating_add(place.value.len().saturating_sub(place.stands.len()));
            }
        });
        added
    }

    /// Adds a part of a document, as agents get it, to `out`, and returns how much of the part that was. Unless it is the `last` one, what
    /// may be the beginning of a place is left for the next part, which starts with it.
    pub fn apply(&self, part: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
        let longest = self.places.iter().map(|place| place.stands.len()).max().unwrap_or(0);
        let end = if last {
            part.len()
        } else {
            part.len().saturating_sub(longest.saturating_sub(1))
        };
        self.each(part, end, |part| match part {
            Part::Plain(bytes) => out.extend_from_slice(bytes),
            Part::Place(place) => out.extend_from_slice(place.value.as_bytes()),
        })
    }

    /// Goes through what begins before `end`, and returns where that ends.
    fn each(&self, bytes: &[u8], end: usize, mut take: impl FnMut(Part<'_>)) -> usize {
        let (mut at, mut plain) = (0, 0);
        while at < end {
            let rest = bytes.get(at..).unwrap_or_default();
            let stands_here = |place: &&Place| {
                place.stands.as_bytes().first() == rest.first() && rest.starts_with(place.stands.as_bytes())
            };
            let found = self.places.iter().find(stands_here);
            if let Some(place) = found {
                take(Part::Plain(bytes.get(plain..at).unwrap_or_default()));
                take(Part::Place(place));
                at = at.saturating_add(place.stands.len());
                plain = at;
            } else {
                at = at.saturating_add(1);
            }
        }
        take(Part::Plain(bytes.get(plain..at).unwrap_or_default()));
        at
    }

    /// Returns a whole document as agents get it, in one buffer that is wiped and never moves.
    pub fn whole(&self, document: &[u8]) -> Zeroizing<Vec<u8>> {
        let room = document.len().saturating_add(self.added(document));
        let mut out = Zeroizing::new(Vec::with_capacity(room));
        self.apply(document, true, &mut out);
        out
    }
}

/// What a document consists of.
enum Part<'a> {
    Plain(&'a [u8]),
    Place(&'a Place),
}

impl std::fmt::Debug for Substitution {
    /// What stands in documents, and nothing of what is put there.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places = self.places.iter().map(|place| &place.stands);
        f.debug_list().entries(places).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECURE: (&str, &str) = ("a.example:5443", "https://a.example:5443");
    const PLAIN: (&str, &str) = ("127.0.0.1:5000", "http://127.0.0.1:5000");

    /// Applies it to a whole document, and to the same in parts of every length, which must come to the same.
    fn everyway(substitution: &Substitution, document: &[u8]) -> Vec<u8> {
        let whole = substitution.whole(document).to_vec();
        assert!(whole.len() <= document.len() * substitution.growth());
        for length in 40..=document.len().max(40) + 1 {
            let (mut out, mut at) = (Vec::new(), 0);
            while at < document.len() {
                let end = document.len().min(at + length);
                at += substitution.apply(&document[at..end], end == document.len(), &mut out);
            }
            assert_eq!(out, whole, "in parts of {length}");
        }
        whole
    }

    fn value(text: &str) -> SecretValue {
        SecretValue::new(Zeroizing::new(text.as_bytes().to_vec())).ok().unwrap()
    }

    #[test]
    fn every_place_gets_the_address_and_nothing_else_changes() {
        let of = |(address, base)| Substitution::new(address, base);
        for (document, https, http) in [
            (
                "image: \"registry.airlock.internal/docker.io/library/x@sha256:1\"",
                "image: \"a.example:5443/docker.io/library/x@sha256:1\"",
                "image: \"127.0.0.1:5000/docker.io/library/x@sha256:1\"",
            ),
            (
                "https://registry.airlock.internal/charts oci://registry.airlock.internal/x",
                "https://a.example:5443/charts oci://a.example:5443/x",
                "http://127.0.0.1:5000/charts oci://127.0.0.1:5000/x",
            ),
            (
                "registry.airlock.internalregistry.airlock.internal",
                "a.example:5443a.example:5443",
                "127.0.0.1:5000127.0.0.1:5000",
            ),
            ("", "", ""),
            (
                "registry.airlock.interna",
                "registry.airlock.interna",
                "registry.airlock.interna",
            ),
            ("rregistry.airlock.internal", "ra.example:5443", "r127.0.0.1:5000"),
        ] {
            assert_eq!(everyway(&of(SECURE), document.as_bytes()), https.as_bytes());
            assert_eq!(everyway(&of(PLAIN), document.as_bytes()), http.as_bytes());
        }
        assert_eq!(everyway(&of(PLAIN), b"\xff\x00r"), b"\xff\x00r");
        assert_eq!(
            everyway(
                &of(SECURE).with_project("distr-7b1c0a52".into()),
                b"name: \"project-airlock-internal\"\nx: registry.airlock.internal/y\n"
            ),
            b"name: \"distr-7b1c0a52\"\nx: a.example:5443/y\n"
        );
    }

    #[test]
    fn what_was_put_in_is_data_and_other_templates_stay() {
        let (a, b) = ("A".parse().unwrap(), "A_B".parse().unwrap());
        let (first, second) = (value("{{ .Secrets.A_B }}registry.airlock.internal"), value("\"$\\"));
        let secrets = [(&a, &first), (&b, &second)];
        let of = |form| Substitution::new(PLAIN.0, PLAIN.1).with_secrets(form, secrets);
        let document = b"a: \"<{{ .Secrets.A }}>{{ .Secrets.A_B }}{{ .Secrets.C }}{{.Secrets.A}}\" # {{ .Values.x }}\n";
        for (form, rendered) in [
            (SecretForm::Values, r#"\"$\\"#),
            (SecretForm::Compose, r#"\"$$\\"#),
            (SecretForm::Environment, r#"\"\$\\"#),
        ] {
            let whole = String::from_utf8(everyway(&of(form), document)).unwrap();
            assert_eq!(
                whole,
                format!(
                    "a: \"<{{{{ .Secrets.A_B }}}}registry.airlock.internal>{rendered}{{{{ .Secrets.C }}}}{{{{.Secrets.A}}}}\" # {{{{ .Values.x }}}}\n"
                )
            );
        }
        assert!(!format!("{:?}", of(SecretForm::Compose)).contains("$$"));
    }

    #[test]
    fn values_come_back_from_readers_of_json() {
        let hard = " \0\t\r\n\u{1b}\u{7f}\u{85}\u{2028}\u{feff}\u{1f600}$#'\"\\{{%: ";
        let mut written = Zeroizing::new(String::new());
        SecretForm::Values.write(hard, &mut written);
        let read: String = serde_json::from_str(&format!("\"{}\"", *written)).unwrap();
        assert_eq!(read, hard);
        assert!(
            written
                .chars()
                .all(|c| !c.is_control() && c != '\u{2028}' && c != '\u{feff}')
        );
    }
}
