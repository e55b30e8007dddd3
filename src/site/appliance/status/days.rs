//! Measurements are folded: a row for each target and day in place of raw samples, which would not fit (status-package 9).
//!
//! A stream's samples are folded when they are a day old, by what the stream's own targets hand in: what another vendor's agents do moves
//! nothing in it. They are folded earlier when all raw samples together take half of their room.

use std::collections::BTreeMap;

use super::batch::Metrics;
use super::group_commit::GroupCommit;
use super::missing::Missing;
use crate::db::status::{self, Day, Reason, RecordClass, Sample, Samples, Spread, StreamId};
use crate::domain::{Result, Timestamp, limits};

/// When samples are old, and how much older the oldest gets meanwhile, so that many are folded at a time.
const AGE_SECONDS: i64 = 86_400;
const SLACK_SECONDS: u64 = 3600;
/// Samples that are folded at a time.
const SLICE: usize = 2048;
/// Days of a stream that are kept, and their rows.
const DAYS: i64 = 400;
const ROWS: u64 = 1_000_000;
/// One whole.
const MILLION: f64 = 1e6;

impl GroupCommit<'_> {
    /// Folds what is old of a stream, a slice of it.
    pub(super) fn fold_aged(&mut self, stream: StreamId) -> Result<()> {
        let Some(oldest) = self.oldest(stream)? else {
            return Ok(());
        };
        // A sample of a time that has not come is as old: the clock was wrong then.
        let age = self.now.unix().abs_diff(oldest.unix());
        if age <= AGE_SECONDS.unsigned_abs().saturating_add(SLACK_SECONDS) {
            return Ok(());
        }
        let which = Samples::Aged {
            stream,
            from: self.working_set.sampled(stream).from,
            after: self.now.plus_seconds(-AGE_SECONDS),
            until: self.now.plus_seconds(AGE_SECONDS),
        };
        self.fold_samples(which, SLICE).map(|_| ())
    }

    /// Folds the oldest samples of all; false when there are none.
    pub(super) fn fold_oldest(&mut self, limit: usize) -> Result<bool> {
        let from = self.working_set.floor.get(&RecordClass::Metrics).copied().unwrap_or(0);
        let last = self.fold_samples(Samples::Oldest { from }, limit)?;
        if let Some(last) = last {
            self.working_set
                .floor
                .insert(RecordClass::Metrics, last.saturating_add(1));
        }
        Ok(last.is_some())
    }

    fn oldest(&mut self, stream: StreamId) -> Result<Option<Timestamp>> {
        let sampled = self.working_set.sampled(stream);
        if sampled.oldest.is_none() {
            let found = status::oldest_sample(self.tx, stream, sampled.from)?;
            let next = self.working_set.streams.get(stream).map_or(0, |stream| stream.next);
            let sampled = self.working_set.sampled(stream);
            (sampled.from, sampled.oldest) = match found {
                Some((position, received)) => (position, Some(received)),
                // What is looked through is not looked through again.
                None => (next, None),
            };
        }
        Ok(self.working_set.sampled(stream).oldest)
    }

    /// Takes samples out and adds them to their days; returns the highest row id among them.
    pub(super) fn fold_samples(&mut self, which: Samples, limit: usize) -> Result<Option<u64>> {
        let samples = status::take_samples(self.tx, which, limit)?;
        let mut days = BTreeMap::<(StreamId, i64, i64), Day>::new();
        let mut folded = BTreeMap::<(StreamId, i64), Missing>::new();
        for sample in &samples {
            self.working_set
                .remove_bytes(sample.source, RecordClass::Metrics, sample.size);
            self.working_set.sampled(sample.stream).oldest = None;
            if self.working_set.newest_samples.get(&sample.source) == Some(&sample.number) {
                status::put_sample(self.tx, sample)?;
            }
            if let Some(day) = measured(sample) {
                let key = (sample.stream, status::day_of(sample.received), sample.source);
                days.entry(key).and_modify(|all| all.add(&day)).or_insert(day);
            }
            if sample.position > self.working_set.streams.acknowledged(sample.stream) {
                let one = Missing::one(sample.received, sample.position);
                folded
                    .entry((sample.stream, sample.source))
                    .and_modify(|all| all.add(&one))
                    .or_insert(one);
            }
        }
        if !samples.is_empty() {
            status::put_recount(self.tx, 0, RecordClass::Metrics)?;
        }
        for ((stream, day, source), more) in &days {
            if status::add_day(self.tx, *stream, *source, *day, more)? {
                self.count_day(*stream)?;
            }
        }
        for ((stream, source), missing) in &folded {
            self.note(*stream, *source, Reason::Folded, Some(RecordClass::Metrics), missing)?;
        }
        Ok(samples.last().map(|sample| sample.number))
    }

    /// Counts a new row, and drops the oldest days that are too many.
    fn count_day(&mut self, stream: StreamId) -> Result<()> {
        let rows = match self.working_set.sampled(stream).day_rows {
            Some(rows) => rows.saturating_add(1),
            None => status::count_days(self.tx, stream)?,
        };
        self.working_set.sampled(stream).day_rows = Some(rows);
        let oldest_kept = status::day_of(self.now).saturating_sub(DAYS - 1);
        loop {
            let rows = self.working_set.sampled(stream).day_rows.unwrap_or(0);
            let Some(oldest) = status::oldest_day(self.tx, stream)? else {
                return Ok(());
            };
            if rows <= ROWS && oldest >= oldest_kept {
                return Ok(());
            }
            let (dropped, samples) = status::drop_day(self.tx, stream, oldest)?;
            self.working_set.sampled(stream).day_rows = Some(rows.saturating_sub(dropped));
            let missing = Missing {
                count: samples,
                until: status::begin_of(oldest.saturating_add(1)).plus_seconds(-1),
                ..Missing::one(status::begin_of(oldest), 0)
            };
            let covered = self
                .working_set
                .streams
                .get(stream)
                .and_then(|stream| stream.covered_at);
            if covered.is_none_or(|covered| status::day_of(covered) <= oldest) {
                let all = stream.everybody();
                self.note(stream, all, Reason::Quota, Some(RecordClass::Metrics), &missing)?;
            }
        }
    }
}

