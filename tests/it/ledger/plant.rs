//! A site as its vendor sees it: a stream of records, receipts and rows of a log, from which packages are exported.

use std::collections::BTreeMap;

use airlock::container::Builder;
use airlock::crypto::{Enrolment, Receipt, ReceiptResult, RecipientKey, SigningKey, stream_start};
use airlock::domain::{Hash, InstanceId, Signal, SiteId, StatusKind, Timestamp, Uuid};
use airlock::package::{
    AuditRow, Gap, GapClass, GapReason, GapWord, Line, LineageEntry, Numbers, RecordCounts, Release, ReleaseState,
    ReleaseWord, Room, Shows, SignedReceipt, Statement, StatusRecord, StatusRecordKind, Switch, UnsignedPackage,
    Withheld,
};
use serde_json::{Value, json};

use crate::package::made;

/// A package as it leaves a site.
#[derive(Debug, Clone)]
pub(crate) struct Exported {
    pub(crate) bytes: Vec<u8>,
    pub(crate) head: Hash,
    pub(crate) instance: InstanceId,
    /// Last number of each kind.
    pub(crate) lasts: Numbers,
}

/// A record of the stream.
#[derive(Debug, Clone)]
pub(crate) enum Kept {
    Line(Line),
    /// A sample of metrics, which no switch shows as a record.
    Metrics,
    /// Lost; a gap says so, or none does.
    Missing,
    /// Lost, and the site itself says that no gap tells why.
    Unexplained,
}

/// A site.
#[derive(Clone)]
pub(crate) struct Plant {
    pub(crate) site: SiteId,
    pub(crate) domain: Hash,
    pub(crate) secret: u8,
    pub(crate) instance: InstanceId,
    pub(crate) lineage: Vec<LineageEntry>,
    pub(crate) rows: Vec<AuditRow>,
    pub(crate) receipts: Vec<Line>,
    pub(crate) records: BTreeMap<u64, Kept>,
    /// Newest acknowledgement, and the numbers that it says.
    pub(crate) acknowledged: Option<airlock::package::Acknowledged>,
    pub(crate) number: u64,
    pub(crate) previous: Option<Hash>,
    pub(crate) now: Timestamp,
    pub(crate) shows: Vec<Switch>,
    /// What receipts call the release.
    pub(crate) version: &'static str,
    /// Snapshot lines: releases, targets with deployments, days of metrics.
    pub(crate) releases: Vec<Line>,
    pub(crate) targets: Vec<Line>,
    pub(crate) days: Vec<Line>,
}

pub(crate) fn instance(number: u64) -> InstanceId {
    format!("{number:032x}").parse().unwrap()
}

impl Plant {
    /// A site of its own for each number, which has one row in its log.
    pub(crate) fn new(number: u8, domain: Hash) -> Self {
        let first = instance(u64::from(number) << 32 | 1);
        let mut plant = Self {
            site: format!("{number:032x}").parse().unwrap(),
            domain,
            secret: number,
            lineage: vec![LineageEntry {
                audit: 1,
                instance: first.clone(),
                receipts: 1,
                records: 1,
            }],
            instance: first,
            rows: Vec::new(),
            receipts: Vec::new(),
            records: BTreeMap::new(),
            acknowledged: None,
            number: 0,
            previous: None,
            now: made::time("12:00:00"),
            shows: Vec::new(),
            version: "v1",
            releases: Vec::new(),
            targets: Vec::new(),
            days: Vec::new(),
        };
        plant.act("init", &json!({"root_version": 1}));
        plant
    }

    pub(crate) fn key(&self) -> SigningKey {
        SigningKey::from_secret(&[self.secret; 32])
    }

    pub(crate) fn enrolment(&self) -> Vec<u8> {
        Enrolment::sign(
            self.site.clone(),
            self.domain,
            RecipientKey::of_secret(&[self.site.to_bytes()[15]; 32]),
            made::time("08:00:00"),
            &self.key(),
        )
    }

    /// Writes a row into the log and returns its seal.
    pub(crate) fn act(&mut self, action: &str, detail: &Value) -> Hash {
        self.rows.push(AuditRow {
            action: action.to_owned(),
            at: self.now,
            detail: detail.as_object().unwrap().clone().into_iter().collect(),
            number: self.rows.len() as u64 + 1,
        });
        self.seal(self.rows.len())
    }

