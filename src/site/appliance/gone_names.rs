//! Names that end with a release: live under the one before and not stated by it, so engines that ask for them find nothing any more.

use std::collections::BTreeSet;

use super::state::Appliance;
use crate::db::site::name_claims;
use crate::db::site::release::ReleaseRow;
use crate::domain::{RepositoryName, Result, Scope, Tag};

impl Appliance {
    /// Returns the names that end when a release that is here goes live, ascending.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn gone_names_of(&self, release: &ReleaseRow) -> Result<Vec<String>> {
        let stated = self
            .db
            .read(|connection| name_claims::tags_of(connection, release.id))?;
        let stated = stated.iter().map(|(repository, tag, _)| (repository, tag));
        self.gone_names(&release.scope, &stated.collect())
    }

    /// Returns the live names of a scope that are not among those stated, ascending.
    pub(super) fn gone_names(&self, scope: &Scope, stated: &BTreeSet<(&RepositoryName, &Tag)>) -> Result<Vec<String>> {
        let Some(live) = self.live_release(scope)? else {
            return Ok(Vec::new());
        };
        let before = self.db.read(|connection| name_claims::tags_of(connection, live.id))?;
        let gone = before
            .iter()
            .filter(|(repository, tag, _)| !stated.contains(&(repository, tag)));
        let mut names: Vec<String> = gone.map(|(repository, tag, _)| format!("{repository}:{tag}")).collect();
        names.sort();
        Ok(names)
    }
}
