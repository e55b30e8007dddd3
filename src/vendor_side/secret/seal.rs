//! Sealing: for each site of the audience a document with the values that its targets use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::declared::declaration;
use super::rendered::Rendered;
use super::values::{AskSecret, Values};
use crate::bundle::ReleaseStatement;
use crate::bundle::desired::{DesiredState, SecretSource};
use crate::collect::Problems;
use crate::crypto::{RecipientKey, SealedSecret, SealedSecrets};
use crate::db::ledger::Site;
use crate::domain::limits::SECRET_SOUGHT_BYTES;
use crate::domain::{Audience, Class, DocumentType, Error, Result, Scope, SecretName, SiteId, Uuid};
use crate::release::find_site;
use crate::release_file::{ApplicationKind, ChartLocation, ReleaseFile, SecretOrigin};

/// What is sealed, and for how many sites.
#[derive(Debug, Default)]
pub(crate) struct Sealed {
    /// Documents of the type `secrets`.
    pub(crate) documents: Vec<Vec<u8>>,
    /// What deserves a word.
    pub(crate) remarks: Vec<String>,
}

/// Notes what keeps the secrets of a release from being sealed to its audience: before anything is collected or asked for.
pub(crate) fn check_audience(file: &ReleaseFile, audience: &Audience, sites: &[Site], problems: &mut Problems) {
    for entry in &file.secrets {
        let name = &entry.name.value;
        let (line, column) = entry.name.place;
        let wrong = |found: String| {
            let found = format!("{}:{line}:{column}: the secret {name} {found}", file.path.display());
            Error::new(Class::Content, "secret-audience", found)
        };
        let by_site = match &entry.origin {
            SecretOrigin::Generate { .. } | SecretOrigin::AskAtSite => continue,
            SecretOrigin::Sealed(_) => None,
            SecretOrigin::SealedBySite(by_site) => Some(by_site),
        };
        let Audience::Sites(ids) = audience else {
            let error = wrong("is sealed to sites, and the release is for any site".to_owned());
            problems.add(&error.remedy(
                "name the sites under audience:, or have each site make or enter the value: {site: generate} or {site: ask}",
            ));
            continue;
        };
        let mut named: Vec<SiteId> = Vec::new();
        for site in by_site.into_iter().flat_map(BTreeMap::keys) {
            match find_site(site, sites) {
                Ok(id) => named.push(id),
                Err((found, remedy)) => {
                    problems.add(&wrong(format!("is for a site that is none: {found}")).remedy(remedy));
                }
            }
        }
        for id in ids {
            let known = sites.iter().find(|site| site.site == *id);
            let called = known.map_or(id.as_str(), |site| site.name.as_str());
            if known.is_none() {
                let error = wrong(format!(
                    "cannot be sealed to the site {called}, whose key is not known here"
                ));
                problems.add(&error.remedy("enrol that site with `airlock vendor enroll FILE`"));
            } else if by_site.is_some() && !named.contains(id) {
                let error = wrong(format!("has no value for the site {called}"));
                problems.add(&error.remedy("add one under its sites:"));
            }
        }
    }
}

