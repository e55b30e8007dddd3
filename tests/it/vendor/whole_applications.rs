//! Five applications shaped like well-known ones in one release, with their passwords and keys as secrets: all of each is sealed, nobody
//! has to be told anything, and nothing needs to be allowed in clear.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use airlock::bundle::desired::{DockerMode, PLACEHOLDER_PROJECT, SecretSource};
use airlock::domain::{Digest, RepositoryName};
use airlock::vendor_side::collect::ImageReference;
use serde_json::json;

use super::compose::{APPLICATIONS, Case, SECRETS, load_from, write};
use crate::support::image_set::{ImageSet, digest};
use crate::support::vendor_folder::{VendorFolder, desired};

const AGENTS: &str = "agents:\n- name: 3.1.0\n  docker: {source: 'oci:hello:1.0', name: 'a.example.com/d:1'}\n  \
                      autoheal: {source: 'oci:hello:1.0', name: 'a.example.com/h:1'}\n";

/// What the vendor seals: the files that the release names.
pub(crate) const ASSISTANT_KEY: &str = "k-4ss1st \"$HOME\" ${X:-y} 100%";
pub(crate) const WIKI_LICENCE: &str = "of: plant\nuntil: '2030'\nseal: 4f-$$-\\-#";

/// An application in a release: what is written for it, and the images that it names.
pub(crate) struct InRelease {
    case: &'static Case,
    resolved: BTreeMap<String, (RepositoryName, Digest)>,
    text: String,
}

/// Writes the applications into a folder with the fixture `hello`, with their images and what is sealed, and returns the release file
/// behind its first lines, for one target `press-1`.
pub(crate) fn lay_out(folder: &Path) -> (String, Vec<InRelease>) {
    let mut image_set = ImageSet::default();
    let (mut entries, mut held) = (Vec::new(), BTreeMap::<String, (RepositoryName, Digest)>::new());
    let (mut applications, mut deployments) = (String::new(), String::new());
    let mut all = Vec::new();
    for case in APPLICATIONS {
        let own = folder.join(case.name);
        write(&own, case.files);
        write(&own, &[("app.env", case.env)]);
        let project = load_from(&own, case, DockerMode::Compose).unwrap();
        let mut mapping = BTreeSet::new();
        for used in project.images() {
            let name: ImageReference = used.reference.parse().unwrap();
            let tagged = if name.tag.is_some() {
                name.to_string()
            } else {
                format!("{name}:latest")
            };
            held.entry(used.reference.clone()).or_insert_with(|| {
                let mut image = image_set.image("linux/amd64", used.reference.as_bytes());
                let digest = digest(&image);
                image["annotations"] = json!({"io.containerd.image.name": tagged});
                entries.push(image);
                (name.repository().unwrap(), digest)
            });
            mapping.insert(format!("'{}': 'oci:images.tar:{tagged}'", used.reference));
        }
        let given: Vec<String> = case.given.iter().map(|file| format!("{}/{file}", case.name)).collect();
        writeln!(
            applications,
            "- {{name: {0}, version: \"1\", compose: [{1}], profiles: {2:?}, env_file: {0}/app.env, images: {{{3}}}}}",
            case.name,
            given.join(", "),
            case.profiles,
            mapping.into_iter().collect::<Vec<_>>().join(", "),
        )
        .unwrap();
        write!(deployments, "{{application: {}}}, ", case.name).unwrap();
        let resolved = project
            .images()
            .into_iter()
            .map(|used| (used.reference.clone(), held[&used.reference].clone()))
            .collect();
        let text = project.rewrite(&resolved, PLACEHOLDER_PROJECT).unwrap();
        all.push(InRelease {
            case,
            resolved,
            text: String::from_utf8(text).unwrap(),
        });
    }
    fs::write(folder.join("images.tar"), image_set.tar(&entries)).unwrap();
    write(
        folder,
        &[
            ("private/assistant-key", ASSISTANT_KEY),
            ("private/wiki-licence", WIKI_LICENCE),
        ],
    );
    for name in ["assistant-key", "wiki-licence"] {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.join("private").join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let release = format!(
        "{AGENTS}applications:\n{applications}targets:\n- {{name: press-1, kind: docker, deployments: [{deployments}]}}\n{SECRETS}"
    );
    (release, all)
}

#[test]
fn applications_shaped_like_well_known_ones_are_sealed_without_a_complaint() {
    let mut folder = VendorFolder::new();
    folder.enrol("plant", [1; 32]);
    folder.overrides.sites = vec!["plant".into()];
    let (release, all) = lay_out(&folder.path(""));
    assert!(!release.contains("allow_plain"));
    let (built, bundle) = folder.build(&release, 1).unwrap();
    // One names its project in its environment file, as its publisher does.
    let [warning] = folder.warnings.as_slice() else {
        panic!("{:?}", folder.warnings)
    };
    assert!(
        warning.contains("error-tracker/app.env:1: COMPOSE_PROJECT_NAME stays out of what travels"),
        "{warning}"
    );
    assert_eq!(built.sealed, 1);
    for value in [ASSISTANT_KEY, WIKI_LICENCE] {
        assert!(!String::from_utf8_lossy(&bundle).contains(value));
    }
    let contents = folder.contents();
    let [target] = desired(&built).targets.as_slice() else {
        panic!("one target")
    };
    assert_eq!(target.deployments.len(), APPLICATIONS.len());
    for InRelease { case, resolved, text } in &all {
        let deployment = target
            .deployments
            .iter()
            .find(|deployment| deployment.application.as_str() == case.name)
            .unwrap();
        // Exactly its images travel for it, and the agent gets what a real compose was compared with.
        let images: BTreeSet<_> = deployment
            .images
            .iter()
            .map(|image| (image.repository.clone(), image.digest))
            .collect();
        assert_eq!(images, resolved.values().cloned().collect(), "{}", case.name);
        let docker = deployment.docker.as_ref().unwrap();
        assert_eq!(contents.text(docker.compose), *text, "{}", case.name);
        let env = case
            .env
            .replace("COMPOSE_PROJECT_NAME=tracker", "COMPOSE_PROJECT_NAME=");
        assert_eq!(contents.text(docker.env.unwrap()), env, "{}", case.name);
        // Each needs one that its site makes, and nothing in its place.
        let made = deployment
            .secrets()
            .iter()
            .filter(|secret| secret.source == SecretSource::Generate);
        assert!(made.count() > 0, "{}", case.name);
    }
}
