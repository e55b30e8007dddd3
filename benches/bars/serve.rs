//! `airlock serve`: its start, and requests beside nginx and distribution.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::data::Set;
use super::import::fresh_state;
use super::load::{get, is_there, many};
use super::measure::job;
use super::report::{Bar, Report};
use super::servers::{Names, Running};
use super::tls::{Certificate, Cipher, Client};
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
        server.wait_for(&server.manifest(&names.manifest), None);
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
    let nginx = Running::nginx(&names.blobs, work, None);
    let distribution = Running::distribution(names, work);
    let servers = [Some(&airlock), nginx.as_ref(), distribution.as_ref()];
    for server in servers.into_iter().flatten() {
        server.wait_for(&server.manifest(&names.manifest), None);
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

/// Large blobs from the second read on: plain, and over TLS 1.3 with one cipher and one certificate for both servers.
fn large(bench: &Bench, work: &Path, report: &mut Report) {
    let set = bench.large();
    let state = imported(&set, &work.join("state-large"));
    let names = Names::of(&set.folder);
    let airlock = Running::airlock(&state);
    let nginx = Running::nginx(&names.blobs, work, None);
    large_beside("plain", [Some(&airlock), nginx.as_ref()], &names, None, bench, report);
    let certificate = Certificate::make(work);
    let secure = Running::airlock_tls(&state, work, &certificate);
    let nginx = Running::nginx(&names.blobs, work, Some(&certificate));
    for cipher in [Cipher::Aes128, Cipher::Aes256] {
        let client = Client::new(&certificate, cipher);
        let servers = [Some(&secure), nginx.as_ref()];
        large_beside(cipher.name(), servers, &names, Some(&client), bench, report);
    }
    for (kind, server) in [("plain", &airlock), ("TLS", &secure)] {
        report.alone(
            &format!("serve: memory with large blobs, {kind}"),
            "MB",
            &[server.memory() / 1e6],
            Bar::AtMost(64.0),
        );
    }
}

fn large_beside(
    kind: &str,
    servers: [Option<&Running>; 2],
    names: &Names,
    tls: Option<&Client>,
    bench: &Bench,
    report: &mut Report,
) {
    let name = format!("serve: large blob, {kind}, CPU per GB: nginx");
    let [Some(airlock), Some(nginx)] = servers else {
        report.skipped(&name, "nginx is not installed");
        return;
    };
    let cpu = |server: &Running| {
        let before = server.cpu();
        let bytes = get(server.address, &server.blob(&names.layers[0]), tls).unwrap();
        assert!(bytes > bench.mib << 19, "{bytes} bytes are not the large blob");
        (server.cpu() - before) / (bytes as f64 / 1e9)
    };
    for server in [airlock, nginx] {
        server.wait_for(&server.blob(&names.layers[0]), tls);
    }
    let (ours, floor): (Vec<f64>, Vec<f64>) = (0..bench.rounds).map(|_| (cpu(airlock), cpu(nginx))).unzip();
    report.beside(&name, "s", &ours, &floor, Bar::AtMost(1.2));
}
