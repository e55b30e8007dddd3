//! The values that the vendor has: read anew for every bundle, from files, variables and people, and kept nowhere.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::collect::Problems;
use crate::domain::limits::{SECRET_BYTES, SECRET_SOUGHT_BYTES};
use crate::domain::{Class, Error, Result, SecretName, SecretValue};
use crate::release_file::{ReleaseFile, SecretOrigin, SecretSource};
use crate::stream::{Looked, read_bounded};

/// How values are had that a person knows.
#[derive(Clone, Copy)]
pub enum AskSecret<'a> {
    /// Asked for: the argument says which, for a prompt.
    Asked(&'a dyn Fn(&str) -> Result<Zeroizing<String>>),
    /// A stand-in counts as one: a plan seals nothing that leaves, and asks for nothing.
    Assumed,
}

impl fmt::Debug for AskSecret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked(_) => "Asked",
            Self::Assumed => "Assumed",
        })
    }
}

/// Values of one release, each asked for or read once.
pub(super) struct Values<'a> {
    ask: AskSecret<'a>,
    /// The folder of the release file, links followed.
    folder: &'a Path,
    /// Folders of charts, links followed: all files in them travel.
    charts: Vec<PathBuf>,
    /// By declaration, and by site where it has one for each.
    known: RefCell<BTreeMap<(usize, Option<String>), SecretValue>>,
    /// What deserves a word.
    pub(super) remarks: RefCell<Vec<String>>,
}

/// Notes the variables that values are in and that are not set: that is known before anything is collected.
pub(crate) fn check_variables(file: &ReleaseFile, sites: &[&str], problems: &mut Problems) {
    for entry in &file.secrets {
        let sources: Vec<(String, &SecretSource)> = match &entry.origin {
            SecretOrigin::Sealed(source) => vec![(String::new(), source)],
            SecretOrigin::SealedBySite(by_site) => by_site
                .iter()
                .filter(|(site, _)| sites.contains(&site.as_str()))
                .map(|(site, source)| (format!(" for {site}"), source))
                .collect(),
            SecretOrigin::Generate { .. } | SecretOrigin::AskAtSite => Vec::new(),
        };
        for (of_site, source) in sources {
            if let SecretSource::Variable(variable) = source
                && std::env::var_os(variable).is_none()
            {
                problems.add(&unset(&entry.name.value, &of_site, variable));
            }
        }
    }
}

fn unset(name: &SecretName, of_site: &str, variable: &str) -> Error {
    // What has no such name may be the value itself.
    let is_name = variable
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let (called, set) = if is_name {
        (format!(" {variable}"), variable)
    } else {
        (" under env:".to_owned(), "it")
    };
    Error::new(
        Class::Usage,
        "secret-value",
        format!("the secret {name}{of_site} is in the variable{called}, which is not set"),
    )
    .remedy(format!("set {set} and run the command again"))
}

impl<'a> Values<'a> {
    pub(super) fn new(ask: AskSecret<'a>, folder: &'a Path, charts: Vec<PathBuf>) -> Self {
        Self {
            ask,
            folder,
            charts,
            known: RefCell::default(),
            remarks: RefCell::default(),
        }
    }

    /// Returns the value of the declaration with a number, for all sites or for one.
    ///
    /// # Errors
    ///
    /// `E-USAGE secret-value` for what is no value, a variable that is not set, or an answer that cannot be had; `E-POLICY secret-file` for
    /// a file within the release that others may read; `E-IO`. No error repeats a byte of it.
    pub(super) fn get(
        &self,
        number: usize,
        site: Option<&str>,
        name: &SecretName,
        source: &SecretSource,
    ) -> Result<SecretValue> {
        let key = (number, site.map(str::to_owned));
        if let Some(known) = self.known.borrow().get(&key) {
            return Ok(known.clone());
        }
        let of_site = site.map(|site| format!(" for {site}")).unwrap_or_default();
        let (bytes, from) = match source {
            SecretSource::File(path) => (self.file(path)?, format!("in {}", path.display())),
            SecretSource::Variable(variable) => {
                let value = std::env::var_os(variable).ok_or_else(|| unset(name, &of_site, variable))?;
                (Zeroizing::new(value.into_vec()), format!("in the variable {variable}"))
            }
            SecretSource::Ask => match self.ask {
                AskSecret::Asked(ask) => {
                    let answer = ask(&format!("{name}{of_site}"))?;
                    (
                        Zeroizing::new(answer.as_bytes().to_vec()),
                        "that was entered".to_owned(),
                    )
                }
                AskSecret::Assumed => (Zeroizing::new(b"?".to_vec()), String::new()),
            },
        };
        let value = SecretValue::new(bytes).map_err(|why| {
            Error::new(
                Class::Usage,
                "secret-value",
                format!("the value of {name}{of_site} {from} {why}"),
            )
            .expected("1 to 65,536 bytes of UTF-8 without NUL")
        })?;
        if value.as_str().len() < SECRET_SOUGHT_BYTES && !matches!(self.ask, AskSecret::Assumed) {
            let remark = format!(
                "the value of {name}{of_site} has fewer than {SECRET_SOUGHT_BYTES} bytes: sites cannot look for it, and it leaves with what an application prints"
            );
            self.remarks.borrow_mut().push(remark);
        }
        self.known.borrow_mut().insert(key, value.clone());
        Ok(value)
    }

    fn file(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>> {
        let failed = |error: io::Error| Error::io("open the value of a secret", path, error);
        let looked = Looked::at(path).map_err(failed)?;
        if !looked.is_file() {
            return Err(looked.refusal(path));
        }
        let real = looked.real_path().map_err(failed)?;
        if self.charts.iter().any(|chart| real.starts_with(chart)) {
            return Err(Error::new(
                Class::Policy,
                "secret-file",
                format!(
                    "{} lies in the folder of a chart, and travels with it in clear",
                    path.display()
                ),
            )
            .expected("the value of a secret outside of what travels")
            .remedy("move it out of the chart's folder"));
        }
        let is_inside = real.starts_with(self.folder);
        if is_inside && looked.mode() & 0o077 != 0 {
            return Err(Error::new(
                Class::Policy,
                "secret-file",
                format!(
                    "{} lies in the folder of the release and others may read it (mode {:o})",
                    path.display(),
                    looked.mode()
                ),
            )
            .expected("a file outside the folder, or one that only its owner may read")
            .remedy(format!("move it out of the folder, or chmod 600 {}", path.display())));
        }
        let file = std::fs::File::from(looked.open().map_err(failed)?);
        let mut bytes = Zeroizing::new(read_bounded(
            file,
            SECRET_BYTES as u64 + 1,
            &format!("the value in {}", path.display()),
        )?);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            let also = if bytes.last() == Some(&b'\r') {
                ", and the carriage return before it is"
            } else {
                ""
            };
            let remark = format!(
                "{}: the newline at its end is not part of the value{also}",
                path.display()
            );
            self.remarks.borrow_mut().push(remark);
        }
        Ok(bytes)
    }
}
