//! A status buffer in a folder of its own, and reports for it.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use airlock::appliance::status::{Accepted, AgentLogRecord, Batch, LogRecord, Quota, StatusBuffer, What};
use airlock::db::status;
use airlock::db::{Db, Schema};
use airlock::domain::{Result, SiteId, StatusKind, Uuid};
use tempfile::TempDir;

use super::appliance::scratch;
use super::site::TestClock;

/// A state folder with nothing but a status database.
pub(crate) struct Buffer {
    pub(crate) scratch: TempDir,
    pub(crate) clock: TestClock,
    pub(crate) quota: Quota,
}

pub(crate) fn site() -> SiteId {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
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
        status::create(&buffer.database(), &site()).unwrap();
        buffer
    }

    pub(crate) fn path(&self) -> &Path {
        self.scratch.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("status.db")
    }

    pub(crate) fn open(&self) -> StatusBuffer {
        StatusBuffer::open(self.path(), self.quota, &site(), Arc::new(self.clock.clone())).unwrap()
    }

    /// Opens the database itself, which nobody else has open.
    pub(crate) fn db(&self) -> Db {
        Db::open(&self.database(), &Schema::STATUS).unwrap()
    }
}

pub(crate) fn batch(target: &str, what: What) -> Batch {
    Batch {
        target: id(target),
        target_name: target.to_owned(),
        agent: Some("3.1.0".to_owned()),
        what,
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
