//! A compose application with one environment file: its images, and the file that agents get.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::closure::{Wanted, get};
use super::gathered::Gathered;
use crate::bundle::desired::{DockerMode, PLACEHOLDER_HOST, PLACEHOLDER_PROJECT};
use crate::domain::{Class, Digest, Error, Hash, RepositoryName, Result, limits};
use crate::stream::{Looked, read_bounded};
use crate::vendor_side::ReleaseFolder;
use crate::vendor_side::collect::Stored;
use crate::vendor_side::compose::{ComposeInput, Environment, Project, load};
use crate::vendor_side::leak::DeclaredKeys;
use crate::vendor_side::release_file::{ApplicationEntry, ComposeApplication};

/// A compose application under one environment.
#[derive(Debug)]
pub(super) struct ComposeVariant {
    project: Project,
    /// Images by the reference that they have in the file after interpolation.
    images: BTreeMap<String, Wanted>,
    /// Bytes of the environment file; nothing when there is none or it is empty.
    pub(super) env: Option<Vec<u8>>,
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
        let secrets: Vec<String> = entry.secrets.iter().map(|key| key.value.clone()).collect();
        let declared = DeclaredKeys {
            secrets: &secrets,
            allow_plain: &entry.allow_plain,
        };
        let findings_before = gathered.findings.count();
        for path in &application.files {
            let text = text_of(&gathered.folder, path)?;
            let file = path.display().to_string();
            no_placeholder(&file, &text)?;
            match crate::vendor_side::yaml::mapping(&file, text.as_bytes()) {
                Ok(tree) => {
                    gathered.findings.text(&file, &text);
                    gathered.findings.values(&file, &tree, declared);
                }
                // Compose has tags of its own; lines say enough then, and real mistakes are found below.
                Err(_) => gathered.findings.lines(&file, &text, declared),
            }
        }
        let mut env = None;
        let beside = beside(application, &gathered.folder)?;
        if let (None, Some(path)) = (env_file, &beside) {
            let file = path.display();
            gathered.warn(format!(
                "{name} has no env_file, so {file} is its environment file, as for compose; say env_file: {file} to be told no more"
            ));
        }
        let env_file = env_file.or(beside.as_deref());
        let environment = match env_file {
            None => Environment::default(),
            Some(path) => {
                let text = text_of(&gathered.folder, path)?;
                let file = path.display().to_string();
                no_placeholder(&file, &text)?;
                gathered.findings.lines(&file, &text, declared);
                let parsed = Environment::parse(path, text.as_bytes())?;
                env = Some(text.into_bytes()).filter(|bytes| !bytes.is_empty());
                parsed
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
                gathered.findings.note(problem.to_string());
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
            match gathered.closure.reference(&used.reference, &application.images) {
                Ok(wanted) => {
                    images.insert(used.reference.clone(), wanted);
                }
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
                known == reference || known.parse::<crate::vendor_side::collect::ImageReference>() == reference.parse()
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
        // What files brought in by include and extends hold is seen where everything is merged; it has no lines any more.
        if whole && gathered.findings.count() == findings_before {
            let merged = merged(&project)?;
            let label = format!("{name}, all files merged");
            gathered.findings.text(&label, &merged);
            if let Ok(tree) = crate::vendor_side::yaml::mapping(&label, merged.as_bytes()) {
                gathered.findings.values(&label, &tree, declared);
            }
        }
        Ok(whole.then_some(Self { project, images, env }))
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

/// The document that agents will get, with digests that nothing has.
fn merged(project: &Project) -> Result<String> {
    let nothing = Digest(Hash([0; 32]));
    let somewhere: RepositoryName = "localhost/image".parse().expect("a legal name");
    let resolved = project
        .images()
        .into_iter()
        .map(|image| (image.reference, (somewhere.clone(), nothing)))
        .collect();
    let bytes = project.rewrite(&resolved, PLACEHOLDER_PROJECT)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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
        if let Some(placeholder) = [PLACEHOLDER_HOST, PLACEHOLDER_PROJECT]
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
