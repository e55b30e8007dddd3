//! What a bundle tells targets to run, in lines for people.

use crate::bundle::desired::{Deployment, DesiredState, SecretSource};

use super::ui::escape;

/// Returns one line for each deployment, and for each target without one.
pub(super) fn lines(state: &DesiredState) -> Vec<String> {
    let mut lines = Vec::new();
    for target in &state.targets {
        let agent = state.agents.iter().find(|agent| agent.id == target.agent);
        let site = match &target.site {
            Some(site) => format!("site {site}"),
            None => "every site".to_owned(),
        };
        lines.push(format!(
            "target       {} ({}), {site}, agent {}",
            escape(&target.name),
            target.id,
            agent.map(|agent| escape(&agent.name)).unwrap_or_default(),
        ));
        for (_, deployment) in target.in_order() {
            lines.push(format!(
                "  runs       {} {}, deployment {}, revision {}",
                deployment.application,
                escape(&deployment.version),
                deployment.id,
                deployment.revision
            ));
            lines.extend(secrets(deployment).map(|secrets| format!("  secrets    {secrets}")));
        }
    }
    lines.extend(state.removed.iter().map(|id| format!("removed      {id}")));
    lines
}

/// Returns the secrets that a deployment uses, each with where its value comes from; nothing where it uses none.
pub(super) fn secrets(deployment: &Deployment) -> Option<String> {
    let each = deployment.secrets().iter().map(|used| {
        let source = match used.source {
            SecretSource::Sealed => "sealed by the vendor",
            SecretSource::Ask => "entered at the site",
            SecretSource::Generate => "made at the site",
        };
        let whose = if used.per_target { ", one for each target" } else { "" };
        format!("{} ({source}{whose})", used.name)
    });
    Some(each.collect::<Vec<_>>().join(", ")).filter(|all| !all.is_empty())
}
