//! What is to be looked at in a package that is taken in (section 16 of the specification): nothing of it refuses the package.

use super::super::site_clock;
use super::facts::{Told, ranges};
use super::numbers::Placed;
use super::snapshot::News;
use super::verdict::{Identity, Noticed};
use crate::crypto::{Envelope, Receipt, canonical};
use crate::db::Transaction;
use crate::db::ledger::findings::{self, Found};
use crate::db::ledger::{self, Lineage, Numbered};
use crate::db::ledger::{questions, summaries};
use crate::domain::{Hash, Result, SiteId, Timestamp, shown};
use crate::package::{Head, RecordRange};

/// Numbers that a sentence lists.
const LISTED: usize = 10;

/// What must be known before the facts of a package are written.
#[derive(Debug)]
pub(super) struct Noticing {
    /// Whether the package says what the site is now.
    pub(super) is_newest: bool,
    /// Kinds of which the package leaves numbers out that were never told.
    holes: Vec<Numbered>,
}

impl Noticing {
    /// Looks at what is known before a package, whose instances are recorded.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub(super) fn before(transaction: &Transaction<'_>, site: &SiteId, head: &Head, placed: &Placed) -> Result<Self> {
        let is_shown = is_shown(transaction, site, placed)?;
        let mut holes = Vec::new();
        for (kind, first, last) in ranges(head) {
            let known = ledger::highest(transaction, &placed.lineage, kind)?;
            if first <= last && first > known.saturating_add(1) {
                holes.push(kind);
            }
        }
        Ok(Self {
            is_newest: is_shown && head.number > placed.highest,
            holes,
        })
    }
}

/// What was found, and what was settled.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) noticed: Vec<Noticed>,
    pub(super) settled: Vec<&'static str>,
}

/// Writes down what is found in a package, and ends what waited for it.
///
/// # Errors
///
/// Those of the ledger.
#[expect(clippy::too_many_arguments, reason = "everything that is known of a package")]
pub(super) fn notice(
    transaction: &Transaction<'_>,
    now: Timestamp,
    identity: &Identity,
    head: &Head,
    placed: &Placed,
    noticing: &Noticing,
    told: &Told,
    news: &News,
    keys_are_fresh: bool,
) -> Result<Findings> {
    let look = Look {
        transaction,
        site: &identity.site,
        head,
        placed,
        told,
        news,
    };
    let mut found = Findings::default();
    let mut noticed = Vec::new();
    let mut settle = Vec::new();
    if keys_are_fresh {
        noticed.push((
            "key-replaced",
            format!(
                "package {} is the first one under the key that replaced another",
                head.number
            ),
        ));
    }
    if told.taken_as_it_comes {
        let row = head.audit.first.saturating_sub(1);
        noticed.push((
            "audit-discontinuity",
            format!("the log under the new key does not go on from row {row} as it is known"),
        ));
    }
    look.packages(&mut noticed, &mut settle)?;
    look.holes(noticing, &mut noticed, &mut settle)?;
    look.instances(&mut noticed)?;
    look.clock(now, &mut noticed)?;
    look.acknowledged(noticing.is_newest, &mut noticed, &mut settle)?;
    look.receipts(&mut noticed);
    look.releases(&mut noticed)?;
    look.receipt_rows(&mut noticed, &mut settle)?;
    look.gap_room(&mut noticed, &mut settle)?;
    look.unexplained(&mut noticed, &mut settle)?;
    look.summaries(&mut settle)?;
    for code in settle {
        if findings::settle(transaction, &identity.site, code, now)? {
            found.settled.push(code);
        }
    }
    for (code, detail) in noticed {
        findings::raise(
            transaction,
            &Found {
                site: &identity.site,
                code,
                detail: &detail,
                package: Some(identity.head),
                at: now,
            },
        )?;
        found.noticed.push(Noticed { code, detail });
    }
    Ok(found)
}

type Raised = Vec<(&'static str, String)>;

/// A package that is looked at.
struct Look<'a> {
    transaction: &'a Transaction<'a>,
    site: &'a SiteId,
    head: &'a Head,
    placed: &'a Placed,
    told: &'a Told,
    news: &'a News,
}

