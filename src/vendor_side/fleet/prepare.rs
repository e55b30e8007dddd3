//! Reads everything that applications are made of and works out which images are needed.
//!
//! What cannot be carried is gathered, not reported one by one: the collection that follows adds what it does not find (D10).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::agents::WantedAgent;
use super::chart_report::ChartReport;
use super::closure::Closure;
use super::compose_application::ComposeVariant;
use super::gathered::Gathered;
use super::helm_application::{HelmBase, HelmKey, HelmVariant, merged_values};
use super::helm_chart::WantedChart;
use super::helm_images::resolve;
use super::helm_question::{Question, Resolved};
use crate::bundle::desired::{DockerMode, SecretSource, SecretUse};
use crate::collect::{
    ImageRequest, Origins, Problems, RegistryOptions, Source, is_of_registry, is_of_source, readable,
};
use crate::domain::{Class, Error, Result, Scope, SecretName};
use crate::leak::AllowPlain;
use crate::release_file::{
    AgentEntry, ApplicationEntry, ApplicationKind, ComposeApplication, DeploymentEntry, ReleaseFile, SecretEntry,
    SecretOrigin, TargetEntry,
};
use crate::rendering::{Helm, HelmChoice};
use crate::secret::{self, TextKind, Used};
use crate::{ReleaseFolder, Warning};

/// A release whose images are still to be collected.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub(super) agents: Vec<WantedAgent<'a>>,
    pub(super) applications: Vec<PreparedApplication<'a>>,
    pub(super) closure: Closure,
    problems: Problems,
    /// What is not wrong here and may be at the site.
    pub(crate) warnings: Vec<Warning>,
    /// What became of charts.
    pub(crate) charts: Vec<ChartReport>,
}

/// Fewest bits of chance in a value that nobody can try out.
const LEAST_BITS: f64 = 40.0;

/// How charts are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChartOptions<'a> {
    /// What works them out.
    pub(crate) helm: &'a HelmChoice,
    /// What only looks like an image is refused too.
    pub(crate) strict: bool,
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
    /// By what decides how the chart comes out.
    Helm(Box<HelmBase>, BTreeMap<HelmKey, HelmVariant>),
    /// Its problems were noted.
    Nothing,
}

/// Prepares a release. `documents` are those that are there already, as texts with their names.
///
/// # Errors
///
/// `E-POLICY secret` with everything that would travel in clear; `E-IO`, `E-LIMIT`, `E-USAGE` for files that cannot be read or
/// parsed.
pub(crate) fn prepare<'a>(
    (file, scope): (&'a ReleaseFile, &Scope),
    folder: &ReleaseFolder,
    documents: &[(&str, &str)],
    options: &RegistryOptions,
    charts: ChartOptions<'_>,
    origins: &mut Origins,
    progress: &mut dyn FnMut(&str),
) -> Result<Prepared<'a>> {
    let mut names = |request: &ImageRequest| {
        if file.applications.is_empty() {
            return Vec::new();
        }
        progress(&request.source.to_string());
        // What is wrong with a source is told when it is collected.
        origins.names(request).unwrap_or_default()
    };
    let mut gathered = Gathered::new(folder.clone(), Closure::new(&file.images, &mut names));
    for entry in &file.files {
        gathered.closure.add(entry.request(scope)?);
    }
    for (name, text) in documents {
        for problem in &secret::mark(text, TextKind::Notes).problems {
            gathered.problems.add(&problem.error(Path::new(name)));
        }
        gathered.findings.text(name, text, AllowPlain::NOTHING);
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
            let error = if file.is_listed {
                error.remedy(format!(
                    "write the line {} registry.example.com/app:1.0, with a name of yours, into a file, and give that with --images FILE",
                    image.source
                ))
            } else {
                error
            };
            gathered.problems.note(&image.place, &error);
        }
    }
    // A list holds nothing else: where it is not collected, what is wrong with its other lines is told all the same.
    if file.is_listed && !gathered.problems.is_empty() {
        for image in &file.images {
            if let Err(error) = origins.looked_into(&image.source)
                && is_of_source(&error)
            {
                gathered
                    .problems
                    .note(&format!("{}: {}", image.place, image.source), &error);
            }
        }
    }
    let mut applications = Vec::new();
    let mut asked = Vec::new();
    for entry in &file.applications {
        let placed: Vec<(&TargetEntry, &DeploymentEntry)> = file
            .targets
            .iter()
            .flat_map(|target| target.deployments.iter().map(move |deployment| (target, deployment)))
            .filter(|(_, deployment)| deployment.application.value == entry.name.value)
            .collect();
        let deployments: Vec<&DeploymentEntry> = placed.iter().map(|(_, deployment)| *deployment).collect();
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
                        for key in helm_keys(entry, &placed) {
                            let own = merged_values(entry, application, &base.chart.chart, &key.0, &mut gathered)?;
                            // Helm is not let near a chart that is refused as it stands.
                            if base.chart.chart.missing.is_empty() {
                                asked.push((applications.len(), key, own));
                            }
                        }
                        PreparedKind::Helm(Box::new(base), BTreeMap::new())
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
    let helm = if asked.is_empty() {
        None
    } else {
        open_helm(charts.helm, &mut gathered)?
    };
    let questions: Vec<Question<'_>> = asked
        .iter()
        .filter_map(|(place, key, own)| {
            let PreparedApplication {
                entry,
                kind: PreparedKind::Helm(base, _),
            } = applications.get(*place)?
            else {
                return None;
            };
            let ApplicationKind::Helm(application) = &entry.kind else {
                return None;
            };
            Some(Question {
                name: entry.name.value.as_str(),
                application,
                chart: &base.chart,
                own: own.tree.clone(),
                secrets: secret::declared(file, &own.secrets),
                release: key.1.clone(),
                namespace: key.2.clone(),
                helm: helm.as_ref(),
                strict: charts.strict,
            })
        })
        .collect();
    let answers = resolve_all(&questions, &gathered.closure, progress)?;
    drop(questions);
    let mut reports = Vec::new();
    for ((place, key, own), resolved) in asked.into_iter().zip(answers) {
        // What is refused says more than a report would.
        if resolved.problems.is_empty() {
            reports.push(resolved.report.clone());
        }
        let Some(PreparedApplication { entry, kind }) = applications.get_mut(place) else {
            continue;
        };
        if let (ApplicationKind::Helm(application), PreparedKind::Helm(_, variants)) = (&entry.kind, kind)
            && let Some(variant) = HelmVariant::of(
                entry.name.value.as_str(),
                application,
                resolved,
                own.secrets,
                &mut gathered,
            )
        {
            variants.insert(key, variant);
        }
    }
    check_secrets(file, &applications, &mut gathered);
    // One list, and a secret in it is what weighs most.
    if let Err(secrets) = gathered.findings.into_result() {
        gathered.problems.add(&secrets);
        return Err(gathered.problems.into_error_like(&secrets));
    }
    Ok(Prepared {
        agents,
        applications,
        closure: gathered.closure,
        problems: gathered.problems,
        warnings: gathered.warnings,
        charts: reports,
    })
}

