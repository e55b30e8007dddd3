//! The section `secrets`: which secrets there are, and where their values come from. No value ever stands in the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::mistakes::{Located, Mistakes, cut, located, place};
use super::one_or_many::TextOr;
use super::targets::TargetEntry;
use crate::bundle::desired::SecretUse;
use crate::domain::{Error, Result, SecretName};
use crate::suggest::nearest;

/// A secret, for the whole site or for some targets.
#[derive(Debug, Clone)]
pub struct SecretEntry {
    /// Its name.
    pub name: Located<SecretName>,
    /// Where its value comes from.
    pub origin: SecretOrigin,
    /// Targets that have a value each; when empty, the whole site has one.
    pub targets: Vec<Located<String>>,
}

/// Where the value of a secret comes from.
#[derive(Debug, Clone)]
pub enum SecretOrigin {
    /// Each site makes it.
    Generate {
        /// Characters that it is made of, ascending.
        alphabet: Option<String>,
        /// How many of them.
        length: Option<u64>,
    },
    /// A person at each site enters it.
    AskAtSite,
    /// The vendor has one for all sites, and seals it to each.
    Sealed(SecretSource),
    /// The vendor has one for each site, by id or name, and seals it to that one.
    SealedBySite(BTreeMap<String, SecretSource>),
}

