//! Releases that wait for secrets, as people and programs are told of them.

use serde_json::{Value, json};

use super::scope_names::ScopeNames;
use super::target_state::TargetState;
use super::ui::escape;
use crate::appliance::Appliance;
use crate::appliance::secret::{MissingSecret, WaitingRelease};
use crate::db::site::release::ReleaseRow;
use crate::domain::{Result, Scope};

/// The releases that wait.
#[derive(Debug)]
pub(super) struct WaitingView(Vec<WaitingRelease>);

impl WaitingView {
    /// Looks which there are.
    pub(super) fn read(appliance: &Appliance) -> Result<Self> {
        appliance.waiting_releases().map(Self)
    }

    /// Returns what one release waits for.
    pub(super) fn of(&self, release: &ReleaseRow) -> &[MissingSecret] {
        let waiting = self.0.iter().find(|waiting| waiting.release.id == release.id);
        waiting.map_or(&[], |waiting| &waiting.missing)
    }

    /// Returns a few words about a release for a list, or nothing.
    pub(super) fn word(&self, release: &ReleaseRow) -> String {
        let waiting = self.0.iter().find(|waiting| waiting.release.id == release.id);
        waiting.map_or_else(String::new, |waiting| format!("  {}", escape(&waiting.words())))
    }

    /// Returns the lines about every release that waits; nothing when none does.
    pub(super) fn lines(&self, names: &ScopeNames) -> String {
        let mut out = String::new();
        for waiting in &self.0 {
            let release = &waiting.release;
            out += &format!(
                "\nrelease {} ({}) of {} {}",
                release.counter,
                escape(&release.version),
                names.of(&release.scope),
                escape(&waiting.words())
            );
            out += &commands(&waiting.missing);
        }
        out
    }

    /// Returns each release that waits and speaks for some of these targets: its name, and what it waits for.
    pub(super) fn of_targets(&self, targets: &[TargetState]) -> Vec<(String, String)> {
        let speaks = |scope: &Scope| targets.iter().any(|target| target.view.scope == *scope);
        let waiting = self.0.iter().filter(|waiting| speaks(&waiting.release.scope));
        waiting
            .map(|waiting| {
                let release = &waiting.release;
                let name = format!("release {} ({}) of {}", release.counter, release.version, release.scope);
                (escape(&name), escape(&waiting.words()))
            })
            .collect()
    }

    /// Returns it all for machines.
    pub(super) fn to_json(&self) -> Value {
        let waiting = self.0.iter().map(|waiting| {
            let release = &waiting.release;
            json!({
                "head": release.head, "product": release.scope.product, "channel": release.scope.channel,
                "domain": release.scope.domain, "epoch": release.counter.epoch, "sequence": release.counter.sequence,
                "version": release.version, "secrets": missing_json(&waiting.missing),
            })
        });
        waiting.collect()
    }
}

/// Returns a line with the command for each secret that can be entered here, and who has to be asked for the others.
pub(super) fn commands(missing: &[MissingSecret]) -> String {
    let mut out = String::new();
    for missing in missing.iter().filter(|missing| !missing.sealed) {
        let word = match missing.too_large {
            None => "enter",
            Some(_) => "enter a shorter",
        };
        out += &format!("\n  {word} {}: `{}`", escape(&missing.label()), missing.remedy());
    }
    if missing
        .iter()
        .any(|missing| missing.sealed && missing.too_large.is_some())
    {
        out += "\n  ask the vendor for a release with a shorter value of what it seals";
    }
    out
}

/// Returns missing secrets for machines.
pub(super) fn missing_json(missing: &[MissingSecret]) -> Value {
    let each = missing.iter().map(|missing| {
        let target = missing
            .target
            .as_ref()
            .map(|(id, name)| json!({"id": id, "name": name}));
        let command = (!missing.sealed).then(|| missing.remedy());
        let too_large = missing.too_large.as_ref().map(|excess| {
            json!({
                "target": excess.target, "more_targets": excess.others, "bytes": excess.whole,
                "document_bytes": excess.document,
            })
        });
        json!({
            "name": missing.name, "target": target, "sealed": missing.sealed, "too_large": too_large, "command": command,
        })
    });
    each.collect()
}
