//! A release that waited for a value alone: what changes with it is said before it goes live, and asked where something goes (D24).

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Ui;
use super::confirm::answered;
use super::release_plan::{Next, PlanView};
use super::scope_names::ScopeNames;
use super::ui::escape;
use super::waiting_view::{commands, missing_json};
use crate::appliance::Appliance;
use crate::appliance::fleet::FleetNow;
use crate::appliance::secret::{Waited, WaitedFor, lacks};
use crate::db::site::release::ReleaseRow;
use crate::domain::Result;

/// Says what changes when such a release goes live, and asks on a terminal where agents are taken something away, as its import would have.
pub(super) struct Succession<'a> {
    appliance: &'a Arc<Appliance>,
    /// The answer was given beforehand.
    yes: bool,
    /// What was said of it, for machines.
    plan: Map<String, Value>,
}

impl<'a> Succession<'a> {
    pub(super) fn new(appliance: &'a Arc<Appliance>, yes: bool) -> Self {
        Self {
            appliance,
            yes,
            plan: Map::new(),
        }
    }

    pub(super) fn appliance(&self) -> &Appliance {
        self.appliance
    }

    /// Whether the release may go live now.
    ///
    /// # Errors
    ///
    /// Those of its plan, and of the terminal.
    pub(super) fn ask(&mut self, release: &ReleaseRow, ui: &mut Ui) -> Result<bool> {
        let plan = self.appliance.release_plan(release)?;
        let now = FleetNow::read(self.appliance);
        let view = PlanView::new(&now, &release.scope, &plan);
        let called = ScopeNames::read(self.appliance, [])?.of(&release.scope);
        let next = Next {
            counter: release.counter,
            version: &release.version,
            called: &called,
        };
        self.plan = view.members();
        ui.say("the value is kept, and a release that waited for it goes live; what changes with it:");
        view.say(&next, &plan.secrets.made_anew, ui);
        if self.yes || !view.removes() || !io::stdin().is_terminal() {
            return Ok(true);
        }
        answered(ui)
    }

    /// Says what became of it.
    pub(super) fn told(&self, waited: &Waited) -> Result<(Value, String)> {
        let names = ScopeNames::read(self.appliance, [])?;
        let release = &waited.release;
        let name = format!(
            "release {} ({}) of {}",
            release.counter,
            escape(&release.version),
            names.of(&release.scope)
        );
        let (word, missing, line) = match &waited.result {
            Ok(WaitedFor::Live(_)) => ("activated", &[][..], format!("\n{name} is live now")),
            Ok(WaitedFor::Declined) => (
                "declined",
                &[][..],
                format!(
                    "\n{name} has every secret and is not live: make it live with `airlock release activate {}`",
                    release.head.to_hex().get(..16).unwrap_or_default()
                ),
            ),
            Ok(WaitedFor::More(missing)) => (
                "waiting",
                &missing[..],
                format!("\n{name} still {}{}", escape(&lacks(missing)), commands(missing)),
            ),
            Err(_) => ("refused", &[][..], String::new()),
        };
        let mut value = json!({
            "result": word, "head": release.head, "version": release.version, "epoch": release.counter.epoch,
            "sequence": release.counter.sequence, "secrets": missing_json(missing),
            "error": waited.result.as_ref().err().map(|error| format!("{} {}", error.class(), error.code())),
        });
        if let Some(members) = value.as_object_mut()
            && !self.plan.is_empty()
        {
            members.insert("plan".into(), Value::Object(self.plan.clone()));
        }
        Ok((value, line))
    }
}
