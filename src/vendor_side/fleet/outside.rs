//! What a release names outside its folder, all of it at once.

use crate::bundle::desired::DockerMode;
use crate::collect::Problems;
use crate::compose::{ComposeInput, Environment, load};
use crate::domain::{Error, Result};
use crate::release_file::{ApplicationKind, ReleaseFile};
use crate::{OUTSIDE, ReleaseFolder};

/// Refuses a release file that names what lies outside its folder and is not allowed, together with what the compose files that can be
/// read name there. Where the release file itself stays inside, theirs are found when they are read for the bundle.
///
/// # Errors
///
/// `E-USAGE outside` with the whole list.
pub(in super::super) fn check_walls(file: &ReleaseFile, folder: &ReleaseFolder) -> Result<()> {
    let mut problems = Problems::default();
    for named in &file.named {
        if let Err(error) = folder.look(&named.value)
            && error.is(OUTSIDE)
        {
            let (line, column) = named.place;
            let found = format!("{}:{line}:{column}: {}", file.path.display(), error.found());
            let noted = Error::new(error.class(), OUTSIDE, found);
            problems.add(&noted.remedy(error.advice().unwrap_or_default()));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    for application in &file.applications {
        let ApplicationKind::Compose(compose) = &application.kind else {
            continue;
        };
        let input = ComposeInput {
            folder,
            files: &compose.files,
            profiles: &compose.profiles,
            env: &Environment::default(),
            env_travels: false,
            mode: DockerMode::Compose,
        };
        // What else is wrong with these files is said when the release stays inside.
        let Ok(project) = load(&input) else { continue };
        for problem in project.problems().iter().filter(|problem| problem.code == OUTSIDE) {
            problems.add(&problem.error());
        }
    }
    problems.into_result()
}
