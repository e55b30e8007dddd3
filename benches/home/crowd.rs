//! The least package of a site with ten thousand agents.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use airlock::appliance::Appliance;
use airlock::domain::{Name, StatusKind, SystemClock};
use airlock::vendor_side::Workspace;

use super::month::{Feed, draft, status};
use super::world;

const AGENTS: usize = 10_000;
/// Agents whose reports are handed in together.
const TOGETHER: usize = 500;

pub(crate) fn run(folder: &Path) {
    let agents = world::make(folder, AGENTS);
    let workspace = Workspace::open(&folder.join("vendor")).unwrap();
    let appliance = Appliance::open(&folder.join("site"), Arc::new(SystemClock)).unwrap();
    // Whose product a target is decides what is known of it, not whose stream it reports into: one owner does for all.
    let product: Name = "bench-0".parse().unwrap();
    let feed = Feed::new(&appliance, &workspace, &product);
    for some in agents.chunks(TOGETHER) {
        for (kind, message) in [
            (StatusKind::Progressing, "Pulling: 1/1"),
            (StatusKind::Progressing, "compose command executed successfully"),
            (
                StatusKind::Running,
                "status check results: 1 running (healthchecks missing)",
            ),
        ] {
            feed.hand_in(some.iter().map(|agent| (agent, status(agent, kind, message))));
        }
    }
    drop(feed);
    let begun = Instant::now();
    let row = draft(&appliance, &workspace, &[]);
    let taken = begun.elapsed().as_secs_f64();
    println!(
        "  {AGENTS} agents, minimal: {:.2} MB in {taken:.2} s (bars: 2 MB, 2 s)",
        row.size as f64 / 1e6
    );
    assert!(row.size < 2_000_000, "{} bytes", row.size);
}
