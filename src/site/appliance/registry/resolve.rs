//! Which repositories a request may mean, and for whom (D8, D18 c). Pure.

use super::homes::Homes;
use crate::db::site::names::{Answers, Candidate};
use crate::domain::RepositoryName;

/// The registry that engines mean when a name has no host, and the prefix that it gives to names of one segment.
const DOCKER_HUB: &str = "docker.io";

/// Returns the repositories that a name may stand for, in the order in which they are asked, or nothing when it is no repository name.
///
/// `namespace` is the host that a mirror request states (`?ns=`): the same as that host in the name.
pub(super) fn candidates(name: &str, namespace: Option<&str>, homes: &Homes) -> Option<Vec<Candidate>> {
    let explicit = |repository: RepositoryName| {
        let admitted = homes.admits(&repository);
        let candidate = admitted.then(|| homes.candidate(repository, Answers::Owner));
        Some(candidate.into_iter().collect())
    };
    if let Some(host) = namespace {
        // A slash would move the border between host and path.
        if host.contains('/') {
            return None;
        }
        return explicit(RepositoryName::under(host, name).ok()?);
    }
    let first = name.split('/').next().unwrap_or_default();
    if first.contains(['.', ':']) || first == "localhost" {
        return explicit(name.parse().ok()?);
    }
    // Checked under a host of its own, so that a bad name is bad with any home host or none.
    RepositoryName::under("a.b", name).ok()?;
    let mut found = Vec::new();
    for home in &homes.stated {
        let short = (home.host == DOCKER_HUB && !name.contains('/')).then(|| format!("library/{name}"));
        for path in [Some(name.to_owned()), short].into_iter().flatten() {
            let repository = RepositoryName::under(&home.host, &path).ok();
            let repository = repository.filter(|repository| homes.admits(repository));
            found.extend(repository.map(|repository| homes.candidate(repository, Answers::OwnerIf(home.scope))));
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeMap;

    /// Nobody's homes, as no row of a database is needed to look at names.
    fn nowhere() -> Homes {
        Homes::new(Vec::new(), BTreeMap::new(), None)
    }

    #[test]
    fn a_name_is_found_by_namespace_or_by_host() {
        for (name, namespace, expected) in [
            ("library/postgres", Some("docker.io"), "docker.io/library/postgres"),
            ("docker.io/library/postgres", None, "docker.io/library/postgres"),
            ("localhost/a", None, "localhost/a"),
            ("localhost:5000/a/b", None, "localhost:5000/a/b"),
            ("quay.io/a", Some("docker.io"), "docker.io/quay.io/a"),
        ] {
            let found = candidates(name, namespace, &nowhere()).unwrap();
            let found: Vec<_> = found.iter().map(|candidate| candidate.repository.as_str()).collect();
            assert_eq!(found, [expected], "{name} {namespace:?}");
        }
        assert_eq!(candidates("acme/web", None, &nowhere()), Some(vec![]));
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
            assert_eq!(candidates(name, namespace, &nowhere()), None, "{name} {namespace:?}");
        }
    }
}
