//! Which secrets the deployments of a release use, against those that its file declares.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::desired::{SecretSource, SecretUse};
use crate::collect::Problems;
use crate::domain::{Class, Error, SecretName};
use crate::release_file::{ReleaseFile, SecretEntry, SecretOrigin};

/// A secret that a document has a place for, and where an author wrote it, as `FILE:LINE`.
pub(crate) type Used = (SecretName, String);

/// Returns the declaration of a secret that a target uses, with its place in the list.
pub(crate) fn declaration<'a>(
    file: &'a ReleaseFile,
    name: &SecretName,
    target: &str,
) -> Option<(usize, &'a SecretEntry)> {
    file.secrets.iter().enumerate().find(|(_, entry)| {
        let is_for_it = entry.targets.is_empty() || entry.targets.iter().any(|known| known.value == target);
        entry.name.value == *name && is_for_it
    })
}

/// Returns what the desired state says of the secrets that a deployment uses; nothing when it uses none. What is not declared was noted
/// before.
pub(crate) fn uses<'a>(
    file: &ReleaseFile,
    used: impl IntoIterator<Item = &'a Used>,
    target: &str,
) -> Option<Vec<SecretUse>> {
    let names: BTreeSet<&SecretName> = used.into_iter().map(|(name, _)| name).collect();
    let uses: Vec<SecretUse> = names
        .into_iter()
        .filter_map(|name| {
            let (_, entry) = declaration(file, name, target)?;
            let (source, alphabet, length) = match &entry.origin {
                SecretOrigin::Generate { alphabet, length } => (SecretSource::Generate, alphabet.clone(), *length),
                SecretOrigin::AskAtSite => (SecretSource::Ask, None, None),
                SecretOrigin::Sealed(_) | SecretOrigin::SealedBySite(_) => (SecretSource::Sealed, None, None),
            };
            Some(SecretUse {
                alphabet,
                length,
                name: name.clone(),
                per_target: !entry.targets.is_empty(),
                source,
            })
        })
        .collect();
    (!uses.is_empty()).then_some(uses)
}

/// Notes every secret that is used and not declared, or declared and not used. `uses` are the deployments' by target; `is_whole` says that
/// none is missing. Returns a sentence about each that is declared and that only services use which do not run: those are `resting`.
pub(crate) fn check(
    file: &ReleaseFile,
    uses: &[(&str, &[Used])],
    is_whole: bool,
    resting: &BTreeSet<&SecretName>,
    problems: &mut Problems,
) -> Vec<String> {
    let mut rests = Vec::new();
    // By name and place, so that one line is told once for all targets.
    let mut undeclared: BTreeMap<(&SecretName, &str), Vec<&str>> = BTreeMap::new();
    let mut declared: BTreeSet<(usize, &str)> = BTreeSet::new();
    for (target, used) in uses {
        for (name, place) in *used {
            if let Some((number, _)) = declaration(file, name, target) {
                declared.insert((number, target));
                continue;
            }
            let targets = undeclared.entry((name, place)).or_default();
            if !targets.contains(target) {
                targets.push(target);
            }
        }
    }
    for ((name, place), targets) in undeclared {
        let is_elsewhere = file.secrets.iter().any(|entry| entry.name.value == *name);
        let for_whom = if is_elsewhere {
            format!(" for {}", targets.join(", "))
        } else {
            String::new()
        };
        let only = if is_elsewhere {
            format!(", targets: [{}]", targets.join(", "))
        } else {
            String::new()
        };
        problems.add(
            &Error::new(
                Class::Content,
                "undeclared-secret",
                format!("{place}: the secret {name} is used and not declared{for_whom}"),
            )
            .remedy(format!(
                "add it under secrets: of the release file, as in - {{name: {name}, value: {{site: ask}}{only}}}"
            )),
        );
    }
    if !is_whole {
        return rests;
    }
    for (number, entry) in file.secrets.iter().enumerate() {
        let is_used = |target: &str| declared.contains(&(number, target));
        let idle: Vec<&str> = if entry.targets.is_empty() {
            let is_idle = !declared.iter().any(|(used, _)| *used == number);
            is_idle.then_some("").into_iter().collect()
        } else {
            let names = entry.targets.iter().map(|target| target.value.as_str());
            names.filter(|target| !is_used(target)).collect()
        };
        for target in idle {
            let (line, column) = entry.name.place;
            let on = if target.is_empty() {
                String::new()
            } else {
                format!(" on {target}")
            };
            let place = format!("{}:{line}:{column}", file.path.display());
            if resting.contains(&entry.name.value) {
                rests.push(format!(
                    "{place}: the secret {} is used{on} only by services without an activated profile, so no site is asked for it",
                    entry.name.value
                ));
                continue;
            }
            let found = format!(
                "{place}: the secret {} is declared and no deployment{on} uses it",
                entry.name.value
            );
            problems.add(
                &Error::new(Class::Content, "unused-secret", found)
                    .remedy("take it out, or put {{ .Secrets.NAME }} where its value belongs"),
            );
        }
    }
    rests
}
