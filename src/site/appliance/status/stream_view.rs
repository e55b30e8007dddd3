//! A vendor's stream as a package tells it: everything in one read transaction, and nothing of another vendor's.

use std::ops::ControlFlow;

use super::overview::{self, TargetStatus};
use crate::appliance::Appliance;
use crate::db::status::{self, Coverage, Day, Range, RecordClass, Stream, StreamRecord};
use crate::db::{Connection, Reader, Schema};
use crate::domain::{Hash, Result, Timestamp, Uuid};

/// See the module. Positions up to [`Stream::frozen`] never change again.
#[derive(Debug)]
pub struct StreamView<'a> {
    connection: &'a Connection,
    stream: Stream,
    now: Timestamp,
}

/// Reads the stream of a trust domain, also while a server writes it; none where nothing was reported and nothing frozen yet.
///
/// # Errors
///
/// `E-STATE` when there is no status database or it is damaged; `E-IO`; those of `read`.
pub fn read_stream<T>(
    appliance: &Appliance,
    domain: &Hash,
    read: impl FnOnce(&StreamView<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let now = appliance.clock.now();
    let reader = Reader::open(&appliance.status_database(), &Schema::STATUS)?;
    reader.read(|connection| {
        let Some(stream) = status::stream_of(connection, domain)? else {
            return Ok(None);
        };
        let view = StreamView {
            connection,
            stream,
            now,
        };
        read(&view).map(Some)
    })
}

impl StreamView<'_> {
    /// Returns how far the stream is: what is frozen and acknowledged.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Returns what became of every number from `first` to `last` (M-85).
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn coverage(&self, first: u64, last: u64) -> Result<Coverage> {
        status::coverage(self.connection, self.range(first, last))
    }

    /// Calls `each` with the records of these classes from `first` to `last`, ascending, until it wants no more; gap records with what they
    /// account for.
    ///
    /// # Errors
    ///
    /// Those of the database and of `each`.
    pub fn records(
        &self,
        first: u64,
        last: u64,
        classes: &[RecordClass],
        each: impl FnMut(StreamRecord) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        status::stream_records(self.connection, self.range(first, last), classes, each)
    }

    /// Calls `each` with every day of measurements that was over when the stream was frozen, is folded whole, and was not acknowledged:
    /// by day (since 1970, UTC) and target.
    ///
    /// # Errors
    ///
    /// Those of the database and of `each`.
    pub fn metrics_days(&self, each: impl FnMut(i64, Uuid, Day) -> Result<()>) -> Result<()> {
        let first = self.stream.covered_at.map_or(i64::MIN, status::day_of);
        let end = self.stream.frozen_at.map_or(i64::MIN, status::day_of);
        status::whole_days(self.connection, self.stream.id, first..end, each)
    }

    /// Returns the newest measurements of every target as of the last fold, which a freeze is: target, time and the hub's members as
    /// JSON ([`Metrics`](super::Metrics)).
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn newest_metrics(&self) -> Result<Vec<(Uuid, Timestamp, String)>> {
        status::newest_samples(self.connection, self.stream.id)
    }

    /// Returns the vendor's targets with the latest status of each deployment, as of now: newer than what is frozen where something was
    /// reported since. `desired` as for [`overview`](super::overview()).
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub fn targets(&self, desired: &dyn Fn(&Uuid) -> Option<Uuid>) -> Result<Vec<TargetStatus>> {
        let mut targets = overview::read(self.connection, self.now, desired)?;
        targets.retain(|target| target.owner.domain == self.stream.domain);
        Ok(targets)
    }

    fn range(&self, first: u64, last: u64) -> Range {
        Range {
            stream: self.stream.id,
            first,
            last,
        }
    }
}
