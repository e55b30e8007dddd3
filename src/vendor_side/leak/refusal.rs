//! One refusal of everything that was found, with what to do about it.

use std::collections::BTreeSet;

use super::findings::Findings;
use super::keys::secret_name;
use crate::domain::{Class, Error, Hash, Result};

/// Most secrets that a remedy declares; it says how many there are beside.
const SHOWN: usize = 16;

impl Findings {
    /// Returns a name for each value that a secret could take the place of, with the keys that have it.
    fn names(&self) -> Vec<(String, Vec<&str>)> {
        let mut values: Vec<(Hash, String, Vec<&str>)> = Vec::new();
        for (key, value) in &self.keys {
            if let Some((.., keys)) = values.iter_mut().find(|(known, ..)| known == value) {
                keys.push(key);
                continue;
            }
            let name = secret_name(key);
            let taken = values
                .iter()
                .filter(|(_, known, _)| {
                    let number = known.strip_prefix(&name).and_then(|rest| rest.strip_prefix('_'));
                    *known == name || number.is_some_and(|number| number.parse::<u32>().is_ok())
                })
                .count();
            let name = match taken {
                0 => name,
                taken => format!("{name}_{}", taken.saturating_add(1)),
            };
            values.push((*value, name, vec![key]));
        }
        values.into_iter().map(|(_, name, keys)| (name, keys)).collect()
    }

    /// Ends with one refusal that names everything.
    ///
    /// # Errors
    ///
    /// `E-POLICY secret`.
    pub(in super::super) fn into_result(self) -> Result<()> {
        let refusal = match self.list.as_slice() {
            [] => return Ok(()),
            [one] => Error::new(
                Class::Policy,
                "secret",
                format!("a secret would travel in clear: {one}"),
            ),
            several => Error::listing(
                Class::Policy,
                "secret",
                format!("{} secrets would travel in clear:", several.len()),
                several,
            ),
        };
        let names = self.names();
        let declared: Vec<String> = names
            .iter()
            .take(SHOWN)
            .map(|(name, _)| format!("{{name: {name}, value: {{site: ask}}}}"))
            .collect();
        let shared: Vec<String> = names
            .iter()
            .filter(|(_, keys)| keys.len() > 1)
            .map(|(name, keys)| format!("; {} have one value, {name}", keys.join(" and ")))
            .collect();
        let more = |count: usize| match count.checked_sub(SHOWN) {
            Some(more @ 1..) => format!(" and {more} more"),
            _ => String::new(),
        };
        let keys: BTreeSet<&str> = self
            .keys
            .iter()
            .map(|(key, _)| key)
            .chain(&self.in_charts)
            .map(String::as_str)
            .collect();
        let allowed = keys.iter().copied().take(SHOWN).collect::<Vec<_>>().join(", ");
        let (allowed, declared) = (format!("[{allowed}]{}", more(keys.len())), declared.join(", "));
        let (more, shared) = (more(names.len()), shared.concat());
        let declare = format!("into the release file secrets: [{declared}]{more}{shared}");
        let in_place = names.iter().find(|(_, keys)| {
            keys.iter()
                .any(|key| !self.by_variable.contains(*key) && !self.in_files.contains(*key))
        });
        let in_file = names
            .iter()
            .find(|(_, keys)| keys.iter().any(|key| self.in_files.contains(*key)));
        let by_variable = names
            .iter()
            .find(|(_, keys)| keys.iter().any(|key| self.by_variable.contains(*key)));
        let mut ways: Vec<String> = Vec::new();
        if let Some((name, _)) = in_place {
            let remedy =
                format!("write \"{{{{ .Secrets.{name} }}}}\" in place of the value, with the quotes, and {declare}");
            ways.push(remedy);
        }
        if let Some((name, _)) = in_file {
            let and = if in_place.is_some() {
                String::new()
            } else {
                format!(", and {declare}")
            };
            let remedy = format!(
                "in a file of a program, and in an env_file of format raw, write {{{{ .Secrets.{name} }}}} in place of the value, within the quotes that it wants{and}"
            );
            ways.push(remedy);
        }
        if let Some((name, _)) = by_variable {
            let and = if in_place.is_some() || in_file.is_some() {
                String::new()
            } else {
                format!(", and {declare}")
            };
            let remedy = format!(
                "where compose takes no secret (command, labels, options of drivers) write ${{{name}}} in place of the value and \
                 {name}=\"{{{{ .Secrets.{name} }}}}\" into the env_file of the application{and}"
            );
            ways.push(remedy);
        }
        if !self.in_charts.is_empty() {
            let remedy = "in a template or file of a chart write a value of the chart in its place, and that secret into the values of the \
                          deployment";
            ways.push(remedy.to_owned());
        }
        if ways.is_empty() && self.told == self.list.len() {
            return Err(refusal.settled());
        }
        let remedy = if ways.is_empty() {
            "take it out, or name the file in the application's allow_plain: [FILE]".to_owned()
        } else {
            format!(
                "{}; what is no secret is named in the application's allow_plain: {allowed}",
                ways.join("; ")
            )
        };
        Err(refusal
            .expected("no secret in clear: sealed to sites, asked for or made there")
            .remedy(remedy))
    }
}
