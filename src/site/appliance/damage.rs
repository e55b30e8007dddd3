//! What of the releases is missing or damaged, told alike by every process, and what heals it (design D23).
//!
//! What is met is written down by whoever meets it; who tells of it looks at the store again, so that a list never calls damaged what is
//! whole again. Content that is gone is found by looking, whether or not anybody asked for it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::json;

use super::live::Heads;
use super::pins::Pins;
use super::state::Appliance;
use crate::bundle::Head;
use crate::db::site::damage;
use crate::db::site::release::{self, ReleaseId, ReleaseRow, State};
use crate::db::{Connection, DAMAGED, Reads};
use crate::domain::{Digest, Error, Hash, Result};
use crate::store::{Condition, Store};

/// What of a release is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseDamage {
    /// The release.
    pub release: ReleaseRow,
    /// Blobs, documents and index pages that are not there.
    pub missing: u64,
    /// Those that are there and hold something else.
    pub damaged: u64,
    /// How many of both are release documents.
    pub documents: u64,
    /// How many of both are index pages.
    pub pages: u64,
    /// All of it, by digest: for who makes it whole, and too much for who asks how it is.
    pub content: Vec<Digest>,
    /// What is wrong with the signed head that is kept: what was found, and what heals it.
    pub head: Option<(String, String)>,
    /// What to do.
    pub remedy: String,
}

impl ReleaseDamage {
    /// Returns it for machines: which release, how much of it, what to do.
    pub fn to_json(&self) -> serde_json::Value {
        let release = &self.release;
        json!({
            "state": release.state.as_str(), "product": release.scope.product, "channel": release.scope.channel,
            "domain": release.scope.domain, "epoch": release.counter.epoch, "sequence": release.counter.sequence,
            "version": release.version, "head": release.head, "missing": self.missing, "damaged": self.damaged,
            "documents": self.documents, "index_pages": self.pages,
            "signed_head": self.head.as_ref().map(|(found, _)| found), "remedy": self.remedy,
        })
    }

    /// How many blobs, documents and index pages are concerned.
    pub fn count(&self) -> u64 {
        self.missing.saturating_add(self.damaged)
    }
}

impl std::fmt::Display for ReleaseDamage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        if self.missing > 0 {
            parts.push(format!("{} missing", self.missing));
        }
        if self.damaged > 0 {
            parts.push(format!("{} damaged", self.damaged));
        }
        let mut text = if parts.is_empty() {
            String::new()
        } else {
            format!("blobs: {}", parts.join(", "))
        };
        let of = [(self.documents, "release documents"), (self.pages, "index pages")];
        let of: Vec<String> = of
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{what}: {count}"))
            .collect();
        if !of.is_empty() {
            text += &format!(" (of them {})", of.join(", "));
        }
        if let Some((found, _)) = &self.head {
            if !text.is_empty() {
                text += "; ";
            }
            text += &format!("signed head: {found}");
        }
        f.write_str(&text)
    }
}

impl Appliance {
    /// Returns what is not whole of any release, live or not, by scope. Looks whether every file is there and has its size, and hashes
    /// what was damaged before; what nobody has met yet of changed bytes is not known.
    ///
    /// # Errors
    ///
    /// `E-STATE` and `E-IO`.
    pub fn damage(&self) -> Result<Vec<ReleaseDamage>> {
        look(&*self.db, &self.store, &self.good_pins()?)
    }

    /// As [`Appliance::damage`], of what was met so far, and of the heads of live releases.
    ///
    /// # Errors
    ///
    /// As [`Appliance::damage`].
    pub(super) fn known_damage(&self) -> Result<Vec<ReleaseDamage>> {
        let is_active = |release: &ReleaseRow| release.state == State::Active;
        let mut damage = by_release(&*self.db, &self.good_pins()?, &met(&*self.db, &self.store)?, is_active)?;
        if let Some(remedy) = self.unreadable().and_then(Error::advice) {
            // Nothing is imported before that is done.
            for damage in &mut damage {
                remedy.clone_into(&mut damage.remedy);
            }
        }
        Ok(damage)
    }

