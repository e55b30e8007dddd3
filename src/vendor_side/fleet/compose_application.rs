//! A compose application with one environment file: its images, and the file that agents get.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::closure::{Wanted, get};
use super::gathered::Gathered;
use crate::ReleaseFolder;
use crate::bundle::desired::{DockerMode, PLACEHOLDER_HOST, PLACEHOLDER_PROJECT};
use crate::collect::{ImageReference, Stored};
use crate::compose::{ComposeInput, Environment, EnvironmentFile, Project, load};
use crate::domain::{Class, Error, Result, SecretName, limits};
use crate::leak::AllowPlain;
use crate::release_file::{ApplicationEntry, ComposeApplication};
use crate::secret::{MARK, TextKind, Used, fragile, is_marked, mark};
use crate::stream::{Looked, read_bounded};
use crate::suggest::nearest;

/// A compose application under one environment.
#[derive(Debug)]
pub(super) struct ComposeVariant {
    project: Project,
    /// Images by the reference that they have in the file after interpolation.
    images: BTreeMap<String, Wanted>,
    /// Bytes of the environment file; nothing when there is none or it is empty.
    pub(super) env: Option<Vec<u8>>,
    /// Secrets that both have places for.
    pub(super) secrets: Vec<Used>,
    /// Secrets that only services use which do not run.
    pub(super) resting: Vec<SecretName>,
    /// Texts that a value could spoil, by their place, and the secrets in them.
    pub(super) fragile: Vec<(String, Vec<SecretName>)>,
}

