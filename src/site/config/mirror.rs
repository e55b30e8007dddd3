//! `[mirror]`: the registry of the site that `airlock mirror` fills. Off while none is named.

use std::path::PathBuf;

use super::document::MirrorTable;
use super::places::Places;
use crate::domain::{RepositoryName, Result, is_host};

/// Where live content is copied to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MirrorSettings {
    /// Host of the registry, with its port; nothing: off.
    pub registry: Option<String>,
    /// Whether it is reached without TLS.
    pub plain_http: bool,
    /// File with its certificate authority; else what the system trusts.
    pub authority: Option<PathBuf>,
    /// File with one line `USER:PASSWORD`.
    pub credentials: Option<PathBuf>,
    /// Host of a token service that gets the credentials besides the registry's own.
    pub token_host: Option<String>,
    /// What stands before every name there.
    pub prefix: Option<String>,
    /// Hosts or repositories and what is written in their place, the longest that fits first.
    pub map: Vec<(String, String)>,
}

impl MirrorSettings {
    /// Returns what a repository is called there.
    pub fn name_of(&self, repository: &RepositoryName) -> String {
        let name = repository.as_str();
        let rest = |from: &str| {
            let rest = name.strip_prefix(from)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
        };
        let mut mapped = self.map.iter().filter_map(|(from, to)| Some((to, rest(from)?)));
        let mapped = mapped.next().map(|(to, rest)| format!("{to}{rest}"));
        let mapped = mapped.unwrap_or_else(|| name.to_owned());
        let mapped = mapped.trim_start_matches('/');
        match &self.prefix {
            Some(prefix) => format!("{prefix}/{mapped}"),
            None => mapped.to_owned(),
        }
    }
}

impl MirrorTable {
    pub(super) fn read(self, places: &Places) -> Result<MirrorSettings> {
        let host = |host: Option<String>, key: &str| match host {
            Some(text) if !is_host(&text) => Err(places
                .wrong(&[&format!("mirror.{key}")], &format!("has mirror.{key} {text:?}"))
                .expected("a host with its port, as in \"harbor.plant.example\" or \"10.0.0.7:5000\"")),
            host => Ok(host),
        };
        let is_path = |text: &str| format!("a.b/{text}").parse::<RepositoryName>().is_ok();
        if let Some(prefix) = self.prefix.as_ref().filter(|prefix| !is_path(prefix)) {
            return Err(places
                .wrong(&["mirror.prefix"], &format!("has mirror.prefix {prefix:?}"))
                .expected("a path of a registry, as in \"airlock\""));
        }
        let mut map = Vec::new();
        for (number, entry) in self.map.into_iter().enumerate() {
            let fits = |(from, to): &(&str, &str)| {
                (is_host(from) || from.parse::<RepositoryName>().is_ok()) && (to.is_empty() || is_path(to))
            };
            let Some((from, to)) = entry.split_once('=').filter(fits) else {
                return Err(places
                    .wrong_element("mirror.map", number, &format!("maps {entry:?}"))
                    .expected("HOST=NAME or REPOSITORY=NAME, as in \"docker.io=hub\""));
            };
            map.push((from.to_owned(), to.to_owned()));
        }
        map.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        Ok(MirrorSettings {
            registry: host(self.registry, "registry")?,
            plain_http: self.plain_http,
            authority: self.authority,
            credentials: self.credentials,
            token_host: host(self.token_host, "token_host")?,
            prefix: self.prefix,
            map,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_mapped_by_the_longest_that_fits() {
        let table = MirrorTable {
            prefix: Some("plant".into()),
            map: vec![
                "docker.io=hub".into(),
                "docker.io/library=official".into(),
                "registry.test=".into(),
            ],
            ..MirrorTable::default()
        };
        let settings = table.read(&Places::default()).unwrap();
        for (from, to) in [
            ("docker.io/library/alpine", "plant/official/alpine"),
            ("docker.io/acme/web", "plant/hub/acme/web"),
            ("docker.io/libraryx/web", "plant/hub/libraryx/web"),
            ("registry.test/crm/web", "plant/crm/web"),
            ("quay.io/a/b", "plant/quay.io/a/b"),
        ] {
            assert_eq!(settings.name_of(&from.parse().unwrap()), to);
        }
        for bad in ["docker.io", "docker.io=Upper", "nohost=x", "docker.io=a b"] {
            let table = MirrorTable {
                map: vec![bad.into()],
                ..MirrorTable::default()
            };
            assert!(table.read(&Places::default()).is_err(), "{bad}");
        }
    }
}
