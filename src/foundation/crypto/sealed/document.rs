//! What a release seals for one site: the document type `secrets` (SPEC section 11).

use serde::Deserialize;
use zeroize::Zeroizing;

use super::age;
use super::plain_text::{Encoded, PlainText, parse};
use crate::crypto::RecipientKey;
use crate::crypto::canonical::integer;
use crate::domain::{Class, Counter, Error, Hash, Name, Result, Scope, SecretName, SecretValue, SiteId, Uuid};

/// The secrets of a release for one site. They count under its scope and number alone.
#[expect(missing_debug_implementations, reason = "it holds secrets")]
pub struct SealedSecrets {
    /// Scope of the release.
    pub scope: Scope,
    /// Its number.
    pub counter: Counter,
    /// For whom.
    pub site: SiteId,
    /// Ascending by name and targets, each name and target once.
    pub secrets: Vec<SealedSecret>,
}

/// A secret, and where it is the same.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct SealedSecret {
    /// Its name.
    pub name: SecretName,
    /// The targets that it is for, ascending; the whole site when empty.
    pub targets: Vec<Uuid>,
    /// Its value.
    pub value: SecretValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    channel: Name,
    domain: Hash,
    #[serde(with = "integer")]
    epoch: u64,
    #[serde(rename = "pad")]
    _pad: String,
    product: Name,
    secrets: Vec<Entry>,
    #[serde(with = "integer")]
    sequence: u64,
    site: SiteId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: SecretName,
    #[serde(default)]
    targets: Vec<Uuid>,
    value: Encoded,
}

impl SealedSecrets {
    /// Returns the document, encrypted to a site's recipient key: fresh randomness, so never the same bytes twice.
    ///
    /// # Errors
    ///
    /// `E-IO random`; `E-TRUST weak-key`.
    pub fn seal(&self, recipient: &RecipientKey) -> Result<Vec<u8>> {
        age::seal(recipient, &self.to_plain())
    }

    /// Opens a document with a site's recipient key; nothing when it is another's.
    ///
    /// # Errors
    ///
    /// `E-CONTENT secrets` when its form is wrong, or it opens and was changed, is not canonical, or repeats a name and target.
    pub fn open(document: &[u8], secret: &[u8; 32]) -> Result<Option<Self>> {
        let Some(plain) = age::open(secret, document).map_err(wrong)? else {
            return Ok(None);
        };
        Self::parse(&plain)
            .map(Some)
            .ok_or_else(|| wrong("holds something else than canonical secrets"))
    }

    /// Checks the outer form of a document, for who has no key.
    ///
    /// # Errors
    ///
    /// `E-CONTENT secrets`.
    pub fn check_form(document: &[u8]) -> Result<()> {
        age::check(document).map_err(wrong)
    }

    /// Returns the value of a secret: of one target, or of the whole site.
    pub fn value(&self, name: &SecretName, target: Option<Uuid>) -> Option<&SecretValue> {
        let is_it = |secret: &&SealedSecret| {
            secret.name == *name
                && match target {
                    Some(target) => secret.targets.contains(&target),
                    None => secret.targets.is_empty(),
                }
        };
        self.secrets.iter().find(is_it).map(|secret| &secret.value)
    }

    fn parse(plain: &[u8]) -> Option<Self> {
        let document: Document = parse(plain)?;
        let secrets = document.secrets.into_iter().map(|entry| SealedSecret {
            name: entry.name,
            targets: entry.targets,
            value: entry.value.0,
        });
        let read = Self {
            scope: Scope {
                domain: document.domain,
                product: document.product,
                channel: document.channel,
            },
            counter: Counter {
                epoch: document.epoch,
                sequence: document.sequence,
            },
            site: document.site,
            secrets: secrets.collect(),
        };
        let is_canonical = read.is_ordered() && read.to_plain().as_slice() == plain;
        is_canonical.then_some(read)
    }

    /// Whether names and targets are in order, and none stands twice.
    fn is_ordered(&self) -> bool {
        let keys = self.secrets.iter().map(|secret| (&secret.name, &secret.targets));
        let mut pairs: Vec<(&SecretName, Option<Uuid>)> = Vec::new();
        for secret in &self.secrets {
            if !secret.targets.is_sorted_by(|a, b| a < b) {
                return false;
            }
            match secret.targets.as_slice() {
                [] => pairs.push((&secret.name, None)),
                targets => pairs.extend(targets.iter().map(|target| (&secret.name, Some(*target)))),
            }
        }
        pairs.sort_unstable();
        keys.is_sorted_by(|a, b| a < b) && pairs.is_sorted_by(|a, b| a < b)
    }

    fn to_plain(&self) -> Zeroizing<Vec<u8>> {
        let Self {
            scope, counter, site, ..
        } = self;
        let values = self.secrets.iter().map(|secret| (&secret.value, secret.targets.len()));
        let mut plain = PlainText::with_room(values);
        plain.write(&format!(
            "{{\"channel\":\"{}\",\"domain\":\"{}\",\"epoch\":{},\"pad\":\"\",\"product\":\"{}\",\"secrets\":[",
            scope.channel, scope.domain, counter.epoch, scope.product
        ));
        for (number, secret) in self.secrets.iter().enumerate() {
            plain.write(if number == 0 { "{" } else { ",{" });
            plain.name(&secret.name);
            if !secret.targets.is_empty() {
                let targets: Vec<String> = secret.targets.iter().map(|target| format!("\"{target}\"")).collect();
                plain.write(&format!(",\"targets\":[{}]", targets.join(",")));
            }
            plain.write(",");
            plain.value(&secret.value);
            plain.write("}");
        }
        plain.write(&format!("],\"sequence\":{},\"site\":\"{site}\"}}", counter.sequence));
        plain.padded()
    }
}

