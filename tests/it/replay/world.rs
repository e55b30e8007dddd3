//! A vendor with releases, sites, and what their packages told.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use airlock::crypto::{SigningKey, stream_start};
use airlock::db::Db;
use airlock::db::ledger::{self, SignedAgent, SignedContents, SignedDeployment};
use airlock::domain::{
    AgentTime, Audience, Clock as _, Counter, FixedClock, Hash, InstanceId, Result, Scope, Signal, SiteId, StatusKind,
    SystemClock, Timestamp, Uuid,
};
use airlock::package::{
    AgentLog, AgentLogWord, Deployment, DeploymentWord, Line, LineageEntry, Log, LogWord, Numbers, Quoted,
    RecordCounts, Room, Shows, Statement, StatusRecord, StatusRecordKind, Switch, Target, TargetWord,
};
use airlock::vendor_side::ledger::replay::{
    Access, Bounds, HubAddress, HubSecrets, Options, Replayed, TargetReport, replay,
};
use airlock::vendor_side::ledger::{IngestOptions, Outcome, ingest};
use airlock::vendor_side::{Init, SigningTime, Workspace};
use rusqlite::params;
use serde_json::{Value, json};

use super::hub::Hub;
use crate::package::made;
use crate::support::appliance::{AIRLOCK, scratch, write};

/// The time of everything here.
pub(super) const NOW: &str = "2026-11-21T13:00:00Z";

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn uuid(number: u32) -> Uuid {
    made::uuid(number)
}

pub(super) fn site(number: u8) -> SiteId {
    format!("{number:02x}").repeat(16).parse().unwrap()
}

pub(super) fn instance(number: u8) -> InstanceId {
    format!("{number:02x}").repeat(16).parse().unwrap()
}

/// A target, the only site that it stands at, and its deployments, each with the revision that it shall run.
pub(super) type Stated<'a> = (u32, Option<SiteId>, &'a [(u32, u32)]);

/// What `take_in` needs beside the lines.
#[derive(Debug, Clone)]
pub(super) struct Package {
    pub(super) site: SiteId,
    pub(super) instance: InstanceId,
    pub(super) number: u64,
    pub(super) first: u64,
    pub(super) shows: Vec<Switch>,
    /// Instances before, each with its first record.
    pub(super) before: Vec<(InstanceId, u64)>,
    /// First record of the instance itself.
    pub(super) begins: u64,
}

/// The first package of the first site, which shows everything.
pub(super) fn first_package() -> Package {
    Package {
        site: site(1),
        instance: instance(0x11),
        number: 1,
        first: 1,
        shows: Switch::ALL.to_vec(),
        before: Vec::new(),
        begins: 1,
    }
}

pub(super) struct World {
    pub(super) folder: tempfile::TempDir,
    pub(super) workspace: Workspace,
    pub(super) heads: RefCell<BTreeMap<(SiteId, InstanceId, u64), Hash>>,
    pub(super) hub: Hub,
    pub(super) now: Timestamp,
    pub(super) bounds: Bounds,
}

impl World {
    /// A vendor with a hub, and two sites that it knows.
    pub(super) fn new() -> Self {
        let folder = scratch();
        let init = Init {
            products: vec!["shop".parse().unwrap()],
            vendor: "Test".to_owned(),
            root_keys: 1,
            threshold: 1,
            time: SigningTime::at(time("2026-11-01T00:00:00Z")),
            issued_at: time("2026-11-01T00:00:00Z"),
            expires: time("2036-01-01T00:00:00Z"),
        };
        let workspace = Workspace::init(&folder.path().join("w"), &init, None).unwrap();
        let world = Self {
            folder,
            workspace,
            heads: RefCell::default(),
            hub: Hub::start(),
            now: time(NOW),
            bounds: Bounds::default(),
        };
        for number in [1, 2] {
            let key = Hash::from(key(number).public());
            world.sql(|db| {
                db.execute(
                    "INSERT INTO site (site, name, status, recipient, envelope, enrolled_at) VALUES (?, ?, ?, ?, x'', 0)",
                    params![site(number), format!("plant-{number}"), key, key],
                )
            });
        }
        world
    }

    /// As [`World::new`], where the first site has what most tests need: a release for it, its target, and what that told.
    pub(super) fn told() -> Self {
        Self::told_at(time(NOW), &told_lines())
    }

