//! Writes lines where they belong and compares what is known: receipts (V9), rows of the log (V10), records (V11).
//!
//! Every fact belongs to the instance that its number belongs to. What differs from what is known is held: the whole package is read
//! first, so that the earliest step that refuses is the verdict.

use serde::Serialize;

use super::numbers::{Placed, two_stories};
use super::shrunk::shrunk;
use super::snapshot::Snapshot;
use super::verdict::{LISTED, ReceiptTold};
use crate::crypto::canonical;
use crate::db::Transaction;
use crate::db::ledger::{self, Lineage, NewGap, NewReceipt, NewRecord, Numbered, Put, SignedFor, StreamRow};
use crate::domain::{Class, Counter, Error, Hash, Result, Scope, Step, shown};
use crate::package::{AuditRow, Gap, Head, Line, Quoted, SignedReceipt, StatusRecord, StatusRecordKind};

/// What the lines of a package came to, beside the rows that they became.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// New statuses.
    pub(super) records: u64,
    /// New gaps.
    pub(super) gaps: u64,
    /// Lines of logs.
    pub(super) log_lines: u64,
    /// New rows of the site's log.
    pub(super) audit_rows: u64,
    /// New receipts.
    pub(super) new_receipts: u64,
    /// The first of them.
    pub(super) receipts: Vec<ReceiptTold>,
    /// Number and seal of every receipt.
    pub(super) sealed: Vec<(u64, Hash)>,
    /// New receipts of what was not signed here.
    pub(super) foreign: Vec<u64>,
    /// New receipts of what was not signed for this site, and arrived.
    pub(super) unexpected: Vec<u64>,
    /// New receipts that call a release otherwise than its head does: a sentence each.
    pub(super) renamed: Vec<String>,
    /// Why the package's instance began, as its row in the log says.
    pub(super) reason: Option<String>,
    /// Whether the log does not go on from what is known, and is taken as it comes because the keys were replaced.
    pub(super) taken_as_it_comes: bool,
}

/// The lines of one package on their way into the ledger.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    transaction: &'a Transaction<'a>,
    head: &'a Head,
    lineage: &'a Lineage,
    snapshot: Option<Snapshot<'a>>,
    /// Up to here records were told before.
    known: u64,
    told: Told,
    /// First and last row of the log that is another than the known one.
    rows: Option<(u64, u64)>,
    /// The first record or receipt that is another than the known one.
    other: Option<Error>,
}

impl<'a> Facts<'a> {
    /// Begins before the first line.
    ///
    /// # Errors
    ///
    /// Those of the ledger.
    pub(super) fn new(
        transaction: &'a Transaction<'a>,
        head: &'a Head,
        placed: &'a Placed,
        snapshot: Option<Snapshot<'a>>,
    ) -> Result<Self> {
        Ok(Self {
            transaction,
            head,
            lineage: &placed.lineage,
            snapshot,
            known: ledger::highest(transaction, &placed.lineage, Numbered::Records)?,
            told: Told::default(),
            rows: None,
            other: None,
        })
    }

    /// Takes a line, with its seal where it is a row of the log.
    ///
    /// # Errors
    ///
    /// Those of the ledger, at V13.
    pub(super) fn take(&mut self, line: &Line, seal: Option<Hash>) -> Result<()> {
        self.put(line, seal).map_err(|error| error.at(Step::V13))
    }

    fn put(&mut self, line: &Line, seal: Option<Hash>) -> Result<()> {
        match line {
            Line::Receipt(receipt) => self.receipt(receipt),
            Line::Audit(row) => match seal {
                Some(seal) => self.row(row, seal),
                None => Err(Error::new(
                    Class::Internal,
                    "seal",
                    "a row of a site's log came without its seal",
                )),
            },
            Line::Status(record) => self.record(record),
            Line::Gap(gap) => self.gap(gap),
            Line::Log(line) => self.log_line(line.number),
            Line::AgentLog(line) => self.log_line(line.number),
            Line::Release(_) | Line::Damaged(_) | Line::Target(_) | Line::Deployment(_) | Line::Metrics(_) => {
                match &mut self.snapshot {
                    Some(snapshot) => snapshot.take(line),
                    None => Ok(()),
                }
            }
        }
    }

