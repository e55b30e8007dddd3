//! What another state folder, or another backup, of the same site knows that a backup does not: what would be turned back silently.
//!
//! Marks, floors and root documents only ever go forward, so the higher ones are taken over, and so is a higher number of approvals. A backup says of roots only which they are; a
//! folder has them. What was ended there since (secrets of targets, credentials, removals) nobody can take over: that is said.

use std::collections::BTreeMap;
use std::path::Path;

use super::facts::SiteFacts;
use crate::appliance::folder::{DATABASE, ROOTS};
use crate::appliance::{marks, pins};
use crate::backup::{Kind, OpenedBackup};
use crate::crypto::Chain;
use crate::db::site::release::Mark;
use crate::db::{Reader, Schema};
use crate::domain::{Class, Error, Hash, Result, Scope, Timestamp};
use crate::stream::Looked;

/// A mark that another one is above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HigherMark {
    /// The scope.
    pub scope: Scope,
    /// What the backup says; nothing where it does not know the scope.
    pub from: Option<Mark>,
    /// What the other one says.
    pub to: Mark,
}

/// Trust in a vendor that had come further.
#[derive(Debug, Clone)]
pub struct NewerRoot {
    /// Its trust domain.
    pub domain: Hash,
    /// Its name.
    pub vendor: String,
    /// The version in the backup; nothing where the vendor was pinned since.
    pub from: Option<u64>,
    /// The version there.
    pub to: u64,
    /// The documents, where they are known.
    pub(super) chain: Option<Chain>,
}

impl NewerRoot {
    /// Whether it is taken over: a vendor that was pinned since is pinned again by a person.
    pub fn is_taken_over(&self) -> bool {
        self.from.is_some() && self.chain.is_some()
    }
}

/// What others know that a backup does not.
#[derive(Debug, Default)]
pub struct Newer {
    /// Higher marks; taken over.
    pub marks: Vec<HigherMark>,
    /// Later floors of vendors; taken over.
    pub floors: BTreeMap<Hash, Timestamp>,
    /// Newer roots.
    pub roots: Vec<NewerRoot>,
    /// How many people have to approve what leaves, where that is more; taken over.
    pub approvals: Option<u64>,
    /// Rows of the log that are not in the backup; nothing where the other's log could not be read or has no more.
    pub rows: u64,
    /// What could not be read of the others, for people.
    pub unread: Vec<String>,
}

