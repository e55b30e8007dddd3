//! The agents' bar of the design: 10,000 agents that ask and report every five seconds, each status durable before its answer.
//!
//! ```text
//! cargo bench --bench agents
//! ```
//!
//! Settings by environment: `AIRLOCK_BENCH_AGENTS` (10000), `AIRLOCK_BENCH_SECONDS` (60), `AIRLOCK_BENCH_DIR` (where the state lies; it
//! decides which disk is measured).
//!
//! The crowd and the server share the machine. Each agent has a connection of its own. At the end the server is killed under full
//! load, and every status that had an answer is looked for in the buffer. Nothing here asserts a time.
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
mod server;
mod world;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use airlock::domain::Uuid;
use crowd::{Agent, Pace, Seen};
use server::Server;

/// How often an agent asks and reports.
const INTERVAL: Duration = Duration::from_secs(5);
/// Agents whose every status says something new.
const DISTINCT: usize = 200;
/// A small site.
const FEW: usize = 50;

fn main() {
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
    for count in [FEW, agents] {
        let enrolled = world::make(&folder, count);
        println!(
            "{count} agents, one connection each, every {} s, for {seconds} s",
            INTERVAL.as_secs()
        );
        println!("  disk: append 4 KiB + fdatasync    p50 {:.2} ms", fdatasync(&folder));
        let pace = Pace {
            interval: INTERVAL,
            length: Duration::from_secs(seconds as u64),
        };
        run(&runtime, &folder, &enrolled, pace);
    }
}

/// Lets a crowd live for a while, then kills the server under it, and compares what was answered with what is kept.
fn run(runtime: &tokio::runtime::Runtime, folder: &Path, enrolled: &[world::Enrolled], pace: Pace) {
    let state = folder.join("site");
    let mut server = Server::start(folder, &state);
    let begun = Instant::now();
    let mut agents = server.log_in(runtime, &state, enrolled);
    let count = agents.len();
    println!(
        "  logins                            {:.0} per second",
        count as f64 / begun.elapsed().as_secs_f64()
    );
    // The first status of each deployment is a row of its own, once; what a day costs is what comes after it.
    let first = Pace {
        length: INTERVAL,
        ..pace
    };
    let enrolling = crowd::live(server.address, agents.clone(), first, Arc::new(AtomicBool::new(false)));
    runtime.block_on(enrolling);
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
    report(&seen, count, wall);
    let per_day = (after.written - before.written) / count as f64 / wall * 86_400.0;
    println!("  written per agent and day         {:.2} MB (bar 5)", per_day / 1e6);
    println!(
        "  CPU of the server                 {:.2} cores",
        (after.cpu - before.cpu) / wall
    );
    println!("  memory of the server              {:.0} MB", server.resident() / 1e6);

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
        "  killed under load                 {} answered statuses of {} agents looked for, {lost} lost",
        seen.acknowledged.len(),
        DISTINCT.min(count)
    );
    assert_eq!(lost, 0, "a status that had an answer is not in the buffer");
    assert!(
        !seen.acknowledged.is_empty(),
        "nothing was answered: the check would be empty"
    );
}

fn report(seen: &Seen, agents: usize, wall: f64) {
    let requests = seen.polls.len() + seen.statuses.len();
    let wanted = 2.0 * agents as f64 / INTERVAL.as_secs_f64();
    println!(
        "  requests                          {:.0} per second, {:.0} wanted; {} failed, {} turns late",
        requests as f64 / wall,
        wanted,
        seen.failed,
        seen.late
    );
    for (what, times) in [("resources", &seen.polls), ("status", &seen.statuses)] {
        let mut sorted = times.clone();
        sorted.sort_unstable();
        let at = |share: f64| {
            let place = (sorted.len() as f64 * share) as usize;
            f64::from(
                sorted
                    .get(place.min(sorted.len().saturating_sub(1)))
                    .copied()
                    .unwrap_or(0),
            ) / 1000.0
        };
        println!(
            "  {what:<10} p50 / p99 / worst       {:.2} / {:.2} / {:.2} ms (bar p99 50)",
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
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
