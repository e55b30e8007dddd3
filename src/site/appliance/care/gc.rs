//! What nobody needs goes: releases for which nothing speaks, and bytes that no release names.
//!
//! Said before (the plan), and done again from the start under the lock of imports: what was shown and still holds is done, nothing else.
//! Names first, in one transaction with their rows of the log; then the bytes that no row names, whatever had left them. A stop in between
//! leaves bytes for the next time.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;

use super::retention::{Policy, Reason, Standing, standings};
use super::visible::becoming_visible;
use super::whole_rows;
use crate::appliance::state::ImportLock;
use crate::appliance::{Appliance, last_generation, reserve};
use crate::db::Transaction;
use crate::db::site::release::{ReleaseId, ReleaseRow};
use crate::db::site::stream_log::Told;
use crate::db::site::{audit, damage, removal, stream_log};
use crate::domain::{Digest, Hash, Result, Timestamp};

/// Head digests in a row of the log: details are short.
const HEADS: usize = 32;

/// What would go.
#[derive(Debug)]
pub struct GcPlan {
    /// Every release with what speaks for it.
    pub standings: Vec<Standing>,
    /// Releases that go now.
    pub goes: Vec<ReleaseRow>,
    /// Releases that are told to go, since their vendor may build on them: they go once it knows.
    pub leaves: Vec<ReleaseRow>,
    /// Content that only those have that go now.
    pub blobs: u64,
    /// Its bytes.
    pub bytes: u64,
    /// What no release names.
    pub leftovers: Leftovers,
    /// Names that others see once those are gone.
    pub visible: Vec<String>,
}

/// Bytes that no release names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leftovers {
    /// How many blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Imports that were stopped and may go on: theirs are among them, and stay for as long.
    pub imports: u64,
}

/// What went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// Releases that went.
    pub releases: u64,
    /// Releases that were told to go.
    pub told: u64,
    /// Blobs that went.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Releases that are let go.
pub(super) struct LettingGo<'a> {
    /// Those that go now.
    pub(super) goes: &'a [ReleaseRow],
    /// Those that are told to go.
    pub(super) leaves: &'a [ReleaseRow],
    /// What let them go.
    pub(super) command: &'static str,
    /// Whether everything that no release names goes with them.
    pub(super) sweeps: bool,
}

impl GcPlan {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.goes.is_empty() && self.leaves.is_empty() && self.leftovers.blobs == 0
    }
}

impl Appliance {
    /// Says what [`Appliance::gc`] would do. `abandon` says that stopped imports shall not go on.
    ///
    /// # Errors
    ///
    /// `E-BUSY`; `E-STATE` also where it cannot be known what runs; `E-STATE release-rows` where the database does not name all that stays; `E-IO`.
    pub fn gc_plan(&self, policy: Policy, abandon: bool, now: Timestamp) -> Result<GcPlan> {
        let lock = self.lock()?;
        self.plan(&lock, policy, abandon, now)
    }

