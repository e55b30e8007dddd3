//! Whether a package fits into what is known of its site: its number, the one before, its lineage (V5).

use crate::db::Transaction;
use crate::db::ledger::summaries::{self, NamedPackage};
use crate::db::ledger::{self, Begins, Instance, Lineage, Site};
use crate::domain::{Class, Error, Hash, Result, limits};
use crate::package::{Head, LineageEntry};

/// Says that a site tells two stories.
pub(super) fn two_stories(code: &'static str, found: String) -> Error {
    Error::new(Class::Equivocation, code, found).remedy(
        "the file is kept in evidence/; ask the site whether its appliance was copied or turned back: there `airlock recover --as \
         restored` (or cloned) begins a new instance, whose packages are taken",
    )
}

/// Where a package stands.
#[derive(Debug)]
pub(super) struct Placed {
    /// Its lineage, of which every instance is known now.
    pub(super) lineage: Lineage,
    /// Whether its instance was not known before, and others of the site were.
    pub(super) is_new_instance: bool,
    /// Highest package of its instance before this one; 0 where there was none.
    pub(super) highest: u64,
}

/// Compares a verified head with the ledger, and records instances that are new. Nothing where exactly this package is known.
///
/// # Errors
///
/// `E-EQUIVOCATION package-number`, `previous` and `lineage`; `E-LIMIT acknowledged`; those of the ledger.
pub(super) fn place(transaction: &Transaction<'_>, site: &Site, head: &Head, digest: Hash) -> Result<Option<Placed>> {
    if ledger::package_by_head(transaction, digest)?.is_some() {
        return Ok(None);
    }
    let known = ledger::instances(transaction, &site.site)?;
    let own = known.iter().find(|known| known.instance == head.instance);
    let highest = match own {
        Some(own) => {
            check_number(transaction, own, head, digest)?;
            ledger::highest_package(transaction, own.id)?
        }
        None => 0,
    };
    check_summaries(transaction, site, head, digest)?;
    check_lineage(&known, &head.lineage)?;
    check_acknowledged(transaction, site, head)?;
    let is_new_instance = own.is_none() && !known.is_empty();
    let own = record_lineage(transaction, site, &known, &head.lineage)?;
    let all = ledger::instances(transaction, &site.site)?;
    let youngest = all.iter().find(|instance| instance.id == own).ok_or_else(|| {
        Error::new(
            Class::Internal,
            "instance",
            "an instance that was recorded is not there",
        )
    })?;
    Ok(Some(Placed {
        lineage: ledger::lineage(&all, youngest),
        is_new_instance,
        highest,
    }))
}

/// One number has one head, and names the one before.
fn check_number(transaction: &Transaction<'_>, own: &Instance, head: &Head, digest: Hash) -> Result<()> {
    let two = |code, found| Err(two_stories(code, found));
    let at = |number| ledger::package(transaction, own.id, number);
    if let Some(other) = at(head.number)? {
        return two(
            "package-number",
            format!(
                "package {} of the instance {} is known with other content (head {})",
                head.number, own.instance, other.head
            ),
        );
    }
    let before = head.number.checked_sub(1).map(at).transpose()?.flatten();
    let after = at(head.number.saturating_add(1))?;
    if let Some(before) = before.filter(|before| head.previous != Some(before.head)) {
        return two(
            "previous",
            format!(
                "package {} goes on from another package {} than the one that is known (head {})",
                head.number, before.number, before.head
            ),
        );
    }
    if let Some(after) = after.filter(|after| after.previous != Some(digest)) {
        return two(
            "previous",
            format!(
                "package {}, which is known (head {}), goes on from another package {}",
                after.number, after.head, head.number
            ),
        );
    }
    Ok(())
}

