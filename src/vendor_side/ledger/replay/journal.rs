//! What was sent of a target, durable before and after each request.

use std::collections::BTreeMap;

use crate::db::Db;
use crate::db::ledger::replay::{self, Speaker, State};
use crate::domain::{Clock, InstanceId, Result, SiteId, Uuid};

/// Kinds of lines, each with the letter of its items. (The page has one letter; numbers of the two interleave, so one would not say
/// whose stretch it is.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LineKind {
    /// Of containers.
    Container,
    /// Of the agent itself.
    Agent,
}

impl LineKind {
    fn letter(self) -> char {
        match self {
            Self::Container => 'l',
            Self::Agent => 'a',
        }
    }
}

/// Returns the item of a status: the number of its record.
pub(super) fn status_item(instance: &InstanceId, number: u64) -> String {
    format!("s/{}/{number}", short(instance))
}

/// Returns the item of a sample: the number of the package that showed it.
pub(super) fn metrics_item(instance: &InstanceId, package: u64) -> String {
    format!("m/{}/{package}", short(instance))
}

/// Returns the item of a stretch of lines.
pub(super) fn lines_item(kind: LineKind, instance: &InstanceId, first: u64, last: u64) -> String {
    format!("{}/{}/{first}-{last}", kind.letter(), short(instance))
}

fn short(instance: &InstanceId) -> String {
    instance.as_str().chars().take(8).collect()
}

/// The journal of a target.
pub(super) struct Journal<'a> {
    db: &'a Db,
    clock: &'a dyn Clock,
    hub: String,
    site: SiteId,
    target: Uuid,
    items: BTreeMap<String, State>,
    /// Why the hub refused items, as it said.
    reasons: BTreeMap<String, String>,
}

impl<'a> Journal<'a> {
    /// Reads it.
    pub(super) fn read(db: &'a Db, clock: &'a dyn Clock, hub: &str, site: &SiteId, target: Uuid) -> Result<Self> {
        let mut journal = Self {
            db,
            clock,
            hub: hub.to_owned(),
            site: site.clone(),
            target,
            items: BTreeMap::new(),
            reasons: BTreeMap::new(),
        };
        let items = db.read(|connection| replay::items(connection, journal.speaker()))?;
        for item in items {
            if let Some(reason) = item.code {
                journal.reasons.insert(item.item.clone(), reason);
            }
            journal.items.insert(item.item, item.state);
        }
        Ok(journal)
    }

    fn speaker(&self) -> Speaker<'_> {
        Speaker {
            hub: &self.hub,
            site: &self.site,
            target: self.target,
        }
    }

    pub(super) fn state(&self, item: &str) -> Option<State> {
        self.items.get(item).copied()
    }

    /// Why the hub refused an item.
    pub(super) fn reason(&self, item: &str) -> &str {
        self.reasons.get(item).map_or("it gave no reason", String::as_str)
    }

    /// Whether the hub ever took anything of the target.
    pub(super) fn took_something(&self) -> bool {
        self.items.values().any(|state| *state == State::Sent)
    }

    /// Why the hub refused stretches of lines, one by one.
    pub(super) fn refused_lines(&self, kind: LineKind) -> impl Iterator<Item = &str> {
        let start = format!("{}/", kind.letter());
        let refused = self.items.iter().filter(|(_, state)| **state == State::Refused);
        refused
            .filter(move |(item, _)| item.starts_with(&start))
            .map(|(item, _)| self.reason(item))
    }

    /// Writes down what becomes of an item; on disk when this returns.
    pub(super) fn note(&mut self, item: &str, state: State, code: Option<&str>) -> Result<()> {
        let at = self.clock.now();
        self.db
            .write(|transaction| replay::note(transaction, self.speaker(), item, state, code, at))?;
        self.items.insert(item.to_owned(), state);
        if let Some(code) = code {
            self.reasons.insert(item.to_owned(), code.to_owned());
        }
        Ok(())
    }

    /// Takes back an item that certainly did not arrive.
    pub(super) fn forget(&mut self, item: &str) -> Result<()> {
        self.db
            .write(|transaction| replay::forget(transaction, self.speaker(), item))?;
        self.items.remove(item);
        Ok(())
    }

    /// Returns the numbers of an instance whose lines were answered, in order. `sending` ones are not among them: lines may go out again.
    pub(super) fn answered(&self, kind: LineKind, instance: &InstanceId) -> Vec<(u64, u64)> {
        let start = format!("{}/{}/", kind.letter(), short(instance));
        let mut stretches: Vec<(u64, u64)> = self
            .items
            .iter()
            .filter(|(_, state)| **state != State::Sending)
            .filter_map(|(item, _)| {
                let (first, last) = item.strip_prefix(&start)?.split_once('-')?;
                Some((first.parse().ok()?, last.parse().ok()?))
            })
            .collect();
        stretches.sort_unstable();
        stretches
    }

    /// Returns the stretches of lines whose answer nobody saw.
    pub(super) fn unanswered_lines(&self) -> Vec<String> {
        let is_lines = |item: &str| item.starts_with("l/") || item.starts_with("a/");
        let open = self
            .items
            .iter()
            .filter(|(item, state)| **state == State::Sending && is_lines(item));
        open.map(|(item, _)| item.clone()).collect()
    }
}
