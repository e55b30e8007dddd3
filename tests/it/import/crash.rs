//! Cases F01, F03 and F04 by force: a real import is killed, or told that its disk is full or broken, at every system call with
//! which any of its threads changes anything.
//!
//! After each run the state is opened as after a restart and must be exactly old or exactly new; then the same import without a
//! fault must succeed and leave nothing over. `AIRLOCK_SLOW=1` kills at every call but those behind one that only syncs (in the second
//! sweep at every third), and lets every call fail: the two errors in turn, and in the second sweep the other way round. Otherwise the
//! first and the last call of each name and every so manieth of the others get a kill or an error in turn; in the other sweeps the first
//! calls of each name, which begin as those of the first do, get none. Calls are counted over all threads, in the order in which they are
//! made.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use airlock::domain::Hash;
use airlock::encoding::Encoding;
use airlock::producer::{Producer, Sample};

use crate::support::appliance::{self, Appliance, read, write};
use crate::support::bundles::{Made, SMALL_CHUNKS, Vendor};
use crate::support::site::noise;
use crate::support::slow::share;
use crate::support::stopper;
use crate::support::strace::{Fault, only_syncs};
use crate::support::travel::{self, GzipLayer};

/// By default, beside the first and the last call of each name, every so manieth call gets its fault: up to the first number by the
/// second one, and then, where calls repeat themselves chunk by chunk, by the third.
const FIRST: usize = 200;
const STRIDE: usize = 97;
const LATER_STRIDE: usize = 601;

/// Release 1 is live, and release 2 shall be imported.
struct Setup {
    base: Appliance,
    folder: tempfile::TempDir,
    releases: [Made; 2],
    domain: Hash,
    /// The marks file after an undisturbed import.
    marks: Vec<u8>,
}

impl Setup {
    fn new() -> Self {
        let vendor = Vendor::new();
        let shared: Vec<Vec<u8>> = (0..4).map(|n| noise(3000, n + 1)).collect();
        let old: Vec<_> = shared.iter().cloned().chain([noise(5000, 50)]).collect();
        // Blobs of several to a chunk, one alone in a chunk, and one that spans chunks and grows in a file of its own.
        let small = (0..24).map(|n| noise(2000 + usize::try_from(n).unwrap() * 17, n + 100));
        let new: Vec<_> = shared
            .into_iter()
            .chain([noise(2_500_000, 60), noise(900_000, 61)])
            .chain(small)
            .collect();
        let releases = [
            vendor.bundle(1, &old, SMALL_CHUNKS),
            vendor.bundle(2, &new, SMALL_CHUNKS),
        ];
        let folder = appliance::scratch();
        for (name, made) in ["1", "2"].iter().zip(&releases) {
            write(&folder.path().join(name), &made.bytes);
        }
        let base = Appliance::init(&vendor);
        base.import(&folder.path().join("1")).assert_imported();
        Self {
            base,
            folder,
            releases,
            domain: vendor.chain().domain(),
            marks: Vec::new(),
        }
    }

