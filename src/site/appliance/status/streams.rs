//! The streams as the writer knows them: who is numbered how far (M-81).

use std::collections::{BTreeMap, HashMap};

use crate::db::status::{self, Stream, StreamId};
use crate::db::{Connection, Transaction};
use crate::domain::{Class, Error, Hash, Result, Timestamp};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Streams {
    all: BTreeMap<StreamId, Known>,
    by_domain: HashMap<Hash, StreamId>,
    /// First position of those that begin here.
    start: u64,
}

#[derive(Debug)]
struct Known {
    row: Stream,
    /// Positions were given that its row does not say yet.
    given: bool,
}

impl Streams {
    pub(super) fn load(connection: &Connection) -> Result<Self> {
        let mut streams = Self {
            start: status::start(connection)?,
            ..Self::default()
        };
        for row in status::streams(connection)? {
            streams.put(row);
        }
        Ok(streams)
    }

    /// Takes in what the row of a stream says.
    pub(super) fn put(&mut self, row: Stream) {
        self.by_domain.insert(row.domain, row.id);
        self.all.insert(row.id, Known { row, given: false });
    }

    /// Returns the first position of streams that begin here.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Returns the stream of a domain, if it has begun.
    pub(super) fn of(&self, domain: &Hash) -> Option<&Stream> {
        let id = self.by_domain.get(domain)?;
        self.get(*id).filter(|stream| stream.next > 0)
    }

    pub(super) fn get(&self, id: StreamId) -> Option<&Stream> {
        self.all.get(&id).map(|known| &known.row)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.all.values().map(|known| &known.row)
    }

    /// Records and gaps up to this position of a stream change no more.
    pub(super) fn frozen(&self, id: StreamId) -> u64 {
        self.get(id).map_or(0, |stream| stream.frozen)
    }

    /// Records up to this position of a stream may go without a word.
    pub(super) fn acknowledged(&self, id: StreamId) -> u64 {
        self.get(id).map_or(0, |stream| stream.acknowledged)
    }

    /// Every stream.
    pub(super) fn ids(&self) -> Vec<StreamId> {
        self.all.keys().copied().collect()
    }

    /// Takes in what others wrote: what was acknowledged, and what is to be frozen. Returns the streams of which more was acknowledged.
    pub(super) fn look(&mut self, connection: &Connection) -> Result<Vec<StreamId>> {
        let mut more = Vec::new();
        for row in status::streams(connection)? {
            let Some(known) = self.all.get_mut(&row.id) else {
                self.put(row);
                continue;
            };
            if row.acknowledged > known.row.acknowledged {
                more.push(row.id);
            }
            known.row.acknowledged = row.acknowledged;
            known.row.covered_at = row.covered_at;
            known.row.wanted = row.wanted;
        }
        Ok(more)
    }

    /// Freezes a stream as far as it is.
    pub(super) fn freeze(&mut self, tx: &Transaction<'_>, id: StreamId, at: Timestamp) -> Result<()> {
        let Some(known) = self.all.get_mut(&id) else {
            return Ok(());
        };
        let position = known.row.last().max(known.row.frozen);
        status::put_frozen(tx, id, position, at)?;
        (known.row.frozen, known.row.frozen_at, known.row.wanted) = (position, Some(at), false);
        Ok(())
    }

    /// Returns the highest position of a domain's stream; 0 before the first.
    pub(super) fn last(&self, domain: &Hash) -> u64 {
        self.of(domain).map_or(0, Stream::last)
    }

    /// Gives the next position of a stream.
    pub(super) fn take(&mut self, id: StreamId) -> Result<u64> {
        let known = self
            .all
            .get_mut(&id)
            .filter(|known| known.row.next > 0)
            .ok_or_else(|| {
                Error::new(
                    Class::Internal,
                    "status-stream",
                    "a record belongs to a stream that has not begun",
                )
            })?;
        let position = known.row.next;
        known.row.next = position.saturating_add(1);
        known.given = true;
        Ok(position)
    }

    /// Writes down which positions were given; row ids below `row` were.
    pub(super) fn write(&mut self, tx: &Transaction<'_>, row: u64) -> Result<()> {
        for known in self.all.values_mut().filter(|known| known.given) {
            known.given = false;
            status::put_next(tx, known.row.id, known.row.next, row)?;
        }
        Ok(())
    }
}
