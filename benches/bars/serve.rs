//! `airlock serve`: its start, and requests beside nginx and distribution.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::data::Set;
use super::import::fresh_state;
use super::load::{get, is_there, many};
use super::measure::job;
use super::report::{Bar, Report};
use super::servers::{Names, Running};
use super::{Bench, vendor};

/// Seconds of one run of the client.
const SECONDS: u64 = 3;

pub(crate) fn bars(bench: &Bench, report: &mut Report) {
    let work = bench.folder.join("serve");
    std::fs::create_dir_all(&work).unwrap();
    let small = bench.small();
    let state = imported(&small, &work.join("state-small"));
    let names = Names::of(&small.folder);
    start(bench, &state, &names, report);
    requests(bench, &state, &names, &work, report);
    large(bench, &work, report);
}

fn imported(set: &Set, state: &Path) -> PathBuf {
    let bundle = vendor::bundle(set);
    fresh_state(&set.folder, state);
    job(
        &[&bundle],
        &["import", set.folder.to_str().unwrap(), state.to_str().unwrap()],
    );
    state.to_owned()
}

fn start(bench: &Bench, state: &Path, names: &Names, report: &mut Report) {
    let mut times = Vec::new();
    for _ in 0..bench.rounds * 3 {
        let start = Instant::now();
        let server = Running::airlock(state);
        server.wait_for(&server.manifest(&names.manifest));
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    report.alone("serve: start to the first manifest", "ms", &times, Bar::AtMost(30.0));
}

fn requests(bench: &Bench, state: &Path, names: &Names, work: &Path, report: &mut Report) {
    if !is_there() {
        report.skipped("serve: requests", "there is no wrk here (Debian package wrk)");
        return;
    }
    let airlock = Running::airlock(state);
    let nginx = Running::nginx(&names.blobs, work);
    let distribution = Running::distribution(names, work);
    let servers = [Some(&airlock), nginx.as_ref(), distribution.as_ref()];
    for server in servers.into_iter().flatten() {
        server.wait_for(&server.manifest(&names.manifest));
    }
    for (kind, times_v3) in [("manifest by digest", 8.0), ("random 4 KiB blobs", 20.0)] {
        // For every server the rates of all rounds: per second, per CPU second.
        let mut rates = [const { (Vec::new(), Vec::new()) }; 3];
        for _ in 0..bench.rounds {
            for (server, rates) in servers.iter().zip(&mut rates) {
                let Some(server) = server else { continue };
                let paths: Vec<String> = if times_v3 < 10.0 {
                    vec![server.manifest(&names.manifest)]
                } else {
                    names.layers.iter().map(|layer| server.blob(layer)).collect()
                };
                let (second, cpu) = many(server, &paths, SECONDS, work);
                rates.0.push(second);
                rates.1.push(cpu);
            }
        }
        let [ours, nginx, v3] = rates;
        for (name, other, bar) in [("nginx", nginx, 0.3), ("distribution", v3, times_v3)] {
            if other.0.is_empty() {
                report.skipped(&format!("serve: {kind}, beside {name}"), "it is not installed");
                continue;
            }
            report.beside(
                &format!("serve: {kind}: {name}"),
                "/s",
                &ours.0,
                &other.0,
                Bar::AtLeast(bar),
            );
            let per_cpu = format!("serve: {kind}, per CPU s: {name}");
            report.beside(&per_cpu, "/s", &ours.1, &other.1, Bar::AtLeast(bar));
        }
    }
    report.alone(
        "serve: memory after that",
        "MB",
        &[airlock.memory() / 1e6],
        Bar::AtMost(64.0),
    );
}

/// Large blobs from the second read on.
fn large(bench: &Bench, work: &Path, report: &mut Report) {
    let set = bench.large();
    let state = imported(&set, &work.join("state-large"));
    let names = Names::of(&set.folder);
    let largest = &names.layers[0];
    let airlock = Running::airlock(&state);
    let nginx = Running::nginx(&names.blobs, work);
    let [mut ours, mut floor] = [const { Vec::new() }; 2];
    let servers = [(Some(&airlock), &mut ours), (nginx.as_ref(), &mut floor)];
    for (server, figures) in servers {
        let Some(server) = server else { continue };
        let path = server.blob(largest);
        server.wait_for(&path);
        for _ in 0..bench.rounds {
            let before = server.cpu();
            let bytes = get(server.address, &path).unwrap();
            figures.push((server.cpu() - before) / (bytes as f64 / 1e9));
        }
    }
    report.alone("serve: large blob, CPU per GB", "s", &ours, Bar::AtMost(0.1));
    if floor.is_empty() {
        report.skipped("serve: large blob, CPU per GB of nginx", "it is not installed");
    } else {
        report.alone("serve: the same of nginx", "s", &floor, Bar::None);
    }
    report.alone(
        "serve: memory with large blobs",
        "MB",
        &[airlock.memory() / 1e6],
        Bar::AtMost(64.0),
    );
}