fn wrong(found: &str) -> Error {
    Error::new(
        Class::Content,
        "secrets",
        format!("a document of sealed secrets {found}"),
    )
    .expected("an age file for exactly one X25519 recipient, with canonical secrets in it")
    .remedy("have the vendor make the release again with `airlock bundle create`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [9; 32];

    fn value(text: &str) -> SecretValue {
        SecretValue::new(Zeroizing::new(text.as_bytes().to_vec())).ok().unwrap()
    }

    fn secret(name: &str, targets: &[u8], text: &str) -> SealedSecret {
        let target = |n: &u8| format!("00000000-0000-4000-8000-0000000000{n:02}").parse().unwrap();
        SealedSecret {
            name: name.parse().unwrap(),
            targets: targets.iter().map(target).collect(),
            value: value(text),
        }
    }

    fn document(secrets: Vec<SealedSecret>) -> SealedSecrets {
        SealedSecrets {
            scope: Scope {
                domain: Hash([1; 32]),
                product: "shop".parse().unwrap(),
                channel: "stable".parse().unwrap(),
            },
            counter: Counter { epoch: 0, sequence: 7 },
            site: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            secrets,
        }
    }

    fn opened(plain: &[u8]) -> Result<Option<SealedSecrets>> {
        SealedSecrets::open(&age::seal(&RecipientKey::of_secret(&KEY), plain).unwrap(), &KEY)
    }

    #[test]
    fn a_document_comes_back_whole_for_its_site_alone() {
        let hard = " \"$#'\\\n{{ .Secrets.A }}%:\u{1f600} ";
        let made = document(vec![
            secret("A", &[], hard),
            secret("A", &[1, 3], "one"),
            secret("A", &[2], "two"),
            secret("B", &[], &"x".repeat(65_536)),
        ]);
        let sealed = made.seal(&RecipientKey::of_secret(&KEY)).unwrap();
        SealedSecrets::check_form(&sealed).unwrap();
        let read = SealedSecrets::open(&sealed, &KEY).unwrap().unwrap();
        assert!(read.scope == made.scope && read.counter == made.counter && read.site == made.site);
        let target = |n| secret("A", &[n], "x").targets[0];
        let of = |name: &str, target| read.value(&name.parse().unwrap(), target).map(SecretValue::as_str);
        assert_eq!(of("A", None), Some(hard));
        assert_eq!(
            [of("A", Some(target(3))), of("A", Some(target(2)))],
            [Some("one"), Some("two")]
        );
        assert_eq!(
            [of("A", Some(target(4))), of("B", Some(target(1))), of("C", None)],
            [None; 3]
        );
        assert_eq!(of("B", None).unwrap().len(), 65_536);
        assert!(SealedSecrets::open(&sealed, &[8; 32]).unwrap().is_none());
    }

    /// Neither the length of a value nor how many there are shows, up to a KiB.
    #[test]
    fn short_values_of_any_length_look_alike() {
        let sizes = [1, 32, 300].map(|length| {
            let made = document(vec![secret("A", &[], &"x".repeat(length))]);
            made.seal(&RecipientKey::of_secret(&KEY)).unwrap().len()
        });
        assert_eq!(sizes, [sizes[0]; 3]);
    }

    #[test]
    fn only_the_canonical_text_is_read() {
        let text = |secrets| String::from_utf8(document(secrets).to_plain().to_vec()).unwrap();
        let good = text(vec![secret("A", &[], "x"), secret("B", &[], "y")]);
        assert!(opened(good.as_bytes()).unwrap().is_some());
        let pad = |text: &str, by: usize| text.replacen("\"pad\":\"", &format!("\"pad\":\"{}", "0".repeat(by)), 1);
        for bad in [
            pad(&good, 1024),
            good.replacen("\"pad\":\"0", "\"pad\":\"1", 1),
            good.replacen("\"pad\":\"00", "\"pad\":\"0", 1).replacen(',', ", ", 1),
            good.replacen("\"name\":\"A\"", "\"name\":\"C\"", 1),
            good.replacen("\"name\":\"A\"", "\"name\":\"B\"", 1),
            good.replacen("\"name\":\"A\"", "\"name\":\"a\"", 1),
            good.replacen("eA==", "eB==", 1),
            good.replacen("eA==", "AA==", 1),
            good.replacen("eA==", "/w==", 1),
            good.replacen("\"epoch\":0", "\"epoch\":1.", 1)
                .replacen("\"pad\":\"0", "\"pad\":\"", 1),
            text(vec![secret("A", &[2, 1], "x")]),
            text(vec![secret("A", &[1], "x"), secret("A", &[1, 2], "y")]),
            text(vec![secret("A", &[], "x"), secret("A", &[], "y")]),
            " ".repeat(1024),
        ] {
            assert_eq!(bad.len() % 1024, 0, "{bad}");
            let error = opened(bad.as_bytes()).err().unwrap();
            assert_eq!((error.class(), error.code()), (Class::Content, "secrets"), "{bad}");
            assert!(!format!("{error:?}").contains("eA"), "{error:?}");
        }
    }
}
