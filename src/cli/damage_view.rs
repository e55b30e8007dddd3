//! Damage of releases, as people read it.

use super::ui::escape;
use crate::appliance::{Appliance, ReleaseDamage};
use crate::db::site::release::ReleaseRow;
use crate::domain::Result;

/// What is not whole of the releases of an appliance.
#[derive(Debug)]
pub(super) struct DamageView(Vec<ReleaseDamage>);

impl DamageView {
    /// Looks at the store.
    pub(super) fn read(appliance: &Appliance) -> Result<Self> {
        appliance.damage().map(Self)
    }

    /// Returns what is not whole of one release.
    pub(super) fn of(&self, release: &ReleaseRow) -> Option<&ReleaseDamage> {
        self.0.iter().find(|damage| damage.release.id == release.id)
    }

    /// Returns the lines about every release that is not whole; nothing when all are.
    pub(super) fn lines(&self) -> String {
        self.0.iter().map(line).collect()
    }

    /// Returns it all for machines.
    pub(super) fn to_json(&self) -> serde_json::Value {
        self.0.iter().map(ReleaseDamage::to_json).collect()
    }
}

/// Returns two lines about a release that is not whole: what, and what to do.
pub(super) fn line(damage: &ReleaseDamage) -> String {
    let release = &damage.release;
    format!(
        "\nDAMAGED: release {} ({}) of {}, {}: {}\n  what to do: {}",
        release.counter,
        escape(&release.version),
        release.scope,
        release.state,
        escape(&damage.to_string()),
        escape(&damage.remedy),
    )
}