/// What a sample measured; none where it was cut and cannot be read.
fn measured(sample: &Sample) -> Option<Day> {
    let metrics: Metrics = serde_json::from_str(&sample.text).ok()?;
    let disks = metrics.disk_metrics.iter().filter(|disk| disk.bytes_total > 0);
    let fullest = disks.map(|disk| {
        let (used, total) = (i128::from(disk.bytes_used.max(0)), i128::from(disk.bytes_total));
        u64::try_from(used.saturating_mul(1_000_000) / total).unwrap_or(limits::JSON_INTEGER_MAX)
    });
    Some(Day {
        samples: 1,
        cpu: Spread::of(parts_per_million(metrics.cpu_usage)),
        memory: Spread::of(parts_per_million(metrics.memory_usage)),
        disk: fullest.map(|parts| parts.min(limits::JSON_INTEGER_MAX)).max(),
    })
}

/// A fraction, rounded down; cut to what a package may say.
pub(in crate::appliance) fn parts_per_million(fraction: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a conversion from floating point ends at the bounds of the type, and what is no number is 0"
    )]
    let parts = (fraction * MILLION).floor() as u64;
    parts.min(limits::JSON_INTEGER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_cut_to_the_range() {
        for (fraction, parts) in [
            (0.0, 0),
            (-0.5, 0),
            (0.25, 250_000),
            (1.0, 1_000_000),
            (f64::NAN, 0),
            (f64::INFINITY, limits::JSON_INTEGER_MAX),
            (1e300, limits::JSON_INTEGER_MAX),
        ] {
            assert_eq!(parts_per_million(fraction), parts, "{fraction}");
        }
    }
}
