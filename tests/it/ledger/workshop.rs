//! A vendor's workspace with sites, and what its ledger holds.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use airlock::db::ledger::{SignedContents, SignedDeployment, record_contents, record_release};
use airlock::domain::{Audience, ContentItem, Counter, Digest, Hash, Result, Scope, SiteId, Timestamp};
use airlock::vendor_side::ledger::{IngestOptions, Outcome, TakenIn, Verdict, ingest};
use airlock::vendor_side::{Init, SigningTime, Workspace, enrol};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};

use super::plant::{Exported, Plant};

/// Rows of every table, by table.
pub(crate) type Dump = BTreeMap<String, Vec<String>>;

/// A vendor with a workspace.
pub(crate) struct Workshop {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) workspace: Workspace,
    pub(crate) now: Timestamp,
    files: std::cell::Cell<u32>,
}

/// Class, sub-code and step of a refusal.
pub(crate) type Refusal = (&'static str, &'static str, String);

impl Workshop {
    pub(crate) fn new() -> Self {
        let folder = crate::support::appliance::scratch();
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let init = Init {
            products: vec!["shop".parse().unwrap()],
            vendor: "Test".to_owned(),
            root_keys: 1,
            threshold: 1,
            time: SigningTime::at(time("2026-11-21T00:00:00Z")),
            issued_at: time("2026-01-01T00:00:00Z"),
            expires: time("2036-01-01T00:00:00Z"),
        };
        let workspace = Workspace::init(&folder.path().join("w"), &init, None).unwrap();
        Self {
            folder,
            workspace,
            now: time("2026-11-21T13:00:00Z"),
            files: std::cell::Cell::new(0),
        }
    }

    pub(crate) fn domain(&self) -> Hash {
        self.workspace.chain().domain()
    }

    /// A site that is enrolled.
    pub(crate) fn plant(&self, number: u8) -> Plant {
        let plant = Plant::new(number, self.domain());
        let name = format!("plant-{number}");
        enrol(&self.workspace, &plant.enrolment(), Some(&name), self.now).unwrap();
        plant
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("w").join(name)
    }

    /// Signs a release of one blob for a site, or for all; returns its head and what the ledger says of its content.
    pub(crate) fn sign(&self, sequence: u64, site: Option<&SiteId>) -> (Hash, Hash) {
        let head = Hash([u8::try_from(sequence).unwrap(); 32]);
        let content = Hash([2; 32]);
        let scope = Scope {
            domain: self.domain(),
            product: "shop".parse().unwrap(),
            channel: "stable".parse().unwrap(),
        };
        let audience = site.map_or(Audience::ANY, |site| Audience::Sites(vec![site.clone()]));
        let items = [ContentItem {
            digest: Digest(Hash([3; 32])),
            size: 7,
            leaf: true,
            needed: false,
        }];
        let (target, revision, application) = (super::plant::uuid(1), super::plant::uuid(900), "shop".parse().unwrap());
        let counter = Counter { epoch: 0, sequence };
        let contents = SignedContents {
            head,
            bytes: b"{}",
            audience: &audience,
            items: &items,
            content,
            scope: &scope,
            counter,
            fixes: &[],
            names: &[],
            targets: &[],
            deployments: &[SignedDeployment {
                deployment: super::plant::uuid(100),
                site,
                target,
                revision,
                application: &application,
            }],
        };
        let ledger = self.workspace.ledger().unwrap();
        ledger
            .write(|tx| {
                record_release(tx, &scope, counter, head, "v1", self.now)?;
                record_contents(tx, &contents)
            })
            .unwrap();
        (head, content)
    }

    /// Another workspace that begins as a copy of this one.
    pub(crate) fn copy(&self) -> Self {
        let folder = crate::support::appliance::scratch();
        copy_folder(&self.folder.path().join("w"), &folder.path().join("w"));
        Self {
            workspace: Workspace::open(&folder.path().join("w")).unwrap(),
            folder,
            now: self.now,
            files: std::cell::Cell::new(0),
        }
    }

