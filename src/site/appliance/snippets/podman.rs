//! podman, buildah, skopeo and CRI-O: `registries.conf.d` says under which name a registry is really asked.

use std::collections::BTreeSet;

use super::file::{Snippet, SnippetFile};
use super::login::Login;
use crate::appliance::fleet::SiteView;

pub(super) fn snippet(site: &SiteView, hosts: &BTreeSet<String>, login: Option<&Login>, is_crio: bool) -> Snippet {
    let own = site.address();
    let mut files = Vec::new();
    if let Some(pem) = site.authority() {
        files.push(SnippetFile::whole(format!("/etc/containers/certs.d/{own}/ca.crt"), pem));
    }
    let plain = if site.is_secure() { "" } else { "insecure = true\n" };
    let mut content = format!("[[registry]]\nlocation = \"{own}\"\n{plain}");
    for host in hosts.iter().filter(|host| *host != own) {
        // No mirror, after which the host itself would be asked: another place for it.
        content += &format!("\n[[registry]]\nprefix = \"{host}\"\nlocation = \"{own}/{host}\"\n{plain}");
    }
    files.push(SnippetFile::whole(
        "/etc/containers/registries.conf.d/50-airlock.conf",
        content,
    ));
    let mut notes = vec![
        "names of these hosts are asked here and nowhere else, and what is not here is not found".to_owned(),
        "names without a host stay with unqualified-search-registries of /etc/containers/registries.conf".to_owned(),
    ];
    if is_crio {
        notes.push("CRI-O reads these files again at `systemctl reload crio`".to_owned());
    } else {
        notes.push("podman, buildah and skopeo read these files for every pull".to_owned());
    }
    notes.extend(login.map(|login| {
        let user = &login.user;
        if is_crio {
            format!("CRI-O takes credentials from its global_auth_file: `podman login --authfile FILE -u {user} {own}` writes one; or from pull secrets for {own}")
        } else {
            format!("who pulls logs in once: `podman login -u {user} {own}`; for root and for each user apart")
        }
    }));
    Snippet { files, notes }
}
