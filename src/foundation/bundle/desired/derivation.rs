//! Whose UUIDs a release may state: those derived from its own words, and a hub's random ones (SPEC M-119).
//!
//! A derived UUID can be computed by everybody who knows the words. Without this rule another vendor could state it first and
//! keep its owner out for good.

use super::DesiredState;
use crate::domain::{Class, Error, Result, Scope, Uuid};

impl DesiredState {
    /// Checks that every UUID of version 8 of a target or deployment follows from the words of the release that states it.
    /// Those of agent versions belong to nobody, and removals claim nothing.
    ///
    /// # Errors
    ///
    /// `E-CONTENT derived-uuid`.
    pub fn check_derived(&self, scope: &Scope) -> Result<()> {
        for target in &self.targets {
            follows(target.id, Uuid::of_target(scope, &target.name), || {
                format!("target {:?} of {scope}", target.name)
            })?;
            for deployment in &target.deployments {
                follows(
                    deployment.id,
                    Uuid::of_deployment(target.id, &deployment.application),
                    || format!("application {} on target {:?}", deployment.application, target.name),
                )?;
            }
        }
        Ok(())
    }
}

fn follows(stated: Uuid, derived: Uuid, of: impl Fn() -> String) -> Result<()> {
    if !stated.is_derived() || stated == derived {
        return Ok(());
    }
    Err(Error::new(
        Class::Content,
        "derived-uuid",
        format!(
            "{} is stated as {stated}, a UUID of version 8 that does not follow from these words",
            of()
        ),
    )
    .expected(derived.to_string())
    .remedy("have the vendor build the bundle again without this id"))
}
