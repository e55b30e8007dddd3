//! A plan before an act (D24): what changes when a release goes live at this site, whether it comes in now or is here already.

use std::sync::Arc;

use super::fleet::{StatedTarget, stated_by};
use super::name_changes::NameChanges;
use super::secret::SecretPlan;
use super::state::Appliance;
use crate::db::site::release::ReleaseRow;
use crate::domain::{Counter, Hash, Result, Scope};

/// What changes when a release goes live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReleasePlan {
    /// The release of its scope that is live now; nothing where none is.
    pub from: Option<LiveNow>,
    /// What it states for this site.
    pub targets: Vec<StatedTarget>,
    /// What becomes of names.
    pub names: NameChanges,
    /// What becomes of secrets.
    pub secrets: SecretPlan,
    /// What its content needs of the disk; nothing where it is here.
    pub room: Option<Room>,
}

/// What the content of a bundle needs of the disk, and what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that stay, without what is here already, and without the room that an earlier try took for what it has begun.
    pub bytes: u64,
    /// Files of them.
    pub files: u64,
    /// Bytes that the whole bundle brings, with all of its volumes.
    pub whole_bytes: u64,
    /// Files of them.
    pub whole_files: u64,
    /// Bytes that are needed for as long as the import runs.
    pub scratch_bytes: u64,
    /// Bytes that must stay free beside all that.
    pub margin_bytes: u64,
    /// Bytes that are free.
    pub free_bytes: u64,
    /// Files that can be made; nothing where the file system does not count them.
    pub free_files: Option<u64>,
}

/// The live release of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveNow {
    /// Its number.
    pub counter: Counter,
    /// Its label.
    pub version: String,
    /// Its head digest.
    pub head: Hash,
}

impl Appliance {
    /// Returns what changes when a release that is here goes live.
    ///
    /// # Errors
    ///
    /// `E-STATE` when its head or a document of it is not what was signed; those of the database.
    pub fn release_plan(self: &Arc<Self>, release: &ReleaseRow) -> Result<ReleasePlan> {
        let from = self.live_now(&release.scope)?;
        // What is live changes nothing, whatever of it cannot be read.
        if from.as_ref().is_some_and(|live| live.head == release.head) {
            return Ok(ReleasePlan {
                from,
                ..ReleasePlan::default()
            });
        }
        Ok(ReleasePlan {
            from,
            targets: stated_by(self, release)?,
            names: self.name_changes_of(release)?,
            secrets: self.secret_plan(release)?,
            room: None,
        })
    }

    /// Returns the live release of a scope.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) fn live_now(&self, scope: &Scope) -> Result<Option<LiveNow>> {
        Ok(self.live_release(scope)?.map(|live| LiveNow {
            counter: live.counter,
            version: live.version,
            head: live.head,
        }))
    }
}
