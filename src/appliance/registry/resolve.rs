//! Which repositories a request may mean (D8). Pure.

use crate::domain::RepositoryName;

/// The registry that engines mean when a name has no host, and the prefix that it gives to names of one segment.
const DOCKER_HUB: &str = "docker.io";

/// Returns the repositories that a name may stand for, or nothing when it is no repository name.
///
/// `namespace` is the host that a mirror request states (`?ns=`); `homes` are the home hosts of the active releases.
pub(super) fn candidates(name: &str, namespace: Option<&str>, homes: &[String]) -> Option<Vec<RepositoryName>> {
    if let Some(host) = namespace {
        // A slash would move the border between host and path.
        if host.contains('/') {
            return None;
        }
        return Some(vec![RepositoryName::under(host, name).ok()?]);
    }
    let first = name.split('/').next().unwrap_or_default();
    if first.contains(['.', ':']) || first == "localhost" {
        return Some(vec![name.parse().ok()?]);
    }
    // Checked under a host of its own, so that a bad name is bad with any home host or none.
    RepositoryName::under("a.b", name).ok()?;
    let mut found = Vec::new();
    for home in homes {
        found.extend(RepositoryName::under(home, name).ok());
        if home == DOCKER_HUB && !name.contains('/') {
            found.extend(RepositoryName::under(home, &format!("library/{name}")).ok());
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_namespace_by_host_or_under_a_home() {
        let homes = ["docker.io".to_owned(), "registry.distr.sh".to_owned()];
        for (name, namespace, expected) in [
            ("library/postgres", Some("docker.io"), "docker.io/library/postgres"),
            ("docker.io/library/postgres", None, "docker.io/library/postgres"),
            ("localhost/a", None, "localhost/a"),
            ("localhost:5000/a/b", None, "localhost:5000/a/b"),
            ("acme/web", None, "docker.io/acme/web registry.distr.sh/acme/web"),
            ("web", None, "docker.io/web docker.io/library/web registry.distr.sh/web"),
            ("quay.io/a", Some("docker.io"), "docker.io/quay.io/a"),
        ] {
            let found = candidates(name, namespace, &homes).unwrap();
            let found: Vec<_> = found.iter().map(RepositoryName::as_str).collect();
            assert_eq!(found.join(" "), expected, "{name} {namespace:?}");
        }
        assert_eq!(candidates("acme/web", None, &[]), Some(vec![]));
    }

    #[test]
    fn what_is_no_name_has_no_candidates() {
        for (name, namespace) in [
            ("", None),
            ("..", None),
            ("a/../b", None),
            ("A", None),
            ("docker.io", None),
            ("docker.io/", None),
            ("docker.io/A", None),
            ("a", Some("")),
            ("a", Some("not a host")),
            ("a", Some("docker.io/x")),
            ("a", Some("dockerio")),
            ("a\0", None),
            (&"x".repeat(256), None),
        ] {
            assert_eq!(candidates(name, namespace, &[]), None, "{name} {namespace:?}");
        }
    }
}
