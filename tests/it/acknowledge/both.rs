//! A vendor's workspace and a site that know one another, and packages of the site's own stream, signed by its key.

use std::path::Path;

use airlock::container::Builder;
use airlock::crypto::{
    AcknowledgedAudit, AcknowledgedPackage, Acknowledgement, KeyFile, SigningKey, canonical, stream_start,
};
use airlock::db::site::{acknowledgements, instances};
use airlock::db::{Db, Schema, SqlResult as _};
use airlock::domain::{Hash, InstanceId, SiteId, Timestamp, Version};
use airlock::package::{
    Acknowledged, AuditRow, Head, Line, LineageEntry, Numbers, RecordCounts, Room, Shows, SignedReceipt, Statement,
    UnsignedPackage, Withheld,
};
use rusqlite::params;
use serde_json::Value;

use crate::identity::bench::Bench;
use crate::package::made;
use crate::support::appliance::{read, write};
use crate::support::streams::{self, Stream};

/// A workspace `acme`, in which the site `plant` is enrolled, and the site.
pub(super) struct Both {
    pub(super) bench: Bench,
    pub(super) site: SiteId,
    pub(super) domain: Hash,
}

/// A package that the site signed.
#[derive(Debug, Clone)]
pub(super) struct Package {
    pub(super) digest: Hash,
    pub(super) head: Head,
    pub(super) bytes: Vec<u8>,
}

impl Package {
    pub(super) fn named(&self) -> AcknowledgedPackage {
        AcknowledgedPackage {
            head: self.digest,
            number: self.head.number,
        }
    }
}

/// How far a package goes: last record, last receipt, last row of the log; and where it begins, if not after what was acknowledged.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reach {
    pub(super) records: u64,
    pub(super) receipts: u64,
    pub(super) audit: u64,
    pub(super) after: Option<(u64, u64, u64)>,
}

impl Both {
    pub(super) fn new() -> Self {
        let bench = Bench::new();
        let made = bench.good("vendor enroll --yes plant.json --name plant");
        let domain = bench.chain("acme").domain();
        Self {
            site: made["site"].as_str().unwrap().parse().unwrap(),
            bench,
            domain,
        }
    }

    pub(super) fn site_db(&self) -> Db {
        Db::open(&self.bench.state().join("airlock.db"), &Schema::SITE).unwrap()
    }

    pub(super) fn ledger(&self) -> Db {
        Db::open(&self.bench.path("acme/ledger.db"), &Schema::LEDGER).unwrap()
    }

    pub(super) fn stream(&self) -> Stream {
        streams::of(&self.bench.state(), self.domain)
    }

    pub(super) fn present(&self) -> InstanceId {
        self.site_db().read(instances::newest).unwrap().unwrap().instance
    }

    /// How far everything is acknowledged, as the site knows it: records, receipts, rows of the log.
    pub(super) fn reached(&self) -> (u64, u64, u64) {
        let reached = self
            .site_db()
            .read(|c| acknowledgements::reached(c, self.domain))
            .unwrap();
        (reached.records, reached.receipts, reached.audit)
    }

    /// Signs a package at the site, of what the site knows now.
    pub(super) fn sign(&self, reach: Reach) -> Package {
        let package = self.package(self.domain, reach);
        self.keep(&package);
        package
    }

