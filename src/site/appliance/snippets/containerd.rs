//! containerd's `hosts.toml`, which dockerd with containerd's image store reads too.

use std::collections::BTreeSet;

use base64::Engine as _;

use super::file::{Snippet, SnippetFile};
use super::login::Login;
use crate::appliance::fleet::SiteView;

const FOLDER: &str = "/etc/containerd/certs.d";

pub(super) fn snippet(site: &SiteView, hosts: &BTreeSet<String>, login: Option<&Login>) -> Snippet {
    let mut notes = vec![
        format!("containerd must be told of its folder once: config_path = \"{FOLDER}\" in its configuration; ctr is told with --hosts-dir {FOLDER}"),
        "it reads these files for every pull; names of these hosts are asked here and nowhere else, and what is not here is not found".to_owned(),
    ];
    if login.is_some() {
        notes.push(
            "the credential stands in these files, which root alone reads; kubernetes needs no pull secret for it"
                .to_owned(),
        );
    }
    Snippet {
        // containerd's own form of a folder's name, which has no colon.
        files: files(FOLDER, site, hosts, login, |host| match host.rsplit_once(':') {
            Some((name, port)) => format!("{name}_{port}_"),
            None => host.to_owned(),
        }),
        notes,
    }
}

/// Returns a `hosts.toml` for each host and for the appliance itself, with what they are to trust.
pub(super) fn files(
    folder: &str,
    site: &SiteView,
    hosts: &BTreeSet<String>,
    login: Option<&Login>,
    directory: impl Fn(&str) -> String,
) -> Vec<SnippetFile> {
    let authority = format!("{folder}/{}/ca.crt", directory(site.address()));
    let mut files = Vec::new();
    if let Some(pem) = site.authority() {
        files.push(SnippetFile::whole(&authority, pem));
    }
    let base = site.base();
    let trust = site.authority().map(|_| format!("ca = \"{authority}\"\n"));
    let trust = trust.unwrap_or_default();
    let header = login.map(|Login { user, secret }| {
        let shown = format!("{user}:{}", secret.as_str());
        let shown = base64::engine::general_purpose::STANDARD.encode(shown);
        format!("Authorization = \"Basic {shown}\"\n")
    });
    // What the host has not is asked of `server` once more: it is trusted and logged in to as well, so that the last word is "not found".
    let mut content = format!("server = \"{base}\"\ncapabilities = [\"pull\", \"resolve\"]\n{trust}");
    if let Some(header) = &header {
        content += &format!("\n[header]\n  {header}");
    }
    content += &format!("\n[host.\"{base}\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
    if !trust.is_empty() {
        content += &format!("  {trust}");
    }
    if let Some(header) = &header {
        content += &format!("  [host.\"{base}\".header]\n    {header}");
    }
    let own = site.address().to_owned();
    for host in std::iter::once(&own).chain(hosts) {
        files.push(SnippetFile {
            is_secret: login.is_some(),
            ..SnippetFile::whole(format!("{folder}/{}/hosts.toml", directory(host)), &content)
        });
    }
    files
}
