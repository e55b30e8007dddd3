//! For whom a snippet is.

use std::collections::BTreeSet;

use super::file::Snippet;
use super::login::Login;
use super::{containerd, docker, helm, podman, rancher};
use crate::appliance::fleet::SiteView;

/// What pulls images or charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The docker engine, with either image store.
    Docker,
    /// containerd, as most kubernetes nodes have it.
    Containerd,
    /// k3s, which writes containerd's files itself.
    K3s,
    /// RKE2, likewise.
    Rke2,
    /// podman, buildah and skopeo.
    Podman,
    /// CRI-O.
    Crio,
    /// helm.
    Helm,
}

impl Engine {
    /// Returns what a host of this engine is given, to find here what is published under `hosts`.
    pub fn snippet(self, site: &SiteView, hosts: &BTreeSet<String>, login: Option<&Login>) -> Snippet {
        match self {
            Self::Docker => docker::snippet(site, hosts, login),
            Self::Containerd => containerd::snippet(site, hosts, login),
            Self::K3s => rancher::snippet("k3s", site, hosts, login),
            Self::Rke2 => rancher::snippet("rke2", site, hosts, login),
            Self::Podman => podman::snippet(site, hosts, login, false),
            Self::Crio => podman::snippet(site, hosts, login, true),
            Self::Helm => helm::snippet(site, login),
        }
    }
}
