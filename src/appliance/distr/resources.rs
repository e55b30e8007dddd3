//! The answer to an agent that asks what it shall run (distr-protocol 2.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use crate::appliance::fleet::{AssignedDeployment, Assignment, SiteView, substitute, substitute_compose};
use crate::bundle::desired::{
    ChartSource, Deployment, DockerDeployment, DockerMode, HelmDeployment, HelmOptions, TargetKind, WaitStrategy,
};
use crate::domain::{Class, Digest, Error, Result, limits};
use crate::protocol::distr;
use crate::store::Store;

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
    let mut assigned: Vec<(&AssignedDeployment, &Deployment)> = Vec::new();
    for item in assignment.deployments.iter().filter(|item| !item.removed) {
        assigned.push((item, assignment.deployment(item)?));
    }
    let mut deployments = Vec::new();
    for (item, deployment) in assigned {
        let stated = bare(item, deployment, target.logs);
        deployments.push(match (target.kind, &deployment.docker, &deployment.helm) {
            (TargetKind::Docker, Some(docker), _) => distr::Deployment {
                image_cleanup_enabled: target.image_cleanup,
                ..with_docker(stated, docker, store, site)?
            },
            (TargetKind::Kubernetes, _, Some(helm)) => with_helm(stated, helm, store, site)?,
            _ => return Err(damaged("a deployment does not fit the kind of its target")),
        });
    }
    let answer = distr::Resources {
        version: distr::AgentVersion {
            id: agent.id,
            created_at: agent.created_at,
            name: agent.name.clone(),
        },
        namespace: target.kubernetes.as_ref().map(|stated| stated.namespace.clone()),
        metrics_enabled: target.metrics,
        deployment_logs_enabled: target.logs,
        deployment_logs_after: target.logs_after,
        // Left out only where the signed document, or a local act, says that there is nothing to run.
        deployments,
    };
    let mut out = serde_json::to_vec(&answer).expect("these values have a JSON form");
    out.push(b'\n');
    Ok(out)
}

/// What agents of either kind are told of a deployment.
fn bare(item: &AssignedDeployment, deployment: &Deployment, logs_enabled: bool) -> distr::Deployment {
    distr::Deployment {
        id: item.id,
        revision_id: item.revision,
        registry_auth: None,
        logs_enabled,
        force_restart: deployment.force_restart,
        compose_file: None,
        env_file: None,
        docker_type: None,
        image_cleanup_enabled: false,
        release_name: String::new(),
        chart_url: String::new(),
        chart_name: String::new(),
        chart_version: String::new(),
        values: None,
        ignore_revision_skew: false,
        helm_options: None,
    }
}

fn with_docker(
    stated: distr::Deployment,
    docker: &DockerDeployment,
    store: &Store,
    site: &SiteView,
) -> Result<distr::Deployment> {
    let compose = substitute_compose(&store.read(&docker.compose, limits::MANIFEST_BYTES)?, stated.id, site);
    let env = docker
        .env
        .as_ref()
        .map(|env| store.read(env, limits::MANIFEST_BYTES))
        .transpose()?;
    Ok(distr::Deployment {
        compose_file: Some(STANDARD.encode(compose)),
        env_file: env.map(|env| STANDARD.encode(substitute(&env, site))),
        docker_type: Some(match docker.mode {
            DockerMode::Compose => distr::DockerType::Compose,
            DockerMode::Swarm => distr::DockerType::Swarm,
        }),
        ..stated
    })
}

fn with_helm(
    stated: distr::Deployment,
    helm: &HelmDeployment,
    store: &Store,
    site: &SiteView,
) -> Result<distr::Deployment> {
    let (chart_url, chart_name) = match helm.source {
        ChartSource::Oci => (format!("oci://{}/{}", site.address(), helm.chart), String::new()),
        ChartSource::Repository => (
            format!("{}/charts/{}", site.base(), helm.chart),
            helm.chart_name.clone(),
        ),
    };
    let values = substitute(&store.read(&helm.values, limits::MANIFEST_BYTES)?, site);
    let values = std::str::from_utf8(&values).map_err(|_| damaged("values are not UTF-8"))?;
    // The bytes that the vendor signed, so that numbers stay numbers.
    let values: Option<Box<RawValue>> = serde_json::from_str(values.trim()).ok();
    let values = values.filter(|values| values.get().starts_with('{'));
    Ok(distr::Deployment {
        release_name: helm.release_name.clone(),
        chart_url,
        chart_name,
        chart_version: helm.chart_version.clone(),
        values: Some(values.ok_or_else(|| damaged("values are no JSON object"))?),
        ignore_revision_skew: helm.ignore_revision_skew,
        helm_options: helm.options.as_ref().map(complete),
        ..stated
    })
}

fn complete(options: &HelmOptions) -> distr::HelmOptions {
    distr::HelmOptions {
        timeout: options.timeout.clone(),
        wait_strategy: match options.wait_strategy {
            WaitStrategy::Watcher => distr::WaitStrategy::Watcher,
            WaitStrategy::Legacy => distr::WaitStrategy::Legacy,
            WaitStrategy::HookOnly => distr::WaitStrategy::HookOnly,
        },
        rollback_on_failure: options.rollback_on_failure,
        cleanup_on_failure: options.cleanup_on_failure,
        force_conflicts: options.force_conflicts,
    }
}

fn damaged(what: &str) -> Error {
    Error::new(Class::State, "desired-state", what.to_owned()).remedy("import a newer release")
}