/// Where the vendor has a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretSource {
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
    /// In a person's head.
    Ask,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSecret {
    name: Spanned<String>,
    value: Option<Spanned<TextOr<RawValue>>>,
    sites: Option<Spanned<BTreeMap<String, Spanned<TextOr<RawValue>>>>>,
    targets: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawValue {
    site: Option<Spanned<String>>,
    alphabet: Option<Spanned<String>>,
    length: Option<Spanned<String>>,
    file: Option<Spanned<String>>,
    env: Option<Spanned<String>>,
    ask: Option<Spanned<bool>>,
}

/// What a value may be, for messages.
const VALUES: &str = "one of {site: generate}, {site: ask}, {file: PATH}, {env: VARIABLE}, {ask: true}";

impl Mistakes<'_> {
    pub(super) fn secrets(
        &self,
        raw: Vec<RawSecret>,
        targets: &[TargetEntry],
        base: &Path,
    ) -> Result<Vec<SecretEntry>> {
        let mut secrets: Vec<SecretEntry> = Vec::new();
        for entry in raw {
            let secret = self.secret(entry, targets, base)?;
            let is_repeated = |known: &SecretEntry| {
                let both = |target: &Located<String>| known.targets.iter().any(|other| other.value == target.value);
                known.name.value == secret.name.value
                    && (known.targets.is_empty() || secret.targets.is_empty() || secret.targets.iter().any(both))
            };
            if secrets.iter().any(is_repeated) {
                let found = format!("the secret {} is listed twice for one target", secret.name.value);
                return Err(self
                    .at(secret.name.place, "value", found)
                    .expected("each name once, or several times for different targets"));
            }
            secrets.push(secret);
        }
        Ok(secrets)
    }

    fn secret(&self, raw: RawSecret, targets: &[TargetEntry], base: &Path) -> Result<SecretEntry> {
        let name = Located {
            value: self.parse::<SecretName>(&raw.name)?,
            place: place(&raw.name),
        };
        let origin = match (&raw.value, &raw.sites) {
            (Some(value), None) => self.origin(value, base)?,
            (None, Some(sites)) => {
                if sites.value.is_empty() {
                    return Err(self.value(sites, "sites is empty", "at least one site with its value"));
                }
                let mut by_site = BTreeMap::new();
                for (site, value) in &sites.value {
                    match self.origin(value, base)? {
                        SecretOrigin::Sealed(source) => by_site.insert(site.clone(), source),
                        _ => {
                            return Err(self.value(
                                value,
                                "a value under sites is one that sites have of themselves",
                                "{file: PATH}, {env: VARIABLE} or {ask: true}",
                            ));
                        }
                    };
                }
                SecretOrigin::SealedBySite(by_site)
            }
            (None, None) => return Err(self.missing_key(name.place, "value or sites", ": the secret has no value")),
            (Some(_), Some(also)) => {
                return Err(self.value(also, "value and sites are both given", "one of them"));
            }
        };
        let mut chosen: Vec<Located<String>> = Vec::new();
        if let Some(list) = raw.targets {
            if list.value.is_empty() {
                return Err(self.value(&list, "targets is empty", "at least one target, or no such key"));
            }
            for target in list.value {
                let known = targets.iter().map(|known| known.name.value.as_str());
                if !known.clone().any(|known| known == target.value) {
                    let found = format!("no target is called {:?}", cut(&target.value));
                    let error = self.value(&target, found, "targets of this file");
                    return Err(Self::suggest(error, &target.value, known));
                }
                if chosen.iter().any(|known| known.value == target.value) {
                    return Err(self.value(&target, "the target is listed twice", "each target once"));
                }
                chosen.push(located(target));
            }
        }
        Ok(SecretEntry {
            name,
            origin,
            targets: chosen,
        })
    }

    fn origin(&self, value: &Spanned<TextOr<RawValue>>, base: &Path) -> Result<SecretOrigin> {
        let raw = match &value.value {
            TextOr::Map(raw) => raw,
            // It may be the secret: not a word of it is repeated.
            TextOr::Text(_) => {
                return Err(self
                    .value(value, "a value of a secret stands in the file", VALUES)
                    .remedy("keep the value in a file outside the folder or in a variable, and say which"));
            }
        };
        let given = [
            raw.site.is_some(),
            raw.file.is_some(),
            raw.env.is_some(),
            raw.ask.is_some(),
        ];
        if given.iter().filter(|given| **given).count() != 1 {
            return Err(self.value(value, "a secret has not exactly one source", VALUES));
        }
        let origin = if let Some(site) = &raw.site {
            let words = [("generate", true), ("ask", false)];
            // What is no misspelt word may be the value.
            if nearest(&site.value, words.map(|(word, _)| word)).is_none() {
                return Err(self.value(site, "site says neither generate nor ask", "generate or ask"));
            }
            if self.word(site, &words)? {
                return self.generated(raw);
            }
            SecretOrigin::AskAtSite
        } else if let Some(file) = &raw.file {
            self.no_foreign_path(&file.value, place(file))?;
            SecretOrigin::Sealed(SecretSource::File(base.join(&file.value)))
        } else if let Some(variable) = &raw.env {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if variable.value.is_empty() || !variable.value.chars().all(is_name) {
                return Err(self.value(
                    variable,
                    "this is no variable of the environment",
                    "a name of A-Z, a-z, 0-9 and _",
                ));
            }
            SecretOrigin::Sealed(SecretSource::Variable(variable.value.clone()))
        } else {
            if let Some(no) = raw.ask.as_ref().filter(|ask| !ask.value) {
                return Err(self.value(no, "ask is false", "true, or another source"));
            }
            SecretOrigin::Sealed(SecretSource::Ask)
        };
        for (key, at) in [
            ("alphabet", raw.alphabet.as_ref().map(place)),
            ("length", raw.length.as_ref().map(place)),
        ] {
            if let Some(at) = at {
                return Err(self
                    .at(at, "value", format!("{key} belongs to values that sites generate"))
                    .remedy(format!("take {key} out, or say site: generate")));
            }
        }
        Ok(origin)
    }

    fn generated(&self, raw: &RawValue) -> Result<SecretOrigin> {
        let alphabet = raw.alphabet.as_ref().map(|text| -> Result<String, Error> {
            let mut bytes = text.value.clone().into_bytes();
            bytes.sort_unstable();
            let sorted = String::from_utf8(bytes).unwrap_or_default();
            if SecretUse::is_alphabet(&sorted) {
                Ok(sorted)
            } else {
                Err(self.value(text, "this is no alphabet", "2 to 94 different characters from ! to ~"))
            }
        });
        let length = raw.length.as_ref().map(|text| -> Result<u64, Error> {
            let length = self.number(text)?;
            if SecretUse::is_length(length) {
                Ok(length)
            } else {
                Err(self.value(
                    text,
                    format!("{length} is no length of a value"),
                    "8 to 1,024 characters",
                ))
            }
        });
        Ok(SecretOrigin::Generate {
            alphabet: alphabet.transpose()?,
            length: length.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release_file::ReleaseFile;

    const FILE: &str = "product: erp\nchannel: stable\nagents: [{name: 1, docker: a, autoheal: b}]\napplications: [{name: shop, version: 1, compose: c.yaml}]\n\
        targets: [{name: press-1, kind: docker}, {name: press-2, kind: docker}]\nsecrets:\n";

    fn read(section: &str) -> Result<Vec<SecretEntry>> {
        ReleaseFile::parse(Path::new("release.yaml"), &format!("{FILE}{section}")).map(|file| file.secrets)
    }

    #[test]
    fn secrets_come_from_sites_files_variables_and_people() {
        let secrets = read(
            "- {name: A, value: {site: generate}}\n- {name: B, value: {site: generate, length: 40, alphabet: \"ba9\"}}\n\
             - {name: C, value: {site: ask}, targets: [press-1]}\n- {name: C, value: {file: ../c}, targets: [press-2]}\n\
             - {name: D, value: {env: D_VALUE}}\n- {name: E, sites: {plant: {ask: true}, mill: {env: E}}}\n",
        )
        .unwrap();
        let names: Vec<&str> = secrets.iter().map(|secret| secret.name.value.as_str()).collect();
        assert_eq!(names, ["A", "B", "C", "C", "D", "E"]);
        assert!(matches!(
            &secrets[0].origin,
            SecretOrigin::Generate {
                alphabet: None,
                length: None
            }
        ));
        assert!(
            matches!(&secrets[1].origin, SecretOrigin::Generate { alphabet: Some(letters), length: Some(40) } if letters == "9ab")
        );
        assert!(matches!(&secrets[2].origin, SecretOrigin::AskAtSite));
        assert_eq!(secrets[3].targets[0].value, "press-2");
        assert!(matches!(&secrets[4].origin, SecretOrigin::Sealed(SecretSource::Variable(name)) if name == "D_VALUE"));
        let SecretOrigin::SealedBySite(sites) = &secrets[5].origin else {
            panic!("one for each site")
        };
        assert_eq!(sites["plant"], SecretSource::Ask);
    }

    #[test]
    fn every_mistake_has_its_place_and_no_value_is_repeated() {
        for (section, says) in [
            ("- {name: a, value: {site: ask}}", ":7:10: "),
            (
                "- {name: A, value: hunter2}",
                ":7:20: a value of a secret stands in the file",
            ),
            (
                "- {name: A, sites: {x: hunter2}}",
                ":7:24: a value of a secret stands in the file",
            ),
            ("- {name: A}", "value or sites is missing"),
            ("- {name: A, value: {site: ask}, sites: {x: {ask: true}}}", "both given"),
            ("- {name: A, sites: {}}", "sites is empty"),
            ("- {name: A, sites: {x: {site: ask}}}", "sites have of themselves"),
            ("- {name: A, value: {}}", "exactly one source"),
            ("- {name: A, value: {site: ask, env: A}}", "exactly one source"),
            ("- {name: A, value: {site: aks}}", "none of the words"),
            ("- {name: A, value: {ask: false}}", "ask is false"),
            ("- {name: A, value: {env: \"A=hunter2\"}}", "no variable"),
            ("- {name: A, value: {site: ask, length: 9}}", "length belongs to"),
            ("- {name: A, value: {site: generate, length: 7}}", "no length"),
            ("- {name: A, value: {site: generate, alphabet: aa}}", "no alphabet"),
            ("- {name: A, value: {site: ask}, targets: []}", "targets is empty"),
            (
                "- {name: A, value: {site: ask}, targets: [press-3]}",
                "no target is called",
            ),
            (
                "- {name: A, value: {site: ask}, targets: [press-1, press-1]}",
                "listed twice",
            ),
            (
                "- {name: A, value: {site: ask}}\n- {name: A, value: {site: ask}, targets: [press-1]}",
                ":8:10: ",
            ),
            (
                "- {name: A, value: {site: ask}, targets: [press-1]}\n- {name: A, value: {env: A}, targets: [press-2, press-1]}",
                ":8:10: ",
            ),
        ] {
            let error = read(section).unwrap_err();
            assert_eq!(error.class(), crate::domain::Class::Usage, "{section}");
            assert!(error.found().contains(says), "{section}: {error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
