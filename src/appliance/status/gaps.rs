//! Gap records: what is missing stands in the stream that it is missing in, and in no other.

use super::group_commit::GroupCommit;
use super::missing::Missing;
use crate::db::status::{self, Gap, Reason, RecordClass, Stream, StreamId};
use crate::domain::{Hash, Result};

impl GroupCommit<'_> {
    /// Returns the stream of a domain; it begins with the first that needs it. Where an earlier file was lost with nobody to say which
    /// streams it held, it begins where none was yet, and a gap record says so.
    pub(super) fn stream(&mut self, domain: &Hash) -> Result<StreamId> {
        if let Some(stream) = self.working_set.streams.of(domain) {
            return Ok(stream.id);
        }
        let start = self.working_set.streams.start();
        self.begin(domain, start, Reason::Damaged)
    }

    /// Begins a stream, or lets it go on, at a position that was never given: what lies below and is not there is missing.
    pub(super) fn begin(&mut self, domain: &Hash, position: u64, reason: Reason) -> Result<StreamId> {
        let before = status::add_stream(self.tx, domain)?;
        let (id, next) = (before.id, position.max(before.next));
        let below = next.saturating_sub(1);
        let mut row = Stream { next, ..before };
        if below > 0 {
            // What was said to be frozen in the file that is gone lies below.
            status::put_frozen(self.tx, id, below, self.now)?;
            (row.frozen, row.frozen_at, row.wanted) = (below, Some(self.now), false);
        }
        self.working_set.streams.put(row);
        if before.next < next && below > 0 {
            let missing = Missing::all(before.next.max(1), below, self.now);
            self.note(id, id.everybody(), reason, None, &missing)?;
        } else {
            status::put_next(self.tx, id, next, self.working_set.next)?;
        }
        Ok(id)
    }

    /// Records that something of a stream is missing: in the gap record of its kind that is open, or in a new one.
    pub(super) fn note(
        &mut self,
        stream: StreamId,
        source: i64,
        reason: Reason,
        class: Option<RecordClass>,
        missing: &Missing,
    ) -> Result<()> {
        let frozen = self.working_set.streams.frozen(stream);
        let key = (source, reason, class);
        if let Some(gap) = self.working_set.gaps.get_mut(&key).filter(|gap| gap.position > frozen) {
            let mut all = Missing {
                count: gap.count,
                exact: gap.exact,
                bytes: gap.bytes,
                first: gap.first,
                last: gap.last,
                since: gap.since,
                until: gap.until,
            };
            all.add(missing);
            fill(gap, &all);
            return status::put_gap(self.tx, gap);
        }
        let (number, position) = self.working_set.take_number(stream)?;
        let mut gap = Gap {
            number,
            stream,
            position,
            source,
            reason,
            class,
            count: 0,
            exact: true,
            bytes: 0,
            first: 0,
            last: 0,
            since: missing.since,
            until: missing.until,
        };
        fill(&mut gap, missing);
        status::insert_gap(self.tx, &gap, self.now)?;
        self.working_set.gaps.insert(key, gap);
        Ok(())
    }
}

fn fill(gap: &mut Gap, missing: &Missing) {
    gap.count = missing.count;
    gap.exact = missing.exact;
    gap.bytes = missing.bytes;
    (gap.first, gap.last) = (missing.first, missing.last);
    (gap.since, gap.until) = (missing.since, missing.until);
}