    /// The next package of a stream.
    pub(super) fn package(&self, domain: Hash, reach: Reach) -> Package {
        let db = self.site_db();
        let stream = streams::of(&self.bench.state(), domain);
        let newest = db.read(|c| acknowledgements::newest(c, domain)).unwrap();
        let acknowledged = newest.as_ref().map(|newest| Acknowledged {
            audit: newest.reached.audit,
            number: newest.reached.number,
            receipts: newest.reached.receipts,
            records: newest.reached.records,
        });
        let reached = newest.map(|newest| newest.reached).unwrap_or_default();
        let (records, receipts, audit) = reach
            .after
            .unwrap_or((reached.records, reached.receipts, reached.audit));
        let seal = |row: u64| match row {
            0 => stream_start(&self.site, domain),
            row => stream.rows[usize::try_from(row).unwrap() - 1].seal,
        };
        let lineage = db.read(|c| instances::lineage(c, domain)).unwrap();
        let (number, previous): (u64, Option<Hash>) = db
            .read(|c| {
                c.query_row(
                    "SELECT number, head FROM package WHERE domain = ? AND instance = (SELECT max(number) FROM instance)
                     UNION ALL SELECT 0, NULL ORDER BY 1 DESC LIMIT 1",
                    [domain],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .sql("read")
            })
            .unwrap();
        let firsts = Numbers {
            audit: audit + 1,
            receipts: receipts + 1,
            records: records + 1,
        };
        let lasts = Numbers {
            audit: reach.audit,
            receipts: reach.receipts,
            records: reach.records,
        };
        let statement = Statement {
            acknowledged,
            before: seal(audit),
            builder: Builder::current(),
            domain,
            firsts,
            instance: self.present(),
            lineage: lineage
                .into_iter()
                .map(|start| LineageEntry {
                    audit: start.audit,
                    instance: start.instance,
                    receipts: start.receipts,
                    records: start.records,
                })
                .collect(),
            made_at: Timestamp::EPOCH.plus_seconds(1_800_000_000 + i64::try_from(number).unwrap()),
            number: number + 1,
            previous,
            shows: Shows::of([]),
            site: self.site.clone(),
            statement: Timestamp::EPOCH,
        };
        let within = |number: usize, first: u64, last: u64| (first..=last).contains(&(number as u64 + 1));
        let told = stream.envelopes.iter().enumerate();
        let told = told.filter(|(number, _)| within(*number, firsts.receipts, lasts.receipts));
        let told = told.map(|(_, envelope)| Line::Receipt(Box::new(SignedReceipt::unverified(envelope).unwrap())));
        let rows = stream.rows.iter().enumerate();
        let rows = rows.filter(|(number, _)| within(*number, firsts.audit, lasts.audit));
        let rows = rows.map(|(_, row)| {
            Line::Audit(AuditRow {
                action: row.action.clone(),
                at: row.at.parse().unwrap(),
                detail: row.detail.as_object().unwrap().clone().into_iter().collect(),
                number: row.number,
            })
        });
        let lines: Vec<Line> = told.chain(rows).collect();
        // Statuses that no switch shows: counted, and covered.
        let counts = RecordCounts {
            withheld: Withheld {
                status: reach.records - records,
                ..Withheld::default()
            },
            ..RecordCounts::default()
        };
        let draft = made::write(statement, Room::default(), &lines, lasts, counts).unwrap();
        assert!(!draft.is_cut);
        let mut package = UnsignedPackage::open(made::input(&draft.bytes)).unwrap();
        let key = KeyFile::read(&self.bench.state().join("identity/status.pem")).unwrap();
        package.sign(&key.signing_key(None).unwrap());
        let mut bytes = Vec::new();
        package
            .write(&mut std::io::Cursor::new(draft.bytes), &mut bytes)
            .unwrap();
        Package {
            digest: package.head_digest(),
            head: package.head().clone(),
            bytes,
        }
    }

    /// Writes down that a package is signed: its row, and its file in the outbox.
    pub(super) fn keep(&self, package: &Package) {
        let Package { digest, head, bytes } = package;
        self.site_db()
            .write(|tx| {
                tx.execute(
                    "INSERT INTO package (domain, instance, number, head, state, bytes, cut, made_at, size, approvals)
                     VALUES (?, (SELECT max(number) FROM instance), ?, ?, 'signed', ?, 0, ?, ?, 0)",
                    params![
                        head.domain,
                        head.number,
                        digest,
                        canonical::to_vec(head),
                        head.made_at,
                        bytes.len() as u64
                    ],
                )
                .sql("keep")
            })
            .unwrap();
        write(&self.file(package), bytes);
    }

    /// Where the file of a package lies.
    pub(super) fn file(&self, package: &Package) -> std::path::PathBuf {
        self.bench
            .state()
            .join(format!("outbox/{}.airlock-status", package.digest))
    }

    /// Carries a package to the vendor, who takes it in.
    pub(super) fn take_in(&self, package: &Package) {
        let name = package.head.file_name();
        write(&self.bench.path(&name), &package.bytes);
        self.bench.good(&format!("status verify {name}"));
    }

    /// Signs a package that goes as far as the stream does, with so many records, and takes it in.
    pub(super) fn report(&self, records: u64) -> Package {
        let package = self.sign(self.reach(records));
        self.take_in(&package);
        package
    }

    /// As far as the stream goes, with so many records.
    pub(super) fn reach(&self, records: u64) -> Reach {
        let stream = self.stream();
        Reach {
            records,
            receipts: stream.receipts.len() as u64,
            audit: stream.rows.len() as u64,
            after: None,
        }
    }

    /// A key of a role in a workspace.
    pub(super) fn key(&self, workspace: &str, role: &str) -> SigningKey {
        let folder = self.bench.path(&format!("{workspace}/keys"));
        let path = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| {
                let name = path.file_name().unwrap().to_str().unwrap();
                name.starts_with(role) && path.extension().is_some_and(|ending| ending == "pem")
            });
        KeyFile::read(&path.unwrap()).unwrap().signing_key(None).unwrap()
    }

    /// What a vendor would say that holds everything up to a package and knows what the site let go.
    pub(super) fn says(&self, number: u64, packages: &[&Package]) -> Acknowledgement {
        let last = packages.last().unwrap();
        Acknowledgement {
            alarms: Vec::new(),
            audit: AcknowledgedAudit {
                hash: last.head.audit.hash,
                number: last.head.audit.last,
            },
            domain: last.head.domain,
            instance: last.head.instance.clone(),
            issued_at: "2026-11-22T08:00:00Z".parse().unwrap(),
            number,
            packages: packages.iter().map(|package| package.named()).collect(),
            reader: Version::new(0, 2, 0),
            receipts: last.head.receipts.last,
            records: last.head.records.last,
            requires: Vec::new(),
            site: self.site.clone(),
        }
    }

    /// Writes an acknowledgement, signed by a role of a workspace, and returns its name.
    pub(super) fn write(&self, name: &str, says: &Acknowledgement, workspace: &str, role: &str) {
        write(&self.bench.path(name), &says.sign(&[&self.key(workspace, role)]));
    }

    /// Applies one that the vendor's own key signs.
    pub(super) fn apply(&self, says: &Acknowledgement) -> Value {
        self.write("by-hand.ack", says, "acme", "ack");
        self.bench.good("status acknowledge by-hand.ack")
    }

    /// Refuses one that the vendor's own key signs.
    pub(super) fn refuse(&self, says: &Acknowledgement, code: &str) -> crate::support::appliance::Ended {
        self.write("by-hand.ack", says, "acme", "ack");
        self.bench.refused("status acknowledge by-hand.ack", "E-POLICY", code)
    }

    /// What the vendor's newest acknowledgement says, as `vendor ledger ack` writes it.
    pub(super) fn issue(&self) -> (Value, Acknowledgement) {
        let value = self.bench.good("vendor ledger ack plant --replace -o issued.ack");
        (value, kept(&self.bench.path("issued.ack")))
    }
}

/// What a file says.
pub(super) fn kept(path: &Path) -> Acknowledgement {
    Acknowledgement::kept(&read(path)).unwrap()
}