impl Look<'_> {
    /// A package before this one never came; or none is missing any more.
    fn packages(&self, noticed: &mut Raised, settle: &mut Vec<&'static str>) -> Result<()> {
        let own = self.placed.lineage.youngest();
        let number = self.head.number;
        if !ledger::has_package_hole(self.transaction, self.site)? {
            settle.push("package-missing");
        } else if number > 1 && ledger::package(self.transaction, own.id, number.saturating_sub(1))?.is_none() {
            let before = ledger::package_before(self.transaction, own.id, number)?;
            let first = before.map_or(1, |before| before.number.saturating_add(1));
            noticed.push((
                "package-missing",
                format!(
                    "package {number} of the instance {} came, and {} before it did not",
                    own.instance,
                    numbers("package", first, number.saturating_sub(1))
                ),
            ));
        }
        Ok(())
    }

    /// Numbers were left out that were never told; or none is any more.
    fn holes(&self, noticing: &Noticing, noticed: &mut Raised, settle: &mut Vec<&'static str>) -> Result<()> {
        let shown = ledger::shown(self.transaction, self.site)?;
        let lineage = shown.as_ref().unwrap_or(&self.placed.lineage);
        let mut holes = Vec::new();
        for kind in [Numbered::Records, Numbered::Receipts, Numbered::Audit] {
            if let Some(hole) = self.hole(lineage, kind)? {
                holes.push(hole);
            }
        }
        if holes.is_empty() {
            settle.push("records-missing");
        }
        let mut new = Vec::new();
        for kind in &noticing.holes {
            new.extend(self.hole(&self.placed.lineage, *kind)?);
        }
        if !new.is_empty() {
            noticed.push(("records-missing", format!("no package told {}", new.join(", "))));
        }
        Ok(())
    }

    /// Says which numbers of a kind were left out, if any.
    fn hole(&self, lineage: &Lineage, kind: Numbered) -> Result<Option<String>> {
        let reached = ledger::reach(self.transaction, lineage, kind, 0)?;
        if reached >= ledger::highest(self.transaction, lineage, kind)? {
            return Ok(None);
        }
        let what = match kind {
            Numbered::Records => "records",
            Numbered::Receipts => "receipts",
            Numbered::Audit => "rows of the log",
        };
        Ok(Some(format!("some {what} above {reached}")))
    }

    /// Another life of the state folder reports.
    fn instances(&self, noticed: &mut Raised) -> Result<()> {
        let own = self.placed.lineage.youngest();
        if self.placed.is_new_instance {
            let reason = match &self.told.reason {
                Some(reason) => format!("the reason that it gives is {}", shown(reason)),
                None => "its log does not say why yet".to_owned(),
            };
            noticed.push((
                "new-instance",
                format!("the instance {} reports, which was not known; {reason}", own.instance),
            ));
        }
        if self.head.number > self.placed.highest && !is_shown(self.transaction, self.site, self.placed)? {
            let shown = ledger::shown(self.transaction, self.site)?;
            let later = shown.map_or_else(String::new, |shown| format!(" beside {}", shown.youngest().instance));
            noticed.push(("branches", format!("the instance {} reports{later}", own.instance)));
        }
        Ok(())
    }

    /// The site's clock went back, or is ahead.
    fn clock(&self, now: Timestamp, noticed: &mut Raised) -> Result<()> {
        let own = self.placed.lineage.youngest();
        let made_at = self.head.made_at;
        let mut before = ledger::package_before(self.transaction, own.id, self.head.number)?;
        if let (None, Some(parent)) = (&before, own.parent) {
            before = ledger::package_before(self.transaction, parent, u64::MAX >> 1)?;
        }
        if let Some(before) = before.filter(|before| made_at < before.made_at) {
            let seconds = before.made_at.unix().saturating_sub(made_at.unix());
            noticed.push((
                "clock-back",
                format!(
                    "package {} was made at {made_at} by the site's clock, {} before package {}",
                    self.head.number,
                    site_clock::span(seconds),
                    before.number
                ),
            ));
        }
        if let Some(said) = site_clock::ahead(made_at, now) {
            noticed.push(("clock-ahead", format!("package {} {said}", self.head.number)));
        }
        Ok(())
    }

    /// The site applied an acknowledgement that this ledger never issued; or its newest package says that it did not.
    fn acknowledged(&self, is_newest: bool, noticed: &mut Raised, settle: &mut Vec<&'static str>) -> Result<()> {
        let Some(acknowledged) = self.head.acknowledged else {
            return Ok(());
        };
        let issued = ledger::issued_acknowledgement(self.transaction, self.site)?;
        if acknowledged.number > issued {
            noticed.push((
                "ledger-behind",
                format!(
                    "the site applied acknowledgement {}, and {issued} is the last one issued here",
                    acknowledged.number
                ),
            ));
        } else if is_newest {
            settle.push("ledger-behind");
        }
        Ok(())
    }

    /// Receipts of what was not signed here, or not for this site.
    fn receipts(&self, noticed: &mut Raised) {
        for (code, receipts, what) in [
            (
                ledger::FOREIGN_RELEASE,
                &self.told.foreign,
                "a release that was not signed here",
            ),
            (
                "unexpected-import",
                &self.told.unexpected,
                "a release that was not signed for this site",
            ),
        ] {
            if !receipts.is_empty() {
                noticed.push((code, format!("{} of {what}", list("receipt", receipts))));
            }
        }
        let renamed = &self.told.renamed;
        if !renamed.is_empty() {
            let listed: Vec<&str> = renamed.iter().take(LISTED).map(String::as_str).collect();
            noticed.push((
                "receipt-differs",
                format!("{}{}", listed.join("; "), more(renamed.len())),
            ));
        }
    }

    /// Releases that are held: not signed here, though no receipt tells of it, or not as they were signed.
    fn releases(&self, noticed: &mut Raised) -> Result<()> {
        let unsigned = &self.news.unsigned;
        let is_said = noticed.iter().any(|(code, _)| *code == ledger::FOREIGN_RELEASE)
            || findings::is_open(self.transaction, self.site, ledger::FOREIGN_RELEASE)?;
        if !unsigned.is_empty() && !is_said {
            let heads: Vec<String> = unsigned.iter().take(LISTED).map(Hash::to_string).collect();
            noticed.push((
                ledger::FOREIGN_RELEASE,
                format!(
                    "package {} lists {} not signed here (head {}{})",
                    self.head.number,
                    if unsigned.len() == 1 {
                        "a release that was".to_owned()
                    } else {
                        format!("{} releases that were", unsigned.len())
                    },
                    heads.join(", "),
                    more(unsigned.len())
                ),
            ));
        }
        let differing = &self.news.differing;
        if !differing.is_empty() {
            let listed: Vec<&str> = differing.iter().take(LISTED).map(String::as_str).collect();
            noticed.push((
                "release-differs",
                format!(
                    "package {} lists {}{}",
                    self.head.number,
                    listed.join("; "),
                    more(differing.len())
                ),
            ));
        }
        Ok(())
    }

    /// The row of the log that a receipt names is not there; or all are.
    fn receipt_rows(&self, noticed: &mut Raised, settle: &mut Vec<&'static str>) -> Result<()> {
        const CODE: &str = "receipt-row";
        let mut missing = Vec::new();
        for (number, seal) in &self.told.sealed {
            if !ledger::has_receipt_row(self.transaction, self.site, *seal, *number)? {
                missing.push(*number);
            }
        }
        if !missing.is_empty() {
            noticed.push((
                CODE,
                format!("no row of the log is known for {}", list("receipt", &missing)),
            ));
            return Ok(());
        }
        if !findings::is_open(self.transaction, self.site, CODE)? {
            return Ok(());
        }
        let mut whole = true;
        ledger::receipt_envelopes(self.transaction, self.site, &mut |number, bytes| {
            let envelope: Envelope = canonical::from_slice(bytes, "a receipt of the ledger")?;
            let receipt = Receipt::parse(&envelope.payload)?;
            whole = ledger::has_receipt_row(self.transaction, self.site, receipt.audit, number)?;
            Ok(whole)
        })?;
        if whole {
            settle.push(CODE);
        }
        Ok(())
    }

    /// Every summary that is kept is of an instance that a package told of.
    fn summaries(&self, settle: &mut Vec<&'static str>) -> Result<()> {
        if questions::summary_apart(self.transaction, self.site)?.is_none() {
            settle.push(summaries::UNTOLD);
        }
        Ok(())
    }

    /// More records are missing than the gaps explain that are known; or the gaps of all packages came.
    fn gap_room(&self, noticed: &mut Raised, settle: &mut Vec<&'static str>) -> Result<()> {
        const CODE: &str = "gap-room";
        let lineage = &self.placed.lineage;
        let short = |head: &Head| -> Result<Option<u64>> {
            let records = &head.records;
            if records.missing == 0 {
                return Ok(None);
            }
            let room = ledger::room(self.transaction, lineage, records.first, records.last)?;
            Ok(records.missing.checked_sub(room).filter(|short| *short > 0))
        };
        if let Some(short) = short(self.head)? {
            noticed.push((
                CODE,
                format!(
                    "package {} says that {} records lie in gaps, and no gap is known for {short} of them",
                    self.head.number, self.head.records.missing
                ),
            ));
            return Ok(());
        }
        if !findings::is_open(self.transaction, self.site, CODE)? {
            return Ok(());
        }
        for instance in lineage.instances() {
            for bytes in ledger::package_heads(self.transaction, instance.id)? {
                let head: Head = canonical::from_slice(&bytes, "a head of the ledger")?;
                if short(&head)?.is_some() {
                    return Ok(());
                }
            }
        }
        settle.push(CODE);
        Ok(())
    }

    /// Records are missing for which the site itself has no gap and no reason; or a later package covered each such range and had one.
    fn unexplained(&self, noticed: &mut Raised, settle: &mut Vec<&'static str>) -> Result<()> {
        const CODE: &str = "records-unexplained";
        let records = &self.head.records;
        if records.unexplained > 0 {
            noticed.push((
                CODE,
                format!(
                    "package {} says that {} of the records {} to {} are missing there and that no gap tells why",
                    self.head.number, records.unexplained, records.first, records.last
                ),
            ));
            return Ok(());
        }
        if !findings::is_open(self.transaction, self.site, CODE)? {
            return Ok(());
        }
        let mut known = Vec::new();
        for instance in self.placed.lineage.instances() {
            for bytes in ledger::package_heads(self.transaction, instance.id)? {
                let head: Head = canonical::from_slice(&bytes, "a head of the ledger")?;
                known.push(head.records);
            }
        }
        let explained = |open: &RecordRange| {
            let covers = |other: &&RecordRange| other.first <= open.first && other.last >= open.last;
            known.iter().filter(covers).any(|other| other.unexplained == 0)
        };
        if known.iter().filter(|range| range.unexplained > 0).all(explained) {
            settle.push(CODE);
        }
        Ok(())
    }
}

/// Says how many more there are than a sentence lists.
fn more(all: usize) -> String {
    match all.saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

fn is_shown(transaction: &Transaction<'_>, site: &SiteId, placed: &Placed) -> Result<bool> {
    let shown = ledger::shown(transaction, site)?;
    Ok(shown.is_some_and(|shown| shown.youngest().id == placed.lineage.youngest().id))
}

fn numbers(what: &str, first: u64, last: u64) -> String {
    if first == last {
        format!("{what} {first}")
    } else {
        format!("{what}s {first} to {last}")
    }
}

fn list(what: &str, numbers: &[u64]) -> String {
    let listed: Vec<String> = numbers.iter().take(LISTED).map(u64::to_string).collect();
    let plural = if numbers.len() == 1 { "" } else { "s" };
    format!("{what}{plural} {}{}", listed.join(", "), more(numbers.len()))
}
