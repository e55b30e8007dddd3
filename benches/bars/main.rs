//! The bars of the design, each figure beside its bare program in the same run.
//!
//! ```text
//! cargo bench                            # everything, a few minutes
//! cargo bench --bench bars -- import     # only the figures whose name contains "import"
//! cargo bench --bench bars -- --make large DIR   # only a data set and its bundle, for benches/memory.sh
//! ```
//!
//! Settings by environment: `AIRLOCK_BENCH_MIB` (content of the large set, 1024), `AIRLOCK_BENCH_BLOBS` (blobs of the small
//! set, 10000), `AIRLOCK_BENCH_ROUNDS` (5), `AIRLOCK_BENCH_SECONDS` (of each run of agents, 60), `AIRLOCK_BENCH_DIR` (where data and states lie; it decides which disk is
//! measured), `AIRLOCK_BENCH_DISTRIBUTION` (a `registry` program of distribution v3), `AIRLOCK_BENCH_PROGRAM` (another `airlock` that serves
//! than the one that was built with this).
//!
//! Every run is a process of its own: it does its job, and says afterwards what it took. Rounds alternate (ours, floor, ours,
//! floor, …), figures are medians, and the range behind a ratio is that of the single rounds. A bar that is missed is said, and the
//! program ends with code 1 then.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::exit,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a bench ends by panicking, talks, and computes ratios"
)]

mod agents;
mod care;
mod create;
mod data;
mod floor;
mod import;
mod inspect;
mod load;
mod measure;
mod report;
mod serve;
mod servers;
mod tls;
mod vendor;
mod ways;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use report::Report;

/// What is measured, and where.
pub(crate) struct Bench {
    pub(crate) folder: PathBuf,
    pub(crate) mib: u64,
    pub(crate) blobs: u64,
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    filter: Vec<String>,
}

impl Bench {
    fn from_environment(filter: Vec<String>) -> Self {
        let number = |name: &str, default: u64| {
            std::env::var(name).map_or(default, |text| text.parse().expect("a number in the environment"))
        };
        Self {
            folder: std::env::var_os("AIRLOCK_BENCH_DIR")
                .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("bars"), PathBuf::from),
            mib: number("AIRLOCK_BENCH_MIB", 1024),
            blobs: number("AIRLOCK_BENCH_BLOBS", 10_000),
            rounds: usize::try_from(number("AIRLOCK_BENCH_ROUNDS", 5)).unwrap(),
            seconds: number("AIRLOCK_BENCH_SECONDS", 60),
            filter,
        }
    }

    /// Whether a group of figures was asked for.
    fn wants(&self, name: &str) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|word| name.contains(word.as_str()))
    }

    /// The large set: one blob of three quarters, 200 others, 60 % of it incompressible.
    pub(crate) fn large(&self) -> data::Set {
        data::Set::large(&self.folder.join(format!("large-{}", self.mib)), self.mib)
    }

    /// A set of the same sizes that no compressor makes smaller.
    pub(crate) fn noise(&self) -> data::Set {
        data::Set::noise(&self.folder.join(format!("noise-{}", self.mib)), self.mib)
    }

    /// Layers of 8 MiB.
    pub(crate) fn layers(&self) -> data::Set {
        data::Set::layers(&self.folder.join("layers"))
    }

    /// 50 images of four layers.
    pub(crate) fn images(&self) -> data::Set {
        data::Set::images(&self.folder.join("images"))
    }

    /// The small set: blobs of 4 KiB.
    pub(crate) fn small(&self) -> data::Set {
        data::Set::small(&self.folder.join(format!("small-{}", self.blobs)), self.blobs)
    }
}

/// Measures a group of figures.
type Bars = fn(&Bench, &mut Report);

fn main() -> ExitCode {
    // `cargo bench` itself passes `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.first().map(String::as_str) {
        Some("--job") => measure::child(&words[1..]),
        Some("--make") => {
            let folder = Path::new(&words[2]);
            let bench = Bench::from_environment(Vec::new());
            let set = match words[1].as_str() {
                "large" => data::Set::large(folder, bench.mib),
                "small" => data::Set::small(folder, bench.blobs),
                other => panic!("{other} is neither large nor small"),
            };
            set.layout();
        }
        _ => return run(&Bench::from_environment(words)),
    }
    ExitCode::SUCCESS
}

fn run(bench: &Bench) -> ExitCode {
    std::fs::create_dir_all(&bench.folder).unwrap();
    let mut report = Report::start(bench);
    let groups: [(&str, Bars); 10] = [
        ("create read-back", create::bars),
        ("verify import large resume", import::large_bars),
        ("verify none", import::noise_bars),
        ("import layers", import::layer_bars),
        ("import small", import::small_bars),
        ("inspect", inspect::bars),
        ("serve", serve::bars),
        ("agents-buffer", agents::buffer_bars),
        ("ways registry extract mirror", ways::bars),
        ("care gc scrub", care::bars),
    ];
    for (name, bars) in groups {
        if bench.wants(name) {
            bars(bench, &mut report);
        }
    }
    report.end()
}
