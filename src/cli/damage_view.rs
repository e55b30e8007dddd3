//! Damage of releases, as people read it.

use super::scope_names::ScopeNames;
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

    /// Returns the first release that is not whole.
    pub(super) fn first(&self) -> Option<&ReleaseDamage> {
        self.0.first()
    }

    /// Returns the lines about every release that is not whole; nothing when all are.
    pub(super) fn lines(&self, names: &ScopeNames) -> String {
        self.0.iter().map(|damage| line(damage, names)).collect()
    }

    /// Returns it all for machines.
    pub(super) fn to_json(&self) -> serde_json::Value {
        self.0.iter().map(ReleaseDamage::to_json).collect()
    }
}

/// Returns two lines about a release that is not whole: what, and what to do.
pub(super) fn line(damage: &ReleaseDamage, names: &ScopeNames) -> String {
    let release = &damage.release;
    format!(
        "\nDAMAGED: release {} ({}) of {}, {}: {}\n  what to do: {}",
        release.counter,
        escape(&release.version),
        names.of(&release.scope),
        release.state,
        escape(&damage.to_string()),
        escape(&damage.remedy),
    )
}