    /// Looks again at what was met missing or damaged, and forgets what is whole by now; says whether there was any.
    ///
    /// # Errors
    ///
    /// `E-STATE`, `E-IO` and `E-SPACE`.
    pub(super) fn settle_damage(&self) -> Result<bool> {
        let mut whole = Vec::new();
        for row in self.db.read(damage::list)? {
            let size = size_of(&*self.db, &row.digest)?;
            match size {
                Some(size) if !self.store.examine(&row.digest, size)?.is_whole() => {}
                // Whole again, or nobody's any more.
                _ => whole.push(row.digest),
            }
        }
        if whole.is_empty() {
            return Ok(false);
        }
        self.db.write(|transaction| {
            for digest in &whole {
                damage::end(transaction, digest)?;
            }
            damage::raise_repairs(transaction)
        })?;
        Ok(true)
    }
}

/// As [`Appliance::damage`], of a state folder that need not be opened as an appliance; nothing in it changes.
///
/// # Errors
///
/// As [`Appliance::damage`].
pub(super) fn look(db: &impl Reads, store: &Store, pins: &Pins) -> Result<Vec<ReleaseDamage>> {
    let mut bad = met(db, store)?;
    for content in db.read(damage::contents)? {
        if store.size_of(&content.digest)? != Some(content.size) {
            bad.entry(content.digest)
                .or_insert(store.examine(&content.digest, content.size)?);
        }
    }
    by_release(db, pins, &bad, |_| true)
}

fn size_of(db: &impl Reads, digest: &Digest) -> Result<Option<u64>> {
    let holders = db.read(|connection| damage::holders(connection, digest))?;
    Ok(holders.first().map(|(_, size)| *size))
}

/// What was met and is not whole.
fn met(db: &impl Reads, store: &Store) -> Result<BTreeMap<Digest, Condition>> {
    let mut bad = BTreeMap::new();
    for row in db.read(damage::list)? {
        if let Some(size) = size_of(db, &row.digest)? {
            let condition = store.examine(&row.digest, size)?;
            if !condition.is_whole() {
                bad.insert(row.digest, condition);
            }
        }
    }
    Ok(bad)
}

fn by_release(
    db: &impl Reads,
    pins: &Pins,
    bad: &BTreeMap<Digest, Condition>,
    is_head_checked: impl Fn(&ReleaseRow) -> bool,
) -> Result<Vec<ReleaseDamage>> {
    let nothing = HashSet::new();
    db.read(|connection| {
        let releases = release::list(connection)?;
        let domains: HashMap<ReleaseId, Hash> = releases.iter().map(|it| (it.id, it.scope.domain)).collect();
        let mut of: HashMap<ReleaseId, Vec<Bad<'_>>> = HashMap::new();
        let mut complete: HashMap<ReleaseId, bool> = HashMap::new();
        for (digest, condition) in bad {
            let holders = damage::holders(connection, digest)?;
            for (holder, _) in &holders {
                let is_complete = match complete.entry(*holder) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(new) => *new.insert(carries_everything(connection, *holder)?),
                };
                // The first of a domain had it from its own bundle; a later one's may have left it out.
                let of_domain = |(other, _): &&(ReleaseId, u64)| domains.get(other) == domains.get(holder);
                let brought_by = if is_complete {
                    *holder
                } else {
                    holders.iter().find(of_domain).map_or(*holder, |(first, _)| *first)
                };
                of.entry(*holder).or_default().push(Bad {
                    digest,
                    condition,
                    brought_by,
                });
            }
        }
        let mut heads = Heads::new(pins, &nothing);
        let mut told = Vec::new();
        for release in &releases {
            let head = if is_head_checked(release) {
                heads.signed_head(connection, release).err()
            } else {
                None
            };
            let bad = of.remove(&release.id).unwrap_or_default();
            if head.is_some() || !bad.is_empty() {
                told.push(tell(connection, release, &releases, head.as_deref(), &bad)?);
            }
        }
        Ok(told)
    })
}

/// Content of a release that is not whole.
struct Bad<'a> {
    digest: &'a Digest,
    condition: &'a Condition,
    /// The release whose bundle brought it.
    brought_by: ReleaseId,
}