    /// The seal of a row; that before the first for 0.
    pub(crate) fn seal(&self, number: usize) -> Hash {
        let start = stream_start(&self.site, self.domain);
        self.rows[..number].iter().fold(start, |before, row| row.seal(before))
    }

    fn next(&self) -> u64 {
        self.records.keys().next_back().copied().unwrap_or(0) + 1
    }

    pub(crate) fn status(&self, number: u64) -> StatusRecord {
        StatusRecord {
            at: self.now,
            deployment: made::uuid(100),
            revision: made::uuid(900),
            target: made::uuid(1),
            state: StatusKind::Running,
            signal: Signal::Applied,
            ..made::status(number, StatusRecordKind::Transition)
        }
    }

    /// Reports so many transitions.
    pub(crate) fn report(&mut self, count: u64) {
        for _ in 0..count {
            let number = self.next();
            self.keep(Kept::Line(Line::Status(self.status(number))));
        }
    }

    pub(crate) fn keep(&mut self, kept: Kept) {
        self.records.insert(self.next(), kept);
    }

    /// Loses so many records, and tells of it by a gap.
    pub(crate) fn lose(&mut self, count: u64) {
        let first = self.next();
        for _ in 0..count {
            self.keep(Kept::Missing);
        }
        let number = self.next();
        self.keep(Kept::Line(Line::Gap(Gap {
            at: self.now,
            bytes: 0,
            class: GapClass::Status,
            count,
            exact: true,
            first: Some(first),
            kind: GapWord::Word,
            last: Some(number - 1),
            number,
            reason: GapReason::Quota,
            since: self.now,
            target: None,
            until: self.now,
        })));
    }

    /// Writes a receipt of a release, with its row.
    pub(crate) fn receipt(&mut self, result: ReceiptResult, head: Hash, sequence: u64) {
        let number = self.receipts.len() as u64 + 1;
        let action = match result {
            ReceiptResult::Imported => "import",
            ReceiptResult::Activated => "activate",
            ReceiptResult::Refused => "refuse",
        };
        let audit = self.act(action, &json!({"head": head, "receipt": number}));
        self.bare_receipt(result, head, sequence, audit);
    }

    /// Writes a receipt whose row is said to have a seal.
    pub(crate) fn bare_receipt(&mut self, result: ReceiptResult, head: Hash, sequence: u64, audit: Hash) {
        let refusal = |word: &str| (result == ReceiptResult::Refused).then(|| word.to_owned());
        let receipt = Receipt {
            at: self.now,
            audit,
            channel: "stable".parse().unwrap(),
            class: refusal("E-CONTENT"),
            code: refusal("not-carried"),
            domain: self.domain,
            epoch: 0,
            head,
            instance: self.instance.clone(),
            number: self.receipts.len() as u64 + 1,
            product: "shop".parse().unwrap(),
            result,
            root_version: 1,
            sequence,
            site: self.site.clone(),
            step: refusal("X13"),
            version: self.version.into(),
        };
        let line = SignedReceipt::unverified(&receipt.sign(&self.key())).unwrap();
        self.receipts.push(Line::Receipt(Box::new(line)));
    }

    pub(crate) fn holds(&self, head: Hash, sequence: u64, blobs: u64, content: Hash) -> Line {
        Line::Release(Release {
            blobs,
            channel: "stable".parse().unwrap(),
            content,
            epoch: 0,
            head,
            imported_at: self.now,
            kind: ReleaseWord::Word,
            product: "shop".parse().unwrap(),
            root_version: 1,
            sequence,
            since: Some(self.now),
            state: ReleaseState::Active,
        })
    }

    /// Another life begins, right after what was acknowledged; its log says why.
    pub(crate) fn recover(&mut self, name: u64, reason: &str) {
        let parent = self.instance.clone();
        self.instance = instance(name);
        let begins = self.firsts();
        let entry = LineageEntry {
            audit: begins.audit,
            instance: self.instance.clone(),
            receipts: begins.receipts,
            records: begins.records,
        };
        if self.lineage.last().is_some_and(|last| last.begins() == entry.begins()) {
            self.lineage.pop();
        }
        self.lineage.push(entry);
        self.number = 0;
        self.previous = None;
        self.act(
            "instance",
            &json!({"instance": self.instance, "parent": parent, "reason": reason}),
        );
    }

    /// Takes another status key, which begins another life.
    pub(crate) fn rotate(&mut self, secret: u8, name: u64) {
        self.secret = secret;
        self.recover(name, "status-key");
    }

