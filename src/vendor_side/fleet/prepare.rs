//! Reads everything that applications are made of and works out which images are needed.
//!
//! What cannot be carried is gathered, not reported one by one: the collection that follows adds what it does not find (D10).

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::agents::WantedAgent;
use super::closure::Closure;
use super::compose_application::ComposeVariant;
use super::gathered::Gathered;
use super::helm_application::{HelmBase, HelmVariant};
use super::helm_chart::WantedChart;
use crate::bundle::desired::DockerMode;
use crate::domain::{Class, Result};
use crate::vendor_side::ReleaseFolder;
use crate::vendor_side::collect::{ImageRequest, Problems, RegistryOptions, Source, is_of_registry, readable};
use crate::vendor_side::release_file::{
    AgentEntry, ApplicationEntry, ApplicationKind, ComposeApplication, DeploymentEntry, HelmApplication, ReleaseFile,
};

/// A release whose images are still to be collected.
#[derive(Debug)]
pub(in super::super) struct Prepared<'a> {
    pub(super) agents: Vec<WantedAgent<'a>>,
    pub(super) applications: Vec<PreparedApplication<'a>>,
    pub(super) closure: Closure,
    problems: Problems,
    /// What is not wrong here and may be at the site.
    pub(in super::super) warnings: Vec<String>,
}

/// An application in every form that its deployments need.
#[derive(Debug)]
pub(super) struct PreparedApplication<'a> {
    pub(super) entry: &'a ApplicationEntry,
    pub(super) kind: PreparedKind,
}

#[derive(Debug)]
pub(super) enum PreparedKind {
    /// By environment file and by what runs it.
    Compose(BTreeMap<(Option<PathBuf>, &'static str), ComposeVariant>),
    /// By values files of the deployment.
    Helm(Box<HelmBase>, BTreeMap<Vec<PathBuf>, HelmVariant>),
    /// Its problems were noted.
    Nothing,
}

/// Prepares a release. `documents` are those that are there already, as texts with their names.
///
/// # Errors
///
/// `E-POLICY secret` with everything that would travel in clear; `E-IO`, `E-LIMIT`, `E-USAGE` for files that cannot be read or
/// parsed.
pub(in super::super) fn prepare<'a>(
    file: &'a ReleaseFile,
    folder: &ReleaseFolder,
    documents: &[(&str, &str)],
    options: &RegistryOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Prepared<'a>> {
    let mut gathered = Gathered::new(folder.clone(), Closure::new(&file.images));
    for (name, text) in documents {
        gathered.findings.text(name, text);
    }
    let agents = file
        .agents
        .iter()
        .map(|agent| WantedAgent::new(agent, &mut gathered.closure))
        .collect();
    // The names that layouts have for their images are seen when they are collected.
    for image in file
        .images
        .iter()
        .chain(file.agents.iter().flat_map(AgentEntry::images))
    {
        let stored = match (&image.name, &image.source) {
            (Some((repository, _)), _) => Some(repository.clone()),
            (None, Source::Registry(reference)) => reference.repository(),
            (None, _) => None,
        };
        if let Some(stored) = stored
            && let Err(error) = readable(&stored, stored.as_str())
        {
            let (line, column) = image.place;
            let place = format!("{}:{line}:{column}", file.path.display());
            gathered.problems.note(&place, &error);
        }
    }
    let mut applications = Vec::new();
    for entry in &file.applications {
        for key in &entry.secrets {
            gathered.findings.note(format!(
                "{}:{}:{}: {} needs the secret {}",
                file.path.display(),
                key.place.0,
                key.place.1,
                entry.name.value,
                key.value
            ));
        }
        let deployments: Vec<&DeploymentEntry> = file
            .targets
            .iter()
            .flat_map(|target| &target.deployments)
            .filter(|deployment| deployment.application.value == entry.name.value)
            .collect();
        if deployments.is_empty() {
            gathered.warn(format!(
                "{} is deployed on no target: its images travel, the application does not",
                entry.name.value
            ));
        }
        let kind = match &entry.kind {
            ApplicationKind::Compose(application) => compose(entry, application, &deployments, &mut gathered)?,
            ApplicationKind::Helm(application) => {
                progress(&format!("the chart of {}", entry.name.value));
                match WantedChart::prepare(
                    &application.chart,
                    &file.product,
                    folder,
                    options,
                    &mut gathered.closure,
                ) {
                    Ok(chart) => {
                        let base = HelmBase::prepare(entry, application, chart, &mut gathered);
                        helm(entry, application, base, &deployments, &mut gathered)?
                    }
                    Err(error) if matches!(error.class(), Class::Content | Class::Limit) || is_of_registry(&error) => {
                        gathered.problems.note(entry.name.value.as_str(), &error);
                        PreparedKind::Nothing
                    }
                    Err(error) => return Err(error),
                }
            }
        };
        applications.push(PreparedApplication { entry, kind });
    }
    gathered.findings.into_result()?;
    Ok(Prepared {
        agents,
        applications,
        closure: gathered.closure,
        problems: gathered.problems,
        warnings: gathered.warnings,
    })
}

impl Prepared<'_> {
    /// Returns what is to be collected.
    pub(in super::super) fn requests(&self) -> &[ImageRequest] {
        self.closure.requests()
    }

