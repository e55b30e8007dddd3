//! Random histories of several vendors: a number of a stream is never given twice, every number is a record, folded, freed or in a gap,
//! and what is frozen never changes. `AIRLOCK_SLOW=1` plays more of them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use airlock::appliance::status::{
    Batch, Metrics, RecordClass, StatusBuffer, StreamRecord, What, acknowledge, freeze, read_stream,
};
use airlock::domain::Hash;
use airlock::domain::StatusKind::{Error, Healthy};

use crate::support::appliance::{read, write};
use crate::support::site::noise;
use crate::support::status::{Buffer, agent_logs, batch, logs, of, status as report, submit};

const DOMAINS: [Hash; 3] = [Hash([1; 32]), Hash([2; 32]), Hash([3; 32])];

/// What is known of one vendor's stream from outside.
#[derive(Default)]
struct Stream {
    /// What every number was when it was seen first.
    seen: BTreeMap<u64, String>,
    /// Records and gaps that were frozen, in full.
    frozen: BTreeMap<u64, StreamRecord>,
    /// Classes of statuses.
    classes: BTreeMap<u64, RecordClass>,
    highest: u64,
    acknowledged: u64,
}

struct Model {
    buffer: Buffer,
    streams: BTreeMap<Hash, Stream>,
    copy: Option<Vec<u8>>,
    clock: i64,
    lines: i64,
}

impl Model {
    /// Looks at every stream and compares it with everything that was seen before.
    fn check(&mut self, what: &str) {
        for domain in DOMAINS {
            let known = self.streams.entry(domain).or_default();
            read_stream(&self.buffer.appliance(), &domain, |view| {
                let stream = *view.stream();
                assert!(
                    stream.last() >= known.highest,
                    "{what}: {stream:?} fell behind {}",
                    known.highest
                );
                known.highest = stream.last();
                let first = stream.acknowledged + 1;
                let found = view.coverage(first, stream.last())?;
                let all = found.of(&RecordClass::ALL) + found.missing + found.unexplained;
                assert_eq!(
                    (all, found.unexplained),
                    (stream.last() + 1 - first, 0),
                    "{what}: {found:?}"
                );
                view.records(1, stream.last(), &RecordClass::ALL, |one| {
                    let record = &one.listed.record;
                    let target = one.listed.source.as_ref().map(|source| source.target);
                    let identity = format!(
                        "{:?} {target:?} {} {:?} {:?}",
                        record.class, record.received, record.of, record.text
                    );
                    let before = known.seen.entry(record.position).or_insert_with(|| identity.clone());
                    assert_eq!(*before, identity, "{what}: number {} was given twice", record.position);
                    if let Some(frozen) = known.frozen.get(&record.position) {
                        let mut same = one.clone();
                        // Row ids are of a file.
                        same.listed.record.number = frozen.listed.record.number;
                        assert_eq!(same, *frozen, "{what}: it was frozen");
                    }
                    if record.class.is_status() {
                        known.classes.insert(record.position, record.class);
                    }
                    if let Some(of) = record.of {
                        assert_eq!(record.class, RecordClass::Continued);
                        let began = known.classes.get(&of);
                        assert!(
                            matches!(began, Some(RecordClass::Transition | RecordClass::Detail)),
                            "{what}: {of} is {began:?}"
                        );
                    } else {
                        assert_ne!(record.class, RecordClass::Continued, "{what}");
                    }
                    Ok(ControlFlow::Continue(()))
                })
            })
            .unwrap();
        }
    }

    fn freeze(&mut self, domain: Hash) {
        let frozen = freeze(&self.buffer.appliance(), &domain).unwrap();
        let known = self.streams.entry(domain).or_default();
        read_stream(&self.buffer.appliance(), &domain, |view| {
            view.records(1, frozen.position, &RecordClass::ALL, |one| {
                known.frozen.entry(one.listed.record.position).or_insert(one);
                Ok(ControlFlow::Continue(()))
            })
        })
        .unwrap();
    }

