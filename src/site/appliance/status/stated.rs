//! What agents report of revisions of this site, in the revisions that everybody knows. In the status database stands what agents said.

use super::overview::{DeploymentStatus, LatestStatus, TargetStatus, Told};
use super::runs::{Doubt, Running};
use crate::appliance::secret::KnownValues;
use crate::db::site::site_revisions::SiteRevisions;
use crate::domain::Scope;

impl DeploymentStatus {
    /// Returns the same in stated revisions. One that runs with other values than the present ones is in doubt: that it was applied with
    /// these is what its revision would say.
    #[must_use]
    pub fn in_stated_revisions(self, revisions: &SiteRevisions) -> Self {
        let id = self.deployment;
        let stated = |revision| revisions.stated(&id, &revision);
        let runs = match self.runs {
            Running::Revision(revision) if revisions.is_outdated(&id, &revision) => Running::Unknown(Doubt::Before),
            Running::Revision(revision) => Running::Revision(stated(revision)),
            other => other,
        };
        Self {
            latest: self.latest.map(|latest| LatestStatus {
                revision: stated(latest.revision),
                ..latest
            }),
            runs,
            told: self.told.map(|told| Told {
                revision: told.revision.map(stated),
                former: told.former.map(stated),
                ..told
            }),
            ..self
        }
    }

    fn without(self, known: &KnownValues, scope: &Scope) -> Self {
        Self {
            latest: self.latest.map(|latest| LatestStatus {
                message: known.shown(scope, &latest.message).into_owned(),
                ..latest
            }),
            ..self
        }
    }
}

impl TargetStatus {
    /// Returns the same without values of secrets in its texts, which are of a target of this scope.
    #[must_use]
    pub fn without(self, known: &KnownValues, scope: &Scope) -> Self {
        let deployments = self.deployments.into_iter();
        Self {
            // The version that it states is a text of its own choice too.
            agent: self.agent.map(|agent| known.shown(scope, &agent).into_owned()),
            deployments: deployments.map(|status| status.without(known, scope)).collect(),
            ..self
        }
    }

    /// Returns the same in stated revisions.
    #[must_use]
    pub fn in_stated_revisions(self, revisions: &SiteRevisions) -> Self {
        let deployments = self.deployments.into_iter();
        Self {
            deployments: deployments
                .map(|status| status.in_stated_revisions(revisions))
                .collect(),
            ..self
        }
    }
}
