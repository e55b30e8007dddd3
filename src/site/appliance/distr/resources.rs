//! The answer to an agent that asks what it shall run (distr-protocol 2.2).

use crate::appliance::fleet::{AssignedDeployment, Assignment, SiteView};
use crate::bundle::desired::{
    ChartSource, Deployment, DockerDeployment, DockerMode, HelmDeployment, HelmOptions, TargetKind, WaitStrategy,
};
use crate::domain::{Class, Digest, Error, Result, Uuid};
use crate::protocol::distr;

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

/// Returns the answer around its deployments: what stands before them, and what after.
///
/// # Errors
///
/// None in fact: the document was checked.
pub(super) fn frame(assignment: &Assignment, any: bool) -> Result<(String, &'static str)> {
    let (target, agent) = (assignment.target()?, assignment.agent()?);
    let answer = distr::Resources::<()> {
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
        deployments: any.then_some(()).into_iter().collect(),
    };
    let mut text = serde_json::to_string(&answer).expect("these values have a JSON form");
    if !any {
        return Ok((text, "\n"));
    }
    // The list is the last member, and the mark stands in it alone.
    let before = text.strip_suffix("null]}").map(str::len);
    text.truncate(before.ok_or_else(|| misread("the answer has another form"))?);
    Ok((text, "]}\n"))
}

/// A part of the answer.
#[derive(Debug)]
pub(super) enum Part {
    /// Text.
    Text(String),
    /// A document.
    Document(Wanted),
}

/// A document as it stands in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) digest: Digest,
    pub(super) role: Role,
    /// Place of its deployment in the answer: whose secrets are put in.
    pub(super) of: u32,
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The compose file of a deployment.
    Compose(Uuid),
    /// The environment file beside it.
    Environment,
    /// Values of a chart.
    Values,
}

/// Returns the documents of a deployment, as they stand in the answer.
///
/// # Errors
///
/// None in fact: the document was checked.
pub(super) fn documents(assignment: &Assignment, of: u32) -> Result<Vec<Wanted>> {
    let assigned = assigned(assignment, of)?;
    let (target, deployment) = (assignment.target()?, assignment.deployment(assigned)?);
    Ok(match (target.kind, &deployment.docker, &deployment.helm) {
        (TargetKind::Docker, Some(docker), _) => {
            let compose = (docker.compose, Role::Compose(assigned.id));
            let env = docker.env.map(|env| (env, Role::Environment));
            let all = [Some(compose), env].into_iter().flatten();
            all.map(|(digest, role)| Wanted { digest, role, of }).collect()
        }
        (TargetKind::Kubernetes, _, Some(helm)) => vec![Wanted {
            digest: helm.values,
            role: Role::Values,
            of,
        }],
        _ => return Err(misread("a deployment does not fit the kind of its target")),
    })
}

/// Returns a deployment with the places of its documents.
///
/// # Errors
///
/// As [`documents`].
pub(super) fn parts(assignment: &Assignment, of: u32, site: &SiteView) -> Result<Vec<Part>> {
    let assigned = assigned(assignment, of)?;
    let (target, deployment) = (assignment.target()?, assignment.deployment(assigned)?);
    let wanted = documents(assignment, of)?;
    let stated = bare(assigned, deployment, target.logs);
    let stated = match (&deployment.docker, &deployment.helm) {
        (Some(docker), _) if target.kind == TargetKind::Docker => distr::Deployment {
            image_cleanup_enabled: target.image_cleanup,
            ..with_docker(stated, docker)
        },
        (_, Some(helm)) => with_helm(stated, helm, site),
        _ => return Err(misread("a deployment does not fit the kind of its target")),
    };
    let text = serde_json::to_string(&stated).expect("these values have a JSON form");
    let (mut parts, mut rest) = (Vec::new(), text.as_str());
    for wanted in wanted {
        // No text holds such a mark: its quotes would be escaped there.
        let (mark, empty) = match wanted.role {
            Role::Compose(_) => ("\"composeFile\":\"", ""),
            Role::Environment => ("\"envFile\":\"", ""),
            Role::Values => ("\"values\":", "null"),
        };
        let at = rest.find(mark).map(|at| at.saturating_add(mark.len()));
        let (before, after) = at
            .and_then(|at| rest.split_at_checked(at))
            .ok_or_else(|| misread("the answer has another form"))?;
        parts.push(Part::Text(before.to_owned()));
        parts.push(Part::Document(wanted));
        rest = after.strip_prefix(empty).unwrap_or(after);
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
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

fn with_docker(stated: distr::Deployment, docker: &DockerDeployment) -> distr::Deployment {
    distr::Deployment {
        compose_file: Some(String::new()),
        env_file: docker.env.map(|_| String::new()),
        docker_type: Some(match docker.mode {
            DockerMode::Compose => distr::DockerType::Compose,
            DockerMode::Swarm => distr::DockerType::Swarm,
        }),
        ..stated
    }
}

fn with_helm(stated: distr::Deployment, helm: &HelmDeployment, site: &SiteView) -> distr::Deployment {
    let (chart_url, chart_name) = match helm.source {
        ChartSource::Oci => (format!("oci://{}/{}", site.address(), helm.chart), String::new()),
        ChartSource::Repository => (
            format!("{}/charts/{}", site.base(), helm.chart),
            helm.chart_name.clone(),
        ),
    };
    distr::Deployment {
        release_name: helm.release_name.clone(),
        chart_url,
        chart_name,
        chart_version: helm.chart_version.clone(),
        ignore_revision_skew: helm.ignore_revision_skew,
        helm_options: helm.options.as_ref().map(complete),
        ..stated
    }
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

/// Returns the deployment at a place of the answer.
///
/// # Errors
///
/// None in fact: places come from this very assignment.
pub(super) fn assigned(assignment: &Assignment, place: u32) -> Result<&AssignedDeployment> {
    let assigned = usize::try_from(place)
        .ok()
        .and_then(|place| assignment.deployments.get(place));
    assigned.ok_or_else(|| misread("a deployment was looked for in another document"))
}

/// What cannot be: the document was checked when it came in, and is read again only with the same hash.
pub(super) fn misread(what: &str) -> Error {
    Error::new(Class::Internal, "desired-state", what.to_owned())
}
