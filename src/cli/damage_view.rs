//! Damage of releases, as people read it.

use serde_json::json;

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

    /// Returns the lines about every release that is not whole; nothing when all are.
    pub(super) fn lines(&self, names: &ScopeNames) -> String {
        self.0.iter().map(|damage| line(damage, names)).collect()
    }

    /// Whether stored content is damaged, which a repair file mends.
    pub(super) fn is_of_content(&self) -> bool {
        self.0.iter().any(|damage| damage.count() > 0)
    }

    /// Returns what leaves for whoever makes a repair file: digests alone, for several vendors may read it. Nothing when all are whole.
    pub(super) fn to_report(&self) -> Option<serde_json::Value> {
        let damage = self.0.iter().map(|damage| {
            json!({
                "content": damage.content, "head": damage.release.head, "signed_head": damage.head.is_some(),
            })
        });
        (!self.0.is_empty()).then(|| json!({"damage": damage.collect::<Vec<_>>()}))
    }

    /// Returns it for machines.
    pub(super) fn to_json(&self) -> serde_json::Value {
        self.0.iter().map(ReleaseDamage::to_json).collect()
    }

    /// As [`Self::to_json`], with every digest.
    pub(super) fn to_json_with_content(&self) -> serde_json::Value {
        let with_content = |damage: &ReleaseDamage| {
            let mut value = damage.to_json();
            if let Some(members) = value.as_object_mut() {
                members.insert("content".into(), json!(damage.content));
            }
            value
        };
        self.0.iter().map(with_content).collect()
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
