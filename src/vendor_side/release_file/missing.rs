//! Keys that a release lacks: all of them in one refusal, so that nobody runs a command five times to learn of five keys.

use std::path::{Path, PathBuf};

use crate::domain::{Class, Error, Result};

/// Keys that may stand in the file or be given as options, and those options.
const BY_OPTION: [(&str, &str); 5] = [
    ("version", "--version"),
    ("sequence", "--sequence or --next"),
    ("issued_at", "--issued-at or SOURCE_DATE_EPOCH"),
    ("expires or expires_in", "--expires"),
    ("audience", "--site"),
];

/// Keys that are missing so far.
#[derive(Debug)]
pub(in super::super) struct MissingKeys {
    path: PathBuf,
    keys: Vec<(&'static str, &'static str)>,
}

impl MissingKeys {
    /// Of a release file: none yet.
    pub(in super::super) fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            keys: Vec::new(),
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The only one, where it is the only one.
    pub(super) fn only(&self) -> Option<&'static str> {
        match self.keys.as_slice() {
            [(key, _)] => Some(key),
            _ => None,
        }
    }

    /// Notes a key that only the file can say.
    pub(super) fn key(&mut self, key: &'static str) {
        self.keys.push((key, ""));
    }

    /// Notes a key that neither the file nor an option says.
    pub(in super::super) fn either(&mut self, key: &'static str) {
        let options = BY_OPTION.iter().find(|(known, _)| *known == key);
        self.keys.push((key, options.map_or("", |(_, options)| options)));
    }

    /// Ends with one error that says all of them.
    ///
    /// # Errors
    ///
    /// `E-USAGE missing-key`.
    pub(in super::super) fn into_result(self) -> Result<()> {
        let path = self.path.display();
        match self.keys.as_slice() {
            [] => Ok(()),
            [(key, options)] => Err(
                Error::new(Class::Usage, "missing-key", format!("{path} does not say {key}"))
                    .remedy(format!("add {key} to the file, or give {options}")),
            ),
            several => {
                let lines: Vec<String> = several
                    .iter()
                    .map(|(key, options)| match *options {
                        "" => (*key).to_owned(),
                        options => format!("{key}, or as an option: {options}"),
                    })
                    .collect();
                let found = format!("{path} does not say {} things that a release needs:", several.len());
                Err(Error::listing(Class::Usage, "missing-key", found, &lines)
                    .remedy("add a line for each, or give those options; `airlock vendor release new` writes a file that has all of them"))
            }
        }
    }
}
