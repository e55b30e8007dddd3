//! What a release changes of secrets when it goes live, in words: the same wherever one does.

use serde_json::{Value, json};

use super::ui::escape;
use crate::appliance::secret::SecretPlan;

/// The lines of it, for a release that goes live. `replaced` are the secrets among those that are made of which something here may keep an
/// older value.
pub(super) fn lines(plan: &SecretPlan, replaced: &[String]) -> Vec<String> {
    let new: Vec<String> = plan
        .made
        .iter()
        .filter(|name| !replaced.contains(name))
        .cloned()
        .collect();
    let said = [
        (
            &plan.changed[..],
            "secrets that get another value, with which agents apply again what uses them",
        ),
        (
            replaced,
            "secrets that are made, for nothing is here: whatever kept an older value does not know the new one",
        ),
        (&new[..], "secrets that are made here"),
        (&plan.unused[..], "secrets that nothing uses any more"),
    ];
    let said = said.iter().filter(|(names, _)| !names.is_empty());
    said.map(|(names, what)| format!("{what}: {}", escape(&names.join(", "))))
        .collect()
}

/// Everything, for machines.
pub(super) fn to_json(plan: &SecretPlan) -> Value {
    json!({"changed": plan.changed, "made": plan.made, "made_anew": plan.made_anew, "unused": plan.unused})
}
