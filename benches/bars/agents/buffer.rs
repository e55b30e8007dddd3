//! The status buffer alone: what agents hand in every 5 s, without any HTTP.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use airlock::appliance::Appliance;
use airlock::appliance::status::{Batch, Owner, Quota, StatusBuffer, What};
use airlock::db::site::appliance;
use airlock::db::{Db, Schema};
use airlock::domain::{Hash, SiteId, StatusKind, SystemClock, Timestamp, Uuid};
use airlock::store::Store;

use super::load::{INTERVAL, Taken, sync_times};
use crate::Bench;
use crate::measure::of_process;
use crate::report::{Bar, Report};

pub(crate) fn bars(bench: &Bench, report: &mut Report) {
    let folder = bench.folder.join("agents-buffer");
    report.alone(
        "agents: the disk's sync of 4 KiB",
        "ms",
        &sync_times(&bench.folder),
        Bar::None,
    );
    // Where few report, a commit waits up to 200 ms for company.
    for (agents, bars, window) in [(10_000, (50.0, 5.0), 10), (50, (250.0, 30.0), 200)] {
        let taken = run(&folder, agents, Duration::from_secs(bench.seconds));
        let name = format!("agents: buffer alone, {agents}");
        taken.report(&name, bars, Duration::from_millis(window), report);
    }
    report.alone(
        "agents: the disk's sync of 4 KiB, after",
        "ms",
        &sync_times(&bench.folder),
        Bar::None,
    );
}

/// Makes a state folder with no more in it than its owner needs, and an empty status database.
fn make_state(folder: &Path, site: SiteId) {
    Store::create(folder).unwrap();
    for name in ["identity", "roots"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    airlock::db::status::create(&folder.join("status.db"), &site).unwrap();
    let site = appliance::ApplianceRow {
        site,
        name: "bench".into(),
        created_at: Timestamp::EPOCH,
    };
    let db = Db::create(&folder.join("airlock.db"), &Schema::SITE).unwrap();
    db.write(|tx| appliance::insert(tx, &site)).unwrap();
}

fn run(folder: &Path, agents: usize, time: Duration) -> Taken {
    if folder.try_exists().unwrap() {
        std::fs::remove_dir_all(folder).unwrap();
    }
    std::fs::create_dir_all(folder).unwrap();
    let site: SiteId = "0123456789abcdef0123456789abcdef".parse().unwrap();
    make_state(folder, site);
    let appliance = Appliance::open(folder, Arc::new(SystemClock)).unwrap();
    let buffer = Arc::new(StatusBuffer::open(&appliance, Quota::default()).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (times, failed, before, after, seconds) = runtime.block_on(async {
        let begin = tokio::time::Instant::now();
        // The first round makes every target and deployment known; it is not measured.
        let measured = begin + INTERVAL;
        let end = measured + time;
        let tasks: Vec<_> = (0..agents)
            .map(|n| {
                let buffer = buffer.clone();
                let first = begin + INTERVAL.mul_f64(n as f64 / agents as f64);
                tokio::task::spawn(agent(buffer, n, first, measured, end))
            })
            .collect();
        tokio::time::sleep_until(measured).await;
        let (before, start) = (of_process("self"), Instant::now());
        tokio::time::sleep_until(end).await;
        let (after, seconds) = (of_process("self"), start.elapsed().as_secs_f64());
        let (mut times, mut failed) = (Vec::new(), 0);
        for task in tasks {
            let (own, own_failed) = task.await.unwrap();
            times.extend(own);
            failed += own_failed;
        }
        (times, failed, before, after, seconds)
    });
    Taken {
        agents,
        seconds,
        times,
        failed,
        written: after.written - before.written,
        cpu: after.user + after.system - before.user - before.system,
    }
}

async fn agent(
    buffer: Arc<StatusBuffer>,
    n: usize,
    first: tokio::time::Instant,
    measured: tokio::time::Instant,
    end: tokio::time::Instant,
) -> (Vec<f64>, usize) {
    let batch = Batch {
        target: Uuid::derived("bench", &["target", &n.to_string()]),
        owner: Owner {
            domain: Hash([1; 32]),
            mark: Hash([0; 32]),
        },
        target_name: format!("target-{n}"),
        agent: Some("3.1.0".into()),
        what: What::Status {
            deployment: Uuid::derived("bench", &["deployment", &n.to_string()]),
            revision: Uuid::derived("bench", &["revision"]),
            kind: StatusKind::Healthy,
            message: "status check results: 3 healthy".into(),
        },
    };
    let (mut times, mut failed) = (Vec::new(), 0);
    let mut due = first;
    while due < end {
        tokio::time::sleep_until(due).await;
        buffer.contact(batch.target, batch.owner, &batch.target_name, batch.agent.as_deref());
        let start = Instant::now();
        let answer = buffer.submit(batch.clone()).await;
        if due >= measured {
            times.push(start.elapsed().as_secs_f64() * 1000.0);
            failed += usize::from(answer.is_err());
        }
        due += INTERVAL;
    }
    (times, failed)
}
