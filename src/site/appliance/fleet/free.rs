//! The way out when a UUID was claimed by the wrong product: a local, audited act lets it go, and the next that states it has it (D18 b).

use serde_json::json;

use super::service::Hub;
use super::view::{DeploymentView, TargetView};
use crate::appliance::last_generation;
use crate::db::site::{Owner, audit, owners};
use crate::domain::{Name, Result, Uuid};

/// Whose a UUID is, and what would end with that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimView {
    /// Whose it is; nobody's when it was let go already.
    pub owner: Option<Owner>,
    /// The channel whose live release has it.
    pub channel: Option<Name>,
    /// The target that agents log in to under it.
    pub target: Option<TargetView>,
    /// The deployment that it is, with the target whose agent is told of it.
    pub deployment: Option<(TargetView, DeploymentView)>,
}

impl Hub {
    /// Returns whose a UUID is, as [`Hub::free`] would let it go; changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Hub::free`].
    pub fn claim(&self, id: &Uuid) -> Result<ClaimView> {
        let row = self.db().read(|connection| owners::check_free(connection, id))?;
        let targets = self.targets();
        let deployment = targets.iter().find_map(|target| {
            let mut told = target.deployments.iter().filter(|deployment| !deployment.removed);
            Some((target.clone(), told.find(|deployment| deployment.id == *id)?.clone()))
        });
        let target = targets.into_iter().find(|target| target.id == *id);
        Ok(ClaimView {
            owner: row.owner,
            channel: row.channel,
            target,
            deployment,
        })
    }

    /// Lets the UUID of a target or deployment go: its secret is deleted, its tokens are dead, it counts as removed here for the product
    /// that had it, whatever that states, and the next that states it has it. Returns whose it was; nothing when it was nobody's.
    ///
    /// # Errors
    ///
    /// `E-USAGE uuid` when no release ever stated it, or for a target made here; `E-USAGE template` when targets made here follow it;
    /// `E-STATE`, `E-IO`, `E-SPACE`.
    pub fn free(&self, id: &Uuid) -> Result<Option<Owner>> {
        let now = self.clock().now();
        let withdrawn = last_generation::forget(self.live().appliance().folder())?;
        let owner = self.db().write(|transaction| {
            let owner = owners::free(transaction, id, now)?;
            if let Some(owner) = &owner {
                audit::append(
                    transaction,
                    now,
                    "target-free",
                    &json!({"domain": owner.domain, "id": id, "product": owner.product}),
                    &[],
                )?;
            }
            Ok(owner)
        })?;
        drop(withdrawn);
        self.refresh()?;
        Ok(owner)
    }
}
