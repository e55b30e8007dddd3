//! How an agent is installed: the script of `/pre-connect`, and the one line that an operator runs.
//!
//! Ids, secrets, addresses and names of namespaces have alphabets without shell characters, and every value stands in single quotes all
//! the same (A11). Names for people are in none of these texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::appliance::fleet::SiteView;
use crate::bundle::desired::{Target, TargetKind};
use crate::domain::Uuid;
use crate::protocol::distr::Endpoint;

/// Ends the certificate within the script; no line of PEM looks like it.
const END: &str = "AIRLOCK_AUTHORITY";

/// Returns the script that installs a docker agent.
pub(super) fn script(site: &SiteView, target: &Uuid, secret: &str) -> String {
    let url = url(site, target, secret);
    let Some(authority) = site.authority() else {
        return format!(
            "#!/bin/sh\n# Installs the agent of this host.\ncurl -fsSL '{url}' | docker compose -f - up -d"
        );
    };
    format!(
        "#!/bin/sh\n# Installs the agent of this host, from an appliance that this certificate vouches for.\n\
         set -eu\nauthority=$(mktemp)\ntrap 'rm -f \"$authority\"' EXIT\ncat > \"$authority\" <<'{END}'\n{authority}{END}\n\
         curl -fsSL --cacert \"$authority\" '{url}' | docker compose -f - up -d\n"
    )
}

/// Returns the command that installs an agent on its host, in one line.
pub(super) fn command(site: &SiteView, id: &Uuid, target: &Target, secret: &str) -> String {
    let url = url(site, id, secret);
    let apply = match (target.kind, &target.kubernetes) {
        (TargetKind::Kubernetes, Some(kubernetes)) => format!("kubectl apply -n '{}' -f -", kubernetes.namespace),
        _ => "docker compose -f - up -d".to_owned(),
    };
    match site.authority() {
        None => format!("curl -fsSL '{url}' | {apply}"),
        Some(authority) => format!(
            "ca=$(mktemp) && echo '{}' | base64 -d > \"$ca\" && curl -fsSL --cacert \"$ca\" '{url}' | {apply}",
            STANDARD.encode(authority)
        ),
    }
}

fn url(site: &SiteView, target: &Uuid, secret: &str) -> String {
    Endpoint::Connect.url_with_secret(&site.base(), target, secret)
}
