//! Five applications shaped like well-known ones in one release: all of each is sealed, and nobody has to be told anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use airlock::bundle::desired::{DockerMode, PLACEHOLDER_PROJECT};
use airlock::domain::{Digest, RepositoryName};
use airlock::vendor_side::collect::ImageReference;
use serde_json::json;

use super::compose::{APPLICATIONS, load_from};
use crate::support::image_set::{ImageSet, digest};
use crate::support::vendor_folder::{VendorFolder, desired};

const AGENTS: &str = "agents:\n- name: 3.1.0\n  docker: {source: 'oci:hello:1.0', name: 'a.example.com/d:1'}\n  \
                      autoheal: {source: 'oci:hello:1.0', name: 'a.example.com/h:1'}\n";

#[test]
fn applications_shaped_like_well_known_ones_are_sealed_without_a_complaint() {
    let mut folder = VendorFolder::new();
    let mut image_set = ImageSet::default();
    let (mut entries, mut held) = (Vec::new(), BTreeMap::<String, (RepositoryName, Digest)>::new());
    let (mut applications, mut deployments) = (String::new(), String::new());
    let mut texts = Vec::new();
    for case in APPLICATIONS {
        for (name, text) in case.files {
            folder.write(&format!("{}/{name}", case.name), text);
        }
        folder.write(&format!("{}/app.env", case.name), case.env);
        let project = load_from(&folder.path(case.name), case, DockerMode::Compose).unwrap();
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
        texts.push((case, resolved, String::from_utf8(text).unwrap()));
    }
    folder.write("images.tar", image_set.tar(&entries));
    let (built, _) = folder
        .build(
            &format!(
                "{AGENTS}applications:\n{applications}targets:\n- {{name: press-1, kind: docker, deployments: [{deployments}]}}\n"
            ),
            1,
        )
        .unwrap();
    assert!(folder.warnings.is_empty(), "{:?}", folder.warnings);
    let contents = folder.contents();
    let [target] = desired(&built).targets.as_slice() else {
        panic!("one target")
    };
    assert_eq!(target.deployments.len(), APPLICATIONS.len());
    for (case, resolved, text) in &texts {
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
        assert_eq!(contents.text(docker.env.unwrap()), case.env, "{}", case.name);
    }
}
