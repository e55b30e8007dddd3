//! A workspace whose ledger is filled by hand, row by row, and the commands that ask it.
#![allow(clippy::disallowed_methods, reason = "tests read what they wrote")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use airlock::crypto::{Receipt, ReceiptResult, SigningKey};
use airlock::db::ledger::{SignedContents, SignedDeployment, SignedTarget, record_contents, record_release};
use airlock::db::{Db, Schema};
use airlock::domain::{Audience, Counter, Digest, FixId, Hash, InstanceId, Scope, SiteId, Timestamp, Uuid};
use airlock::vendor_side::{Init, SigningTime, Workspace};
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::support::appliance::AIRLOCK;

/// A vendor's folder, with a workspace `w`.
pub(super) struct Ledger {
    folder: tempfile::TempDir,
    pub(super) workspace: Workspace,
}

/// A site's id.
pub(super) fn site(number: u32) -> SiteId {
    format!("{number:032x}").parse().unwrap()
}

pub(super) fn uuid(number: u32) -> Uuid {
    format!("{number:08x}-0000-4000-8000-000000000000").parse().unwrap()
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The head digest of a release by its sequence.
pub(super) fn head(sequence: u64) -> Hash {
    let mut hash = [0xee; 32];
    hash[..8].copy_from_slice(&sequence.to_be_bytes());
    Hash(hash)
}

/// The status key of a site.
pub(super) fn key(number: u32) -> SigningKey {
    let mut secret = [7; 32];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_secret(&secret)
}

/// A deployment of a release: number, target, revision, and the only site of its target.
pub(super) type Stated<'a> = (u32, u32, u32, Option<&'a SiteId>);

impl Ledger {
    pub(super) fn new() -> Self {
        let folder = crate::support::appliance::scratch();
        let issued = at("2026-01-01T00:00:00Z");
        let init = Init {
            products: vec!["acme-erp".parse().unwrap()],
            vendor: "Acme <Ltd>".to_owned(),
            root_keys: 1,
            threshold: 1,
            time: SigningTime::at(issued),
            issued_at: issued,
            expires: at("2100-01-01T00:00:00Z"),
        };
        let workspace = Workspace::init(&folder.path().join("w"), &init, None).unwrap();
        Self { folder, workspace }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn db(&self) -> Db {
        Db::open(&self.path("w/ledger.db"), &Schema::LEDGER).unwrap()
    }

    /// A connection for rows that no part of the product writes so.
    pub(super) fn sql(&self) -> Connection {
        Connection::open(self.path("w/ledger.db")).unwrap()
    }

    pub(super) fn run(&self, format: &str, words: &[&str]) -> Output {
        Command::new(AIRLOCK)
            .args(words)
            .args(["-w", "w", "--format", format])
            .current_dir(self.folder.path())
            .env_remove("AIRLOCK_WORKSPACE")
            .output()
            .unwrap()
    }

    /// Runs a command that must succeed, and returns what it prints.
    pub(super) fn said(&self, format: &str, words: &[&str]) -> String {
        let output = self.run(format, words);
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {talk}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub(super) fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.said("json", words)).unwrap()
    }