    fn batch(&mut self, byte: u8, more: u8) -> Batch {
        let domain = DOMAINS[usize::from(byte % 3)];
        // Targets of its own, and now and then one that changes hands.
        let own = format!("{} of {domain}", byte >> 7);
        let name = if more >> 4 == 15 { "shared" } else { &own };
        let kind = if more.is_multiple_of(8) { Error } else { Healthy };
        let what = match byte >> 3 & 7 {
            0..3 => report(
                name,
                "r1",
                kind,
                ["well", "compose command executed successfully"][usize::from(more >> 2 & 1)],
            ),
            3 => report(
                name,
                ["r1", "r2"][usize::from(more >> 2 & 1)],
                kind,
                &format!("words {}", more >> 5),
            ),
            4 => batch(name, What::Metrics(Metrics::default())),
            5 => {
                let from = self.lines;
                self.lines += i64::from(more % 40);
                logs(
                    name,
                    (from..self.lines).map(|n| (n, format!("{n} {}", "x".repeat(150)))),
                )
            }
            6 => {
                let from = self.lines;
                self.lines += i64::from(more % 20);
                agent_logs(
                    name,
                    (from..self.lines).map(|n| (n, format!("{n} {}", "x".repeat(150)))),
                )
            }
            _ => {
                let missed = What::Missed {
                    agent_log: false,
                    count: u64::from(more) + 1,
                };
                batch(name, missed)
            }
        };
        of(domain, what)
    }

    fn step(&mut self, open: Option<StatusBuffer>, byte: u8, more: u8) -> Option<StatusBuffer> {
        let domain = DOMAINS[usize::from(more % 3)];
        self.clock += i64::from(more) * if byte & 8 == 0 { 1 } else { 2000 };
        self.buffer.clock.set(1_000_000 + self.clock);
        match byte >> 4 {
            0 => {
                drop(open);
                self.freeze(domain);
                None
            }
            1 => {
                let known = self.streams.entry(domain).or_default();
                let at = airlock::domain::Timestamp::from_unix(1_000_000 + self.clock).unwrap();
                // Also more than was frozen, and less than before.
                let position = known.highest * u64::from(more) / 200;
                acknowledge(&self.buffer.appliance(), &domain, position, at).unwrap();
                known.acknowledged = known.acknowledged.max(position);
                open
            }
            2 if byte.is_multiple_of(8) => {
                drop(open);
                self.copy = Some(read(&self.buffer.database()));
                None
            }
            2 if byte % 8 == 1 => {
                drop(open);
                if let Some(copy) = self.copy.take() {
                    write(&self.buffer.database(), &copy);
                }
                None
            }
            2 if byte % 8 == 2 => {
                drop(open);
                write(&self.buffer.database(), b"garbage");
                // Until it is opened there is nothing to look at.
                Some(self.buffer.open())
            }
            2 => None,
            _ => {
                let open = open.unwrap_or_else(|| self.buffer.open());
                for turn in 0..4 {
                    let batch = self.batch(byte.rotate_left(turn) ^ more, more.rotate_left(turn));
                    let known = self.streams.entry(batch.owner.domain).or_default().highest;
                    let accepted = submit(&open, batch).unwrap();
                    assert!(accepted.number >= known, "{accepted:?} after {known}");
                }
                Some(open)
            }
        }
    }
}

#[test]
fn random_histories_keep_every_number_and_what_is_frozen() {
    let mut all = BTreeMap::<RecordClass, u64>::new();
    let mut reasons = std::collections::BTreeSet::new();
    let slow = std::env::var_os("AIRLOCK_SLOW").is_some();
    for seed in 1..=if slow { 12 } else { 2 } {
        let mut buffer = Buffer::new();
        buffer.quota.target = 40_000;
        buffer.quota.total = 150_000;
        buffer.quota.keep_days = 1;
        let mut model = Model {
            buffer,
            streams: BTreeMap::new(),
            copy: None,
            clock: 0,
            lines: 0,
        };
        let mut open = Some(model.buffer.open());
        for (n, bytes) in noise(300, seed).chunks_exact(2).enumerate() {
            open = model.step(open, bytes[0], bytes[1]);
            // A file that was put back is noticed when it is opened.
            let open = open.get_or_insert_with(|| model.buffer.open());
            for gap in open.gaps().unwrap() {
                reasons.insert(gap.reason.as_str());
            }
            model.check(&format!("seed {seed}, step {n}, {bytes:?}"));
        }
        for known in model.streams.values() {
            for class in known.classes.values() {
                *all.entry(*class).or_default() += 1;
            }
        }
    }
    // It was no small world.
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all.values().all(|count| *count > 3), "{all:?}");
    for reason in ["quota", "rate", "damaged", "restored", "folded"] {
        assert!(reasons.contains(reason), "{reason} of {reasons:?}");
    }
}