/// Reads the values that the vendor has, and seals to each site of the audience those that its targets use. `documents` are those that the
/// desired state names.
///
/// # Errors
///
/// Those of reading values; `E-POLICY secret` for a value that stands in a document in clear; `E-LIMIT rendered` where values make documents too large; `E-TRUST weak-key`, `E-IO random`; `E-INTERNAL` for what [`check_audience`] and the assembly refuse before.
pub(crate) fn seal(
    file: &ReleaseFile,
    ask: AskSecret<'_>,
    release: &ReleaseStatement,
    scope: &Scope,
    desired: &DesiredState,
    documents: &[(DocumentType, Vec<u8>)],
    sites: &[Site],
) -> Result<Sealed> {
    let rendered = Rendered::new(desired, documents);
    let Audience::Sites(ids) = &release.audience else {
        rendered.check(None, &[])?;
        return Ok(Sealed::default());
    };
    let folder = match file.folder() {
        here if here.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    let folder = folder
        .canonicalize()
        .map_err(|error| Error::io("open the folder", folder, error))?;
    let values = Values::new(ask, &folder, chart_folders(file));
    let mut sealed_documents = Vec::new();
    for id in ids {
        // By declaration: the targets that use it, none for the one value of a site.
        let mut used: BTreeMap<usize, (&SecretName, Vec<Uuid>)> = BTreeMap::new();
        for (target, secret) in desired.secrets() {
            let stands_there = target.site.as_ref().is_none_or(|site| site == id);
            if secret.source != SecretSource::Sealed || !stands_there {
                continue;
            }
            let (number, _) = declaration(file, &secret.name, &target.name).ok_or_else(gone)?;
            let (_, targets) = used.entry(number).or_insert_with(|| (&secret.name, Vec::new()));
            if secret.per_target {
                targets.push(target.id);
            }
        }
        let called = sites.iter().find(|site| site.site == *id);
        if used.is_empty() {
            rendered.check(Some((id, called.map_or(id.as_str(), |site| &site.name))), &[])?;
            continue;
        }
        let site = called.ok_or_else(gone)?;
        let mut secrets = Vec::new();
        for (number, (name, mut targets)) in used {
            let entry = file.secrets.get(number).ok_or_else(gone)?;
            let (source, of_site) = match &entry.origin {
                SecretOrigin::Sealed(source) => (source, None),
                SecretOrigin::SealedBySite(by_site) => {
                    let is_its = |named: &&String| find_site(named, sites).is_ok_and(|named| named == *id);
                    let named = by_site.keys().find(is_its).ok_or_else(gone)?;
                    (by_site.get(named).ok_or_else(gone)?, Some(named.as_str()))
                }
                SecretOrigin::Generate { .. } | SecretOrigin::AskAtSite => return Err(gone()),
            };
            targets.sort();
            targets.dedup();
            secrets.push(SealedSecret {
                value: values.get(number, of_site, name, source)?,
                name: name.clone(),
                targets,
            });
        }
        secrets.sort_by(|a, b| (&a.name, &a.targets).cmp(&(&b.name, &b.targets)));
        rendered.check(Some((id, &site.name)), &secrets)?;
        check_nowhere_in_clear(&secrets, documents)?;
        let sealed = SealedSecrets {
            scope: scope.clone(),
            counter: release.counter(),
            site: id.clone(),
            secrets,
        };
        sealed_documents.push(sealed.seal(&RecipientKey::x25519(site.recipient.0))?);
    }
    Ok(Sealed {
        documents: sealed_documents,
        remarks: values.remarks.into_inner(),
    })
}

/// The folders of charts that lie here, links followed.
fn chart_folders(file: &ReleaseFile) -> Vec<PathBuf> {
    let charts = file.applications.iter().filter_map(|entry| match &entry.kind {
        ApplicationKind::Helm(application) => match &application.chart {
            ChartLocation::Local(path, _) => path.canonicalize().ok(),
            ChartLocation::Oci(_) | ChartLocation::Repository { .. } => None,
        },
        ApplicationKind::Compose(_) => None,
    });
    charts.collect()
}

/// Refuses values that are sealed and stand in a document beside their seal, in clear. Shorter ones are not looked for: they would be found
/// in any text.
fn check_nowhere_in_clear(secrets: &[SealedSecret], documents: &[(DocumentType, Vec<u8>)]) -> Result<()> {
    for secret in secrets {
        let value = secret.value.as_str();
        if value.len() < SECRET_SOUGHT_BYTES {
            continue;
        }
        let quoted = serde_json::Value::from(value).to_string();
        let escaped = quoted.trim_matches('"').to_owned();
        let written = [
            value.to_owned(),
            value.replace('$', "$$"),
            escaped.replace('$', "$$"),
            escaped,
        ];
        let holds = |document: &[u8]| {
            let text = String::from_utf8_lossy(document);
            written.iter().any(|written| text.contains(written.as_str()))
        };
        if let Some((kind, _)) = documents.iter().find(|(_, document)| holds(document)) {
            return Err(Error::new(
                Class::Policy,
                "secret",
                format!(
                    "the value of the secret {} is sealed, and stands in clear in a document of the release beside it ({kind})",
                    secret.name
                ),
            )
            .expected("it nowhere but in its secret")
            .remedy(format!(
                "write \"{{{{ .Secrets.{} }}}}\" where it stands, or take the file that holds it out of the release",
                secret.name
            )));
        }
    }
    Ok(())
}

fn gone() -> Error {
    Error::new(Class::Internal, "sealed", "a secret that was checked is gone")
}
