//! Care of an appliance that holds many blobs: what `gc` would take is said at once, and `scrub` reads as fast as it is asked to, or as the
//! medium and the hash go.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use airlock::appliance::Appliance;
use airlock::appliance::care::{Pace, Policy};
use airlock::domain::{Clock as _, SystemClock};

use super::measure::{Start, Taken, job, timed};
use super::report::{Bar, Report};
use super::{Bench, data, import, vendor};

/// Bytes a second that are asked for.
const RATE: u64 = 50_000_000;
/// So long a walk at that rate takes at least: shorter ones say little of a rate.
const SECONDS: u64 = 10;

fn open(state: &Path) -> Appliance {
    Appliance::open(state, Arc::new(SystemClock)).unwrap()
}

/// In the child: plans what goes of a state.
pub(crate) fn plan(state: &Path) -> Vec<Taken> {
    let appliance = open(state);
    let policy = Policy {
        keep: 0,
        grace: Duration::ZERO,
    };
    timed(|| {
        let plan = appliance.gc_plan(policy, false, SystemClock.now()).unwrap();
        assert!(plan.goes.is_empty(), "one release, and it is live");
    })
}

/// In the child: hashes everything of a state anew, at a rate; 0: as fast as it goes. Says what it took, and, as bytes read, what it hashed.
pub(crate) fn scrub(state: &Path, rate: u64) -> Vec<Taken> {
    let appliance = open(state);
    let start = Start::now();
    let scrubbed = appliance
        .scrub(Pace::bytes_per_second(rate), true, &mut |_, _| ())
        .unwrap();
    let walk = scrubbed.walk;
    assert_eq!((walk.damaged, walk.missing), (0, 0));
    #[expect(clippy::cast_precision_loss, reason = "bytes for a ratio")]
    let read = walk.bytes as f64;
    vec![Taken { read, ..start.taken() }]
}

/// In the child: reads and hashes each file of the store, one after the other.
pub(crate) fn floor(state: &Path) -> Vec<Taken> {
    use sha2::{Digest as _, Sha256};
    let mut buffer = vec![0; 1 << 20];
    timed(|| {
        for folder in fs::read_dir(state.join("blobs/sha256")).unwrap() {
            for blob in fs::read_dir(folder.unwrap().path()).unwrap() {
                let mut file = fs::File::open(blob.unwrap().path()).unwrap();
                let mut hasher = Sha256::new();
                loop {
                    let count = std::io::Read::read(&mut file, &mut buffer).unwrap();
                    if count == 0 {
                        break;
                    }
                    hasher.update(&buffer[..count]);
                }
                std::hint::black_box(hasher.finalize());
            }
        }
    })
}

/// A state that holds the release of a set.
fn state(bench: &Bench, set: &data::Set, name: &str) -> String {
    vendor::bundle(set);
    let state = bench.folder.join("care").join(name);
    fs::create_dir_all(state.parent().unwrap()).unwrap();
    import::fresh_state(&set.folder, &state);
    let state = state.to_str().unwrap().to_owned();
    job(&[], &["import", set.folder.to_str().unwrap(), &state]);
    state
}

pub(crate) fn bars(bench: &Bench, report: &mut Report) {
    // The bar is over 100,000 blobs whatever the small set of other figures has, unless that is asked to be smaller.
    let blobs = if bench.blobs < 10_000 { bench.blobs } else { 100_000 };
    let set = data::Set::small(&bench.folder.join(format!("small-{blobs}")), blobs);
    let many = state(bench, &set, "many");
    let plans: Vec<f64> = (0..bench.rounds)
        .map(|_| job(&[], &["gc-plan", &many])[0].wall)
        .collect();
    report.alone(&format!("gc plan over {blobs} blobs"), "s", &plans, Bar::AtMost(2.0));
    let [mut ours, mut floor] = [const { Vec::new() }; 2];
    for _ in 0..bench.rounds {
        ours.push(job(&[], &["scrub", &many, "0"])[0].wall);
        floor.push(job(&[], &["floor-scrub", &many])[0].wall);
    }
    report.beside(
        &format!("scrub of {blobs} blobs, beside reading and hashing"),
        "s",
        &ours,
        &floor,
        Bar::None,
    );

    let large = state(bench, &bench.large(), "large");
    let [mut ours, mut floor, mut rates] = [const { Vec::new() }; 3];
    for _ in 0..bench.rounds {
        ours.push(job(&[], &["scrub", &large, "0"])[0].wall);
        floor.push(job(&[], &["floor-scrub", &large])[0].wall);
    }
    report.beside(
        "scrub of large blobs, beside reading and hashing",
        "s",
        &ours,
        &floor,
        Bar::None,
    );
    let rate = RATE.min(bench.large().content_bytes() / SECONDS).max(1 << 20);
    let asked = rate as f64;
    let taken = job(&[], &["scrub", &large, &rate.to_string()])[0];
    rates.push(taken.read / taken.wall / asked);
    report.alone(
        "scrub at a rate: read, as a share of what was asked",
        "x",
        &rates,
        Bar::Between(0.9, 1.1),
    );
    for state in [many, large] {
        fs::remove_dir_all(state).unwrap();
    }
}