    /// Applies an acknowledgement of everything up to some numbers.
    pub(crate) fn acknowledge(&mut self, number: u64, to: Numbers) {
        self.acknowledged = Some(airlock::package::Acknowledged {
            audit: to.audit,
            number,
            receipts: to.receipts,
            records: to.records,
        });
    }

    pub(crate) fn firsts(&self) -> Numbers {
        self.acknowledged.map_or(Numbers::all(1), |known| known.next())
    }

    pub(crate) fn lasts(&self) -> Numbers {
        Numbers {
            audit: self.rows.len() as u64,
            receipts: self.receipts.len() as u64,
            records: self.next() - 1,
        }
    }

    /// Exports everything that was not acknowledged.
    pub(crate) fn export(&mut self) -> Exported {
        let (firsts, lasts) = (self.firsts(), self.lasts());
        self.export_range(firsts, lasts)
    }

    /// Exports a part of the stream, as one of a run.
    pub(crate) fn export_range(&mut self, firsts: Numbers, lasts: Numbers) -> Exported {
        self.number += 1;
        let exported = self.package(firsts, lasts, |_| {});
        self.previous = Some(exported.head);
        exported
    }

    /// Makes a package under the present number, after a change to what it states.
    pub(crate) fn package(
        &self,
        firsts: Numbers,
        lasts: Numbers,
        change: impl FnOnce(&mut (Statement, Vec<Line>)),
    ) -> Exported {
        let within = |number: u64, first: u64, last: u64| (first..=last).contains(&number);
        let mut lines = self.releases.clone();
        lines.extend(self.targets.iter().cloned());
        let numbered = |line: &Line| line.number().unwrap();
        lines.extend(
            self.receipts
                .iter()
                .filter(|line| within(numbered(line), firsts.receipts, lasts.receipts))
                .cloned(),
        );
        let rows = self
            .rows
            .iter()
            .filter(|row| within(row.number, firsts.audit, lasts.audit));
        lines.extend(rows.cloned().map(Line::Audit));
        lines.extend(self.days.iter().cloned());
        let mut counts = RecordCounts::default();
        // An empty range ends before it begins, which no range of a map may.
        let records = self
            .records
            .iter()
            .filter(|(number, _)| within(**number, firsts.records, lasts.records));
        for (number, kept) in records {
            match kept {
                Kept::Line(line) => {
                    assert_eq!(line.number(), Some(*number));
                    lines.push(line.clone());
                }
                Kept::Metrics => {
                    counts.withheld = Withheld {
                        metrics: counts.withheld.metrics + 1,
                        ..counts.withheld
                    }
                }
                Kept::Missing => counts.missing += 1,
                Kept::Unexplained => counts.unexplained += 1,
            }
        }
        let statement = Statement {
            acknowledged: self.acknowledged,
            before: self.seal(usize::try_from(firsts.audit).unwrap() - 1),
            builder: Builder::current(),
            domain: self.domain,
            firsts,
            instance: self.instance.clone(),
            lineage: self.lineage.clone(),
            made_at: self.now,
            number: self.number,
            previous: self.previous,
            shows: Shows::of(self.shows.iter().copied()),
            site: self.site.clone(),
            statement: made::time("08:00:00"),
        };
        let mut made = (statement, lines);
        change(&mut made);
        let (statement, lines) = made;
        let instance = statement.instance.clone();
        let draft = made::write(statement, Room::default(), &lines, lasts, counts).unwrap();
        let bytes = self.sign(&draft.bytes);
        let head = airlock::package::OpenedPackage::open(made::input(&bytes))
            .unwrap()
            .head_digest();
        Exported {
            bytes,
            head,
            instance,
            lasts,
        }
    }

    fn sign(&self, draft: &[u8]) -> Vec<u8> {
        let mut package = UnsignedPackage::open(made::input(draft)).unwrap();
        package.sign(&self.key());
        let mut signed = Vec::new();
        package.write(&mut std::io::Cursor::new(draft), &mut signed).unwrap();
        signed
    }

    /// A target of this site with one deployment that runs well.
    pub(crate) fn target(number: u32, deployment: u32) -> Vec<Line> {
        vec![
            Line::Target(Box::new(made::target(number))),
            Line::Deployment(Box::new(made::deployment(number, deployment))),
        ]
    }
}

/// The UUID that tests give by number.
pub(crate) fn uuid(number: u32) -> Uuid {
    made::uuid(number)
}
