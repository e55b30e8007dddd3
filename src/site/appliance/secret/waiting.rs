//! Releases that are here and wait for secrets: what lists, plans and health tell of them.

use super::missing::{MissingSecret, lacks};
use super::plan::SecretPlan;
use super::prepare::{Readiness, judge};
use super::stated;
use crate::appliance::state::Appliance;
use crate::db::site::release::{ReleaseRow, State};
use crate::domain::{Result, Scope};

/// A release that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRelease {
    /// The release.
    pub release: ReleaseRow,
    /// What it waits for.
    pub missing: Vec<MissingSecret>,
}

impl WaitingRelease {
    /// Words it: `waits for SMTP_PASSWORD of press-1`.
    pub fn words(&self) -> String {
        lacks(&self.missing)
    }
}

impl Appliance {
    /// Returns the releases above the live one of their scope that lack secrets, as [`Appliance::releases`] orders them. One whose
    /// documents cannot be read is not among them: that is told elsewhere.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn waiting_releases(&self) -> Result<Vec<WaitingRelease>> {
        let all = self.releases()?;
        let is_above = |release: &&ReleaseRow| {
            let live = all
                .iter()
                .find(|live| live.state == State::Active && live.scope == release.scope);
            release.state == State::Available && live.is_none_or(|live| live.counter < release.counter)
        };
        let mut waiting = Vec::new();
        for release in all.iter().filter(is_above) {
            if let Ok(missing) = self.missing_secrets(release)
                && !missing.is_empty()
            {
                waiting.push(WaitingRelease {
                    release: release.clone(),
                    missing,
                });
            }
        }
        Ok(waiting)
    }

    /// Returns what a release lacks at this site that nothing here makes, and the values that are too long for it.
    ///
    /// # Errors
    ///
    /// `E-STATE` when what it says cannot be read; those of the database.
    pub fn missing_secrets(&self, release: &ReleaseRow) -> Result<Vec<MissingSecret>> {
        self.readiness(release).map(|readiness| readiness.missing)
    }

    /// Returns what a release that is here changes of secrets when it goes live.
    ///
    /// # Errors
    ///
    /// As [`Appliance::missing_secrets`].
    pub fn secret_plan(&self, release: &ReleaseRow) -> Result<SecretPlan> {
        let live = self.live_release(&release.scope)?;
        if live.as_ref().is_some_and(|live| live.id == release.id) {
            return Ok(SecretPlan::default());
        }
        self.readiness_beside(release, live.as_ref())
            .map(|readiness| readiness.plan())
    }

    /// Judges what a release that is here lacks.
    ///
    /// # Errors
    ///
    /// As [`Appliance::missing_secrets`].
    pub(in crate::appliance) fn readiness(&self, release: &ReleaseRow) -> Result<Readiness> {
        self.readiness_beside(release, None)
    }

    /// As [`Appliance::readiness`], and what changes beside the live release, where that is given.
    ///
    /// # Errors
    ///
    /// As [`Appliance::missing_secrets`].
    pub(super) fn readiness_beside(&self, release: &ReleaseRow, live: Option<&ReleaseRow>) -> Result<Readiness> {
        let Some(document) = stated::document(self, release)? else {
            return Ok(Readiness::nothing());
        };
        if live.is_none() && document.state.secrets().next().is_none() {
            return Ok(Readiness::nothing());
        }
        let sealed = stated::sealed_for_site(self, release, &document)?;
        judge(self, (&release.scope, live), &document.state, sealed, &|digest| {
            stated::places(self, digest)
        })
    }

    /// Returns the release of a scope that goes live by itself once no secret of it is missing: the newest one that was imported.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) fn waiting_release(&self, scope: &Scope) -> Result<Option<ReleaseRow>> {
        let newest = self.releases()?.into_iter().find(|release| release.scope == *scope);
        Ok(newest.filter(|release| release.state == State::Available && release.waits))
    }
}
