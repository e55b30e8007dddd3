//! Sites that charts are tried for: what an appliance there would put into values.
//!
//! What a chart makes of an address with a port, or of a secret of a certain length, no placeholder and no word tells. So there are two,
//! which have as little as may be in common, and what holds for both is believed to hold at every site.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::bundle::desired::{PLACEHOLDER_HOST, SecretSource, SecretUse};
use crate::domain::SecretName;
use crate::secret::{DeclaredSecrets, with_marks_as};

/// Addresses of their appliances: of another name and length, without a port and with one.
pub(crate) const ADDRESSES: [&str; 2] = ["appliance.example", "registry-7.plant.example:5443"];

/// Other addresses, each with what it has that many templates do not reckon with.
pub(crate) const OTHER_ADDRESSES: [(&str, &str); 3] = [
    ("airlock:5443", "a name without a point, such as airlock:5443"),
    (
        "10.1.2.3:30443",
        "numbers and a port of five digits, such as 10.1.2.3:30443",
    ),
    ("[fd00::1]:5443", "an address in brackets, such as [fd00::1]:5443"),
];

/// Lengths of a value that nobody knows here, the likeliest first.
pub(crate) const LENGTHS: [usize; 6] = [20, 32, 12, 8, 64, 44];

/// A site that does not exist.
#[derive(Debug, Clone)]
pub(crate) struct InventedSite {
    /// Address of its appliance.
    pub(crate) address: &'static str,
    /// Its secrets, in this order.
    secrets: BTreeMap<SecretName, String>,
}

impl InventedSite {
    /// Makes both. `length` is that of values which the site itself does not make.
    pub(crate) fn both(declared: &DeclaredSecrets, length: usize) -> [Self; 2] {
        [0, 1].map(|which: usize| {
            let secrets = declared.iter().enumerate().map(|(number, (name, uses))| {
                let said = if which == 0 { uses.first() } else { uses.last() };
                (name.clone(), made_up(said, length, which, number))
            });
            Self {
                address: ADDRESSES.get(which).copied().unwrap_or_default(),
                secrets: secrets.collect(),
            }
        })
    }

    /// Returns the same site with another address.
    pub(crate) fn moved(&self, address: &'static str) -> Self {
        Self {
            address,
            secrets: self.secrets.clone(),
        }
    }

    /// Returns values as they come to helm there.
    pub(crate) fn put_into(&self, values: &Value) -> Value {
        match values {
            Value::String(text) => Value::String(self.in_text(text)),
            Value::Array(list) => Value::Array(list.iter().map(|value| self.put_into(value)).collect()),
            Value::Object(map) => Value::Object(
                map.iter()
                    .map(|(key, value)| (key.clone(), self.put_into(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    /// Returns the address without its port.
    pub(crate) fn name(&self) -> &str {
        self.address.split(':').next().unwrap_or_default()
    }

    fn in_text(&self, text: &str) -> String {
        let text = with_marks_as(text, |name| match self.secrets.get(name) {
            Some(value) => value.clone(),
            // It is not declared, which is said elsewhere.
            None => name.to_string(),
        });
        text.replace(PLACEHOLDER_HOST, self.address)
    }

    /// Returns its secrets with their values.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (&SecretName, &str)> {
        self.secrets.iter().map(|(name, value)| (name, value.as_str()))
    }
}

/// Makes a value: characters from all over the alphabet, and with those of the other site's all of it, as far as they reach.
fn made_up(said: Option<&SecretUse>, length: usize, which: usize, number: usize) -> String {
    let unknown = SecretUse {
        alphabet: None,
        length: None,
        name: "X".parse().expect("a legal name"),
        per_target: false,
        source: SecretSource::Ask,
    };
    let said = said.unwrap_or(&unknown);
    let length = match said.source {
        SecretSource::Generate => usize::try_from(said.length()).unwrap_or(length),
        SecretSource::Ask | SecretSource::Sealed => length,
    };
    let alphabet: Vec<char> = said.alphabet().chars().collect();
    let mut value: Vec<char> = (0..length)
        .filter_map(|at| {
            let spread = at.saturating_mul(alphabet.len()).checked_div(length)?;
            let place = spread.saturating_add(which).checked_rem(alphabet.len())?;
            alphabet.get(place).copied()
        })
        .collect();
    // No secret has another's value.
    if let Some(turn) = number.checked_rem(value.len()) {
        value.rotate_left(turn);
    }
    value.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;
    use crate::secret::{TextKind, mark};

    fn declared(alphabet: Option<&str>, length: Option<u64>, source: SecretSource) -> DeclaredSecrets {
        ["DB_PASSWORD", "OTHER"]
            .map(|name| {
                let name: SecretName = name.parse().unwrap();
                let said = SecretUse {
                    alphabet: alphabet.map(str::to_owned),
                    length,
                    name: name.clone(),
                    per_target: false,
                    source,
                };
                (name, vec![said])
            })
            .into()
    }

    #[test]
    fn two_sites_have_nothing_in_common_but_what_is_declared() {
        let place = mark("x{{ .Secrets.DB_PASSWORD }}y", TextKind::Values).text;
        let values = json!({"a": [place, "{{ .Release.Name }}", "{{ open"], "n": 1, "i": format!("{PLACEHOLDER_HOST}/a@sha256:0")});
        let sites = InventedSite::both(&declared(None, Some(9), SecretSource::Generate), 20);
        let put = sites.each_ref().map(|site| site.put_into(&values));
        for (site, put) in sites.iter().zip(&put) {
            let text = put["a"][0].as_str().unwrap();
            assert_eq!((text.len(), &text[..1], &text[10..]), (11, "x", "y"));
            assert_eq!(put["a"][1], "{{ .Release.Name }}");
            assert_eq!(put["i"], format!("{}/a@sha256:0", site.address));
        }
        assert_ne!(put[0]["a"][0], put[1]["a"][0]);
        for (alphabet, length, all) in [(None, None, 62), (Some("01"), Some(8), 2), (Some("!ab"), Some(10), 3)] {
            let sites = InventedSite::both(&declared(alphabet, length, SecretSource::Generate), 20);
            let values: Vec<&str> = sites
                .iter()
                .flat_map(InventedSite::secrets)
                .map(|(_, value)| value)
                .collect();
            assert!(
                values.iter().all(|value| value.len() as u64 == length.unwrap_or(32)),
                "{values:?}"
            );
            let characters: BTreeSet<char> = values.concat().chars().collect();
            assert_eq!(characters.len(), all, "{values:?}");
        }
        let asked = InventedSite::both(&declared(None, None, SecretSource::Ask), 20);
        let values: BTreeSet<&str> = asked
            .iter()
            .flat_map(InventedSite::secrets)
            .map(|(_, value)| value)
            .collect();
        assert!(
            values.len() == 4 && values.iter().all(|value| value.len() == 20),
            "{values:?}"
        );
    }
}