impl ComposeVariant {
    /// Reads files and environment and asks for the images. Nothing is returned when problems were noted instead.
    ///
    /// # Errors
    ///
    /// `E-IO` and `E-LIMIT` for files; `E-USAGE` for what is no compose file.
    pub(super) fn prepare(
        entry: &ApplicationEntry,
        application: &ComposeApplication,
        env_file: Option<&Path>,
        mode: DockerMode,
        gathered: &mut Gathered,
    ) -> Result<Option<Self>> {
        let name = entry.name.value.as_str();
        let plain = AllowPlain(&entry.allow_plain);
        for path in &application.files {
            let text = text_of(&gathered.folder, path)?;
            let file = path.display().to_string();
            no_placeholder(&file, &text)?;
        }
        let (mut env, mut env_text) = (None, None);
        let beside = beside(application, &gathered.folder)?;
        if let (None, Some(path)) = (env_file, &beside) {
            let file = path.display();
            gathered.warn(format!(
                "{name} has no env_file, so {file} is its environment file, as for compose; say env_file: {file} to be told no more"
            ));
        }
        let env_file = env_file.or(beside.as_deref());
        let mut secrets: Vec<Used> = Vec::new();
        let environment = match env_file {
            None => Environment::default(),
            Some(path) => {
                let text = text_of(&gathered.folder, path)?;
                let file = path.display().to_string();
                no_placeholder(&file, &text)?;
                let marked = mark(&text, TextKind::Environment);
                for problem in &marked.problems {
                    gathered.problems.add(&problem.error(path));
                }
                gathered.findings.lines(&file, &marked.text, plain);
                let read = EnvironmentFile::read(path, &marked.text)?;
                if let Some(line) = read.project {
                    gathered.warn(format!(
                        "{file}:{line}: COMPOSE_PROJECT_NAME stays out of what travels: at a site the project has the name of its deployment"
                    ));
                }
                env_text = Some((file.clone(), marked.text));
                let places = read.secrets.into_iter();
                secrets.extend(places.map(|(name, line)| (name, format!("{file}:{line}"))));
                env = Some(read.bytes).filter(|bytes| !bytes.is_empty());
                read.environment
            }
        };
        if let Some(left) = left_beside(application, &environment, &gathered.folder) {
            gathered.warn(format!(
                "{name} is made of {} alone, and compose would read {left} too; list both under compose:, or take {left} away to be told no more",
                application.files.first().map(|file| file.display().to_string()).unwrap_or_default()
            ));
        }
        let folder = gathered.folder.clone();
        let input = ComposeInput {
            folder: &folder,
            files: &application.files,
            profiles: &application.profiles,
            env: &environment,
            env_travels: env.is_some(),
            mode,
        };
        let project = load(&input)?;
        for problem in project
            .problems()
            .iter()
            .filter(|problem| problem.class != Class::Policy)
        {
            gathered.problems.add(&problem.error());
        }
        for warning in project.warnings() {
            gathered.warn(warning.to_string());
        }
        let mut images = BTreeMap::new();
        let mut whole = project.problems().is_empty();
        for used in project.images() {
            if is_marked(&used.reference) {
                whole = false;
                let found = format!(
                    "{}: the image of the service {} is named by a secret",
                    used.place, used.service
                );
                gathered
                    .problems
                    .add(&Error::new(Class::Content, "template", found).remedy("write the name of the image out"));
                continue;
            }
            match gathered.closure.reference(&used.reference, &application.images) {
                Ok(wanted) => {
                    images.insert(used.reference.clone(), wanted);
                }
                // What compose itself would say of it is said already.
                Err(_) if project.problems().iter().any(|problem| problem.place == used.place) => whole = false,
                Err(error) => {
                    whole = false;
                    gathered
                        .problems
                        .note(&format!("{}: service {}", used.place, used.service), &error);
                }
            }
        }
        for reference in application.images.keys() {
            let meant = |text: &str| text.parse().map(ImageReference::meant);
            let used = images.keys().any(|known| meant(known) == meant(reference));
            if !used && whole {
                let error = Error::new(
                    Class::Content,
                    "reference",
                    format!("images names {reference:?}, which no service that runs uses"),
                );
                // A digest behind it makes another one of it.
                let is_of_it = |used: &&String| used.split_once('@').is_some_and(|(name, _)| name == reference);
                let meant = images
                    .keys()
                    .find(is_of_it)
                    .map(String::as_str)
                    .or_else(|| nearest(reference, images.keys().map(String::as_str)));
                gathered.problems.note(
                    name,
                    &match meant {
                        Some(meant) => error.remedy(format!("did you mean {meant}?")),
                        None => error.remedy("take it out, or activate the profile of the service that uses it"),
                    },
                );
            }
        }
        // What agents get, and nothing else: neither what is left out nor what only a build needs travels.
        let written = project.written();
        let place = |path: &str| {
            let place = written.place(path);
            place.map_or_else(
                || (name.to_owned(), 1),
                |place| (place.file.display().to_string(), place.line),
            )
        };
        for file in project.verbatim() {
            gathered.findings.takes_verbatim(&file.display().to_string());
        }
        let has_value = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
        gathered.findings.placed(&written.values, &place, &has_value, plain);
        if let Some((file, text)) = &env_text {
            gathered.findings.variables(file, text, plain);
        }
        for file in project.carried() {
            let path = file.path.display().to_string();
            gathered.findings.configuration(&path, &file.text, plain);
        }
        for problem in project
            .problems()
            .iter()
            .filter(|problem| problem.class == Class::Policy)
        {
            let at = format!("{}:{}:", problem.place.file.display(), problem.place.line);
            if !gathered.findings.has_private_key(&at) {
                gathered.findings.note_with_remedy(problem.to_string());
            }
        }
        let mut texts: Vec<(String, Vec<SecretName>)> = Vec::new();
        each_text(&written.values, &mut String::new(), &mut |path, text| {
            // Of a pair in a list the value is a text of its own.
            let is_pair = path.contains(".environment.") && text.split_once('=').is_some_and(|(key, _)| is_name(key));
            let text = if is_pair {
                text.split_once('=').map_or(text, |(_, value)| value)
            } else {
                text
            };
            let (file, line) = place(path);
            texts.push((format!("{file}:{line}"), fragile(text)));
        });
        for file in project.carried() {
            let line = (1_usize..)
                .zip(file.text.lines())
                .find(|(_, line)| is_marked(line))
                .map_or(1, |(line, _)| line);
            texts.push((format!("{}:{line}", file.path.display()), fragile(&file.text)));
        }
        texts.retain(|(_, names)| !names.is_empty());
        let places = project.secrets().iter();
        secrets.extend(places.map(|(name, place)| (name.clone(), format!("{}:{}", place.file.display(), place.line))));
        let resting = project.resting_secrets().to_vec();
        Ok(whole.then_some(Self {
            project,
            images,
            env,
            secrets,
            resting,
            fragile: texts,
        }))
    }

