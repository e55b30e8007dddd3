//! Where images come from and when: at a site always from the appliance, and by their digest, so that most of what an author says of it
//! means nothing there.

use super::interpolation::Findings;
use super::node::{Map, Node};
use super::problem::{Problem, cut};

/// Takes out `build` where an image is named too, and every word about when to pull; what then is another way than it was is noted.
pub(super) fn normalize_pulling(root: &mut Map, findings: &mut Findings) {
    let Some(services) = root.get_mut("services").and_then(Node::map_mut) else {
        return;
    };
    for (name, service) in services {
        let Some(entries) = service.map_mut() else { continue };
        let has_image = entries
            .get("image")
            .and_then(Node::text)
            .is_some_and(|image| !image.is_empty());
        if has_image && let Some(build) = entries.remove("build") {
            findings.warnings.push(Problem::new(
                "build",
                &build.place,
                format!("build of the service {name} is left out: its image is carried as it is published"),
                "push what was built under the name of image:, or remove build",
            ));
        }
        entries.remove("pull_refresh_after");
        let Some(policy) = entries.remove("pull_policy") else {
            continue;
        };
        let word = policy.text().unwrap_or_default();
        if !matches!(word, "missing" | "if_not_present") {
            findings.warnings.push(Problem::new(
                "pull-policy",
                &policy.place,
                format!(
                    "pull_policy of the service {name} ({}) is left out: at a site an image is pulled where it is missing",
                    cut(word)
                ),
                "remove pull_policy: the image is pinned, and what is there already is the same",
            ));
        }
    }
}
