//! helm has no file for registries: each command is told what to trust.

use super::file::{Snippet, SnippetFile};
use super::login::Login;
use crate::appliance::fleet::SiteView;

pub(super) fn snippet(site: &SiteView, login: Option<&Login>) -> Snippet {
    let host = site.address();
    let path = format!("/etc/ssl/airlock/{host}.crt");
    let files: Vec<SnippetFile> = site
        .authority()
        .map(|pem| SnippetFile::whole(&path, pem))
        .into_iter()
        .collect();
    let option = match (site.is_secure(), files.is_empty()) {
        (false, _) => " --plain-http".to_owned(),
        (true, true) => String::new(),
        (true, false) => format!(" --ca-file {path}"),
    };
    let mut notes = vec![
        format!(
            "charts are pulled by this appliance's name: helm pull oci://{host}/HOST/REPOSITORY --version VERSION{option}"
        ),
        "helm knows no mirrors: what is named by another host is asked there".to_owned(),
        format!(
            "charts of classic repositories that a live release deploys need no credentials: helm pull NAME --repo {}/charts/HOST/REPOSITORY --version VERSION{}",
            site.base(),
            if files.is_empty() {
                String::new()
            } else {
                format!(" --ca-file {path}")
            }
        ),
    ];
    notes.extend(login.map(|login| format!("helm registry login {host} -u {}{option}", login.user)));
    Snippet { files, notes }
}
