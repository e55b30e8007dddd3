//! A compose application with one environment file: its images, and the file that agents get.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::closure::{Wanted, get};
use super::gathered::Gathered;
use crate::ReleaseFolder;
use crate::bundle::desired::{DockerMode, PLACEHOLDER_HOST, PLACEHOLDER_PROJECT};
use crate::collect::Stored;
use crate::compose::{ComposeInput, Environment, EnvironmentFile, Project, load};
use crate::domain::{Class, Error, Result, SecretName, limits};
use crate::leak::AllowPlain;
use crate::release_file::{ApplicationEntry, ComposeApplication};
use crate::secret::{MARK, TextKind, Used, is_marked, mark};
use crate::stream::{Looked, read_bounded};

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
        for problem in project.problems() {
            if problem.class == Class::Policy {
                gathered.findings.note_with_remedy(problem.to_string());
            } else {
                gathered.problems.add(&problem.error());
            }
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
            let used = images.keys().any(|known| {
                known == reference || known.parse::<crate::collect::ImageReference>() == reference.parse()
            });
            if !used && whole {
                gathered.problems.note(
                    name,
                    &Error::new(
                        Class::Content,
                        "reference",
                        format!("images names {reference:?}, which no service uses"),
                    ),
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
        let has_value = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
        gathered.findings.placed(&written.values, &place, &has_value, plain);
        if let Some((file, text)) = &env_text {
            gathered.findings.variables(file, text, plain);
        }
        for file in project.carried() {
            let path = file.path.display().to_string();
            gathered.findings.configuration(&path, &file.text, plain);
        }
        let places = project.secrets().iter();
        secrets.extend(places.map(|(name, place)| (name.clone(), format!("{}:{}", place.file.display(), place.line))));
        let resting = project.resting_secrets().to_vec();
        Ok(whole.then_some(Self {
            project,
            images,
            env,
            secrets,
            resting,
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
