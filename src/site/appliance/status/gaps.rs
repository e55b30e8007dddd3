//! Gap records: what is missing stands in the stream that it is missing in, and in no other.

use super::group_commit::GroupCommit;
use super::mark::Marks;
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

    /// Returns the streams that are to be frozen; those that were asked for before they had anything begin. One that nobody knew before
    /// waits for the next commit, which sees to its mark.
    pub(super) fn wanted(&mut self, marks: &Marks) -> Result<Vec<StreamId>> {
        let start = self.working_set.streams.start();
        let streams = self.working_set.streams.iter();
        let wanted: Vec<Stream> = streams
            .filter(|stream| stream.wanted && marks.covers(&stream.domain, stream.next.max(start)))
            .copied()
            .collect();
        wanted.iter().map(|stream| self.stream(&stream.domain)).collect()
    }

    /// Begins a stream at a position that was never given: what lies below is missing.
    pub(super) fn begin(&mut self, domain: &Hash, position: u64, reason: Reason) -> Result<StreamId> {
        let row = status::add_stream(self.tx, domain)?;
        let (id, below) = (row.id, position.saturating_sub(1));
        let mut stream = Stream { next: position, ..row };
        if below == 0 {
            self.working_set.streams.put(stream);
            status::put_next(self.tx, id, position, self.working_set.next)?;
            return Ok(id);
        }
        // What was said to be frozen in the file that is gone lies below.
        status::put_frozen(self.tx, id, below, self.now)?;
        (stream.frozen, stream.frozen_at, stream.wanted) = (below, Some(self.now), false);
        self.working_set.streams.put(stream);
        let missing = Missing::all(1, below, self.now);
        self.note(id, id.everybody(), reason, None, &missing)?;
        Ok(id)
    }

    /// Lets a stream of an older copy go on at its mark. What the copy froze left as it stands there; what came later may have grown before
    /// it left, and is told again under other numbers.
    pub(super) fn resume(&mut self, domain: &Hash, mark: u64) -> Result<()> {
        let Some(before) = self.working_set.streams.of(domain).copied() else {
            return self.begin(domain, mark, Reason::Restored).map(|_| ());
        };
        let (id, frozen) = (before.id, before.frozen);
        let mark = mark.max(before.next);
        let by = mark.saturating_sub(frozen.saturating_add(1));
        status::shift(self.tx, id, frozen, by)?;
        self.working_set.shift(id, frozen, by);
        let below = mark.saturating_sub(1);
        status::put_frozen(self.tx, id, below, self.now)?;
        self.working_set.streams.put(Stream {
            next: before.next.saturating_add(by),
            frozen: below,
            frozen_at: Some(self.now),
            wanted: false,
            ..before
        });
        let missing = Missing::all(frozen.saturating_add(1), below, self.now);
        self.note(id, id.everybody(), Reason::Restored, None, &missing)
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