    /// The blobs of release 2 travel encoded: several in one chunk, one of them larger than a chunk, one a gzip file, one that spans chunks,
    /// and one that is copied from what release 1 brought.
    fn encoded() -> Self {
        let mut setup = Self::new();
        let vendor = Vendor::new();
        let mut text = noise(300_000, 70).repeat(12);
        let held = noise(1_200_000, 50);
        let old = vendor.bundle(1, std::slice::from_ref(&held), SMALL_CHUNKS);
        let grown = [&held[..600_000], b"in between", &held[600_000..]].concat();
        let spans = [noise(1_500_000, 71), vec![7; 2_000_000]].concat();
        let gzip = GzipLayer::of(Producer::Go1Level6, Sample::Tar.plain()[..40_000].repeat(2));
        let layers = [
            vec![1; 90_000],
            gzip.file.clone(),
            vec![2; 2_500_000],
            noise(900, 72),
            spans,
            grown.clone(),
            std::mem::take(&mut text),
        ];
        let new = vendor.copying(2, &layers, SMALL_CHUNKS, &mut |layer| {
            if layer == gzip.file {
                return Some((gzip.travel(), Vec::new()));
            }
            if layer == grown {
                let form = (travel::copied(&grown, &held), Encoding::Plain);
                return Some((form, vec![travel::base(&held, false)]));
            }
            Some(((travel::plain(layer)?, Encoding::Plain), Vec::new()))
        });
        for (name, made) in ["1", "2"].iter().zip([&old, &new]) {
            write(&setup.folder.path().join(name), &made.bytes);
        }
        setup.base = Appliance::init(&vendor);
        setup.base.import(&setup.folder.path().join("1")).assert_imported();
        setup.domain = vendor.chain().domain();
        setup.releases = [old, new];
        setup
    }

    /// A first try was cut off inside the large blob, so that there is a journal and a part to go on with.
    fn begun() -> Self {
        let setup = Self::new();
        let cut = setup.folder.path().join("cut");
        write(&cut, &setup.releases[1].bytes[..2_000_000]);
        setup
            .base
            .import(&cut)
            .assert_refused("E-INCOMPLETE", "truncated", "X11");
        let head = appliance::incoming(&setup.base.path()).pop().unwrap();
        let names = std::fs::read_dir(setup.base.path().join("incoming").join(head)).unwrap();
        assert_eq!(names.count(), 4, "a journal, midstates, a part and the release's name");
        setup
    }

    fn bundle(&self) -> std::path::PathBuf {
        self.folder.path().join("2")
    }

    fn check(&self, state: &Path) -> u64 {
        appliance::check(state, &[&self.releases[0], &self.releases[1]])
    }

    /// Runs the import undisturbed and returns every call with which it changes something, in order.
    fn count(&mut self) -> Vec<String> {
        let copy = self.base.copy();
        let run = stopper::run(&appliance::import_arguments(&copy.path(), &self.bundle()), None);
        run.ended.assert_imported();
        assert_eq!(self.check(&copy.path()), 2);
        self.marks = read(&copy.path().join("marks"));
        for expected in [
            "linkat",
            "syncfs",
            "fsync",
            "fdatasync",
            "rename",
            "pwrite64",
            "unlinkat",
            "mkdir",
        ] {
            assert!(
                run.calls.iter().any(|name| name == expected),
                "no {expected} in the trace"
            );
        }
        // Whoever knows the order, who commits, and a worker at least.
        assert!(run.threads >= 3, "{} threads change something", run.threads);
        run.calls
    }

    /// Imports with one fault at the call of that number, and judges what is left; says whether it came to that.
    fn strike(&self, fault: Fault, number: usize) -> bool {
        let appliance = self.base.copy();
        let state = appliance.path();
        let log = appliance::audit_actions(&state).len();
        let arguments = appliance::import_arguments(&state, &self.bundle());
        let run = stopper::run(&arguments, Some((fault, number)));
        let live = self.check(&state);
        if !run.fired {
            run.ended.assert_imported();
        } else if fault == Fault::Kill {
            assert_eq!(run.ended.signal, Some(9), "{run:?}");
        } else {
            let code = run.ended.code;
            assert!(matches!(code, Some(0 | 25 | 26)), "{code:?} {}", run.ended.stderr);
            assert!(code != Some(0) || live == 2, "success without effect");
            // A refusal at a step is in the log; before the first one the state could not even be opened.
            if live == 1 && run.ended.refusal.as_ref().is_some_and(|(_, _, step)| !step.is_empty()) {
                let actions = appliance::audit_actions(&state);
                assert_eq!(actions.len(), log + 1, "{actions:?}");
                assert_eq!(actions.last().unwrap(), "refuse");
            }
        }
        let retry = appliance.import(&self.bundle());
        let expected = if live == 1 { "imported" } else { "already" };
        assert_eq!((retry.code, retry.word()), (Some(0), expected), "{}", retry.stderr);
        assert_eq!(self.check(&state), 2);
        self.check_tidy(&state);
        run.fired
    }

