//! A vendor's workspace and a site that know one another, and packages as rows of both.

use std::path::Path;

use airlock::container::{Builder, Totals};
use airlock::crypto::{
    AcknowledgedAudit, AcknowledgedPackage, Acknowledgement, KeyFile, SigningKey, canonical, stream_start,
};
use airlock::db::ledger::{self, Numbered};
use airlock::db::site::{acknowledgements, instances};
use airlock::db::{Db, Schema, SqlResult as _};
use airlock::domain::{Hash, InstanceId, SiteId, Timestamp, Version};
use airlock::package::{Acknowledged, AuditRange, Head, LineageEntry, ReceiptRange, RecordRange, Shows, Withheld};
use rusqlite::params;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::identity::bench::Bench;
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
        let made = bench.good("vendor enroll plant.json --name plant");
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

    /// Signs a package at the site: its row and a file in the outbox, for what the site knows now.
    pub(super) fn sign(&self, reach: Reach) -> Package {
        let package = self.head(self.domain, reach);
        self.keep(&package);
        package
    }

    /// The head of the next package of a stream.
    pub(super) fn head(&self, domain: Hash, reach: Reach) -> Package {
        let db = self.site_db();
        let stream = streams::of(&self.bench.state(), domain);
        let newest = db.read(|c| acknowledgements::newest(c, domain)).unwrap();
        let acknowledged = newest.as_ref().map(|newest| Acknowledged {
            audit: newest.reached.audit,
            number: newest.number,
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
        let head = Head {
            acknowledged,
            audit: AuditRange {
                before: seal(audit),
                first: audit + 1,
                hash: seal(reach.audit),
                last: reach.audit,
            },
            builder: Builder::current(),
            chunk_bytes: 4 << 20,
            domain,
            index: Vec::new(),
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
            parts: Vec::new(),
            payload_offset: 16_384,
            previous,
            reader: Version::new(0, 2, 0),
            receipts: ReceiptRange {
                first: receipts + 1,
                last: reach.receipts,
            },
            records: RecordRange {
                first: records + 1,
                last: reach.records,
                missing: 0,
                shown: 0,
                unexplained: 0,
                withheld: Withheld {
                    status: reach.records - records,
                    ..Withheld::default()
                },
            },
            requires: Vec::new(),
            shows: Shows::of([]),
            site: self.site.clone(),
            statement: Timestamp::EPOCH,
            totals: Totals {
                blobs: 0,
                chunks: 0,
                content_bytes: 0,
                early_blobs: 0,
                needs: 0,
                stored_bytes: 0,
            },
            volumes: vec![0],
        };
        let bytes = canonical::to_vec(&head);
        Head::parse(&bytes).unwrap();
        Package {
            digest: Hash(Sha256::digest(&bytes).into()),
            head,
        }
    }

    pub(super) fn keep(&self, package: &Package) {
        let Package { digest, head } = package;
        self.site_db()
            .write(|tx| {
                tx.execute(
                    "INSERT INTO package (domain, instance, number, head, state, bytes, cut, made_at, size)
                     VALUES (?, (SELECT max(number) FROM instance), ?, ?, 'signed', ?, 0, ?, 16384)",
                    params![head.domain, head.number, digest, canonical::to_vec(head), head.made_at],
                )
                .sql("keep")
            })
            .unwrap();
        write(&self.file(package), b"the signed bytes");
    }

    /// Where the file of a package lies.
    pub(super) fn file(&self, package: &Package) -> std::path::PathBuf {
        self.bench
            .state()
            .join(format!("outbox/{}.airlock-status", package.digest))
    }

    /// Puts into the ledger what an ingested package leaves there.
    pub(super) fn take_in(&self, package: &Package) {
        let Package { digest, head } = package;
        let rows = streams::of(&self.bench.state(), head.domain).rows;
        self.ledger()
            .write(|tx| {
                let mut parent: Option<u64> = None;
                for entry in &head.lineage {
                    tx.execute(
                        "INSERT INTO instance (site, instance, parent, records, receipts, audit) VALUES (?, ?, ?, ?, ?, ?)
                         ON CONFLICT DO NOTHING",
                        params![self.site, entry.instance, parent, entry.records, entry.receipts, entry.audit],
                    )
                    .sql("instance")?;
                    let id = tx.query_row("SELECT id FROM instance WHERE instance = ?", [&entry.instance], |row| row.get(0));
                    parent = Some(id.sql("instance")?);
                }
                tx.execute(
                    "INSERT INTO package VALUES (?, ?, ?, ?, ?, 0, ?)",
                    params![digest, parent, head.number, head.previous, head.made_at, canonical::to_vec(head)],
                )
                .sql("package")?;
                let all = ledger::instances(tx, &self.site)?;
                let of = all.iter().find(|one| Some(one.id) == parent).unwrap();
                let lineage = ledger::lineage(&all, of);
                for (kind, first, last) in [
                    (Numbered::Records, head.records.first, head.records.last),
                    (Numbered::Receipts, head.receipts.first, head.receipts.last),
                    (Numbered::Audit, head.audit.first, head.audit.last),
                ] {
                    for owned in lineage.split(kind, first, last) {
                        ledger::cover(tx, kind, owned)?;
                    }
                }
                for row in &rows[usize::try_from(head.audit.first - 1).unwrap()..usize::try_from(head.audit.last).unwrap()] {
                    let owner = lineage.owner(Numbered::Audit, row.number).unwrap().id;
                    tx.execute(
                        "INSERT OR IGNORE INTO site_audit VALUES (?, ?, 0, ?, '{}', ?)",
                        params![owner, row.number, row.action, row.seal],
                    )
                    .sql("row")?;
                }
                Ok(())
            })
            .unwrap();
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
        let value = self.bench.good("vendor ledger ack plant -o issued.ack");
        (value, kept(&self.bench.path("issued.ack")))
    }
}

/// What a file says.
pub(super) fn kept(path: &Path) -> Acknowledgement {
    Acknowledgement::kept(&read(path)).unwrap()
}
