//! What a run of many agents took: times of answers, bytes written, and the disk's own time for a sync beside it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::report::{Bar, Report};

/// Pause of an agent between two polls.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
const DAY: f64 = 86_400.0;

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) agents: usize,
    pub(crate) seconds: f64,
    /// Milliseconds of every answer.
    pub(crate) times: Vec<f64>,
    pub(crate) failed: usize,
    /// Bytes.
    pub(crate) written: f64,
    /// CPU seconds of the process that is measured.
    pub(crate) cpu: f64,
}

impl Taken {
    /// Reports it: against milliseconds of 99 answers of 100, and MB that an agent writes a day, beside the floor of one page for each commit
    /// when commits collect for a window.
    pub(crate) fn report(mut self, name: &str, (slow, much): (f64, f64), window: Duration, report: &mut Report) {
        self.times.sort_by(f64::total_cmp);
        // In percent.
        let at = |share: usize| self.times[(self.times.len() - 1) * share / 100];
        let rate = self.times.len() as f64 / self.seconds;
        report.alone(&format!("{name}: answers"), "/s", &[rate], Bar::None);
        report.alone(&format!("{name}: p50"), "ms", &[at(50)], Bar::None);
        report.alone(&format!("{name}: p99"), "ms", &[at(99)], Bar::AtMost(slow));
        report.alone(&format!("{name}: slowest"), "ms", &[at(100)], Bar::None);
        let failed = self.failed as f64;
        report.alone(&format!("{name}: refused or lost"), "", &[failed], Bar::AtMost(0.0));
        let cores = self.cpu / self.seconds;
        report.alone(&format!("{name}: CPU"), "cores", &[cores], Bar::None);
        let day = self.written / self.seconds / self.agents as f64 * DAY / 1e6;
        report.alone(
            &format!("{name}: written, agent and day"),
            "MB",
            &[day],
            Bar::AtMost(much),
        );
        // A window opens with the first status, which comes after a pause of its own.
        let commits = DAY / (window.as_secs_f64() + INTERVAL.as_secs_f64() / self.agents as f64);
        let floor = commits * 4096.0 / self.agents as f64 / 1e6;
        report.alone(&format!("{name}: one page a commit"), "MB", &[floor], Bar::None);
    }
}

/// Milliseconds of writing 4 KiB into a file that has them, and of syncing it: what every group commit costs at least.
pub(crate) fn sync_times(folder: &Path) -> Vec<f64> {
    let path = folder.join("sync");
    let file = File::create(&path).unwrap();
    let block = [7; 4096];
    file.write_all_at(&vec![0; 4096 * 256], 0).unwrap();
    file.sync_all().unwrap();
    let times = (0..256)
        .map(|n| {
            let start = Instant::now();
            file.write_all_at(&block, n * 4096).unwrap();
            file.sync_data().unwrap();
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    std::fs::remove_file(path).unwrap();
    times
}