    /// Gives the problems away, to be told with those of the collection.
    pub(in super::super) fn take_problems(&mut self) -> Problems {
        std::mem::take(&mut self.problems)
    }
}

/// Returns what decides how a compose application is read.
pub(super) fn compose_key(
    application: &ComposeApplication,
    deployment: Option<&DeploymentEntry>,
) -> (Option<PathBuf>, &'static str) {
    let own = deployment.and_then(|deployment| deployment.env_file.clone());
    let mode = match deployment.map(|deployment| deployment.mode) {
        Some(DockerMode::Swarm) => "swarm",
        Some(DockerMode::Compose) | None => "compose",
    };
    (own.or_else(|| application.env_file.clone()), mode)
}

/// One form for each environment file, and one for the application's own when nothing deploys it.
fn compose(
    entry: &ApplicationEntry,
    application: &ComposeApplication,
    deployments: &[&DeploymentEntry],
    gathered: &mut Gathered,
) -> Result<PreparedKind> {
    let mut variants = BTreeMap::new();
    let mut keys: Vec<_> = deployments
        .iter()
        .map(|deployment| compose_key(application, Some(deployment)))
        .collect();
    if keys.is_empty() {
        keys.push(compose_key(application, None));
    }
    keys.sort();
    keys.dedup();
    for key in keys {
        let variant = ComposeVariant::prepare(
            entry,
            application,
            key.0.as_deref(),
            if key.1 == "swarm" {
                DockerMode::Swarm
            } else {
                DockerMode::Compose
            },
            gathered,
        )?;
        if let Some(variant) = variant {
            variants.insert(key, variant);
        }
    }
    Ok(PreparedKind::Compose(variants))
}

fn helm(
    entry: &ApplicationEntry,
    application: &HelmApplication,
    base: HelmBase,
    deployments: &[&DeploymentEntry],
    gathered: &mut Gathered,
) -> Result<PreparedKind> {
    let mut variants = BTreeMap::new();
    let mut lists: Vec<Vec<PathBuf>> = deployments.iter().map(|deployment| deployment.values.clone()).collect();
    if lists.is_empty() {
        lists.push(Vec::new());
    }
    lists.sort();
    lists.dedup();
    for list in lists {
        let variant = HelmVariant::prepare(entry, application, &base, &list, gathered)?;
        if let Some(variant) = variant {
            variants.insert(list, variant);
        }
    }
    Ok(PreparedKind::Helm(Box::new(base), variants))
}