/// Notes secrets that deployments use and the file does not declare, and the other way round; one that only services use which do not run
/// is no mistake.
fn check_secrets(file: &ReleaseFile, applications: &[PreparedApplication<'_>], gathered: &mut Gathered) {
    let (mut uses, mut is_whole) = (Vec::new(), true);
    for target in &file.targets {
        for deployment in &target.deployments {
            let name = &deployment.application.value;
            let application = applications.iter().find(|known| known.entry.name.value == *name);
            match application.and_then(|application| application.secrets(target, deployment)) {
                Some(used) => uses.push((target.name.value.as_str(), used)),
                None => is_whole = false,
            }
        }
    }
    let variants = applications.iter().filter_map(|application| match &application.kind {
        PreparedKind::Compose(variants) => Some(variants.values()),
        PreparedKind::Helm(..) | PreparedKind::Nothing => None,
    });
    let told: BTreeSet<String> = variants
        .clone()
        .flatten()
        .flat_map(|variant| &variant.fragile)
        .filter_map(|(place, names)| spoiling(file, place, names))
        .collect();
    for text in told
        .into_iter()
        .chain(file.secrets.iter().filter_map(|entry| guessable(file, entry)))
    {
        gathered.warn(text);
    }
    let resting: BTreeSet<&SecretName> = variants.flatten().flat_map(|variant| &variant.resting).collect();
    let idle = secret::check(file, &uses, is_whole, &resting, &mut gathered.problems);
    for text in idle {
        gathered.warn(text);
    }
}

/// What is to be said of values that sites make and that somebody could try out.
fn guessable(file: &ReleaseFile, entry: &SecretEntry) -> Option<String> {
    let SecretOrigin::Generate { alphabet, length } = &entry.origin else {
        return None;
    };
    let used = SecretUse {
        alphabet: alphabet.clone(),
        length: *length,
        name: entry.name.value.clone(),
        per_target: false,
        source: SecretSource::Generate,
    };
    let characters = u32::try_from(used.alphabet().len()).unwrap_or(u32::MAX);
    let length = u32::try_from(used.length()).unwrap_or(u32::MAX);
    let bits = f64::from(characters).log2() * f64::from(length);
    let (line, column) = entry.name.place;
    (bits < LEAST_BITS).then(|| {
        format!(
            "{}:{line}:{column}: {length} characters of {characters} make a value of {} that can be tried out; say a greater length: or more \
             characters under alphabet:",
            file.path.display(),
            entry.name.value
        )
    })
}

/// What is to be said of a text that values could spoil; nothing where every value is letters and digits.
fn spoiling(file: &ReleaseFile, place: &str, names: &[SecretName]) -> Option<String> {
    let is_harmless = |name: &&SecretName| {
        let mut entries = file.secrets.iter().filter(|entry| entry.name.value == **name);
        entries.all(|entry| match &entry.origin {
            SecretOrigin::Generate { alphabet, .. } => {
                let mut characters = alphabet.iter().flat_map(|alphabet| alphabet.chars());
                characters.all(|c| c.is_ascii_alphanumeric())
            }
            _ => false,
        })
    };
    let names: Vec<String> = names
        .iter()
        .filter(|name| !is_harmless(name))
        .map(ToString::to_string)
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "{place}: a value of {} with quotes, backslashes or the like in it spoils the text around it: tell those who enter it, or have \
             sites make it of letters and digits with value: {{site: generate}}",
            names.join(" or ")
        )
    })
}