    fn receipt(&mut self, signed: &SignedReceipt) -> Result<()> {
        let receipt = &signed.receipt;
        let scope = Scope {
            domain: receipt.domain,
            product: receipt.product.clone(),
            channel: receipt.channel.clone(),
        };
        let counter = Counter {
            epoch: receipt.epoch,
            sequence: receipt.sequence,
        };
        let for_whom = ledger::signed_for(self.transaction, &scope, counter, receipt.head, &receipt.site)?;
        let matched = for_whom == SignedFor::ThisSite;
        let put = ledger::put_receipt(
            self.transaction,
            &NewReceipt {
                instance: self.owner(Numbered::Receipts, receipt.number)?,
                number: receipt.number,
                at: receipt.at,
                head: receipt.head,
                product: &receipt.product,
                channel: &receipt.channel,
                counter,
                result: receipt.result.as_str(),
                class: receipt.class.as_deref(),
                code: receipt.code.as_deref(),
                matched,
                envelope: &canonical::to_vec(&signed.envelope),
            },
        )?;
        self.told.sealed.push((receipt.number, receipt.audit));
        match put {
            Put::Known => return Ok(()),
            Put::Differs => {
                self.differs("receipt", receipt.number);
                return Ok(());
            }
            Put::New => {}
        }
        match for_whom {
            SignedFor::Nobody => self.told.foreign.push(receipt.number),
            // A bundle of others that was refused is what the audience is there for.
            SignedFor::Others if receipt.class.is_none() => self.told.unexpected.push(receipt.number),
            SignedFor::ThisSite | SignedFor::Others => {}
        }
        let signed = ledger::signed_release(self.transaction, &scope, counter)?.filter(|it| it.head == receipt.head);
        if let Some(signed) = signed.filter(|signed| signed.version != receipt.version) {
            let (number, told, known) = (receipt.number, shown(&receipt.version), shown(&signed.version));
            let said = format!(
                "receipt {number} calls {}/{} {counter} {told}, which its head calls {known}",
                scope.product, scope.channel
            );
            self.told.renamed.push(said);
        }
        self.told.new_receipts = self.told.new_receipts.saturating_add(1);
        if self.told.receipts.len() >= LISTED {
            return Ok(());
        }
        self.told.receipts.push(ReceiptTold {
            number: receipt.number,
            at: receipt.at,
            result: receipt.result.as_str(),
            product: receipt.product.to_string(),
            channel: receipt.channel.to_string(),
            epoch: receipt.epoch,
            sequence: receipt.sequence,
            version: receipt.version.clone(),
            head: receipt.head,
            matched,
            class: receipt.class.clone(),
            code: receipt.code.clone(),
        });
        Ok(())
    }

    fn row(&mut self, row: &AuditRow, seal: Hash) -> Result<()> {
        if row.action == "instance"
            && row
                .detail
                .get("instance")
                .is_some_and(|of| of == self.head.instance.as_str())
        {
            self.told.reason = row
                .detail
                .get("reason")
                .and_then(|reason| reason.as_str())
                .map(str::to_owned);
        }
        let detail = String::from_utf8(canonical::to_vec(&row.detail))
            .map_err(|e| Error::new(Class::Internal, "detail", "canonical JSON is no UTF-8").with_source(e))?;
        let put = ledger::put_stream_row(
            self.transaction,
            &StreamRow {
                instance: self.owner(Numbered::Audit, row.number)?,
                number: row.number,
                at: row.at,
                action: &row.action,
                detail: &detail,
                seal,
            },
        )?;
        match put {
            Put::New => {
                self.told.audit_rows = self.told.audit_rows.saturating_add(1);
                if row.action == "instance" {
                    self.goes_on(row)?;
                }
            }
            Put::Known => {}
            Put::Differs => self.row_differs(row.number),
        }
        Ok(())
    }