    /// Returns the images, and the compose file with the placeholders.
    ///
    /// # Errors
    ///
    /// Those of [`Project::rewrite`]; `E-LIMIT` for a file that is too large.
    pub(super) fn document<'a>(&self, stored: &'a [Stored]) -> Result<(Vec<&'a Stored>, Vec<u8>)> {
        let mut resolved = BTreeMap::new();
        let mut images = Vec::new();
        for (reference, wanted) in &self.images {
            let held = get(stored, *wanted)?;
            images.push(held);
            resolved.insert(reference.clone(), (held.repository.clone(), held.digest));
        }
        Ok((images, self.project.rewrite(&resolved, PLACEHOLDER_PROJECT)?))
    }
}

/// Whether a text is the name of a variable.
fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Goes through the texts with secrets in them, each with its path.
fn each_text(value: &serde_json::Value, path: &mut String, found: &mut dyn FnMut(&str, &str)) {
    let mut below = |key: &str, value: &serde_json::Value| {
        let length = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
        each_text(value, path, found);
        path.truncate(length);
    };
    match value {
        serde_json::Value::Object(map) => map.iter().for_each(|(key, value)| below(key, value)),
        serde_json::Value::Array(list) => {
            (0_usize..)
                .zip(list)
                .for_each(|(number, value)| below(&number.to_string(), value));
        }
        serde_json::Value::String(text) if is_marked(text) => found(path, text),
        _ => {}
    }
}

/// The file that compose reads variables from where none is named: `.env` in the folder of the first compose file.
///
/// # Errors
///
/// `E-USAGE outside`; `E-IO`.
fn beside(application: &ComposeApplication, folder: &ReleaseFolder) -> Result<Option<PathBuf>> {
    let Some(first) = application.files.first() else {
        return Ok(None);
    };
    let path = first.parent().unwrap_or(Path::new("")).join(".env");
    Ok(folder.look(&path)?.filter(Looked::is_file).map(|_| path))
}

/// The file that compose would read beside the one that is named: an override, or what `COMPOSE_FILE` lists.
fn left_beside(application: &ComposeApplication, environment: &Environment, folder: &ReleaseFolder) -> Option<String> {
    let [only] = application.files.as_slice() else {
        return None;
    };
    let beside = only.parent().unwrap_or(Path::new(""));
    let name = only.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let separator = environment.get("COMPOSE_PATH_SEPARATOR").unwrap_or(":");
    let mut listed: Vec<String> = environment
        .get("COMPOSE_FILE")
        .map(|files| files.split(separator).map(str::to_owned).collect())
        .unwrap_or_default();
    if listed.is_empty()
        && let Some((stem @ ("compose" | "docker-compose"), _)) = name.rsplit_once('.')
    {
        listed = ["yaml", "yml"]
            .map(|ending| format!("{stem}.override.{ending}"))
            .to_vec();
    }
    let others = listed.iter().filter(|file| file.as_str() != name && !file.is_empty());
    // What lies elsewhere is none of the application.
    let is_there = |path: &Path| folder.look(path).ok().flatten().is_some_and(|looked| looked.is_file());
    let found = others.map(|file| beside.join(file)).find(|path| is_there(path))?;
    Some(found.display().to_string())
}

/// Reads a text file of an author.
///
/// # Errors
///
/// `E-IO`, `E-LIMIT`; `E-USAGE outside`, `not-a-file`, and `yaml` for what is no text.
pub(super) fn text_of(folder: &ReleaseFolder, path: &Path) -> Result<String> {
    let bytes = read_bounded(
        folder.file(path, "open")?,
        limits::MANIFEST_BYTES,
        &path.display().to_string(),
    )?;
    String::from_utf8(bytes)
        .map_err(|_| Error::new(Class::Usage, "yaml", format!("{} is no UTF-8 text", path.display())))
}

/// Placeholders are written by this program alone.
///
/// # Errors
///
/// `E-USAGE placeholder`.
pub(super) fn no_placeholder(file: &str, text: &str) -> Result<()> {
    for (number, line) in (1_u64..).zip(text.lines()) {
        if let Some(placeholder) = [PLACEHOLDER_HOST, PLACEHOLDER_PROJECT, MARK]
            .into_iter()
            .find(|text| line.contains(text))
        {
            return Err(Error::new(
                Class::Usage,
                "placeholder",
                format!("{file}:{number}: {placeholder} stands for something at the site"),
            )
            .expected("the registries that images really come from, and names of your own")
            .remedy("name the registry that the image really comes from, or use another name"));
        }
    }
    Ok(())
}
