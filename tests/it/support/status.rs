//! A status buffer in a folder of its own, and reports for it.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use airlock::appliance::Appliance;
use airlock::appliance::status::{Accepted, AgentLogRecord, Batch, LogRecord, Owner, Quota, StatusBuffer, What};
use airlock::db::site::appliance;
use airlock::db::status::{self as rows, Range};
use airlock::db::{Db, Schema};
use airlock::domain::{Clock, Hash, Result, SiteId, StatusKind, Timestamp, Uuid};
use airlock::store::Store;
use tempfile::TempDir;

use super::appliance::scratch;
use super::site::TestClock;

/// A window that does not let the one test wait that hands in batches.
pub(crate) const AT_ONCE: Duration = Duration::ZERO;

/// A state folder for a status buffer.
pub(crate) struct Buffer {
    pub(crate) scratch: TempDir,
    pub(crate) clock: TestClock,
    pub(crate) quota: Quota,
}

/// The vendor whose targets report, where nothing else is said.
pub(crate) const DOMAIN: Hash = Hash([0xd0; 32]);

pub(crate) fn site() -> SiteId {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

/// Makes a state folder with no more in it than its owner needs, and an empty status database.
pub(crate) fn make_state(folder: &Path) {
    Store::create(folder).unwrap();
    for name in ["identity", "roots"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    let site = appliance::ApplianceRow {
        site: site(),
        name: "plant".into(),
        created_at: Timestamp::EPOCH,
    };
    let db = Db::create(&folder.join("airlock.db"), &Schema::SITE).unwrap();
    db.write(|tx| appliance::insert(tx, &site)).unwrap();
    airlock::db::status::create(&folder.join("status.db"), &site.site).unwrap();
}

/// Opens a state folder.
pub(crate) fn opened(folder: &Path, clock: Arc<dyn Clock>) -> Appliance {
    Appliance::open(folder, clock).unwrap()
}

/// A UUID for a name.
pub(crate) fn id(name: &str) -> Uuid {
    Uuid::derived("test", &[name])
}

impl Buffer {
    pub(crate) fn new() -> Self {
        let buffer = Self {
            scratch: scratch(),
            clock: TestClock::at(1_000_000),
            quota: Quota::default(),
        };
        make_state(buffer.path());
        buffer
    }

    pub(crate) fn path(&self) -> &Path {
        self.scratch.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("status.db")
    }

    pub(crate) fn open(&self) -> StatusBuffer {
        StatusBuffer::open_collecting(&self.appliance(), self.quota, AT_ONCE).unwrap()
    }

    pub(crate) fn appliance(&self) -> Appliance {
        opened(self.path(), Arc::new(self.clock.clone()))
    }

    /// Opens the database itself, which nobody else has open.
    pub(crate) fn db(&self) -> Db {
        Db::open(&self.database(), &Schema::STATUS).unwrap()
    }
}

pub(crate) fn batch(target: &str, what: What) -> Batch {
    Batch {
        target: id(target),
        owner: Owner {
            domain: DOMAIN,
            mark: Hash([0; 32]),
        },
        target_name: target.to_owned(),
        agent: Some("3.1.0".to_owned()),
        what,
    }
}

/// The same of another vendor's target.
pub(crate) fn of(domain: Hash, batch: Batch) -> Batch {
    Batch {
        owner: Owner { domain, ..batch.owner },
        ..batch
    }
}

/// A status of the one deployment of a target.
pub(crate) fn status(target: &str, revision: &str, kind: StatusKind, message: &str) -> Batch {
    batch(
        target,
        What::Status {
            deployment: id(&format!("{target}'s")),
            revision: id(revision),
            kind,
            message: message.to_owned(),
        },
    )
}

pub(crate) fn logs(target: &str, lines: impl IntoIterator<Item = (i64, String)>) -> Batch {
    let records = lines.into_iter().map(|(second, body)| LogRecord {
        deployment: id(&format!("{target}'s")),
        revision: id("r1"),
        resource: "web-1".to_owned(),
        at: airlock::domain::AgentTime::from_parts(second, 5),
        severity: "Log".to_owned(),
        body,
    });
    batch(target, What::Logs(records.collect()))
}

pub(crate) fn agent_logs(target: &str, lines: impl IntoIterator<Item = (i64, String)>) -> Batch {
    let records = lines.into_iter().map(|(second, body)| AgentLogRecord {
        at: airlock::domain::AgentTime::from_parts(second, 0),
        severity: "debug".to_owned(),
        body,
    });
    batch(target, What::AgentLogs(records.collect()))
}

/// The highest number of the one vendor's stream.
pub(crate) fn last_number(buffer: &StatusBuffer) -> u64 {
    let streams = buffer.streams().unwrap();
    assert!(streams.len() <= 1, "{streams:?}");
    streams.first().map_or(0, rows::Stream::last)
}

/// How many numbers of all streams above what was acknowledged have no record, and how many of these no gap accounts for.
pub(crate) fn numbers_missing(db: &Db) -> (u64, u64) {
    db.read(|connection| {
        let (mut missing, mut unexplained) = (0, 0);
        for stream in rows::streams(connection)? {
            let range = Range {
                stream: stream.id,
                first: stream.acknowledged + 1,
                last: stream.last(),
            };
            let found = rows::coverage(connection, range)?;
            let records: u64 = found.records.values().sum();
            assert_eq!(
                records + found.missing + found.unexplained,
                range.last + 1 - range.first
            );
            missing += found.missing;
            unexplained += found.unexplained;
        }
        Ok((missing, unexplained))
    })
    .unwrap()
}

/// Hands a batch in and waits.
pub(crate) fn submit(buffer: &StatusBuffer, batch: Batch) -> Result<Accepted> {
    wait(buffer.submit(batch))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future without a runtime.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