/// Counts what of a release is bad, and says what heals it.
fn tell(
    connection: &Connection,
    release: &ReleaseRow,
    releases: &[ReleaseRow],
    head: Option<&Error>,
    bad: &[Bad<'_>],
) -> Result<ReleaseDamage> {
    let pages: HashSet<Hash> = release::pages(connection, release.id)?
        .iter()
        .map(|page| page.sha256)
        .collect();
    let documents = documents(connection, release.id)?;
    let count = |is: &dyn Fn(&Digest, &Condition) -> bool| {
        bad.iter().filter(|bad| is(bad.digest, bad.condition)).count() as u64
    };
    // Documents and index pages are in every bundle of the release; of the rest, whoever brought it has it for sure.
    let is_own = |digest: &Digest| documents.contains(digest) || pages.contains(&digest.0);
    let bundles: BTreeSet<ReleaseId> = bad
        .iter()
        .map(|bad| if is_own(bad.digest) { release.id } else { bad.brought_by })
        .chain(bad.is_empty().then_some(release.id))
        .collect();
    // The oldest first: a later one may build on it.
    let healing = bundles.iter().filter_map(|id| releases.iter().find(|it| it.id == *id));
    let again = healing.map(import_again).collect::<Vec<_>>().join("; and ");
    let missing = count(&|_, condition| *condition == Condition::Missing);
    Ok(ReleaseDamage {
        missing,
        damaged: (bad.len() as u64).saturating_sub(missing),
        documents: count(&|digest, _| documents.contains(digest)),
        pages: count(&|digest, _| pages.contains(&digest.0)),
        content: bad.iter().map(|bad| *bad.digest).collect(),
        remedy: match head.and_then(Error::advice) {
            // The head first: nothing is imported under a root that is not pinned, and nothing into a damaged database.
            Some(advice) if bad.is_empty() || head.is_some_and(|error| error.is(DAMAGED)) => advice.to_owned(),
            Some(advice) if !advice.contains(IMPORT) => format!("{advice}; then {again}"),
            _ => again,
        },
        head: head.map(|error| {
            let advice = error.advice().unwrap_or_default().to_owned();
            (error.found().to_owned(), advice)
        }),
        release: release.clone(),
    })
}

/// The command that heals.
const IMPORT: &str = "airlock import FILE";

/// Says which bundle heals a release.
pub(super) fn import_again(release: &ReleaseRow) -> String {
    format!(
        "import the bundle of release {} ({}) of {}, head {}, again: `{IMPORT}`",
        release.counter, release.version, release.scope, release.head
    )
}

/// What else mends damaged content, where a whole bundle is not carried lightly.
pub const REPAIR: &str = "a small file with what is damaged alone mends it too: `airlock scrub --report FILE` writes down what that is, \
                          `airlock bundle repair BUNDLE --report FILE -o FILE` makes it at the vendor, and `airlock import FILE` takes it";

/// Whether the bundle of a release carries all that the release has: its head says that nothing must be there already. Unknown, and so no,
/// where the kept head cannot be read.
fn carries_everything(connection: &Connection, id: ReleaseId) -> Result<bool> {
    let signed = release::signed(connection, id)?;
    Ok(Head::parse(&signed.head).is_ok_and(|head| head.totals.needs == 0))
}

/// Digests of the documents of a release, as far as its kept head can be read.
fn documents(connection: &Connection, id: ReleaseId) -> Result<HashSet<Digest>> {
    let signed = release::signed(connection, id)?;
    let head = Head::parse(&signed.head);
    Ok(head.map_or_else(
        |_| HashSet::new(),
        |head| head.documents.iter().map(|document| document.digest).collect(),
    ))
}

/// Returns the release whose bundle carried content: of those of a domain that hold it, the first.
///
/// # Errors
///
/// Those of the database.
pub(super) fn carrier(connection: &Connection, domain: Hash, digest: &Digest) -> Result<Option<ReleaseRow>> {
    let holders = damage::holders(connection, digest)?;
    let all = release::list(connection)?;
    let of_domain = |id: &ReleaseId| {
        all.iter()
            .find(|release| release.id == *id && release.scope.domain == domain)
    };
    Ok(holders.iter().find_map(|(id, _)| of_domain(id)).cloned())
}
