//! What changes with a release that goes live, in words and for machines: the same in a dry run, before an import, and before an activation
//! (D24).

use serde_json::{Value, json};

use super::name_changes::{self, names_json};
use super::removal_plan::Removals;
use super::secret_plan;
use super::ui::{Ui, bytes, escape};
use crate::appliance::fleet::{Change, Coming, DeploymentChange, FleetNow, TargetChange, coming, leaving};
use crate::appliance::{LiveNow, ReleasePlan, Room};
use crate::domain::{Counter, Error, Result, Scope, counted};

/// Targets that are written out; `--format json` has all of them.
const SHOWN: usize = 20;

/// What changes, compared with what agents run.
pub(super) struct PlanView<'a> {
    plan: &'a ReleasePlan,
    /// Nothing where what runs cannot be told.
    coming: Option<Coming>,
    removals: Removals,
    /// Why it cannot be told.
    unknown: Option<&'a Error>,
}

/// The release that goes live.
pub(super) struct Next<'a> {
    pub(super) counter: Counter,
    pub(super) version: &'a str,
    /// Its scope, as people name it.
    pub(super) called: &'a str,
}

impl<'a> PlanView<'a> {
    /// Compares what runs with what a release of a scope states; that what runs cannot be told stops nothing.
    pub(super) fn new(now: &'a Result<FleetNow>, scope: &Scope, plan: &'a ReleasePlan) -> Self {
        let is_first = plan.from.is_none();
        match now {
            Ok(now) => Self {
                plan,
                coming: Some(coming(now, scope, &plan.targets, is_first)),
                removals: Removals(leaving(now, scope, &plan.targets, is_first)),
                unknown: None,
            },
            Err(error) => Self {
                plan,
                coming: None,
                removals: Removals::default(),
                unknown: Some(error),
            },
        }
    }

    /// The plan of what is live already: nothing changes.
    pub(super) fn of_nothing(plan: &'a ReleasePlan) -> Self {
        Self {
            plan,
            coming: Some(Coming::default()),
            removals: Removals::default(),
            unknown: None,
        }
    }

    /// Says it, before it happens.
    pub(super) fn say(&self, next: &Next<'_>, made: &[String], ui: &mut Ui) {
        self.warn(ui);
        for line in self.lines(next, made) {
            ui.say(line);
        }
    }

    /// Warns of what cannot be told.
    pub(super) fn warn(&self, ui: &mut Ui) {
        if let Some(error) = self.unknown {
            ui.warn(format_args!("what agents start and delete cannot be said: {error}"));
        }
    }

    /// Whether agents are taken something away.
    pub(super) fn removes(&self) -> bool {
        !self.removals.is_empty()
    }

    /// Whether values of secrets change, are made in the place of others or are not used any more.
    pub(super) fn changes_secrets(&self, made: &[String]) -> bool {
        !secret_plan::lines(&self.plan.secrets, made).is_empty()
    }

    /// The lines of it: from which release to which, the disk, agents, names, secrets. `made` are the secrets that are made of which something
    /// here may keep an older value.
    pub(super) fn lines(&self, next: &Next<'_>, made: &[String]) -> Vec<String> {
        let mut lines = vec![step(self.plan.from.as_ref(), next)];
        lines.extend(self.plan.room.as_ref().map(room_line));
        lines.extend(self.coming.iter().flat_map(coming_lines));
        lines.extend(self.removals.lines());
        lines.extend(name_changes::lines(&self.plan.names, self.plan.from.is_none()));
        lines.extend(secret_plan::lines(&self.plan.secrets, made));
        lines
    }

