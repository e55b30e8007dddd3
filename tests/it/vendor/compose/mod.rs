//! Rewritten compose files against real ones: whatever compose makes of the original files, it makes of the one file for the site.
//!
//! Runs with every compose that is there: the program that `AIRLOCK_TEST_COMPOSE` names, the plugin of `docker`, `docker-compose`. Where
//! there is none the run says so and skips; with `AIRLOCK_E2E=1` that is a failure instead. Stacks go through `docker stack config`.

#![allow(
    clippy::disallowed_methods,
    clippy::needless_raw_string_hashes,
    reason = "tests write what they read"
)]

mod applications;
mod carried;
mod cases;
mod engine;
mod files;
mod merging;
mod program;
mod refused;
mod secret_values;
mod verdicts;

pub(crate) use applications::{APPLICATIONS, SECRETS};
pub(crate) use program::{Compose, composes, say};

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::image_set::digest_of;
use airlock::bundle::desired::DockerMode;
use airlock::domain::{Digest, RepositoryName};
use airlock::vendor_side::ReleaseFolder;
use airlock::vendor_side::collect::ImageReference;
use airlock::vendor_side::compose::{ComposeInput, Environment, Project, load};

/// An application: files, which of them are given, profiles, environment file.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) files: &'static [(&'static str, &'static str)],
    pub(crate) given: &'static [&'static str],
    pub(crate) profiles: &'static [&'static str],
    pub(crate) env: &'static str,
    /// Images that must be found, in order.
    pub(crate) images: &'static [&'static str],
    /// Whether compose 1 knows everything in it.
    pub(crate) old: bool,
}

/// A case with one file.
pub(crate) const fn one(name: &'static str, files: &'static [(&'static str, &'static str)]) -> Case {
    Case {
        name,
        files,
        given: &["compose.yaml"],
        profiles: &[],
        env: "",
        images: &[],
        old: false,
    }
}

/// Writes the files of a case into a folder.
pub(crate) fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Loads a case from a folder.
pub(crate) fn load_from(folder: &Path, case: &Case, mode: DockerMode) -> airlock::domain::Result<Project> {
    let env = Environment::parse(Path::new("app.env"), case.env.as_bytes()).unwrap();
    load_with(folder, case, &env, mode)
}

/// Loads a case from a folder under an environment.
pub(crate) fn load_with(
    folder: &Path,
    case: &Case,
    env: &Environment,
    mode: DockerMode,
) -> airlock::domain::Result<Project> {
    let files: Vec<PathBuf> = case.given.iter().map(|name| folder.join(name)).collect();
    let profiles: Vec<String> = case.profiles.iter().map(|&profile| profile.to_owned()).collect();
    load(&ComposeInput {
        folder: &ReleaseFolder::anywhere(),
        files: &files,
        profiles: &profiles,
        env,
        env_travels: env.iter().next().is_some(),
        mode,
    })
}

/// Gives every image of a project a digest of its own.
pub(crate) fn resolve(project: &Project) -> BTreeMap<String, (RepositoryName, Digest)> {
    project
        .images()
        .into_iter()
        .map(|image| {
            let reference: ImageReference = image.reference.parse().unwrap();
            let digest = digest_of(image.reference.as_bytes());
            (image.reference, (reference.repository().unwrap(), digest))
        })
        .collect()
}

/// Where an image stands at a site.
pub(crate) fn placed(resolved: &BTreeMap<String, (RepositoryName, Digest)>, reference: &str) -> String {
    let (repository, digest) = &resolved[reference];
    format!("registry.airlock.internal/{repository}@{digest}")
}
