//! What a bundle tells targets to run, in lines for people.

use crate::bundle::desired::DesiredState;

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
        }
    }
    lines.extend(state.removed.iter().map(|id| format!("removed      {id}")));
    lines
}
