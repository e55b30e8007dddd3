//! A package as both sides can read it: its head, and what it says of each number.

use std::collections::BTreeMap;
use std::io::Cursor;

use airlock::crypto::KeyId;
use airlock::domain::{Hash, InstanceId};
use airlock::package::{Head, Line, OpenedPackage, StatusRecordKind};

/// What is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Records,
    Receipts,
    Audit,
}

pub(super) const KINDS: [Kind; 3] = [Kind::Records, Kind::Receipts, Kind::Audit];

/// A number of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Numbers {
    pub(super) records: u64,
    pub(super) receipts: u64,
    pub(super) audit: u64,
}

impl Numbers {
    pub(super) fn of(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Records => self.records,
            Kind::Receipts => self.receipts,
            Kind::Audit => self.audit,
        }
    }

    pub(super) fn set(&mut self, kind: Kind, number: u64) {
        match kind {
            Kind::Records => self.records = number,
            Kind::Receipts => self.receipts = number,
            Kind::Audit => self.audit = number,
        }
    }

    pub(super) fn next(&self) -> Self {
        Self {
            records: self.records + 1,
            receipts: self.receipts + 1,
            audit: self.audit + 1,
        }
    }
}

/// What a line of the part `records` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// All but the text, which two packages need not both show; then what an agent said.
    Status {
        fact: String,
        said: Said,
    },
    Log(String),
    AgentLog(String),
    Gap {
        fact: String,
        range: Option<(u64, u64)>,
    },
}

/// A status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) deployment: airlock::domain::Uuid,
    pub(super) revision: airlock::domain::Uuid,
    pub(super) state: airlock::domain::StatusKind,
    pub(super) text: Option<String>,
    pub(super) count: u64,
    pub(super) kind: StatusRecordKind,
    pub(super) of: Option<u64>,
}

/// A receipt: its envelope, who signed it, of which head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) fact: String,
    pub(super) key: KeyId,
    pub(super) head: Hash,
    pub(super) row: Hash,
}

/// A package.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) bytes: Vec<u8>,
    pub(super) head: Head,
    pub(super) digest: Hash,
    pub(super) vendor: usize,
    /// The key that signed it.
    pub(super) key: KeyId,
    pub(super) records: BTreeMap<u64, Record>,
    pub(super) receipts: BTreeMap<u64, Receipt>,
    /// Seal, and the receipt that the row names.
    pub(super) audit: BTreeMap<u64, (Hash, Option<u64>)>,
    /// Which life goes on from which, as its rows say.
    pub(super) begun: Vec<(String, String)>,
    /// Whether a range ended early.
    pub(super) is_cut: bool,
    /// Whether the state had been turned back or copied, unsaid, before it was made.
    pub(super) forked: bool,
}

impl Told {
    pub(super) fn read(bytes: Vec<u8>, digest: Hash, vendor: usize, key: KeyId) -> Self {
        let opened = OpenedPackage::open(Box::new(Cursor::new(bytes.clone()))).unwrap();
        assert_eq!(opened.head_digest(), digest);
        let (mut records, mut receipts, mut audit) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut begun = Vec::new();
        let read = opened.known(digest).unwrap().read_index().unwrap();
        let head = read
            .read_lines(&mut |line, seal| {
                let number = line.number();
                match line {
                    Line::Audit(row) => {
                        let receipt = row.detail.get("receipt").and_then(serde_json::Value::as_u64);
                        audit.insert(number.unwrap(), (seal.unwrap(), receipt));
                        let named = |member: &str| Some(row.detail.get(member)?.as_str()?.to_owned());
                        if let ("instance", Some(life), Some(parent)) =
                            (row.action.as_str(), named("instance"), named("parent"))
                        {
                            begun.push((life, parent));
                        }
                    }
                    Line::Receipt(signed) => {
                        let receipt = &signed.receipt;
                        let made = Receipt {
                            fact: format!("{signed:?}"),
                            key: signed.envelope.signatures[0].keyid,
                            head: receipt.head,
                            row: receipt.audit,
                        };
                        receipts.insert(number.unwrap(), made);
                    }
                    _ => {
                        if let Some(record) = record(line) {
                            assert!(records.insert(number.unwrap(), record).is_none(), "{number:?} twice");
                        }
                    }
                }
                Ok(())
            })
            .unwrap();
        Self {
            bytes,
            head,
            digest,
            vendor,
            key,
            records,
            receipts,
            audit,
            begun,
            is_cut: false,
            forked: false,
        }
    }

    /// First and last number of a kind.
    pub(super) fn range(&self, kind: Kind) -> (u64, u64) {
        let head = &self.head;
        match kind {
            Kind::Records => (head.records.first, head.records.last),
            Kind::Receipts => (head.receipts.first, head.receipts.last),
            Kind::Audit => (head.audit.first, head.audit.last),
        }
    }

    pub(super) fn lasts(&self) -> Numbers {
        let mut lasts = Numbers::default();
        for kind in KINDS {
            lasts.set(kind, self.range(kind).1);
        }
        lasts
    }

    /// Where each instance of its lineage begins.
    pub(super) fn lineage(&self) -> Vec<(InstanceId, Numbers)> {
        lineage(&self.head)
    }

    /// Whether a gap that it tells accounts for a number.
    pub(super) fn explains(&self, number: u64) -> bool {
        self.records.values().any(|record| {
            matches!(record, Record::Gap { range: Some((first, last)), .. } if (*first..=*last).contains(&number))
        })
    }
}

fn lineage(head: &Head) -> Vec<(InstanceId, Numbers)> {
    let entries = head.lineage.iter().map(|entry| {
        let begins = Numbers {
            records: entry.records,
            receipts: entry.receipts,
            audit: entry.audit,
        };
        (entry.instance.clone(), begins)
    });
    entries.collect()
}

fn record(line: &Line) -> Option<Record> {
    Some(match line {
        Line::Status(status) => {
            let mut bare = status.clone();
            bare.text = None;
            let said = Said {
                deployment: status.deployment,
                revision: status.revision,
                state: status.state,
                text: status.text.as_ref().map(plain),
                count: status.count.unwrap_or(1),
                kind: status.kind,
                of: status.of,
            };
            Record::Status {
                fact: format!("{bare:?}"),
                said,
            }
        }
        Line::Log(log) => Record::Log(plain(&log.text)),
        Line::AgentLog(log) => Record::AgentLog(plain(&log.text)),
        Line::Gap(gap) => Record::Gap {
            fact: format!("{gap:?}"),
            range: gap.first.zip(gap.last),
        },
        _ => return None,
    })
}

/// Texts of histories have nothing that is quoted.
fn plain(text: &airlock::package::Quoted) -> String {
    assert!(!text.as_str().contains('\\'));
    text.as_str().to_owned()
}