/// A summary of this number that came first was of this package.
fn check_summaries(transaction: &Transaction<'_>, site: &Site, head: &Head, digest: Hash) -> Result<()> {
    let instance: String = head
        .instance
        .as_str()
        .chars()
        .take(summaries::INSTANCE_DIGITS)
        .collect();
    let (beginning, _) = digest
        .0
        .split_first_chunk()
        .ok_or_else(|| Error::new(Class::Internal, "digest", "a digest is shorter than a summary says it"))?;
    let package = NamedPackage {
        site: &site.site,
        instance: &instance,
        number: head.number,
        head: *beginning,
    };
    if !summaries::names_another(transaction, package)? {
        return Ok(());
    }
    Err(two_stories(
        "package-number",
        format!(
            "a summary told of another package {} of the instance {} than this one (head {digest})",
            head.number, head.instance
        ),
    ))
}

/// A known instance begins where it began, and goes on from the one that it went on from; where that one was left out of a lineage that is
/// full, from whatever it is known to go on from.
fn check_lineage(known: &[Instance], lineage: &[LineageEntry]) -> Result<()> {
    let mut parent = None;
    for entry in lineage {
        let found = known.iter().find(|known| known.instance == entry.instance);
        let Some(found) = found else {
            // Nothing that is known can go on from what is not.
            parent = Some(None);
            continue;
        };
        let begins_late = begins(entry) != Begins::AT_ONE;
        let same_parent = match parent {
            None => found.parent.is_none() || begins_late,
            Some(parent) => found.parent == parent && parent.is_some() || found.parent.is_none() && begins_late,
        };
        if found.begins() != begins(entry) || !same_parent {
            return Err(two_stories(
                "lineage",
                format!(
                    "the instance {} began elsewhere than an earlier package says",
                    entry.instance
                ),
            )
            .expected(format!(
                "record {}, receipt {} and row {} as its first",
                found.records, found.receipts, found.audit
            )));
        }
        parent = Some(Some(found.id));
    }
    Ok(())
}

fn check_acknowledged(transaction: &Transaction<'_>, site: &Site, head: &Head) -> Result<()> {
    let Some(acknowledged) = head.acknowledged else {
        return Ok(());
    };
    let issued = ledger::issued_acknowledgement(transaction, &site.site)?;
    // Under keys that a person compared and took in the place of others, what was done with a stolen ack key ends: it is taken as it comes.
    if acknowledged.number <= issued.saturating_add(limits::ACKNOWLEDGEMENT_JUMP)
        || ledger::keys_are_fresh(transaction, &site.site)?
    {
        return Ok(());
    }
    Err(Error::new(
        Class::Limit,
        "acknowledged",
        format!(
            "the site says that it applied acknowledgement {}, and {issued} is the last one issued here",
            acknowledged.number
        ),
    )
    .expected(format!("at most {} above that", limits::ACKNOWLEDGEMENT_JUMP))
    .remedy("whoever signed that acknowledgement has the ack key, or this ledger is an old copy: put the newest one in its place; else put another ack key into the root, have the site make new keys with `airlock status rotate-key`, and take them with `airlock vendor enroll FILE --replace SITE`: the next package counts as it comes"))
}

/// Records the instances of a lineage that are new; returns the row id of the last one.
fn record_lineage(
    transaction: &Transaction<'_>,
    site: &Site,
    known: &[Instance],
    lineage: &[LineageEntry],
) -> Result<u64> {
    let mut parent = None;
    for entry in lineage {
        let id = match known.iter().find(|known| known.instance == entry.instance) {
            Some(known) => known.id,
            None => ledger::record_instance(transaction, &site.site, &entry.instance, parent, begins(entry))?,
        };
        parent = Some(id);
    }
    parent.ok_or_else(|| {
        Error::new(
            Class::Internal,
            "lineage",
            "a lineage without an instance was judged good",
        )
    })
}

fn begins(entry: &LineageEntry) -> Begins {
    Begins {
        records: entry.records,
        receipts: entry.receipts,
        audit: entry.audit,
    }
}