impl Newer {
    /// Whether nothing is turned back.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
            && self.floors.is_empty()
            && self.roots.is_empty()
            && self.approvals.is_none()
            && self.rows == 0
    }

    /// Compares a backup with a state folder, or with another backup that opens with the same passphrase.
    ///
    /// # Errors
    ///
    /// `E-USAGE other-site` when it is of another site; those of [`OpenedBackup::open`]; `E-USAGE not-a-file`, `E-STATE`, `E-IO`.
    pub(super) fn add(&mut self, facts: &SiteFacts, path: &Path, passphrase: &str) -> Result<()> {
        let looked = Looked::at(path).map_err(|error| Error::io("look at", path, error))?;
        if looked.is_folder() {
            return self.add_folder(facts, path);
        }
        if !looked.is_file() {
            return Err(looked.refusal(path).expected("a state folder, or a backup"));
        }
        let opened = OpenedBackup::open(path, Kind::Site, passphrase)?;
        let other = opened.facts::<SiteFacts>()?;
        self.compare(facts, &other, Vec::new(), path)
    }

    fn add_folder(&mut self, facts: &SiteFacts, folder: &Path) -> Result<()> {
        // Each of the three says something where the others are gone or damaged.
        let mut unread = Vec::new();
        let beside = marks::all(folder)
            .map_err(|error| unread.push(error.found().to_owned()))
            .ok();
        let pins = pins::read_good(&folder.join(ROOTS))
            .map_err(|error| unread.push(error.found().to_owned()))
            .ok();
        let pins = pins.map(|pins| pins.chains);
        let database = Reader::open(&folder.join(DATABASE), &Schema::SITE);
        let read = database.and_then(|db| {
            let (beside, pins) = (
                beside.as_deref().unwrap_or_default(),
                pins.as_deref().unwrap_or_default(),
            );
            db.read(|connection| SiteFacts::read(connection, beside, pins, false))
        });
        let said = read.map_err(|error| unread.push(format!("{}: {}", folder.join(DATABASE).display(), error.found())));
        if beside.is_none() && pins.is_none() && said.is_err() {
            return Err(Error::new(
                Class::Usage,
                "against",
                format!(
                    "{} holds nothing of an appliance that can be read: {}",
                    folder.display(),
                    unread.join("; ")
                ),
            )
            .expected("a state folder of this site, or a backup of it")
            .remedy("name the folder or backup of this site, or leave --against out"));
        }
        self.unread.append(&mut unread);
        if let Ok((other, chains)) = said {
            return self.compare(facts, &other, chains, folder);
        }
        for (scope, mark) in beside.into_iter().flatten() {
            self.mark(facts, scope, mark);
        }
        for chain in pins.into_iter().flatten() {
            let (domain, root) = (chain.domain(), chain.newest());
            let (vendor, version) = (root.vendor.clone(), root.version);
            self.root(facts, domain, &vendor, version, Some(chain));
        }
        Ok(())
    }

    fn compare(&mut self, facts: &SiteFacts, other: &SiteFacts, chains: Vec<Chain>, path: &Path) -> Result<()> {
        if facts.site != other.site {
            return Err(Error::new(
                Class::Usage,
                "other-site",
                format!("{} is of the site {}", path.display(), other.site),
            )
            .expected(format!("the site of the backup, {}", facts.site))
            .remedy("name the folder or backup of this site, or leave --against out"));
        }
        self.rows = self.rows.max(other.rows.saturating_sub(facts.rows));
        if other.approvals > facts.approvals {
            self.approvals = self.approvals.max(Some(other.approvals));
        }
        for fact in &other.scopes {
            self.mark(facts, fact.scope(), fact.mark());
        }
        let mut chains: BTreeMap<Hash, Chain> = chains.into_iter().map(|chain| (chain.domain(), chain)).collect();
        for vendor in &other.vendors {
            let held = facts.vendors.iter().find(|held| held.domain == vendor.domain);
            // A root with `time_reset` takes a floor back: where the newer root is not taken over, the backup's floor stays.
            if held.is_some_and(|held| held.floor < vendor.floor) {
                let floor = self.floors.entry(vendor.domain).or_insert(vendor.floor);
                *floor = (*floor).max(vendor.floor);
            }
            let chain = chains.remove(&vendor.domain);
            self.root(facts, vendor.domain, &vendor.vendor, vendor.version, chain);
        }
        Ok(())
    }

    fn mark(&mut self, facts: &SiteFacts, scope: Scope, mark: Mark) {
        let from = facts.mark(&scope);
        if from.is_some_and(|from| from.counter >= mark.counter) {
            return;
        }
        match self.marks.iter_mut().find(|held| held.scope == scope) {
            Some(held) if held.to.counter < mark.counter => held.to = mark,
            Some(_) => {}
            None => self.marks.push(HigherMark { scope, from, to: mark }),
        }
    }

    fn root(&mut self, facts: &SiteFacts, domain: Hash, vendor: &str, to: u64, chain: Option<Chain>) {
        let held = facts.vendors.iter().find(|held| held.domain == domain);
        let from = held.map(|held| held.version);
        if from.is_some_and(|from| from >= to) {
            return;
        }
        let root = NewerRoot {
            domain,
            vendor: vendor.to_owned(),
            from,
            to,
            chain,
        };
        match self.roots.iter_mut().find(|held| held.domain == domain) {
            Some(held) if held.to < to || (held.to == to && held.chain.is_none()) => *held = root,
            Some(_) => {}
            None => self.roots.push(root),
        }
    }
}
