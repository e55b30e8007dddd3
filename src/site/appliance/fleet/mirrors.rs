//! What engines are told so that they trust this appliance, and find under it what manifests name elsewhere (D8).
//!
//! Applications from bundles name this appliance; charts with fixed image names do not. For those, containerd asks a mirror with
//! `?ns=HOST`, and falls back to nothing, because `server` is the mirror too.

use std::collections::BTreeSet;

use super::assignment::Assignment;
use super::site_view::SiteView;
use crate::domain::Result;

/// What runs containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// The docker engine, with either image store.
    Docker,
    /// containerd, as most kubernetes nodes have it.
    Containerd,
    /// k3s, which writes containerd's files itself.
    K3s,
}

/// A file to put on the host of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorFile {
    /// Where it belongs.
    pub path: String,
    /// What it holds.
    pub content: String,
}

/// Returns the hosts that what a target runs was published under.
pub(super) fn hosts(assignment: &Assignment) -> Result<BTreeSet<String>> {
    let mut hosts: BTreeSet<String> = assignment
        .agent()?
        .images()
        .map(|image| image.repository.host().to_owned())
        .collect();
    for assigned in &assignment.deployments {
        let images = &assignment.deployment(assigned)?.images;
        hosts.extend(images.iter().map(|image| image.repository.host().to_owned()));
    }
    Ok(hosts)
}

/// Returns the files for a runtime.
pub(super) fn files(runtime: Runtime, site: &SiteView, hosts: &BTreeSet<String>) -> Vec<MirrorFile> {
    match runtime {
        Runtime::Docker => with_hosts_toml("/etc/docker/certs.d", site, hosts, str::to_owned),
        Runtime::Containerd => with_hosts_toml("/etc/containerd/certs.d", site, hosts, |host| {
            // containerd's own form, which has no colon.
            match host.rsplit_once(':') {
                Some((name, port)) => format!("{name}_{port}_"),
                None => host.to_owned(),
            }
        }),
        Runtime::K3s => k3s(site, hosts),
    }
}

fn with_hosts_toml(
    folder: &str,
    site: &SiteView,
    hosts: &BTreeSet<String>,
    directory: impl Fn(&str) -> String,
) -> Vec<MirrorFile> {
    let own = directory(site.address());
    let authority = format!("{folder}/{own}/ca.crt");
    let mut files = Vec::new();
    if let Some(pem) = site.authority() {
        files.push(MirrorFile {
            path: authority.clone(),
            content: pem.to_owned(),
        });
    }
    let base = site.base();
    let mut content = format!("server = \"{base}\"\n\n[host.\"{base}\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
    if site.authority().is_some() {
        content += &format!("  ca = \"{authority}\"\n");
    }
    let own_address = site.address().to_owned();
    for host in std::iter::once(&own_address).chain(hosts) {
        files.push(MirrorFile {
            path: format!("{folder}/{}/hosts.toml", directory(host)),
            content: content.clone(),
        });
    }
    files
}

fn k3s(site: &SiteView, hosts: &BTreeSet<String>) -> Vec<MirrorFile> {
    const FOLDER: &str = "/etc/rancher/k3s";
    let mut files = Vec::new();
    let mut content = String::from(
        "# With `--disable-default-registry-endpoint` k3s asks nobody else when this appliance has no answer.\nmirrors:\n",
    );
    let own = site.address().to_owned();
    for host in std::iter::once(&own).chain(hosts) {
        content += &format!("  \"{host}\":\n    endpoint:\n      - \"{}\"\n", site.base());
    }
    if let Some(pem) = site.authority() {
        files.push(MirrorFile {
            path: format!("{FOLDER}/airlock-ca.crt"),
            content: pem.to_owned(),
        });
        content += &format!("configs:\n  \"{own}\":\n    tls:\n      ca_file: {FOLDER}/airlock-ca.crt\n");
    }
    files.push(MirrorFile {
        path: format!("{FOLDER}/registries.yaml"),
        content,
    });
    files
}