    /// Keeps from which life another one goes on.
    fn goes_on(&self, row: &AuditRow) -> Result<()> {
        let named = |member: &str| row.detail.get(member)?.as_str()?.parse().ok();
        match (named("instance"), named("parent")) {
            (Some(instance), Some(parent)) => {
                ledger::record_said_parent(self.transaction, &self.head.site, &instance, &parent)
            }
            // Another version may say it otherwise.
            _ => Ok(()),
        }
    }

    fn record(&mut self, record: &StatusRecord) -> Result<()> {
        let put = ledger::put_record(
            self.transaction,
            &NewRecord {
                instance: self.owner(Numbered::Records, record.number)?,
                number: record.number,
                class: match record.kind {
                    StatusRecordKind::Transition => 1,
                    StatusRecordKind::Continued => 2,
                    StatusRecordKind::Status => 3,
                },
                at: record.at,
                last: record.last.unwrap_or(record.at),
                count: record.count.unwrap_or(1),
                entered: record.entered.unwrap_or(1),
                of: record.of,
                target: record.target,
                deployment: record.deployment,
                revision: record.revision,
                state: record.state.as_str(),
                signal: record.signal.as_str(),
                text: record.text.as_ref().map(Quoted::as_str),
            },
        )?;
        match put {
            Put::New => self.told.records = self.told.records.saturating_add(1),
            Put::Known => {}
            Put::Differs => self.differs("record", record.number),
        }
        Ok(())
    }

    fn gap(&mut self, gap: &Gap) -> Result<()> {
        let put = ledger::put_gap(
            self.transaction,
            &NewGap {
                instance: self.owner(Numbered::Records, gap.number)?,
                number: gap.number,
                target: gap.target,
                class: &word(&gap.class)?,
                reason: &word(&gap.reason)?,
                count: gap.count,
                exact: gap.exact,
                range: gap.first.zip(gap.last),
                since: gap.since,
                until: gap.until,
            },
        )?;
        match put {
            Put::New => self.told.gaps = self.told.gaps.saturating_add(1),
            Put::Known => {}
            Put::Differs => self.differs("record", gap.number),
        }
        Ok(())
    }

    /// Lines of logs stay in the file; that their number was not that of a status is seen all the same.
    fn log_line(&mut self, number: u64) -> Result<()> {
        self.told.log_lines = self.told.log_lines.saturating_add(1);
        if number <= self.known && ledger::is_record(self.transaction, self.owner(Numbered::Records, number)?, number)?
        {
            self.differs("record", number);
        }
        Ok(())
    }

    /// Says what became of all lines, once the package was read to its end and found good.
    ///
    /// # Errors
    ///
    /// `E-EQUIVOCATION audit-discontinuity` at V10, `record` and `receipt` at V11; those of the ledger.
    pub(super) fn finish(mut self, keys_are_fresh: bool) -> Result<(Told, Option<Snapshot<'a>>)> {
        let before = self.head.audit.first.saturating_sub(1);
        // Nobody has it where the lineage left its instance out and the ledger does not know it: nothing to compare with.
        let owner = self.lineage.owner(Numbered::Audit, before);
        if let Some(owner) = owner.filter(|_| before > 0) {
            let known = ledger::seal_of(self.transaction, owner.id, before)?;
            if known.is_some_and(|known| known != self.head.audit.before) {
                if keys_are_fresh {
                    self.told.taken_as_it_comes = true;
                } else if !self.was_taken_as_it_came()? {
                    self.row_differs(before);
                }
            }
        }
        if let Some((first, last)) = self.rows {
            return Err(two_stories(
                "audit-discontinuity",
                format!(
                    "the site's log is another one than it was, from row {first} to row {last} of those that are known"
                ),
            )
            .expected("rows that are known to come again as they were, and others to go on from them")
            .at(Step::V10));
        }
        self.ends_too_early()?;
        if let Some(other) = self.other {
            return Err(other.at(Step::V11));
        }
        Ok((self.told, self.snapshot))
    }

