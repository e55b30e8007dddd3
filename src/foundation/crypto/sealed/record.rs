//! A value that was entered or made at a site, as it lies in the state folder: sealed to the site's own recipient key.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::age;
use super::plain_text::{Encoded, PlainText, parse};
use crate::crypto::RecipientKey;
use crate::domain::{Class, Code, Error, Hash, Name, Result, Scope, SecretName, SecretValue, Uuid};

/// A value and whose it is. Whoever opens a record compares that with what they asked for: a file in another's place is none.
#[expect(missing_debug_implementations, reason = "it holds a secret")]
pub struct SecretRecord {
    /// The scope that the secret belongs to.
    pub scope: Scope,
    /// Its name.
    pub name: SecretName,
    /// The target that it is for; the whole site when left out.
    pub target: Option<Uuid>,
    /// Its value.
    pub value: SecretValue,
    /// Values that it had before, the newest first: texts from then may hold them still.
    pub earlier: Vec<SecretValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    channel: Name,
    domain: Hash,
    #[serde(default)]
    earlier: Vec<Earlier>,
    name: SecretName,
    #[serde(rename = "pad")]
    _pad: String,
    product: Name,
    #[serde(default)]
    target: Option<Uuid>,
    value: Encoded,
}

/// A value of before, in a member of the one name that may be long.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Earlier {
    value: Encoded,
}

impl SecretRecord {
    /// Sub-code of a file that is no record, or that its key does not open.
    pub const DAMAGED: Code = Code::new("secret-file");

    /// Returns the record, encrypted to the site's recipient key.
    ///
    /// # Errors
    ///
    /// `E-IO random`; `E-TRUST weak-key`.
    pub fn seal(&self, recipient: &RecipientKey) -> Result<Vec<u8>> {
        age::seal(recipient, &self.to_plain())
    }

    /// Opens a record with the site's recipient key.
    ///
    /// # Errors
    ///
    /// `E-STATE secret-file` when it is none, was changed, or is sealed to another key. What to do is for the caller to say.
    pub fn open(file: &[u8], secret: &[u8; 32]) -> Result<Self> {
        let plain = age::open(secret, file).map_err(damaged)?;
        let plain = plain.ok_or_else(|| damaged("is sealed to another key"))?;
        let document: Document = parse(&plain).ok_or_else(|| damaged(OTHER))?;
        let record = Self {
            scope: Scope {
                domain: document.domain,
                product: document.product,
                channel: document.channel,
            },
            name: document.name,
            target: document.target,
            value: document.value.0,
            earlier: document.earlier.into_iter().map(|earlier| earlier.value.0).collect(),
        };
        if record.to_plain() != plain {
            return Err(damaged(OTHER));
        }
        Ok(record)
    }

    fn to_plain(&self) -> Zeroizing<Vec<u8>> {
        let Self {
            scope,
            name,
            target,
            value,
            earlier,
        } = self;
        let mut plain = PlainText::with_room(std::iter::once(value).chain(earlier).map(|value| (value, 1)));
        plain.write(&format!(
            "{{\"channel\":\"{}\",\"domain\":\"{}\",",
            scope.channel, scope.domain
        ));
        for (place, value) in earlier.iter().enumerate() {
            plain.write(if place == 0 { "\"earlier\":[{" } else { ",{" });
            plain.value(value);
            plain.write("}");
        }
        if !earlier.is_empty() {
            plain.write("],");
        }
        plain.name(name);
        plain.write(&format!(",\"pad\":\"\",\"product\":\"{}\",", scope.product));
        if let Some(target) = target {
            plain.write(&format!("\"target\":\"{target}\","));
        }
        plain.value(value);
        plain.write("}");
        plain.padded()
    }
}

/// What is wrong with a file that opens and holds something else.
const OTHER: &str = "holds something else than a secret of this site";

fn damaged(found: &str) -> Error {
    Error::new(
        Class::State,
        SecretRecord::DAMAGED,
        format!("a file of a secret {found}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [9; 32];

    fn record(target: Option<&str>, text: &str) -> SecretRecord {
        SecretRecord {
            scope: Scope {
                domain: Hash([1; 32]),
                product: "shop".parse().unwrap(),
                channel: "stable".parse().unwrap(),
            },
            name: "DB_PASSWORD".parse().unwrap(),
            target: target.map(|target| target.parse().unwrap()),
            value: value(text),
            earlier: Vec::new(),
        }
    }

    fn value(text: &str) -> SecretValue {
        SecretValue::new(Zeroizing::new(text.as_bytes().to_vec())).ok().unwrap()
    }

    #[test]
    fn values_of_before_come_back_in_their_order() {
        let mut made = record(None, "now");
        made.earlier = vec![value("before"), value(&"$".repeat(64 << 10)), value("\"pad\":\"\"")];
        let file = made.seal(&RecipientKey::of_secret(&KEY)).unwrap();
        let read = SecretRecord::open(&file, &KEY).unwrap();
        let texts = |record: &SecretRecord| -> Vec<String> {
            let values = record.earlier.iter().chain([&record.value]);
            values.map(|value| value.as_str().to_owned()).collect()
        };
        assert_eq!(texts(&read), texts(&made));
    }

    #[test]
    fn a_record_comes_back_with_whose_it_is() {
        for target in [None, Some("00000000-0000-4000-8000-000000000001")] {
            let made = record(target, " \"\n\u{1f600}");
            let file = made.seal(&RecipientKey::of_secret(&KEY)).unwrap();
            let read = SecretRecord::open(&file, &KEY).unwrap();
            assert!(read.scope == made.scope && read.name == made.name && read.target == made.target);
            assert_eq!(read.value.as_str(), made.value.as_str());
        }
    }

    #[test]
    fn another_key_and_another_text_are_damage() {
        let made = record(None, "x");
        let recipient = RecipientKey::of_secret(&KEY);
        let file = made.seal(&recipient).unwrap();
        let text = String::from_utf8(made.to_plain().to_vec()).unwrap();
        let other = |from: &str, to: &str| age::seal(&recipient, text.replacen(from, to, 1).as_bytes()).unwrap();
        for (file, key) in [
            (file.clone(), [8; 32]),
            (file[..file.len() - 1].to_vec(), KEY),
            (other("eA==", "eB=="), KEY),
            (other("\"pad\":\"0", "\"pad\":\"1"), KEY),
            (other("\"name\"", "\"nome\""), KEY),
        ] {
            let error = SecretRecord::open(&file, &key).err().unwrap();
            assert_eq!((error.class(), error.code()), (Class::State, "secret-file"));
        }
    }
}
