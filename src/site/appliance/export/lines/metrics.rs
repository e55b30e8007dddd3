//! Measurements: days that are over, and the newest sample of a target. Which disks it has stays at the site.

use super::sink::{Sink, cut};
use crate::appliance::status::{self, Day, Metrics, Spread, StreamView};
use crate::crypto::canonical::Integer;
use crate::db::status::begin_of;
use crate::domain::{Result, limits};
use crate::package::{self, Line, MetricsDay, TargetMetrics};

/// Writes every day that was over when the stream was frozen, is folded whole and was not freed.
///
/// # Errors
///
/// Those of the database and of the package.
pub(in super::super) fn days(sink: &mut Sink<'_, '_>, view: &StreamView<'_>) -> Result<()> {
    view.metrics_days(|day, target, measured| {
        let Day {
            samples,
            cpu,
            memory,
            disk,
        } = measured;
        let line = Line::Metrics(MetricsDay {
            cpu: spread(cpu, samples),
            day: package::Day::of(begin_of(day)),
            disk: disk.map(cut),
            memory: spread(memory, samples),
            samples: cut(samples),
            target,
        });
        sink.push(&line).map(|_| ())
    })
}

fn spread(spread: Spread, samples: u64) -> [Integer; 3] {
    [spread.min, spread.mean(samples), spread.max].map(|value| Integer(cut(value)))
}

/// Returns what a sample says, in the hub's own members; nothing of one that cannot be read.
pub(super) fn newest(sample: &str) -> Option<TargetMetrics> {
    let sample: Metrics = serde_json::from_str(sample).ok()?;
    let disks = sample.disk_metrics.iter();
    let memory = signed(sample.memory_bytes);
    let used = u128::from(memory).saturating_mul(status::parts_per_million(sample.memory_usage).into()) / 1_000_000;
    Some(TargetMetrics {
        cores: signed(sample.cpu_cores_millis),
        cpu: status::parts_per_million(sample.cpu_usage),
        disks: disks
            .map(|disk| [Integer(signed(disk.bytes_total)), Integer(signed(disk.bytes_used))])
            .collect(),
        memory,
        memory_used: cut(u64::try_from(used).unwrap_or(u64::MAX)),
    })
}

/// What agents state may be anything.
fn signed(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0).min(limits::JSON_INTEGER_MAX)
}