impl PreparedApplication<'_> {
    /// Returns the secrets that a deployment of it uses; nothing where its problems were noted.
    pub(super) fn secrets(&self, on: &TargetEntry, deployment: &DeploymentEntry) -> Option<&[Used]> {
        match (&self.kind, &self.entry.kind) {
            (PreparedKind::Compose(variants), ApplicationKind::Compose(application)) => {
                let variant = variants.get(&compose_key(application, Some(deployment)))?;
                Some(&variant.secrets)
            }
            (PreparedKind::Helm(_, variants), ApplicationKind::Helm(_)) => {
                Some(&variants.get(&helm_key(self.entry, Some((on, deployment))))?.secrets)
            }
            _ => None,
        }
    }
}

/// Opens helm, where there is one: a program that was only found and is none is said to be, and charts are read without it.
fn open_helm(choice: &HelmChoice, gathered: &mut Gathered) -> Result<Option<Helm>> {
    match choice {
        HelmChoice::Off => Ok(None),
        HelmChoice::Named(program) => Helm::open(program).map(Some),
        HelmChoice::Found(program) => match Helm::open(program) {
            Ok(helm) => Ok(Some(helm)),
            Err(error) => {
                gathered.warn(format!("{}: charts are read without it", error.found()));
                Ok(None)
            }
        },
    }
}

/// Resolves the images of every chart, as many at a time as there are cores.
fn resolve_all(questions: &[Question<'_>], closure: &Closure, progress: &mut dyn FnMut(&str)) -> Result<Vec<Resolved>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let answers: Vec<Mutex<Option<Result<Resolved>>>> = questions.iter().map(|_| Mutex::new(None)).collect();
    let (sender, done) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..cores.min(questions.len()) {
            let (next, answers, sender) = (&next, &answers, sender.clone());
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(question), Some(answer)) = (questions.get(number), answers.get(number)) else {
                        return;
                    };
                    let resolved = resolve(question, closure);
                    if let Ok(mut place) = answer.lock() {
                        *place = Some(resolved);
                    }
                    // Whoever listens is there as long as this runs.
                    sender.send(number).ok();
                }
            });
        }
        drop(sender);
        for (count, number) in (1..).zip(done) {
            if let Some(question) = questions.get(number) {
                let count: usize = count;
                progress(&format!(
                    "the images of {}, release {} ({count} of {} charts)",
                    question.name,
                    question.release,
                    questions.len()
                ));
            }
        }
    });
    answers
        .into_iter()
        .map(|answer| {
            let answer = answer.into_inner().ok().flatten();
            answer.unwrap_or_else(|| Err(Error::new(Class::Internal, "charts", "a chart was not looked at")))
        })
        .collect()
}

impl Prepared<'_> {
    /// Returns what is to be collected.
    pub(crate) fn requests(&self) -> &[ImageRequest] {
        self.closure.requests()
    }

    /// Returns where the release names what is to be collected.
    pub(crate) fn place(&self, request: &ImageRequest) -> Option<String> {
        self.closure.place(request).map(ToOwned::to_owned)
    }

    /// Gives the problems away, to be told with those of the collection.
    pub(crate) fn take_problems(&mut self) -> Problems {
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

/// Returns what decides how a chart comes out under a deployment, or without one.
pub(super) fn helm_key(entry: &ApplicationEntry, placed: Option<(&TargetEntry, &DeploymentEntry)>) -> HelmKey {
    let own = placed.and_then(|(_, deployment)| deployment.release_name.clone());
    (
        placed
            .map(|(_, deployment)| deployment.values.clone())
            .unwrap_or_default(),
        own.unwrap_or_else(|| entry.name.value.to_string()),
        placed
            .and_then(|(target, _)| target.namespace.clone())
            .unwrap_or_else(|| "default".to_owned()),
    )
}

fn helm_keys(entry: &ApplicationEntry, placed: &[(&TargetEntry, &DeploymentEntry)]) -> Vec<HelmKey> {
    let mut keys: Vec<HelmKey> = placed.iter().map(|placed| helm_key(entry, Some(*placed))).collect();
    if keys.is_empty() {
        keys.push(helm_key(entry, None));
    }
    keys.sort();
    keys.dedup();
    keys
}