    /// Writes a package to a file outside of the workspace.
    pub(crate) fn file(&self, bytes: &[u8]) -> PathBuf {
        let number = self.files.get();
        self.files.set(number + 1);
        let path = self.folder.path().join(format!("{number}.airlock-status"));
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn ingest(&self, packages: &[&Exported], dry_run: bool) -> Result<Vec<Verdict>> {
        let files: Vec<PathBuf> = packages.iter().map(|package| self.file(&package.bytes)).collect();
        let options = IngestOptions { now: self.now, dry_run };
        ingest(&self.workspace, &files, options, &mut |_| {})
    }

    /// Takes one package in.
    pub(crate) fn take(&self, package: &Exported) -> TakenIn {
        match self.verdict(package, false) {
            Outcome::Taken(taken) => *taken,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn verdict(&self, package: &Exported, dry_run: bool) -> Outcome {
        let mut verdicts = self.ingest(&[package], dry_run).unwrap();
        assert_eq!(verdicts.len(), 1);
        verdicts.remove(0).outcome
    }

    /// Codes of what is found in a package that is taken in, and of what it settles.
    pub(crate) fn found(&self, package: &Exported) -> (Vec<&'static str>, Vec<&'static str>) {
        let taken = self.take(package);
        (taken.findings.iter().map(|found| found.code).collect(), taken.settled)
    }

    /// Has a package refused, and checks that nothing but one row of the log came of it; returns that row's detail too.
    pub(crate) fn refuse(&self, package: &Exported) -> (Refusal, serde_json::Value) {
        let before = self.dump();
        let files = self.files_of("packages");
        let said = match self.verdict(package, false) {
            Outcome::Refused(refused) => {
                assert!(refused.unrecorded.is_none(), "{refused:?}");
                let step = refused.error.step().map(|step| step.to_string()).unwrap_or_default();
                (refused.error.class().name(), refused.error.code(), step)
            }
            other => panic!("{other:?}"),
        };
        let mut after = self.dump();
        let row = after.get_mut("audit").unwrap().pop().unwrap();
        assert_eq!(after, before, "a refusal leaves one row of the log");
        assert_eq!(self.files_of("packages"), files);
        assert!(!self.path("incoming").try_exists().unwrap());
        let detail: String = self.query("SELECT detail FROM audit ORDER BY number DESC LIMIT 1");
        let action: String = self.query("SELECT action FROM audit ORDER BY number DESC LIMIT 1");
        assert_eq!(action, "refuse", "{row}");
        let detail: serde_json::Value = serde_json::from_str(&detail).unwrap();
        assert_eq!(detail["class"], said.0);
        assert_eq!(detail["code"], said.1);
        assert_eq!(detail["step"], said.2.as_str());
        (said, detail)
    }

    fn connection(&self) -> Connection {
        Connection::open_with_flags(self.path("ledger.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
    }

    pub(crate) fn query<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.connection().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn count(&self, table: &str) -> u64 {
        self.query(&format!("SELECT count(*) FROM {table}"))
    }

    pub(crate) fn change(&self, sql: &str) {
        Connection::open(self.path("ledger.db"))
            .unwrap()
            .execute_batch(sql)
            .unwrap();
    }

    /// Every row of every table.
    pub(crate) fn dump(&self) -> Dump {
        let connection = self.connection();
        let mut select = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .unwrap();
        let tables: Vec<String> = select
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(std::result::Result::unwrap)
            .collect();
        let mut dump = Dump::new();
        for table in tables {
            let mut select = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
            let columns = select.column_count();
            let rows = select
                .query_map([], |row| {
                    (0..columns)
                        .map(|column| row.get::<_, Value>(column))
                        .collect::<rusqlite::Result<Vec<_>>>()
                })
                .unwrap();
            dump.insert(table, rows.map(|row| format!("{:?}", row.unwrap())).collect());
        }
        dump
    }

    /// Names of the files in a folder of the workspace, with those of its sites.
    pub(crate) fn files_of(&self, folder: &str) -> Vec<String> {
        let mut names = Vec::new();
        let Ok(sites) = fs::read_dir(self.path(folder)) else {
            return names;
        };
        for site in sites {
            let site = site.unwrap();
            for file in fs::read_dir(site.path()).unwrap() {
                let name = file.unwrap().file_name();
                names.push(format!(
                    "{}/{}",
                    site.file_name().to_string_lossy(),
                    name.to_string_lossy()
                ));
            }
        }
        names.sort();
        names
    }
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