    /// As [`World::told`], for the program, which has the machine's clock: lines are as old as they are in the other.
    pub(super) fn told_today() -> Self {
        let today = SystemClock.now();
        let moved = today.unix() - time(NOW).unix();
        let move_on = |at: AgentTime| AgentTime::from_parts(at.parts().0 + moved, at.parts().1);
        let mut lines = told_lines();
        for line in &mut lines {
            match line {
                Line::Log(line) => line.time = move_on(line.time),
                Line::AgentLog(line) => line.time = move_on(line.time),
                _ => {}
            }
        }
        Self::told_at(today, &lines)
    }

    fn told_at(now: Timestamp, lines: &[Line]) -> Self {
        let mut world = Self::new();
        world.now = now;
        world.release(1, &[site(1)], &[(1, Some(site(1)), &[(100, 901)])]);
        world.release(2, &[site(1)], &[(1, Some(site(1)), &[(100, 902)])]);
        world
            .hub
            .know(uuid(1), SECRET, &[(uuid(100), uuid(901)), (uuid(100), uuid(902))]);
        world.take_in(&first_package(), lines);
        world
    }

    pub(super) fn db(&self) -> Db {
        self.workspace.ledger().unwrap()
    }

    /// Writes into the ledger as nobody else may.
    pub(super) fn sql<T>(&self, act: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T>) -> T {
        let connection = rusqlite::Connection::open(self.folder.path().join("w/ledger.db")).unwrap();
        act(&connection).unwrap()
    }

