//! dockerd: what it trusts, and what it can be told of mirrors.

use std::collections::BTreeSet;

use super::containerd::files;
use super::file::Snippet;
use super::login::Login;
use crate::appliance::fleet::SiteView;

const FOLDER: &str = "/etc/docker/certs.d";

pub(super) fn snippet(site: &SiteView, hosts: &BTreeSet<String>, login: Option<&Login>) -> Snippet {
    let (host, base) = (site.address(), site.base());
    let mut notes = vec![
        "dockerd reads these files for every pull; nothing needs a restart".to_owned(),
        format!(
            "with containerd's image store it asks here for names of these hosts; with its older one only for names that begin with this appliance's: docker pull {host}/docker.io/library/alpine:3"
        ),
        format!(
            "the older one has mirrors for docker.io alone: \"registry-mirrors\": [\"{base}\"] in /etc/docker/daemon.json, then systemctl reload docker; it finds here what a release has whose home_hosts name docker.io, shows no credential, and asks docker.io for the rest"
        ),
    ];
    if !site.is_secure() {
        notes.push(format!(
            "this appliance is reached over plain HTTP: beyond this machine dockerd wants \"insecure-registries\": [\"{host}\"] in /etc/docker/daemon.json"
        ));
    }
    notes.extend(login.map(|login| {
        format!(
            "what is named by this appliance is pulled with `docker login {host} -u {}`, once for each user",
            login.user
        )
    }));
    Snippet {
        files: files(FOLDER, site, hosts, login, str::to_owned),
        notes,
    }
}
