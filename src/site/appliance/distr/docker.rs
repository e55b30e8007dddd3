//! The manifest of a docker agent: the compose project `distr` (distr-protocol 1.3).
//!
//! Agents update themselves from it: they need `services.agent.environment` as a mapping and `services.agent.image` as a text, put
//! their secret in, and hand it to compose. Images are named by digest under this appliance; engines read them without
//! credentials. The authority's certificate travels within, as a config with its content, which docker compose has known since 2.23.1.

use super::resources::misread;
use super::yaml::{block, quoted};
use crate::appliance::fleet::{Assignment, SiteView};
use crate::bundle::desired::{ImageName, TargetKind};
use crate::domain::{Error, Result, Uuid};
use crate::protocol::distr::Endpoint;

/// Where the agent finds the authority's certificate. The system's own stay in use.
const AUTHORITY_FOLDER: &str = "/etc/airlock/authority";
/// What the hub writes in place of a secret that it does not tell.
const NO_SECRET: &str = "<nil>";

/// Renders the manifest, with the secret or without.
///
/// # Errors
///
/// None in fact: the document was checked.
pub(super) fn render(target: &Uuid, assignment: &Assignment, site: &SiteView, secret: Option<&str>) -> Result<String> {
    let (stated, version) = (assignment.target()?, assignment.agent()?);
    let agent = version.image(TargetKind::Docker).ok_or_else(no_image)?;
    let autoheal = version.autoheal.as_ref().ok_or_else(no_image)?;
    let socket = stated.docker_socket.as_deref().unwrap_or("/var/run/docker.sock");
    let socket = quoted(&format!("{socket}:/var/run/docker.sock"));
    let mut environment = environment(target, &version.id, site);
    environment.insert(1, ("DISTR_TARGET_SECRET", secret.unwrap_or(NO_SECRET).to_owned()));
    environment.push(("DISTR_AGENT_SCRATCH_DIR", "/scratch".to_owned()));
    // Compose puts the host's own folder in, here and when the agent updates itself.
    environment.push((
        "HOST_DOCKER_CONFIG_DIR",
        "${HOST_DOCKER_CONFIG_DIR-${HOME}/.docker}".to_owned(),
    ));
    environment.push(("DOCKER_HOST", "unix:///var/run/docker.sock".to_owned()));
    if stated.metrics {
        environment.push(("HOST_ROOT_DIR", "/hostfs".to_owned()));
    }
    if site.authority().is_some() {
        environment.push(("SSL_CERT_DIR", format!("/etc/ssl/certs:{AUTHORITY_FOLDER}")));
    }
    let mut out = String::from("# Agent of a deployment target; start it with: docker compose -f - up -d\n");
    out += "name: distr\nservices:\n  agent:\n";
    out += &format!("    image: {}\n", image(agent, site));
    out +=
        "    network_mode: host\n    restart: always\n    labels:\n      - sh.distr.autoheal=true\n    environment:\n";
    for (name, value) in &environment {
        out += &format!("      {name}: {}\n", quoted(value));
    }
    out += &format!("    volumes:\n      - {socket}\n      - scratch:/scratch\n");
    out += "      - '${HOST_DOCKER_CONFIG_DIR-${HOME}/.docker}:/root/.docker:ro'\n";
    if stated.metrics {
        out += "      - '/:/hostfs:ro,rslave'\n";
    }
    if site.authority().is_some() {
        out += &format!("    configs:\n      - source: authority\n        target: {AUTHORITY_FOLDER}/ca.crt\n");
    }
    let label = if stated.autoheal_all {
        "all"
    } else {
        "sh.distr.autoheal"
    };
    out += &format!("\n  autoheal:\n    image: {}\n", image(autoheal, site));
    out += "    network_mode: none\n    restart: always\n    environment:\n";
    out += &format!("      AUTOHEAL_CONTAINER_LABEL: {label}\n    volumes:\n      - {socket}\n");
    out += "\nvolumes:\n  scratch:\n";
    if let Some(authority) = site.authority() {
        out += &format!("\nconfigs:\n  authority:\n    content: |\n{}", block(authority, 6));
    }
    Ok(out)
}

/// Returns what agents of either kind are told, without their secret.
pub(super) fn environment(target: &Uuid, version: &Uuid, site: &SiteView) -> Vec<(&'static str, String)> {
    let address = |endpoint: Endpoint| endpoint.url(&site.base());
    vec![
        ("DISTR_TARGET_ID", target.to_string()),
        ("DISTR_LOGIN_ENDPOINT", address(Endpoint::Login)),
        ("DISTR_MANIFEST_ENDPOINT", address(Endpoint::Manifest)),
        ("DISTR_RESOURCE_ENDPOINT", address(Endpoint::Resources)),
        ("DISTR_STATUS_ENDPOINT", address(Endpoint::Status)),
        ("DISTR_METRICS_ENDPOINT", address(Endpoint::Metrics)),
        ("DISTR_LOGS_ENDPOINT", address(Endpoint::Logs)),
        ("DISTR_AGENT_LOGS_ENDPOINT", address(Endpoint::AgentLogs)),
        ("DISTR_INTERVAL", site.interval().to_owned()),
        ("DISTR_AGENT_VERSION_ID", version.to_string()),
        ("DISTR_REGISTRY_HOST", site.address().to_owned()),
        ("DISTR_REGISTRY_PLAIN_HTTP", (!site.is_secure()).to_string()),
    ]
}

/// Returns the reference of an image under this appliance, quoted.
pub(super) fn image(image: &ImageName, site: &SiteView) -> String {
    quoted(&format!("{}/{}@{}", site.address(), image.repository, image.digest))
}

pub(super) fn no_image() -> Error {
    misread("the agent version has no image for this kind of target")
}