    /// Refuses a log that ends before what was told of it, and holds the same of records and receipts for V11.
    fn ends_too_early(&mut self) -> Result<()> {
        for short in shrunk(self.transaction, self.lineage.youngest().id, self.head)? {
            let (code, what, step) = match short.kind {
                Numbered::Audit => ("audit-discontinuity", "log ends with row", Step::V10),
                Numbered::Receipts => ("receipt", "receipts end with", Step::V11),
                Numbered::Records => ("record", "records end with", Step::V11),
            };
            let ((later, last), (earlier, told)) = (short.later, short.earlier);
            let error = two_stories(
                code,
                format!("the site's {what} {last} in package {later}, and with {told} in package {earlier} before it"),
            )
            .expected("a later package of an instance to reach at least as far")
            .at(step);
            if step == Step::V10 {
                return Err(error);
            }
            self.other.get_or_insert(error);
        }
        Ok(())
    }

    /// Whether an earlier package of the same instance began with the same seal: it was the first one under other keys.
    fn was_taken_as_it_came(&self) -> Result<bool> {
        for bytes in ledger::package_heads(self.transaction, self.lineage.youngest().id)? {
            let known: Head = canonical::from_slice(&bytes, "a head of the ledger")?;
            if (known.audit.first, known.audit.before) == (self.head.audit.first, self.head.audit.before) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn owner(&self, kind: Numbered, number: u64) -> Result<u64> {
        owner(self.lineage, kind, number)
    }

    fn row_differs(&mut self, number: u64) {
        let (first, last) = self.rows.unwrap_or((number, number));
        self.rows = Some((first.min(number), last.max(number)));
    }

    fn differs(&mut self, code: &'static str, number: u64) {
        self.other.get_or_insert_with(|| {
            two_stories(
                code,
                format!("{code} {number} is another one than an earlier package told"),
            )
            .expected("what is known to come again as it was, but for texts")
        });
    }
}

/// Adds the ranges of a package to what was told, each number under the instance it belongs to.
///
/// # Errors
///
/// Those of the ledger.
pub(super) fn cover(transaction: &Transaction<'_>, lineage: &Lineage, head: &Head) -> Result<()> {
    for (kind, first, last) in ranges(head) {
        for owned in lineage.split(kind, first, last) {
            ledger::cover(transaction, kind, owned)?;
        }
    }
    Ok(())
}

/// Returns the ranges of a package.
pub(super) fn ranges(head: &Head) -> [(Numbered, u64, u64); 3] {
    [
        (Numbered::Records, head.records.first, head.records.last),
        (Numbered::Receipts, head.receipts.first, head.receipts.last),
        (Numbered::Audit, head.audit.first, head.audit.last),
    ]
}

fn owner(lineage: &Lineage, kind: Numbered, number: u64) -> Result<u64> {
    // A lineage begins at or below what follows the acknowledged numbers, and so do ranges.
    let owner = lineage.owner(kind, number).map(|instance| instance.id);
    owner.ok_or_else(|| {
        Error::new(
            Class::Internal,
            "owner",
            format!("the number {number} belongs to no instance"),
        )
    })
}

/// Returns a word of the format as text.
pub(super) fn word(word: &impl Serialize) -> Result<String> {
    let value = serde_json::to_value(word);
    let text = value.ok().and_then(|value| value.as_str().map(str::to_owned));
    text.ok_or_else(|| Error::new(Class::Internal, "word", "a word of the format is no text"))
}