    /// Lets go what a plan says, as far as that holds still. `progress` is told of blobs that went, of how many.
    ///
    /// # Errors
    ///
    /// As [`Appliance::gc_plan`]; `E-SPACE`.
    pub fn gc(
        &self,
        policy: Policy,
        abandon: bool,
        shown: &GcPlan,
        now: Timestamp,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Collected> {
        let lock = self.lock()?;
        let mut plan = self.plan(&lock, policy, abandon, now)?;
        let is_shown = |list: &[ReleaseRow], release: &ReleaseRow| list.iter().any(|other| other.head == release.head);
        plan.goes.retain(|release| is_shown(&shown.goes, release));
        plan.leaves.retain(|release| is_shown(&shown.leaves, release));
        if abandon {
            for head in self.store.stopped_imports()? {
                self.store.drop_stopped_import(head)?;
            }
        }
        let going = LettingGo {
            goes: &plan.goes,
            leaves: &plan.leaves,
            command: "gc",
            sweeps: true,
        };
        self.let_go(&lock, &going, now, progress)
    }

    fn plan(&self, _lock: &ImportLock, policy: Policy, abandon: bool, now: Timestamp) -> Result<GcPlan> {
        let mut standings = standings(self, policy, now)?;
        let imports = if abandon {
            0
        } else {
            self.store.stopped_imports()?.len()
        };
        if imports > 0 {
            for standing in &mut standings {
                standing.reasons.push(Reason::Import);
            }
        }
        let free = standings.iter().filter(|standing| standing.reasons.is_empty());
        let (leaves, goes): (Vec<&Standing>, Vec<&Standing>) = free.partition(|standing| standing.listed);
        let of = |list: Vec<&Standing>| {
            list.into_iter()
                .map(|standing| standing.release.clone())
                .collect::<Vec<_>>()
        };
        let goes = of(goes);
        // What was told already is not told again.
        let leaves: Vec<ReleaseRow> = of(leaves)
            .into_iter()
            .filter(|release| release.leaving.is_none())
            .collect();
        let ids: Vec<ReleaseId> = goes.iter().map(|release| release.id).collect();
        whole_rows::check(self, &ids)?;
        let freed = self.db.read(|connection| removal::freed(connection, &ids))?;
        let mut leftovers = Leftovers {
            imports: imports as u64,
            ..Leftovers::default()
        };
        if imports == 0 {
            for digest in self.unnamed()? {
                let size = self.store.size_of(&digest)?.unwrap_or(0);
                leftovers.blobs = leftovers.blobs.saturating_add(1);
                leftovers.bytes = leftovers.bytes.saturating_add(size);
            }
        }
        Ok(GcPlan {
            blobs: freed.len() as u64,
            bytes: freed.iter().map(|content| content.size).fold(0, u64::saturating_add),
            visible: becoming_visible(self, &ids)?,
            standings,
            goes,
            leaves,
            leftovers,
        })
    }

    /// Takes names and then bytes of releases away; for who holds the lock of imports.
    pub(super) fn let_go(
        &self,
        _lock: &ImportLock,
        going: &LettingGo<'_>,
        now: Timestamp,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Collected> {
        let ids: Vec<ReleaseId> = going.goes.iter().map(|release| release.id).collect();
        whole_rows::check(self, &ids)?;
        let freed = self.db.read(|connection| removal::freed(connection, &ids))?;
        // A stopped import may count on what nobody names; what goes with a release goes all the same.
        let mut bytes_of: BTreeMap<Digest, u64> = freed.iter().map(|content| (content.digest, content.size)).collect();
        if going.sweeps && self.store.stopped_imports()?.is_empty() {
            for digest in self.unnamed()? {
                bytes_of.insert(digest, self.store.size_of(&digest)?.unwrap_or(0));
            }
        }
        let collected = Collected {
            releases: going.goes.len() as u64,
            told: going.leaves.len() as u64,
            blobs: bytes_of.len() as u64,
            bytes: bytes_of.values().copied().fold(0, u64::saturating_add),
        };
        if collected == Collected::default() {
            return Ok(collected);
        }
        // What goes is named there no more.
        let withdrawn = last_generation::forget(self.folder())?;
        self.db.write(|transaction| {
            let rows = tell(
                transaction,
                "gc-mark",
                going.leaves,
                &json!({"command": going.command}),
                now,
            )?;
            for release in going.leaves {
                if let Some(row) = rows.get(&release.scope.domain) {
                    removal::mark(transaction, release.id, *row)?;
                }
            }
            if collected.releases > 0 || collected.blobs > 0 {
                let detail = json!({"blobs": collected.blobs, "bytes": collected.bytes, "command": going.command});
                tell(transaction, "gc", going.goes, &detail, now)?;
            }
            removal::remove(transaction, &ids)?;
            damage::raise_repairs(transaction)
        })?;
        drop(withdrawn);
        let total = collected.blobs;
        for (done, digest) in (0_u64..).zip(bytes_of.keys()) {
            progress(done, total);
            self.store.remove(digest)?;
        }
        // A disk that was full had given it up.
        reserve::fill(self.folder())?;
        Ok(collected)
    }

    /// Returns the content of the store that no release names.
    pub(super) fn unnamed(&self) -> Result<Vec<Digest>> {
        let named: HashSet<Digest> = self
            .db
            .read(damage::contents)?
            .into_iter()
            .map(|content| content.digest)
            .collect();
        let mut unnamed = Vec::new();
        self.store.each_name(|digest| {
            if !named.contains(&digest) {
                unnamed.push(digest);
            }
            Ok(())
        })?;
        Ok(unnamed)
    }
}

/// Writes rows of the log about releases, each vendor being told of its own; returns the first row of each stream that tells of them.
fn tell(
    transaction: &Transaction<'_>,
    action: &str,
    releases: &[ReleaseRow],
    detail: &serde_json::Value,
    now: Timestamp,
) -> Result<BTreeMap<Hash, u64>> {
    let mut first = BTreeMap::new();
    if releases.is_empty() && action == "gc-mark" {
        return Ok(first);
    }
    let mut parts: Vec<&[ReleaseRow]> = releases.chunks(HEADS).collect();
    if parts.is_empty() {
        parts.push(&[]);
    }
    for part in parts {
        let heads = |of: Option<Hash>| -> Vec<Hash> {
            let of = part
                .iter()
                .filter(|release| of.is_none_or(|domain| release.scope.domain == domain));
            of.map(|release| release.head).collect()
        };
        let mut detail = detail.clone();
        if let Some(members) = detail.as_object_mut() {
            members.insert("heads".into(), json!(heads(None)));
        }
        let domains: std::collections::BTreeSet<Hash> = part.iter().map(|release| release.scope.domain).collect();
        for domain in &domains {
            let row = stream_log::newest(transaction, *domain)?.0.saturating_add(1);
            first.entry(*domain).or_insert(row);
        }
        let told: Vec<Told> = domains
            .into_iter()
            .map(|domain| Told {
                domain,
                detail: json!({"heads": heads(Some(domain))}),
            })
            .collect();
        audit::append(transaction, now, action, &detail, &told)?;
    }
    Ok(first)
}