    /// Everything, for machines: members that a result takes in.
    pub(super) fn members(&self) -> serde_json::Map<String, Value> {
        let from = self.plan.from.as_ref().map(|from| {
            json!({
                "epoch": from.counter.epoch, "sequence": from.counter.sequence, "version": from.version, "head": from.head,
            })
        });
        let members = [
            ("from", json!(from)),
            ("changes", json!(self.coming.as_ref().map(coming_json))),
            ("removes", self.removals.to_json()),
            ("names", names_json(&self.plan.names)),
            ("secrets", secret_plan::to_json(&self.plan.secrets)),
            ("room", json!(self.plan.room.as_ref().map(room_json))),
        ];
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// From which release it goes to which.
fn step(from: Option<&LiveNow>, next: &Next<'_>) -> String {
    let Next {
        counter,
        version,
        called,
    } = next;
    let version = escape(version);
    match from {
        None => format!("{called}: release {counter} ({version}) is the first that goes live"),
        Some(live) if live.counter == *counter => format!("{called}: release {counter} ({version}) is live already"),
        Some(live) => format!(
            "{called} goes {} from release {} ({}) to {counter} ({version})",
            if live.counter > *counter { "back" } else { "on" },
            live.counter,
            escape(&live.version)
        ),
    }
}

fn room_line(room: &Room) -> String {
    let while_it_runs = match room.scratch_bytes {
        0 => String::new(),
        scratch => format!(", and {} for as long as the import runs", bytes(scratch)),
    };
    // Of a bundle in volumes most may be here before its last one comes.
    let of_whole = if (room.bytes, room.files) == (room.whole_bytes, room.whole_files) {
        String::new()
    } else {
        format!(
            " (the whole bundle brings {} in {}: the rest is here, or its room is taken)",
            bytes(room.whole_bytes),
            counted(room.whole_files, "file")
        )
    };
    format!(
        "room: {} in {} come{of_whole}{while_it_runs}; {} are free, of which {} must stay",
        bytes(room.bytes),
        counted(room.files, "file"),
        bytes(room.free_bytes),
        bytes(room.margin_bytes)
    )
}

fn room_json(room: &Room) -> Value {
    json!({
        "bytes": room.bytes, "files": room.files, "whole_bytes": room.whole_bytes, "whole_files": room.whole_files, "scratch_bytes": room.scratch_bytes, "margin_bytes": room.margin_bytes,
        "free_bytes": room.free_bytes, "free_files": room.free_files,
    })
}

/// What an agent does that gets another revision of a deployment (distr-protocol 2.3).
fn in_place(engine: &str) -> &'static str {
    match engine {
        "helm" => {
            "in place (helm upgrade): what differs is changed, and what the chart does not make any more is deleted, volume claims of the chart \
             among it; other volumes stay"
        }
        "swarm" => {
            "in place (docker stack deploy): services that differ are replaced; those that the file does not have any more go on running; \
             volumes stay"
        }
        _ => {
            "in place (docker compose up): containers of services that differ are made anew, and those of services that the file does not have \
             any more are removed; VOLUMES stay, with all data in them"
        }
    }
}

fn coming_lines(coming: &Coming) -> Vec<String> {
    let changed: Vec<&TargetChange> = coming
        .targets
        .iter()
        .filter(|target| !matches!(target.change, Change::Unknown(_)))
        .collect();
    let mut lines: Vec<String> = changed
        .iter()
        .take(SHOWN)
        .flat_map(|target| target_lines(target))
        .collect();
    if let Some(more) = changed.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        lines.push(format!(
            "{} more change; --format json has all of them",
            counted(more, "target")
        ));
    }
    for engine in ["compose", "swarm", "helm"] {
        let is_updated = |one: &DeploymentChange| one.engine == engine && one.from.is_some();
        if changed.iter().any(|target| target.deployments.iter().any(is_updated)) {
            lines.push(format!("  {}", in_place(engine)));
        }
    }
    if coming.unchanged > 0 && !coming.targets.is_empty() {
        lines.push(format!(
            "{} stay as they are",
            counted(coming.unchanged, "other target")
        ));
    } else if coming.unchanged > 0 {
        lines.push("what agents run stays as it is".to_owned());
    }
    if coming.stay_away > 0 {
        lines.push(format!(
            "{} that were taken away here stay away",
            counted(coming.stay_away, "target")
        ));
    }
    lines
}

fn target_lines(target: &TargetChange) -> Vec<String> {
    let name = escape(&target.name);
    let mut lines = Vec::new();
    let (started, updated): (Vec<&DeploymentChange>, Vec<&DeploymentChange>) =
        target.deployments.iter().partition(|one| one.from.is_none());
    let starts: Vec<String> = started
        .iter()
        .map(|one| format!("{} {}", one.application, escape(&one.to)))
        .collect();
    if target.change == Change::Added {
        let runs = if starts.is_empty() {
            "nothing yet".to_owned()
        } else {
            starts.join(", ")
        };
        lines.push(format!("target {name} ({}) comes, and runs {runs}", target.kind));
        return lines;
    }
    if let Some(before) = &target.renamed_from {
        lines.push(format!("target {} is called {name}", escape(before)));
    }
    if let Some((from, to)) = &target.agent {
        let from = from
            .as_ref()
            .map_or_else(String::new, |from| format!(" (now {})", escape(from)));
        lines.push(format!("target {name}: its agent becomes {}{from}", escape(to)));
    }
    if !starts.is_empty() {
        lines.push(format!("target {name} starts {}", starts.join(", ")));
    }
    for one in updated {
        let from = escape(one.from.as_deref().unwrap_or_default());
        let to = escape(&one.to);
        let change = if from == to {
            format!("{to} gets another revision")
        } else {
            format!("{from} becomes {to}")
        };
        lines.push(format!("target {name}: {} {change}, in place", one.application));
    }
    lines
}

fn coming_json(coming: &Coming) -> Value {
    let targets = coming.targets.iter().map(|target| {
        let (change, unknown) = match &target.change {
            Change::Added => ("added", None),
            Change::Changed => ("changed", None),
            Change::Unknown(why) => ("unknown", Some(why)),
        };
        let deployments = target.deployments.iter().map(|one| {
            let change = if one.from.is_some() { "updated" } else { "added" };
            json!({
                "id": one.id, "application": one.application, "engine": one.engine, "change": change, "from": one.from, "to": one.to,
                "does": one.from.as_ref().map(|_| in_place(one.engine)),
            })
        });
        json!({
            "target": target.id, "name": target.name, "kind": target.kind, "change": change, "unknown": unknown,
            "renamed_from": target.renamed_from,
            "agent": target.agent.as_ref().map(|(from, to)| json!({"from": from, "to": to})),
            "deployments": deployments.collect::<Vec<_>>(),
        })
    });
    json!({
        "targets": targets.collect::<Vec<_>>(), "unchanged": coming.unchanged, "stay_away": coming.stay_away,
    })
}
