//! Damage of releases, as people read it.

use serde_json::json;

use super::scope_names::ScopeNames;
use super::ui::escape;
use crate::appliance::{Appliance, ReleaseDamage};
use crate::container::ChunkRanges;
use crate::db::site::release::ReleaseRow;
use crate::domain::{Class, Error, Result};

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

    /// Returns what leaves for whoever makes a repair file: digests and numbers alone, for several vendors may read it. Nothing when all are
    /// whole.
    ///
    /// # Errors
    ///
    /// Those of [`Appliance::left_over`].
    pub(super) fn to_report(&self, appliance: &Appliance) -> Result<Option<serde_json::Value>> {
        let mut damage = Vec::with_capacity(self.0.len());
        for damaged in &self.0 {
            let mut pieces = serde_json::Map::new();
            for digest in &damaged.content {
                let Some(left) = appliance.left_over(digest)?.filter(|left| !left.lost().is_empty()) else {
                    continue;
                };
                let lost = ChunkRanges::exactly(left.lost().iter().copied());
                pieces.insert(
                    digest.to_string(),
                    json!({"bytes": left.piece_size(), "lost": lost.to_string()}),
                );
            }
            damage.push(json!({
                "content": damaged.content, "head": damaged.release.head, "pieces": pieces, "signed_head": damaged.head.is_some(),
            }));
        }
        Ok((!damage.is_empty()).then(|| json!({"damage": damage})))
    }

    /// Ends a command that found or left a release that is not whole, so that whoever runs it unattended notices.
    ///
    /// # Errors
    ///
    /// `E-STATE content-damaged` where there is one.
    pub(super) fn check_whole(&self) -> Result<()> {
        match self.0.as_slice() {
            [] => Ok(()),
            [one] => Err(damaged_content(&format!(
                "release {} of {} is not whole",
                one.release.counter, one.release.scope
            ))),
            several => Err(damaged_content(&format!("{} releases are not whole", several.len()))),
        }
    }

    /// Returns it all for machines.
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

/// Content of releases is missing or damaged, and what mends it was said.
pub(super) fn damaged_content(found: &str) -> Error {
    Error::new(Class::State, "content-damaged", found)
        .expected("content as it was imported")
        .remedy("import the bundles that are named for it, the oldest first: `airlock import FILE`; `airlock release list` names them once more")
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