    /// Signs a release: targets with the only site that they stand at, and their deployments with the revisions that they shall run.
    pub(super) fn release(&self, sequence: u64, audience: &[SiteId], targets: &[Stated<'_>]) {
        let scope = Scope {
            domain: self.workspace.chain().domain(),
            product: "shop".parse().unwrap(),
            channel: "stable".parse().unwrap(),
        };
        let mut head = [0; 32];
        head[..8].copy_from_slice(&sequence.to_be_bytes());
        let audience = match audience {
            [] => Audience::ANY,
            sites => Audience::Sites(sites.to_vec()),
        };
        let application = "shop".parse().unwrap();
        let stated = targets
            .iter()
            .flat_map(|(target, site, revisions)| revisions.iter().map(move |revision| (target, site, revision)));
        let deployments: Vec<SignedDeployment<'_>> = stated
            .map(|(target, site, (deployment, revision))| SignedDeployment {
                deployment: uuid(*deployment),
                site: site.as_ref(),
                target: uuid(*target),
                revision: uuid(*revision),
                application: &application,
            })
            .collect();
        let agents: Vec<SignedAgent<'_>> = targets
            .iter()
            .map(|(target, site, _)| SignedAgent {
                target: uuid(*target),
                site: site.as_ref(),
                version: "3.0.0",
            })
            .collect();
        self.db()
            .write(|tx| {
                let counter = Counter { epoch: 0, sequence };
                ledger::record_release(tx, &scope, counter, Hash(head), "v", self.now)?;
                let contents = SignedContents {
                    head: Hash(head),
                    bytes: b"{}",
                    audience: &audience,
                    items: &[],
                    content: Hash([0; 32]),
                    scope: &scope,
                    counter,
                    fixes: &[],
                    names: &[],
                    targets: &[],
                    deployments: &deployments,
                };
                ledger::record_contents(tx, &contents)?;
                ledger::record_agents(tx, Hash(head), &agents)
            })
            .unwrap();
    }

    /// Makes a signed package of lines whose records are numbered from its first on, and puts it where packages are. Returns its path.
    pub(super) fn take_in(&self, package: &Package, lines: &[Line]) -> PathBuf {
        let key = if package.site == site(1) { key(1) } else { key(2) };
        let domain = self.workspace.chain().domain();
        let entry = |instance: &InstanceId, records| LineageEntry {
            audit: 1,
            instance: instance.clone(),
            receipts: 1,
            records,
        };
        let mut lineage: Vec<LineageEntry> = package
            .before
            .iter()
            .map(|(instance, first)| entry(instance, *first))
            .collect();
        lineage.push(entry(&package.instance, package.begins));
        let statement = Statement {
            before: stream_start(&package.site, domain),
            domain,
            firsts: Numbers {
                audit: 1,
                receipts: 1,
                records: package.first,
            },
            instance: package.instance.clone(),
            lineage,
            number: package.number,
            previous: (package.number > 1).then(|| self.head_before(package)),
            shows: Shows::of(package.shows.iter().copied()),
            site: package.site.clone(),
            ..made::statement(&[])
        };
        let last = lines
            .iter()
            .filter(|line| line.part() == airlock::package::PartType::Records)
            .count() as u64;
        let lasts = Numbers {
            audit: 0,
            receipts: 0,
            records: package.first + last - 1,
        };
        let draft = made::write(statement, Room::default(), lines, lasts, RecordCounts::default()).unwrap();
        let bytes = made::sign_by(&draft.bytes, &key);
        self.store(package, &bytes)
    }

    /// The head of the package before; of one that was lost, any.
    fn head_before(&self, package: &Package) -> Hash {
        let before = (package.site.clone(), package.instance.clone(), package.number - 1);
        self.heads.borrow().get(&before).copied().unwrap_or(Hash([9; 32]))
    }

    /// The commands' way: the package is verified and taken in. Returns where its file stands.
    fn store(&self, package: &Package, bytes: &[u8]) -> PathBuf {
        let opened = airlock::package::OpenedPackage::open(made::input(bytes)).unwrap();
        let head = opened.head_digest();
        self.heads
            .borrow_mut()
            .insert((package.site.clone(), package.instance.clone(), package.number), head);
        let carried = self.folder.path().join("carried");
        write(&carried, bytes);
        let options = IngestOptions {
            now: self.now,
            dry_run: false,
        };
        let verdicts = ingest(&self.workspace, &[carried], options, &mut |_| {}).unwrap();
        assert!(matches!(verdicts[0].outcome, Outcome::Taken(_)), "{verdicts:?}");
        let short = |text: &str| text[..8].to_owned();
        let name = format!(
            "{}-{}-{}",
            short(package.instance.as_str()),
            package.number,
            short(&head.to_hex())
        );
        self.folder
            .path()
            .join("w/packages")
            .join(package.site.as_str())
            .join(name)
    }

    /// Replays with the secret of target 1.
    pub(super) fn replay(&self) -> Replayed {
        self.replay_as(None, access(&[(1, SECRET)])).unwrap()
    }

    pub(super) fn replay_as(&self, site: Option<SiteId>, access: Access) -> Result<Replayed> {
        let options = Options {
            hub: HubAddress::parse(&self.hub.url(), false).unwrap(),
            site,
            dry_run: false,
            retry_refused: false,
            ca_files: Vec::new(),
            bounds: self.bounds,
        };
        replay(
            &self.workspace,
            &options,
            access,
            &*self.hub.pace,
            &FixedClock(self.now),
            &mut |_| {},
        )
    }

    /// Says what would be sent.
    pub(super) fn plan(&self) -> Replayed {
        let options = Options {
            hub: HubAddress::parse(&self.hub.url(), false).unwrap(),
            site: None,
            dry_run: true,
            retry_refused: false,
            ca_files: Vec::new(),
            bounds: self.bounds,
        };
        replay(
            &self.workspace,
            &options,
            access(&[(1, SECRET)]),
            &*self.hub.pace,
            &FixedClock(self.now),
            &mut |_| {},
        )
        .unwrap()
    }

    /// The journal: items and their states.
    pub(super) fn journal(&self) -> Vec<(String, String)> {
        self.sql(|db| {
            let mut select = db.prepare("SELECT item, state FROM replay ORDER BY target, item")?;
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
    }

    /// The program, on this workspace and hub.
    pub(super) fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(AIRLOCK);
        command
            .args(["--format", "json", "status", "replay", "-w"])
            .arg(self.folder.path().join("w"));
        command
            .arg("--hub")
            .arg(self.hub.url())
            .args(more)
            .current_dir(self.folder.path());
        command.env_remove("HTTP_PROXY").env_remove("http_proxy");
        command
    }

    /// A file with the secret of target 1.
    pub(super) fn credentials(&self) -> PathBuf {
        let path = self.folder.path().join("secrets.json");
        let file = json!({"targets": [{"secret": SECRET, "target": uuid(1)}]});
        write_secret(&path, &file.to_string());
        path
    }
}

/// Writes a file with secrets as its owner keeps it.
pub(crate) fn write_secret(path: &Path, text: &str) {
    write(path, text.as_bytes());
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// Secret of target 1 at the hub.
pub(super) const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// Secrets of targets.
pub(super) fn access(secrets: &[(u32, &str)]) -> Access {
    let folder = scratch();
    let path = folder.path().join("s.json");
    let targets: Vec<Value> = secrets
        .iter()
        .map(|(target, secret)| json!({"secret": secret, "target": uuid(*target)}))
        .collect();
    write_secret(&path, &json!({"targets": targets}).to_string());
    Access {
        secrets: HubSecrets::read(&path, false).unwrap(),
        token: None,
        may_rotate: false,
    }
}

/// The status key of a site.
pub(super) fn key(number: u8) -> SigningKey {
    SigningKey::from_secret(&[number; 32])
}

/// The report of a target of the first site.
#[track_caller]
pub(super) fn of(replayed: &Replayed, target: u32) -> TargetReport {
    let site = &replayed.sites[0];
    site.targets
        .iter()
        .find(|report| report.target == uuid(target))
        .unwrap()
        .clone()
}

/// How many of something a site could not deliver.
pub(super) fn undelivered(replayed: &Replayed, what: &str) -> u64 {
    let all = replayed.sites.iter().flat_map(|site| &site.undelivered);
    all.filter(|undelivered| undelivered.what == what)
        .map(|undelivered| undelivered.count)
        .sum()
}

pub(super) fn target(number: u32) -> Target {
    Target {
        agent: Some(Quoted::text("3.1.0")),
        follows: None,
        kind: TargetWord::Word,
        metrics: None,
        name: None,
        removed: None,
        seen: None,
        since: None,
        target: uuid(number),
    }
}

pub(super) fn deployment(target: u32, number: u32) -> Line {
    Line::Deployment(Box::new(Deployment {
        kind: DeploymentWord::Word,
        ..made::silent(target, number, Some(airlock::domain::Doubt::NoStatus))
    }))
}

pub(super) fn status(number: u64, revision: u32, state: StatusKind, text: &str) -> StatusRecord {
    StatusRecord {
        at: time("2026-11-21T10:00:00Z"),
        count: None,
        deployment: uuid(100),
        entered: None,
        kind: StatusRecordKind::Transition,
        last: None,
        number,
        of: None,
        revision: uuid(revision),
        signal: Signal::Nothing,
        state,
        target: uuid(1),
        text: Some(Quoted::text(text)),
    }
}

pub(super) fn log(number: u64, resource: &str, at: &str, text: &str) -> Line {
    Line::Log(Box::new(Log {
        at: time("2026-11-21T10:00:00Z"),
        deployment: uuid(100),
        kind: LogWord::Word,
        number,
        resource: Quoted::text(resource),
        revision: uuid(902),
        severity: Quoted::text("Log"),
        target: uuid(1),
        text: Quoted::text(text),
        time: at.parse().unwrap(),
    }))
}

pub(super) fn agent_log(number: u64, at: &str, text: &str) -> Line {
    Line::AgentLog(AgentLog {
        at: time("2026-11-21T10:00:00Z"),
        kind: AgentLogWord::Word,
        number,
        severity: Quoted::text("info"),
        target: uuid(1),
        text: Quoted::text(text),
        time: at.parse().unwrap(),
    })
}

/// Two revisions, three containers' lines and two of the agent, and a sample.
pub(super) fn told_lines() -> Vec<Line> {
    let mut here = target(1);
    here.metrics = Some(airlock::package::TargetMetrics {
        cores: 4000,
        cpu: 125_000,
        disks: vec![[
            airlock::crypto::canonical::Integer(500),
            airlock::crypto::canonical::Integer(210),
        ]],
        memory: 16,
        memory_used: 4,
    });
    let again = StatusRecord {
        count: Some(1411),
        last: Some(time("2026-11-21T11:58:55Z")),
        ..status(3, 902, StatusKind::Healthy, "status check passed\n\u{1b}[2K\u{202e}x")
    };
    vec![
        Line::Target(Box::new(here)),
        deployment(1, 100),
        Line::Status(status(1, 902, StatusKind::Progressing, "Pulling")),
        Line::Status(status(2, 901, StatusKind::Running, "old one")),
        Line::Status(again),
        agent_log(4, "2026-11-21T11:00:00.5Z", "agent one"),
        log(5, "web-1", "2026-11-21T11:00:01Z", "web two"),
        log(6, "db-1", "2026-11-21T11:00:00.25Z", "db one"),
        log(7, "web-1", "2026-11-21T11:00:00Z", "web one"),
        agent_log(8, "2026-11-21T11:00:03Z", "agent\u{0} two"),
    ]
}
