//! What a release changes of secrets when it goes live, in words: the same wherever one does.

use serde_json::{Value, json};

use super::ui::escape;
use crate::appliance::secret::SecretPlan;

/// The lines of it, for a release that takes the place of another one. `made` are the secrets that are made of which that is to be said.
pub(super) fn lines(plan: &SecretPlan, made: &[String]) -> Vec<String> {
    let said = [
        (
            &plan.changed[..],
            "secrets that get another value, with which agents apply again what uses them",
        ),
        (
            made,
            "secrets that are made, for nothing is here: whatever kept an older value does not know the new one",
        ),
        (&plan.unused[..], "secrets that nothing uses any more"),
    ];
    let said = said.iter().filter(|(names, _)| !names.is_empty());
    said.map(|(names, what)| format!("{what}: {}", escape(&names.join(", "))))
        .collect()
}

/// Everything, for machines.
pub(super) fn to_json(plan: &SecretPlan) -> Value {
    json!({"changed": plan.changed, "made": plan.made, "unused": plan.unused})
}
