//! Measurements: raw samples are folded into a row for each target and day, and a gap record says which.

use airlock::appliance::status::{
    DiskMetrics, Metrics, Reason, RecordClass, StatusBuffer, What, acknowledge, freeze, read_stream,
};
use airlock::domain::{Clock as _, Timestamp, Uuid};

use crate::support::status::{Buffer, DOMAIN, batch, id, logs, numbers_missing, submit};

const DAY: i64 = 86_400;
/// Midnight.
const BEGIN: i64 = 20_000 * DAY;

fn measure(buffer: &Buffer, open: &StatusBuffer, second: i64, cpu: f64, used: i64) {
    buffer.clock.set(BEGIN + second);
    let disk = |bytes_used: i64| DiskMetrics {
        bytes_total: 1000,
        bytes_used,
        ..DiskMetrics::default()
    };
    let metrics = Metrics {
        cpu_usage: cpu,
        memory_usage: 0.5,
        disk_metrics: vec![disk(0), disk(used)],
        ..Metrics::default()
    };
    submit(open, batch("a", What::Metrics(metrics))).unwrap();
}

/// Day, samples, processors, fullest disk of every day that leaves.
type Told = (i64, u64, (u64, u64, u64), Option<u64>);

fn days(buffer: &Buffer) -> Vec<Told> {
    let mut all = Vec::new();
    read_stream(&buffer.appliance(), &DOMAIN, |view| {
        view.metrics_days(|day, target, told| {
            assert_eq!(target, id("a"));
            let cpu = (told.cpu.min, told.cpu.mean(told.samples), told.cpu.max);
            assert_eq!(told.memory.mean(told.samples), 500_000);
            all.push((day - 20_000, told.samples, cpu, told.disk));
            Ok(())
        })
    })
    .unwrap();
    all
}

fn newest(buffer: &Buffer) -> Vec<(Uuid, Timestamp, String)> {
    let mut found = Vec::new();
    read_stream(&buffer.appliance(), &DOMAIN, |view| {
        found = view.newest_metrics()?;
        Ok(())
    })
    .unwrap();
    found
}

fn raw(open: &StatusBuffer) -> usize {
    let listed = open.tail(0, 100_000).unwrap();
    let metrics = listed.iter().filter(|one| one.record.class == RecordClass::Metrics);
    metrics.count()
}

#[test]
fn measurements_are_folded_into_days_when_they_are_a_day_old() {
    let buffer = Buffer::new();
    let open = buffer.open();
    // Every hour, almost three days long; a line of a container between them.
    for hour in 0..70_i64 {
        measure(
            &buffer,
            &open,
            hour * 3600,
            if hour % 24 == 5 { 0.75 } else { 0.25 },
            hour * 10,
        );
        submit(&open, logs("a", [(hour, "line".into())])).unwrap();
    }
    assert!((24..=27).contains(&raw(&open)), "{}", raw(&open));
    let gap = open.gaps().unwrap().remove(0);
    assert_eq!(
        (gap.reason, gap.class, gap.exact, gap.bytes),
        (Reason::Folded, Some(RecordClass::Metrics), true, 0)
    );
    assert_eq!(gap.count, 70 - raw(&open) as u64);
    assert_eq!((gap.first, gap.since.unix()), (1, BEGIN));
    freeze(&buffer.appliance(), &DOMAIN).unwrap();
    let (first, second) = ((250_000, 270_833, 750_000), (250_000, 270_833, 750_000));
    assert_eq!(
        days(&buffer),
        [(0, 24, first, Some(230_000))],
        "the second one is not folded whole"
    );
    // Another day later; a restart in between finds everything again.
    drop(open);
    let open = buffer.open();
    for hour in 70..75 {
        measure(&buffer, &open, hour * 3600, 0.25, 0);
    }
    assert_eq!(days(&buffer).len(), 2, "over when it was frozen");
    let frozen = freeze(&buffer.appliance(), &DOMAIN).unwrap();
    assert_eq!(
        days(&buffer),
        [(0, 24, first, Some(230_000)), (1, 24, second, Some(470_000))]
    );
    let newest = newest(&buffer);
    assert_eq!(
        (newest.len(), newest[0].0, newest[0].1.unix()),
        (1, id("a"), BEGIN + 74 * 3600)
    );
    // What was over at the last freeze that was acknowledged leaves no more.
    acknowledge(&buffer.appliance(), &DOMAIN, frozen.position, frozen.at).unwrap();
    assert_eq!(days(&buffer), []);
    drop(open);
    assert_eq!(numbers_missing(&buffer.db()), (0, 0));
}

#[test]
fn measurements_that_fill_half_of_their_room_are_folded_earlier_and_the_newest_stays_known() {
    let mut buffer = Buffer::new();
    buffer.quota.total = 80_000;
    let open = buffer.open();
    for n in 0..200 {
        measure(&buffer, &open, n * 30, 0.5, 10);
    }
    assert!(raw(&open) < 50, "{}", raw(&open));
    // Logs take all the room: what is left of the raw ones is folded, not lost.
    for n in 0..30_i64 {
        let lines = (0..10).map(|line| (n * 10 + line, "x".repeat(500)));
        submit(&open, logs("a", lines)).unwrap();
    }
    let gaps = open.gaps().unwrap();
    let folded: u64 = gaps
        .iter()
        .filter(|gap| gap.reason == Reason::Folded)
        .map(|gap| gap.count)
        .sum();
    assert_eq!(folded + raw(&open) as u64, 200);
    assert!(
        gaps.iter()
            .all(|gap| gap.class != Some(RecordClass::Metrics) || gap.reason == Reason::Folded)
    );
    drop(open);
    freeze(&buffer.appliance(), &DOMAIN).unwrap();
    let newest = newest(&buffer);
    assert_eq!(newest[0].1.unix(), BEGIN + 199 * 30);
    assert!(newest[0].2.contains("\"cpuUsage\":0.5"), "{newest:?}");
    assert_eq!(numbers_missing(&buffer.db()).1, 0);
}

#[test]
fn days_that_are_too_many_go_and_a_gap_says_so() {
    let buffer = Buffer::new();
    let open = buffer.open();
    for day in 0..404_i64 {
        measure(&buffer, &open, day * DAY + 60, 0.5, 1);
        measure(&buffer, &open, day * DAY + 120, 0.5, 1);
    }
    let lost: Vec<_> = open
        .gaps()
        .unwrap()
        .into_iter()
        .filter(|gap| gap.reason == Reason::Quota)
        .collect();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(
        (lost[0].class, lost[0].first, lost[0].last),
        (Some(RecordClass::Metrics), 0, 0)
    );
    freeze(&buffer.appliance(), &DOMAIN).unwrap();
    let kept = days(&buffer);
    let now = buffer.clock.now().unix() / DAY - 20_000;
    assert!(
        kept.len() <= 400 && kept[0].0 > now - 400,
        "{} from {}",
        kept.len(),
        kept[0].0
    );
    assert_eq!(lost[0].count, 2 * u64::try_from(kept[0].0).unwrap());
    assert_eq!(lost[0].until.unix(), BEGIN + kept[0].0 * DAY - 1);
    drop(open);
    assert_eq!(numbers_missing(&buffer.db()).1, 0);
}
