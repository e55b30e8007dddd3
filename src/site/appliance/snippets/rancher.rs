//! `registries.yaml` of k3s and RKE2: one file for all registries, so what others wrote there stays.

use std::collections::BTreeSet;

use super::file::{Content, Snippet, SnippetFile};
use super::login::Login;
use crate::appliance::fleet::SiteView;

pub(super) fn snippet(product: &str, site: &SiteView, hosts: &BTreeSet<String>, login: Option<&Login>) -> Snippet {
    let folder = format!("/etc/rancher/{product}");
    let mut files = Vec::new();
    let mut mirrors = Vec::new();
    let own = site.address().to_owned();
    for host in std::iter::once(&own).chain(hosts) {
        mirrors.push(format!("\"{host}\":"));
        mirrors.push("  endpoint:".to_owned());
        mirrors.push(format!("    - \"{}\"", site.base()));
    }
    let mut configs = Vec::new();
    if let Some(Login { user, secret }) = login {
        configs.push("  auth:".to_owned());
        configs.push(format!("    username: \"{user}\""));
        configs.push(format!("    password: \"{}\"", secret.as_str()));
    }
    if let Some(pem) = site.authority() {
        let authority = format!("{folder}/airlock-ca.crt");
        configs.push("  tls:".to_owned());
        configs.push(format!("    ca_file: {authority}"));
        files.push(SnippetFile::whole(authority, pem));
    }
    if !configs.is_empty() {
        configs.insert(0, format!("\"{own}\":"));
    }
    files.push(SnippetFile {
        path: format!("{folder}/registries.yaml"),
        content: Content::Registries { mirrors, configs },
        is_secret: login.is_some(),
    });
    Snippet {
        files,
        notes: vec![
            format!("{product} reads these files when it starts: restart it then, on every node"),
            format!("entries of others in registries.yaml stay; this appliance's stand between two marks, and are replaced by the next run"),
            "names of these hosts are asked here first, and then of the hosts themselves: --disable-default-registry-endpoint makes it ask nobody else".to_owned(),
        ],
    }
}
