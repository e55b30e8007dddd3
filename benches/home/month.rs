//! One month of fifty agents, by the buffer and the drafts of the product, beside what was foretold of it.
//!
//! Time is compressed: an agent reports four times an hour in place of every five seconds. What a package holds is when something
//! changed; how often it was said in between is a number in the same line.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use airlock::appliance::Appliance;
use airlock::appliance::export::{DraftRequest, PackageRow, Redactor};
use airlock::appliance::status::{Batch, DiskMetrics, Metrics, Owner, Quota, StatusBuffer, What};
use airlock::domain::{Clock, Name, Scope, StatusKind, SystemClock, Timestamp};
use airlock::package::{Room, Shows, Switch};
use airlock::vendor_side::Workspace;

use super::world::{self, Enrolled};

const AGENTS: usize = 50;
const DAYS: i64 = 30;
/// Seconds between two reports of an agent.
const STEP: i64 = 900;
const STEPS: i64 = DAYS * 86_400 / STEP;
/// Steps between two releases.
const WEEK: i64 = 7 * 86_400 / STEP;
const RESTARTS: i64 = 15;
const FAILURES: i64 = 2;

/// A clock that the bench moves.
pub(crate) struct Moved(AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

/// Hands reports in, as the server does for agents.
pub(crate) struct Feed {
    pub(crate) buffer: StatusBuffer,
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) owner: Owner,
}

impl Feed {
    pub(crate) fn new(appliance: &Appliance, workspace: &Workspace, product: &Name) -> Self {
        let scope = Scope {
            domain: workspace.chain().domain(),
            product: product.clone(),
            channel: "stable".parse().unwrap(),
        };
        Self {
            buffer: StatusBuffer::open_collecting(appliance, Quota::default(), Duration::ZERO).unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            owner: Owner::of(&scope),
        }
    }

    /// What agents report at one time; all of it is on the disk when this returns.
    pub(crate) fn hand_in<'a>(&self, reports: impl IntoIterator<Item = (&'a Enrolled, What)>) {
        let answers: Vec<_> = reports
            .into_iter()
            .map(|(agent, what)| {
                self.buffer.submit(Batch {
                    target: agent.target,
                    owner: self.owner,
                    target_name: "bench".into(),
                    agent: Some("3.1.0".into()),
                    what,
                })
            })
            .collect();
        for answer in answers {
            self.runtime.block_on(answer).unwrap();
        }
    }
}

pub(crate) fn status(agent: &Enrolled, kind: StatusKind, message: &str) -> What {
    What::Status {
        deployment: agent.deployment,
        revision: agent.revision,
        kind,
        message: message.into(),
    }
}

/// Makes a draft in the place of any other.
pub(crate) fn draft(appliance: &Appliance, workspace: &Workspace, shows: &[Switch]) -> PackageRow {
    let redactor = Redactor::new(&[], &[]).unwrap();
    let request = DraftRequest {
        domain: workspace.chain().domain(),
        shows: Shows::of(shows.iter().copied()),
        room: Room::default(),
        redactor: &redactor,
        discard: true,
    };
    appliance.make_draft(&request, &mut |_| ()).unwrap().row
}

pub(crate) fn run(folder: &Path) {
    let mut agents = world::make(folder, AGENTS);
    let workspace = Workspace::open(&folder.join("vendor")).unwrap();
    let begin = SystemClock.now().unix() / 86_400 * 86_400 + 86_400;
    let clock = Arc::new(Moved(AtomicI64::new(begin)));
    let appliance = Appliance::open(&folder.join("site"), clock.clone()).unwrap();
    let product: Name = "bench-0".parse().unwrap();
    let feed = Feed::new(&appliance, &workspace, &product);
    for step in 0..STEPS {
        if step % WEEK == 0 {
            if step > 0 {
                let sequence = u64::try_from(step / WEEK + 1).unwrap();
                agents = world::bring(folder, &workspace, &appliance, &product, AGENTS, sequence);
            }
            let pulling = agents
                .iter()
                .map(|agent| (agent, status(agent, StatusKind::Progressing, "Pulling: 1/1")));
            feed.hand_in(pulling);
            let done = "compose command executed successfully";
            feed.hand_in(
                agents
                    .iter()
                    .map(|agent| (agent, status(agent, StatusKind::Progressing, done))),
            );
        }
        clock.0.store(begin + step * STEP, Ordering::SeqCst);
        feed.hand_in(
            (0..)
                .zip(&agents)
                .map(|(number, agent)| (agent, said(agent, number, step))),
        );
        if step % 2 == 0 {
            feed.hand_in((0..).zip(&agents).map(|(number, agent)| (agent, sample(number, step))));
        }
    }
    clock.0.store(begin + DAYS * 86_400 + 3600, Ordering::SeqCst);
    drop(feed);
    println!(
        "  {AGENTS} agents, {DAYS} days, a report every {STEP} s, four releases more, {RESTARTS} restarts and {FAILURES} failures each"
    );
    // As foretold (in KB), and what the product must stay below.
    for (name, shows, foretold, most) in [
        ("minimal", &[][..], 70, 100),
        ("standard", &[Switch::Agents, Switch::Metrics], 119, 160),
        (
            "full without logs",
            &[Switch::Agents, Switch::Metrics, Switch::StatusText],
            143,
            200,
        ),
    ] {
        let row = draft(&appliance, &workspace, shows);
        let head: serde_json::Value = serde_json::from_slice(&row.bytes).unwrap();
        let stored = head["totals"]["stored_bytes"].as_u64().unwrap();
        println!(
            "  {name:18} {:6.1} KB stored ({foretold} foretold), {:6.1} KB as a file, {:4} KB plain; {} of {} records shown",
            stored as f64 / 1000.0,
            row.size as f64 / 1000.0,
            head["totals"]["content_bytes"].as_u64().unwrap() / 1000,
            head["records"]["shown"],
            head["records"]["last"],
        );
        assert_eq!(head["records"]["unexplained"], 0);
        assert!(stored < most * 1000, "{name}: {stored} bytes");
    }
}

/// What an agent says at a step: it is well but for its restarts and failures, which are spread over the month.
fn said(agent: &Enrolled, number: i64, step: i64) -> What {
    let own = (step + number * 37) % STEPS;
    if own % (STEPS / RESTARTS) == 11 {
        status(
            agent,
            StatusKind::Error,
            &format!("status check results: web-1 exited with code {}", 130 + own % 8),
        )
    } else if own % (STEPS / FAILURES) == 700 {
        status(
            agent,
            StatusKind::Error,
            "compose up failed: pull access denied for registry.example/bench/app",
        )
    } else {
        status(agent, StatusKind::Healthy, "status check results: 1 healthy")
    }
}

/// A sample; load follows the hours, and no two agents are alike.
fn sample(number: i64, step: i64) -> What {
    let wave = |speed: i64| ((step * speed + number * 101) % 97) as f64 / 200.0;
    What::Metrics(Metrics {
        cpu_cores_millis: 4000,
        cpu_usage: 0.1 + wave(7),
        memory_bytes: 8_000_000_000,
        memory_usage: 0.3 + wave(3),
        disk_metrics: vec![DiskMetrics {
            device: "/dev/sda1".into(),
            path: "/".into(),
            fs_type: "ext4".into(),
            bytes_total: 64_000_000_000,
            bytes_used: 20_000_000_000 + step * 1_000_000 + number,
        }],
    })
}