    /// Nothing is left over, and the copies of what the database says are there.
    fn check_tidy(&self, state: &Path) {
        assert_eq!(appliance::incoming(state), Vec::<String>::new());
        assert_eq!(read(&state.join("marks")), self.marks);
        // One for the import and one for the activation of each release.
        let receipt = format!("receipts/{}-3.json", self.domain);
        assert!(!read(&state.join(receipt)).is_empty());
        for folder in [state.to_owned(), state.join("receipts")] {
            let mut names = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name());
            assert!(names.all(|name| !name.to_string_lossy().ends_with(".new")));
        }
    }
}

#[test]
fn every_changing_call_may_be_the_last() {
    if stopper::available() {
        sweep("crash sweep", Setup::new(), 0);
    }
}

#[test]
fn every_changing_call_of_a_second_try_may_be_the_last() {
    if stopper::available() {
        sweep("crash sweep of a second try", Setup::begun(), 8);
    }
}

#[test]
#[cfg(feature = "vendor")]
fn every_changing_call_may_be_the_last_where_blobs_are_restored() {
    if stopper::available() {
        sweep("crash sweep of encoded blobs", Setup::encoded(), 16);
    }
}

/// `offset` is where the strides begin, so that two sweeps strike at other calls.
fn sweep(what: &str, mut setup: Setup, offset: usize) {
    let calls = setup.count();
    let share = share();
    let slow = share.is_some();
    let (mut jobs, mut taken) = (Vec::new(), 0);
    for (index, name) in calls.iter().enumerate() {
        let stride = if index < FIRST { STRIDE } else { LATER_STRIDE };
        let first = calls.iter().position(|other| other == name) == Some(index);
        let last = calls.iter().rposition(|other| other == name) == Some(index);
        let telling = last || first && (slow || offset == 0);
        if !share.map_or(index % stride == offset, |share| share.takes(index)) && !telling {
            continue;
        }
        taken += 1;
        let second = usize::from(offset > 0);
        let turn = if slow { taken } else { taken / 2 };
        let error = [Fault::NoSpace, Fault::Io][(turn + second) % 2];
        // A second try makes the calls of a first one, where each of them is the last one once, but for what it goes on with.
        let kill = if slow {
            let alike = index > 0 && only_syncs(&calls[index - 1]);
            !alike && (second == 0 || taken % 3 == 1)
        } else {
            taken % 2 == second
        };
        if kill {
            jobs.push((Fault::Kill, index + 1));
        }
        if slow || !kill {
            jobs.push((error, index + 1));
        }
    }
    let (next, fired, violations) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((fault, number)) = jobs.get(next.fetch_add(1, Ordering::SeqCst)) {
                    match catch_unwind(AssertUnwindSafe(|| setup.strike(*fault, *number))) {
                        Ok(hit) => {
                            fired.fetch_add(usize::from(hit), Ordering::SeqCst);
                        }
                        Err(panic) => {
                            let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                            let name = &calls[*number - 1];
                            let told = format!("{fault:?} at {number}, there {name}: {text}");
                            violations.lock().unwrap().push(told);
                        }
                    }
                }
            });
        }
    });
    let (fired, violations) = (fired.into_inner(), violations.into_inner().unwrap());
    println!(
        "{what}: {} changing calls, {} injections, {fired} fired, {} violations",
        calls.len(),
        jobs.len(),
        violations.len()
    );
    assert!(violations.is_empty(), "{violations:#?}");
    // The last calls are not there in a run that came out one batch shorter.
    assert!(
        fired + 8 >= jobs.len(),
        "{fired} of {} faults were injected",
        jobs.len()
    );
}
