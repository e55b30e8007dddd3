//! The answer to an agent that asks what it shall run: field for field the hub's, in the hub's order (distr-protocol 2.2).
//!
//! Written by hand where documents are put in as they are: values of a chart stay the bytes that the vendor signed, so that numbers
//! stay numbers.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::assignment::{AssignedDeployment, Assignment};
use super::site_view::SiteView;
use super::substitute::{substitute, substitute_compose};
use crate::bundle::desired::{
    ChartSource, Deployment, DockerDeployment, DockerMode, HelmDeployment, HelmOptions, TargetKind,
};
use crate::domain::{Class, Digest, Error, Result, Timestamp, Uuid, limits};
use crate::store::Store;

#[derive(Serialize)]
struct Version<'a> {
    id: Uuid,
    #[serde(rename = "createdAt")]
    created_at: Timestamp,
    name: &'a str,
}

/// Field order is the wire's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Options<'a> {
    timeout: &'a str,
    wait_strategy: crate::bundle::desired::WaitStrategy,
    rollback_on_failure: bool,
    cleanup_on_failure: bool,
    force_conflicts: bool,
}

/// Returns every document that the answer stands on.
pub(super) fn documents_of(assignment: &Assignment) -> Result<Vec<Digest>> {
    let mut digests = vec![assignment.document.digest];
    for assigned in &assignment.deployments {
        let deployment = assignment.deployment(assigned)?;
        if let Some(docker) = &deployment.docker {
            digests.push(docker.compose);
            digests.extend(docker.env);
        }
        digests.extend(deployment.helm.as_ref().map(|helm| helm.values));
    }
    Ok(digests)
}

/// Renders the answer; every document that goes into it is read and hashed for it.
///
/// # Errors
///
/// `E-STATE` when a document is gone, changed, or no JSON object where one must be; `E-IO`.
pub(super) fn render(assignment: &Assignment, store: &Store, site: &SiteView) -> Result<Vec<u8>> {
    let target = assignment.target()?;
    let agent = assignment.agent()?;
    // The assignment was made from this document; that it is still what was signed is part of the answer.
    store.verify(&assignment.document.digest, limits::MANIFEST_BYTES)?;
    let version = Version {
        id: agent.id,
        created_at: agent.created_at,
        name: &agent.name,
    };
    let mut out = format!("{{\"version\":{}", json(&version));
    if let Some(kubernetes) = &target.kubernetes {
        write!(out, ",\"namespace\":{}", json(&kubernetes.namespace)).expect("a string takes all");
    }
    write!(
        out,
        ",\"metricsEnabled\":{},\"deploymentLogsEnabled\":{}",
        target.metrics, target.logs
    )
    .expect("a string takes all");
    if let Some(after) = &target.logs_after {
        write!(out, ",\"deploymentLogsAfter\":{}", json(after)).expect("a string takes all");
    }
    let mut assigned: Vec<(&AssignedDeployment, &Deployment)> = Vec::new();
    for item in assignment.deployments.iter().filter(|item| !item.removed) {
        assigned.push((item, assignment.deployment(item)?));
    }
    assigned.sort_by_key(|(item, deployment)| (deployment.created_at, item.id));
    // Left out only where the signed document, or a local act, says that there is nothing to run.
    for (place, (item, deployment)) in assigned.iter().enumerate() {
        out.push_str(if place == 0 { ",\"deployments\":[" } else { "," });
        write!(
            out,
            "{{\"id\":\"{}\",\"revisionId\":\"{}\",\"registryAuth\":null,\"logsEnabled\":{},\"forceRestart\":{}",
            item.id, item.revision, target.logs, deployment.force_restart
        )
        .expect("a string takes all");
        match (target.kind, &deployment.docker, &deployment.helm) {
            (TargetKind::Docker, Some(docker), _) => {
                add_docker(&mut out, item.id, docker, target.image_cleanup, store, site)?;
            }
            (TargetKind::Kubernetes, _, Some(helm)) => add_helm(&mut out, helm, store, site)?,
            _ => return Err(damaged("a deployment does not fit the kind of its target")),
        }
        out.push('}');
    }
    if !assigned.is_empty() {
        out.push(']');
    }
    out.push_str("}\n");
    Ok(out.into_bytes())
}

fn add_docker(
    out: &mut String,
    deployment: Uuid,
    docker: &DockerDeployment,
    image_cleanup: bool,
    store: &Store,
    site: &SiteView,
) -> Result<()> {
    out.push_str(",\"composeFile\":\"");
    let compose = substitute_compose(&store.read(&docker.compose, limits::MANIFEST_BYTES)?, deployment, site);
    STANDARD.encode_string(compose, out);
    out.push_str("\",\"envFile\":");
    match &docker.env {
        Some(env) => {
            out.push('"');
            STANDARD.encode_string(substitute(&store.read(env, limits::MANIFEST_BYTES)?, site), out);
            out.push('"');
        }
        None => out.push_str("null"),
    }
    let mode = match docker.mode {
        DockerMode::Compose => "compose",
        DockerMode::Swarm => "swarm",
    };
    write!(
        out,
        ",\"dockerType\":\"{mode}\",\"imageCleanupEnabled\":{image_cleanup},\"releaseName\":\"\",\"chartUrl\":\"\",\
         \"chartName\":\"\",\"chartVersion\":\"\",\"values\":null,\"ignoreRevisionSkew\":false"
    )
    .expect("a string takes all");
    Ok(())
}

fn add_helm(out: &mut String, helm: &HelmDeployment, store: &Store, site: &SiteView) -> Result<()> {
    let (url, name) = match helm.source {
        ChartSource::Oci => (format!("oci://{}/{}", site.address(), helm.chart), ""),
        ChartSource::Repository => (
            format!("{}/charts/{}", site.base(), helm.chart),
            helm.chart_name.as_str(),
        ),
    };
    let values = substitute(&store.read(&helm.values, limits::MANIFEST_BYTES)?, site);
    let values = std::str::from_utf8(&values).map_err(|_| damaged("values are not UTF-8"))?;
    let values = values.trim();
    if !values.starts_with('{') || serde_json::from_str::<serde::de::IgnoredAny>(values).is_err() {
        return Err(damaged("values are no JSON object"));
    }
    write!(
        out,
        ",\"composeFile\":null,\"envFile\":null,\"dockerType\":null,\"imageCleanupEnabled\":false,\"releaseName\":{},\
         \"chartUrl\":{},\"chartName\":{},\"chartVersion\":{},\"values\":{values},\"ignoreRevisionSkew\":{}",
        json(&helm.release_name),
        json(&url),
        json(name),
        json(&helm.chart_version),
        helm.ignore_revision_skew
    )
    .expect("a string takes all");
    if let Some(options) = &helm.options {
        write!(out, ",\"helmOptions\":{}", json(&complete(options))).expect("a string takes all");
    }
    Ok(())
}

fn complete(options: &HelmOptions) -> Options<'_> {
    Options {
        timeout: &options.timeout,
        wait_strategy: options.wait_strategy,
        rollback_on_failure: options.rollback_on_failure,
        cleanup_on_failure: options.cleanup_on_failure,
        force_conflicts: options.force_conflicts,
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("these values have a JSON form")
}

fn damaged(what: &str) -> Error {
    Error::new(Class::State, "desired-state", what.to_owned()).remedy("import a newer release")
}
