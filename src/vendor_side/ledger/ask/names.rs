//! Names for what a site reports, by signed releases for it alone (M-113).

use std::collections::BTreeMap;

use crate::db::Connection;
use crate::db::ledger::questions::{
    self, NamedDeployment, NamedTarget, SignedHeadRow, TargetNow, heads_of_revision, named_deployment, named_target,
    template_deployments,
};
use crate::domain::{Hash, Result, SiteId, Uuid};

/// What a site may speak of.
#[derive(Debug)]
pub struct SiteNames<'a> {
    connection: &'a Connection,
    site: &'a SiteId,
    /// Deployments of targets that were made at the site: target, and the deployment that theirs follows.
    made_there: BTreeMap<Uuid, (Uuid, NamedDeployment)>,
    /// Heads that are live at the site.
    live: Vec<Hash>,
}

/// A deployment with what signed releases say of it.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// What it is; none for one that no signed release states for the site.
    pub deployment: Option<NamedDeployment>,
    /// The release whose revision it runs: the one that is live at the site, else the newest.
    pub runs: Option<SignedHeadRow>,
}

impl<'a> SiteNames<'a> {
    /// Prepares the names of a site's targets.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub fn read(connection: &'a Connection, site: &'a SiteId, targets: &[TargetNow], live: Vec<Hash>) -> Result<Self> {
        let mut made_there = BTreeMap::new();
        for target in targets {
            let Some(follows) = target.follows else { continue };
            for template in template_deployments(connection, site, follows)? {
                let own = Uuid::of_local_deployment(target.target, template.deployment);
                made_there.insert(own, (target.target, template));
            }
        }
        Ok(Self {
            connection,
            site,
            made_there,
            live,
        })
    }

    /// Returns what a target is called.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub fn target(&self, target: Uuid) -> Result<Option<NamedTarget>> {
        named_target(self.connection, self.site, target)
    }

    /// Returns what a deployment is.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub fn deployment(&self, deployment: Uuid) -> Result<Option<NamedDeployment>> {
        match self.made_there.get(&deployment) {
            Some((_, template)) => Ok(Some(template.clone())),
            None => named_deployment(self.connection, self.site, deployment),
        }
    }

    /// Returns the releases that give a deployment a revision, the newest first; none for a deployment that is not the site's.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub fn releases(&self, deployment: Uuid, revision: Uuid) -> Result<Vec<SignedHeadRow>> {
        if let Some((target, template)) = self.made_there.get(&deployment) {
            let known = questions::revisions_of(self.connection, template.deployment)?;
            let followed = known
                .into_iter()
                .find(|known| Uuid::of_local_revision(*target, *known) == revision);
            return match followed {
                Some(followed) => heads_of_revision(self.connection, followed, template.deployment),
                None => Ok(Vec::new()),
            };
        }
        if named_deployment(self.connection, self.site, deployment)?.is_none() {
            return Ok(Vec::new());
        }
        heads_of_revision(self.connection, revision, deployment)
    }

    /// Returns the release that a revision of a deployment is shown as.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub fn release(&self, deployment: Uuid, revision: Uuid) -> Result<Option<SignedHeadRow>> {
        let releases = self.releases(deployment, revision)?;
        let live = releases.iter().find(|release| self.live.contains(&release.head));
        Ok(live.or(releases.first()).cloned())
    }

    /// Returns everything that signed releases say of a deployment.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub fn named(&self, deployment: Uuid, runs: Option<Uuid>) -> Result<Named> {
        Ok(Named {
            deployment: self.deployment(deployment)?,
            runs: match runs {
                Some(revision) => self.release(deployment, revision)?,
                None => None,
            },
        })
    }
}
