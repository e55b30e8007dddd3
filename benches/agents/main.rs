//! The agents' bar of the design: 10,000 agents that ask and report every five seconds, each status durable before its answer.
//!
//! ```text
//! cargo bench --bench agents
//! ```
//!
//! Settings by environment: `AIRLOCK_BENCH_AGENTS` (10000), `AIRLOCK_BENCH_SECONDS` (60), `AIRLOCK_BENCH_DIR` (where the state lies; it
//! decides which disk is measured), `AIRLOCK_BENCH_PROGRAM` (another `airlock` than the one that was built with this).
//!
//! The crowd and the server share the machine. Each agent has a connection of its own. At the end the server is killed under full
//! load, and every status that had an answer is looked for in the buffer. Every figure stands beside its floor or its bar; where a bar is
//! missed, the program ends with code 1.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bench ends by panicking, talks, and computes ratios"
)]

mod crowd;
mod report;
mod server;
mod world;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use airlock::domain::Uuid;
use crowd::{Agent, Pace};
use report::Report;
use server::Server;

/// How often an agent asks and reports.
const INTERVAL: Duration = Duration::from_secs(5);
/// Agents whose every status says something new.
const DISTINCT: usize = 200;
/// A small site.
const FEW: usize = 50;

/// What a crowd is measured against.
struct Bars {
    /// Milliseconds of an answer to a status, 99 of 100.
    status: f64,
    /// MB an agent and day.
    written: f64,
    /// MB.
    memory: f64,
    /// How long a commit collects.
    window: Duration,
}

/// Commits wait up to 200 ms for company.
const BARS_OF_FEW: Bars = Bars {
    status: 250.0,
    written: 30.0,
    memory: 64.0,
    window: Duration::from_millis(200),
};
const BARS_OF_MANY: Bars = Bars {
    status: 50.0,
    written: 5.0,
    memory: 150.0,
    window: Duration::from_millis(10),
};

fn main() -> ExitCode {
    let number = |name: &str, default: usize| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number in the environment"))
    };
    let (agents, seconds) = (
        number("AIRLOCK_BENCH_AGENTS", 10_000),
        number("AIRLOCK_BENCH_SECONDS", 60),
    );
    let folder = std::env::var_os("AIRLOCK_BENCH_DIR")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("agents"), PathBuf::from);
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut report = Report::default();
    for (count, bars) in [(FEW, &BARS_OF_FEW), (agents, &BARS_OF_MANY)] {
        let enrolled = world::make(&folder, count);
        println!(
            "{count} agents, one connection each, every {} s, for {seconds} s",
            INTERVAL.as_secs()
        );
        let pace = Pace {
            interval: INTERVAL,
            length: Duration::from_secs(seconds as u64),
        };
        run(&runtime, &folder, &enrolled, pace, bars, &mut report);
    }
    report.end()
}

/// Lets a crowd live for a while, then kills the server under it, and compares what was answered with what is kept.
fn run(
    runtime: &tokio::runtime::Runtime,
    folder: &Path,
    enrolled: &[world::Enrolled],
    pace: Pace,
    bars: &Bars,
    report: &mut Report,
) {
    let state = folder.join("site");
    let mut server = Server::start(folder, &state);
    let begun = Instant::now();
    let mut agents = server.log_in(runtime, &state, enrolled);
    let count = agents.len();
    let logins = count as f64 / begun.elapsed().as_secs_f64();
    report.line("logins", logins, "/s", None, None);
    // As after a restart: what making all the secrets took is none of the agents'.
    server.restart(folder, &state, report);
    // The first status of each deployment is a row of its own, once; what a day costs is what comes after it.
    let first = Pace {
        length: INTERVAL,
        ..pace
    };
    let enrolling = crowd::live(server.address, agents.clone(), first, Arc::new(AtomicBool::new(false)));
    runtime.block_on(enrolling);
    let syncs = fdatasync(folder);
    let before = server.taken();
    let start = Instant::now();
    let seen = runtime.block_on(crowd::live(
        server.address,
        agents.clone(),
        pace,
        Arc::new(AtomicBool::new(false)),
    ));
    let after = server.taken();
    let wall = start.elapsed().as_secs_f64();
    report.requests(&seen, count, wall, INTERVAL);
    report.times("resources, p99", &seen.polls, 0.99, None, Some(50.0));
    report.times("status, p50", &seen.statuses, 0.5, Some(syncs), None);
    report.times("status, p99", &seen.statuses, 0.99, Some(syncs), Some(bars.status));
    report.times("status, worst", &seen.statuses, 1.0, Some(syncs), None);
    let day = |written: f64| written / count as f64 / wall * 86_400.0 / 1e6;
    let written = day(after.written - before.written);
    let floor = day(commits(count, bars.window, wall) * 4096.0);
    report.line(
        "written per agent and day",
        written,
        "MB",
        Some(floor),
        Some(bars.written),
    );
    report.line(
        "CPU of the server",
        (after.cpu - before.cpu) / wall,
        "cores",
        None,
        None,
    );
    report.line(
        "memory of the server",
        server.resident() / 1e6,
        "MB",
        None,
        Some(bars.memory),
    );

    for agent in agents.iter_mut().take(DISTINCT) {
        agent.distinct = true;
    }
    let end = Arc::new(AtomicBool::new(false));
    let crowd = runtime.spawn(crowd::live(server.address, agents, pace, end.clone()));
    std::thread::sleep(pace.length / 4);
    end.store(true, Ordering::Relaxed);
    server.kill();
    let seen = runtime.block_on(crowd).unwrap();
    let kept = server::kept(&state);
    let lost = seen
        .acknowledged
        .iter()
        .filter(|answered| !kept.contains(*answered))
        .count();
    println!(
        "  killed under load: {} answered statuses of {} agents looked for",
        seen.acknowledged.len(),
        DISTINCT.min(count)
    );
    report.line("lost of these", lost as f64, "", None, Some(0.0));
    assert!(
        !seen.acknowledged.is_empty(),
        "nothing was answered: the check would be empty"
    );
}

/// Commits of so many agents in a time, when each collects for a window: the fewest that answer everybody in it, one page each.
fn commits(agents: usize, window: Duration, wall: f64) -> f64 {
    let rate = agents as f64 / INTERVAL.as_secs_f64();
    // A window opens with the first status, which comes half a pause after the last one on average at most.
    wall / (window.as_secs_f64() + 1.0 / rate)
}

/// What this disk takes to make 4 KiB durable: the floor of every answer to a status.
fn fdatasync(folder: &Path) -> f64 {
    let path = folder.join("floor");
    let mut file = File::create(&path).unwrap();
    let mut times: Vec<f64> = (0..200)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    std::fs::remove_file(path).unwrap();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}

/// The agents of a crowd, from what is known of their targets.
fn agent(enrolled: &world::Enrolled, token: String) -> Agent {
    Agent {
        target: Uuid::to_string(&enrolled.target),
        revision: enrolled.revision.to_string(),
        token,
        distinct: false,
    }
}
