//! What becomes of names when a release goes live, beside the one that is live in its scope: which come, which stand for other content then,
//! and which end, so that engines that ask for them find nothing any more.

use std::collections::BTreeMap;

use super::state::Appliance;
use crate::db::site::name_claims;
use crate::db::site::release::ReleaseRow;
use crate::domain::{Digest, RepositoryName, Result, Scope, Tag};

/// So many names that come, or move, are kept by name; the rest is counted.
const NAMED: usize = 10_000;

/// What becomes of names, each as `repository:tag`, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameChanges {
    /// Names that the live release does not have; the first 10,000 of them.
    pub come: Vec<String>,
    /// How many those are.
    pub come_count: usize,
    /// Names that stand for other content than now; the first 10,000 of them.
    pub moved: Vec<MovedName>,
    /// How many those are.
    pub moved_count: usize,
    /// Names that the live release has and this one does not, all of them.
    pub end: Vec<String>,
}

/// A name that stands for other content than now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedName {
    /// The name.
    pub name: String,
    /// What it stands for now.
    pub from: Digest,
    /// What it will stand for.
    pub to: Digest,
}

/// Names with what they stand for.
pub(super) type Stated<'a> = BTreeMap<(&'a RepositoryName, &'a Tag), &'a Digest>;

impl Appliance {
    /// Returns what becomes of names when a release that is here goes live.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub(super) fn name_changes_of(&self, release: &ReleaseRow) -> Result<NameChanges> {
        let stated = self
            .db
            .read(|connection| name_claims::tags_of(connection, release.id))?;
        let stated = stated
            .iter()
            .map(|(repository, tag, digest)| ((repository, tag), digest));
        self.name_changes(&release.scope, &stated.collect())
    }

    /// Returns what becomes of the live names of a scope when these take their place.
    pub(super) fn name_changes(&self, scope: &Scope, stated: &Stated<'_>) -> Result<NameChanges> {
        let mut changes = NameChanges::default();
        let before = match self.live_release(scope)? {
            Some(live) => self.db.read(|connection| name_claims::tags_of(connection, live.id))?,
            None => Vec::new(),
        };
        let before = before
            .iter()
            .map(|(repository, tag, digest)| ((repository, tag), digest));
        let before: Stated<'_> = before.collect();
        let named = |(repository, tag): &(&RepositoryName, &Tag)| format!("{repository}:{tag}");
        for (name, to) in stated {
            match before.get(name) {
                None => {
                    changes.come_count = changes.come_count.saturating_add(1);
                    if changes.come.len() < NAMED {
                        changes.come.push(named(name));
                    }
                }
                Some(from) if from != to => {
                    changes.moved_count = changes.moved_count.saturating_add(1);
                    if changes.moved.len() < NAMED {
                        changes.moved.push(MovedName {
                            name: named(name),
                            from: **from,
                            to: **to,
                        });
                    }
                }
                Some(_) => {}
            }
        }
        let ended = before.keys().filter(|name| !stated.contains_key(*name));
        changes.end = ended.map(named).collect();
        changes.end.sort();
        Ok(changes)
    }
}
