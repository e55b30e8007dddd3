//! Sweeps over a small bundle: flipped bits, truncations, blocks deleted, doubled and swapped (B02, B03, B09).
//!
//! A reduced stride by default, everything with `AIRLOCK_SLOW=1`, a part with `AIRLOCK_SLOW=K/N`. Each prints how many were tried.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use airlock::crypto::Chain;
use airlock::domain::Class;

use crate::format::vectors::{judge, vectors};
use crate::support::slow::{Share, share};

const BLOCK: usize = 512;

struct Subject {
    bundle: Vec<u8>,
    pins: Vec<Chain>,
}

/// The vector with root links, a compressed chunk or the smallest: all of them are swept.
fn subjects() -> Vec<(String, Subject)> {
    vectors("good")
        .into_iter()
        .filter(|vector| matches!(vector.name.as_str(), "one-chunk-compressed" | "k12-three-roots"))
        .map(|vector| {
            let subject = Subject {
                bundle: vector.bundle(),
                pins: vector.pins().unwrap(),
            };
            (vector.name, subject)
        })
        .collect()
}

/// The first case, and how far the next one is.
fn stride(reduced: usize) -> (usize, usize) {
    share().map_or((0, reduced), Share::points)
}

/// What a byte belongs to, and the class that a change of it must have.
fn regions(bundle: &[u8]) -> Vec<(&'static str, Class)> {
    let mut regions = Vec::with_capacity(bundle.len());
    let mut at = 0;
    while bundle.len() - at > 2 * BLOCK {
        let header = &bundle[at..at + BLOCK];
        let size = usize::from_str_radix(std::str::from_utf8(&header[124..135]).unwrap(), 8).unwrap();
        let content = match std::str::from_utf8(&header[..2]).unwrap() {
            "00" => ("format lines", Class::Format),
            "01" => ("signatures", Class::Signature),
            "02" => ("trust", Class::Trust),
            "03" => ("head", Class::Signature),
            "04" => ("approvals", Class::Policy),
            "05" => ("index", Class::Integrity),
            "06" => ("fill", Class::Format),
            "ch" => ("chunk", Class::Integrity),
            other => panic!("{other}"),
        };
        regions.extend(vec![("header", Class::Format); BLOCK]);
        regions.extend(vec![content; size]);
        regions.extend(vec![("padding", Class::Format); size.wrapping_neg() % BLOCK]);
        at += BLOCK + size + size.wrapping_neg() % BLOCK;
    }
    regions.extend(vec![("end blocks", Class::Format); 2 * BLOCK]);
    assert_eq!(regions.len(), bundle.len());
    regions
}

/// Tries every case over all cores; returns how many were tried, accepted, panicked, and refused with another class.
fn sweep(name: &str, subject: &Subject, cases: usize, case: impl Fn(usize) -> (Vec<u8>, Vec<Class>, String) + Sync) {
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let (accepted, panics, wrong) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for worker in 0..workers {
            let (accepted, panics, wrong, case) = (&accepted, &panics, &wrong, &case);
            scope.spawn(move || {
                for number in (worker..cases).step_by(workers) {
                    let (bytes, classes, says) = case(number);
                    match catch_unwind(AssertUnwindSafe(|| judge(bytes, &subject.pins))) {
                        Ok(Ok(())) => accepted.lock().unwrap().push(says),
                        Ok(Err(error)) if classes.contains(&error.class()) => {}
                        Ok(Err(error)) => wrong
                            .lock()
                            .unwrap()
                            .push(format!("{says}: {error:?}, expected {classes:?}")),
                        Err(_) => panics.lock().unwrap().push(says),
                    }
                }
            });
        }
    });
    let (accepted, panics, wrong) = (
        accepted.into_inner().unwrap(),
        panics.into_inner().unwrap(),
        wrong.into_inner().unwrap(),
    );
    println!(
        "{name}: {cases} tried, {} accepted, {} panics, {} wrong classes",
        accepted.len(),
        panics.len(),
        wrong.len()
    );
    assert!(
        cases > 0 && accepted.is_empty() && panics.is_empty(),
        "{accepted:?} {panics:?}"
    );
    assert!(wrong.is_empty(), "{}", wrong[..wrong.len().min(20)].join("\n"));
}

#[test]
fn every_flipped_bit_is_refused_with_the_class_of_its_region() {
    let (first, step) = stride(389);
    for (name, subject) in subjects() {
        let regions = regions(&subject.bundle);
        let bits = subject.bundle.len() * 8;
        let mut per_region: BTreeMap<&str, usize> = BTreeMap::new();
        for bit in (first..bits).step_by(step) {
            *per_region.entry(regions[bit / 8].0).or_default() += 1;
        }
        println!("{name}: bits by region {per_region:?}");
        let cases = (bits - first).div_ceil(step);
        sweep(&format!("{name}, bit flips"), &subject, cases, |number| {
            let bit = first + number * step;
            let mut bytes = subject.bundle.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (region, class) = regions[bit / 8];
            (bytes, vec![class], format!("bit {bit} in {region}"))
        });
    }
}

#[test]
fn every_truncation_is_refused() {
    let (first, step) = stride(53);
    for (name, subject) in subjects() {
        let regions = regions(&subject.bundle);
        // The first byte of entry 05's header: a cut before it is E-FORMAT, from there on E-INCOMPLETE.
        let index = subject
            .bundle
            .windows(8)
            .position(|window| window == b"05-index")
            .unwrap();
        assert_eq!(regions.len(), subject.bundle.len());
        sweep(
            &format!("{name}, truncations"),
            &subject,
            (subject.bundle.len() - first).div_ceil(step),
            |number| {
                let length = first + number * step;
                let class = if length < index {
                    Class::Format
                } else {
                    Class::Incomplete
                };
                (
                    subject.bundle[..length].to_vec(),
                    vec![class],
                    format!("cut after {length} bytes"),
                )
            },
        );
    }
}

#[test]
fn blocks_deleted_doubled_or_swapped_are_refused() {
    let any: Vec<Class> = Class::ALL
        .into_iter()
        .filter(|class| !matches!(class, Class::Internal | Class::Other | Class::Io | Class::State))
        .collect();
    for (name, subject) in subjects() {
        let blocks: Vec<&[u8]> = subject.bundle.chunks(BLOCK).collect();
        let count = blocks.len();
        let mut cases: Vec<(Vec<usize>, String)> = Vec::new();
        for at in 0..count {
            let all = 0..count;
            cases.push((
                all.clone().filter(|n| *n != at).collect(),
                format!("block {at} deleted"),
            ));
            cases.push((
                all.clone().flat_map(|n| vec![n; 1 + usize::from(n == at)]).collect(),
                format!("block {at} twice"),
            ));
            for other in at + 1..count {
                if blocks[at] != blocks[other] {
                    let mut order: Vec<usize> = all.clone().collect();
                    order.swap(at, other);
                    cases.push((order, format!("blocks {at} and {other} swapped")));
                }
            }
        }
        let (first, step) = stride(7);
        sweep(
            &format!("{name}, blocks"),
            &subject,
            (cases.len() - first).div_ceil(step),
            |number| {
                let (order, says) = &cases[first + number * step];
                let bytes: Vec<u8> = order.iter().flat_map(|n| blocks[*n]).copied().collect();
                (bytes, any.clone(), says.clone())
            },
        );
    }
}
