//! Hosts on which many publish: they are nobody's home (D18 c).

use std::collections::BTreeSet;

use crate::domain::FILES_HOST;

/// What the site says of hosts on which many publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedHosts(BTreeSet<String>);

impl SharedHosts {
    /// The large public registries.
    pub const DEFAULT: [&'static str; 4] = ["docker.io", "ghcr.io", "quay.io", "registry.k8s.io"];

    /// Whether many publish on a host. Below that of plain files everybody does, whatever the site says of others.
    pub fn contains(&self, host: &str) -> bool {
        host == FILES_HOST || self.0.contains(host)
    }
}

impl Default for SharedHosts {
    fn default() -> Self {
        Self::DEFAULT.into_iter().map(str::to_owned).collect()
    }
}

impl FromIterator<String> for SharedHosts {
    fn from_iter<I: IntoIterator<Item = String>>(hosts: I) -> Self {
        Self(hosts.into_iter().collect())
    }
}