    /// Runs a command that must be refused, and returns class and code; the ledger is as it was.
    pub(super) fn refused(&self, words: &[&str]) -> (String, String) {
        let before = self.dump();
        let output = self.run("json", words);
        let talk = String::from_utf8_lossy(&output.stderr).into_owned();
        let event = talk
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|event| event["event"] == "refused")
            .unwrap_or_else(|| panic!("{words:?} was not refused: {talk}"));
        assert_eq!(output.status.code().map(i64::from), event["exit"].as_i64());
        assert!(output.stdout.is_empty());
        assert!(event["remedy"].is_string(), "{event}");
        assert_eq!(self.dump(), before, "{words:?} changed the ledger");
        let word = |name: &str| event[name].as_str().unwrap().to_owned();
        (word("class"), word("code"))
    }

    /// Every row that a question could change.
    pub(super) fn dump(&self) -> Vec<String> {
        let sql = self.sql();
        let mut rows = Vec::new();
        for table in ["audit", "finding", "package", "site", "record", "receipt"] {
            let mut select = sql.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = select.column_count();
            let read = select.query_map([], |row| {
                let cells = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap()));
                Ok(format!("{table} {}", cells.collect::<Vec<_>>().join("|")))
            });
            rows.extend(read.unwrap().map(Result::unwrap));
        }
        rows
    }

    /// Enrols a site.
    pub(super) fn enrol(&self, number: u32, name: &str) -> SiteId {
        let site = site(number);
        let status = Hash::from(key(number).public());
        self.sql()
            .execute(
                "INSERT INTO site (site, name, status, recipient, envelope, enrolled_at) VALUES (?, ?, ?, ?, x'', 0)",
                params![site.as_str(), name, status.0, [9_u8; 32]],
            )
            .unwrap();
        site
    }

    /// Records a release of `acme-erp/stable` as signing does.
    pub(super) fn release(
        &self,
        sequence: u64,
        version: &str,
        fixes: &[&str],
        audience: &Audience,
        stated: &[Stated<'_>],
    ) {
        self.release_in("stable", sequence, version, fixes, audience, stated);
    }

    pub(super) fn release_in(
        &self,
        channel: &str,
        sequence: u64,
        version: &str,
        fixes: &[&str],
        audience: &Audience,
        stated: &[Stated<'_>],
    ) {
        let scope = Scope {
            domain: self.workspace.chain().domain(),
            product: "acme-erp".parse().unwrap(),
            channel: channel.parse().unwrap(),
        };
        let counter = Counter { epoch: 0, sequence };
        let fixes: Vec<FixId> = fixes.iter().map(|fix| fix.parse().unwrap()).collect();
        let application = "web".parse().unwrap();
        let names: Vec<(u32, String)> = stated
            .iter()
            .map(|(_, target, ..)| (*target, format!("hall-{target}")))
            .collect();
        let mut targets: Vec<SignedTarget<'_>> = names
            .iter()
            .zip(stated)
            .map(|((target, name), (.., site))| SignedTarget {
                target: uuid(*target),
                site: *site,
                name,
            })
            .collect();
        targets.dedup_by_key(|target| target.target);
        let deployments: Vec<SignedDeployment<'_>> = stated
            .iter()
            .map(|(deployment, target, revision, site)| SignedDeployment {
                deployment: uuid(*deployment),
                site: *site,
                target: uuid(*target),
                revision: uuid(*revision),
                application: &application,
            })
            .collect();
        let images = [
            ("docker.io/acme/web", Digest(Hash([4; 32]))),
            ("docker.io/acme/db", Digest(Hash([5; 32]))),
        ];
        self.db()
            .write(|tx| {
                let time = at("2026-09-01T00:00:00Z");
                record_release(tx, &scope, counter, head(sequence), version, time)?;
                record_contents(
                    tx,
                    &SignedContents {
                        head: head(sequence),
                        bytes: b"{}",
                        audience,
                        items: &[],
                        content: Hash([8; 32]),
                        scope: &scope,
                        counter,
                        fixes: &fixes,
                        names: &images,
                        targets: &targets,
                        deployments: &deployments,
                    },
                )
            })
            .unwrap();
    }

    /// Records an instance that begins at a number, and returns its row.
    pub(super) fn instance(&self, number: u32, instance: u32, parent: Option<i64>, begins: u64) -> i64 {
        let sql = self.sql();
        sql.execute(
            "INSERT INTO instance (site, instance, parent, records, receipts, audit) VALUES (?, ?, ?, ?, ?, ?)",
            params![
                site(number).as_str(),
                format!("{instance:032x}"),
                parent,
                begins,
                begins,
                begins
            ],
        )
        .unwrap();
        sql.last_insert_rowid()
    }

    /// Records a package, and returns its head digest.
    pub(super) fn package(&self, instance: i64, number: u64, made_at: &str, receipts: (u64, u64)) -> Hash {
        let mut hash = [0xaa; 32];
        hash[..8].copy_from_slice(&instance.to_be_bytes());
        hash[8..16].copy_from_slice(&number.to_be_bytes());
        let bytes = format!(
            "{{\"receipts\":{{\"first\":{},\"last\":{}}},\"records\":{{\"first\":1,\"last\":9}}}}",
            receipts.0, receipts.1
        );
        self.package_as(instance, number, Hash(hash), made_at, bytes.as_bytes());
        Hash(hash)
    }

    pub(super) fn package_as(&self, instance: i64, number: u64, head: Hash, made_at: &str, bytes: &[u8]) {
        self.sql()
            .execute(
                "INSERT INTO package (head, instance, number, made_at, ingested_at, bytes) VALUES (?, ?, ?, ?, ?, ?)",
                params![
                    head.0,
                    instance,
                    number,
                    at(made_at).unix(),
                    at(made_at).unix() + 60,
                    bytes
                ],
            )
            .unwrap();
    }

    /// Records that a site holds a release.
    pub(super) fn held(&self, number: u32, sequence: u64, state: &str, since: &str) {
        let since = at(since).unix();
        self.sql()
            .execute(
                "INSERT INTO held VALUES (?, ?, 'acme-erp', 'stable', 0, ?, ?, ?, ?, 1, zeroblob(32))",
                params![site(number).as_str(), head(sequence).0, sequence, state, since, since],
            )
            .unwrap();
    }

    /// Records a target of a site.
    pub(super) fn target(&self, number: u32, target: Uuid, seen: &str, follows: Option<u32>, package: Hash) {
        self.sql()
            .execute(
                "INSERT INTO target_now (site, target, seen, follows, package) VALUES (?, ?, ?, ?, ?)",
                params![
                    site(number).as_str(),
                    target.as_bytes(),
                    at(seen).unix(),
                    follows.map(|follows| *uuid(follows).as_bytes()),
                    package.0
                ],
            )
            .unwrap();
    }

    /// Records a deployment of a site: what it runs, or why that is not known.
    pub(super) fn deployment(
        &self,
        number: u32,
        target: Uuid,
        deployment: Uuid,
        runs: Result<Uuid, &str>,
        (state, signal, first): (&str, &str, &str),
        package: Hash,
    ) {
        self.sql()
            .execute(
                "INSERT INTO deployment_now (site, deployment, target, wanted, revision, runs, doubt, state, signal, first, last, count, package)
                 VALUES (?1, ?2, ?3, ?4, ?4, ?4, ?5, ?6, ?7, ?8, ?8, 3, ?9)",
                params![
                    site(number).as_str(),
                    deployment.as_bytes(),
                    target.as_bytes(),
                    runs.ok().map(|runs| *runs.as_bytes()),
                    runs.err(),
                    state,
                    signal,
                    at(first).unix(),
                    package.0
                ],
            )
            .unwrap();
    }

    /// Records a receipt that the site signed.
    pub(super) fn receipt(
        &self,
        number: u32,
        instance: i64,
        receipt: u64,
        result: ReceiptResult,
        sequence: u64,
        time: &str,
    ) {
        let refusal = |word: &str| (result == ReceiptResult::Refused).then(|| word.to_owned());
        let said = Receipt {
            at: at(time),
            audit: Hash([1; 32]),
            channel: "stable".parse().unwrap(),
            class: refusal("E-CONTENT"),
            code: refusal("not-carried"),
            domain: self.workspace.chain().domain(),
            epoch: 0,
            head: head(sequence),
            instance: "11112222333344445555666677778888".parse::<InstanceId>().unwrap(),
            number: receipt,
            product: "acme-erp".parse().unwrap(),
            result,
            root_version: 1,
            sequence,
            site: site(number),
            step: refusal("X13"),
            version: "1.0".into(),
        };
        self.sql()
            .execute(
                "INSERT INTO receipt VALUES (?, ?, ?, ?, 'acme-erp', 'stable', 0, ?, ?, ?, ?, 1, ?)",
                params![
                    instance,
                    receipt,
                    at(time).unix(),
                    head(sequence).0,
                    sequence,
                    result.as_str(),
                    refusal("E-CONTENT"),
                    refusal("not-carried"),
                    said.sign(&key(number))
                ],
            )
            .unwrap();
    }

    /// Records a status of a deployment.
    pub(super) fn record(
        &self,
        instance: i64,
        record: u64,
        deployment: Uuid,
        time: &str,
        state: &str,
        text: Option<&str>,
    ) {
        self.sql()
            .execute(
                "INSERT INTO record (instance, number, class, at, last, count, entered, target, deployment, revision, state, signal, text)
                 VALUES (?1, ?2, 1, ?3, ?3, 1, 1, ?4, ?5, ?4, ?6, 'well', ?7)",
                params![
                    instance,
                    record,
                    at(time).unix(),
                    uuid(1).as_bytes(),
                    deployment.as_bytes(),
                    state,
                    text
                ],
            )
            .unwrap();
    }

    /// Records what was told of an instance's records.
    pub(super) fn told(&self, instance: i64, kind: u8, first: u64, last: u64) {
        self.sql()
            .execute(
                "INSERT INTO coverage VALUES (?, ?, ?, ?)",
                params![instance, kind, first, last],
            )
            .unwrap();
    }

    pub(super) fn withdraw(&self, number: u32) {
        self.sql()
            .execute(
                "UPDATE site SET withdrawn_at = 1790000000 WHERE site = ?",
                [site(number).as_str()],
            )
            .unwrap();
    }

    /// The three sites of the page's example, with release 9, which fixes something, and 7, which does not.
    pub(super) fn plants() -> Self {
        let ledger = Self::new();
        let (plant, mill) = (ledger.enrol(1, "plant-7"), ledger.enrol(2, "mill-2"));
        ledger.enrol(3, "dock-1");
        let stated = |revision| [(100, 1, revision, Some(&plant)), (200, 2, revision + 1, Some(&mill))];
        ledger.release(7, "7.0", &[], &Audience::ANY, &stated(700));
        ledger.release(9, "9.1", &["CVE-2026-41234"], &Audience::ANY, &stated(900));
        let one = ledger.instance(1, 0x11, None, 1);
        let package = ledger.package(one, 5, "2026-11-21T12:00:00Z", (1, 2));
        ledger.held(1, 9, "active", "2026-11-20T08:00:00Z");
        ledger.target(1, uuid(1), "2026-11-21T11:58:00Z", None, package);
        let healthy = ("healthy", "well", "2026-11-20T09:00:00Z");
        ledger.deployment(1, uuid(1), uuid(100), Ok(uuid(900)), healthy, package);
        ledger.receipt(1, one, 1, ReceiptResult::Imported, 9, "2026-11-20T07:50:00Z");
        ledger.receipt(1, one, 2, ReceiptResult::Activated, 9, "2026-11-20T08:00:00Z");
        let two = ledger.instance(2, 0x22, None, 1);
        let package = ledger.package(two, 3, "2026-11-18T07:30:00Z", (1, 1));
        ledger.held(2, 7, "active", "2026-10-01T00:00:00Z");
        ledger.target(2, uuid(2), "2026-11-18T07:29:00Z", None, package);
        let running = ("running", "applied", "2026-10-02T00:00:00Z");
        ledger.deployment(2, uuid(2), uuid(200), Ok(uuid(701)), running, package);
        ledger.receipt(2, two, 1, ReceiptResult::Activated, 7, "2026-10-01T00:00:00Z");
        ledger
    }
}

/// Runs a program of Python over files, and returns what it prints.
pub(super) fn python(script: &str, arguments: &[&Path]) -> String {
    let output = crate::support::python::python()
        .arg("-c")
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{talk}");
    String::from_utf8(output.stdout).unwrap()
}
