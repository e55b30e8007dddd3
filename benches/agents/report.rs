//! What is printed: a line for each figure, beside its floor and its bar.

use std::process::ExitCode;
use std::time::Duration;

use super::crowd::Seen;

/// How many bars were missed so far.
#[derive(Default)]
pub(crate) struct Report {
    missed: usize,
}

impl Report {
    /// A figure; with a floor its ratio to it, and with a bar whether it is met.
    pub(crate) fn line(&mut self, name: &str, value: f64, unit: &str, floor: Option<f64>, bar: Option<f64>) {
        let beside = floor.map_or_else(String::new, |floor| {
            format!("floor {floor:.2} {unit}, ratio {:.2}", value / floor)
        });
        let verdict = match bar {
            None => String::new(),
            Some(bar) if value <= bar => format!("bar {bar}: ok"),
            Some(bar) => {
                self.missed += 1;
                format!("bar {bar}: MISSED")
            }
        };
        println!(
            "  {name:<28} {:>14} {beside:<38} {verdict}",
            format!("{value:.2} {unit}")
        );
    }

    /// Milliseconds that a share of the answers took at most.
    pub(crate) fn times(&mut self, name: &str, times: &[u32], share: f64, floor: Option<f64>, bar: Option<f64>) {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let place = (sorted.len() as f64 * share) as usize;
        let at = sorted.get(place.min(sorted.len().saturating_sub(1)));
        self.line(
            name,
            at.map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0),
            "ms",
            floor,
            bar,
        );
    }

    pub(crate) fn requests(&mut self, seen: &Seen, agents: usize, wall: f64, interval: Duration) {
        let requests = (seen.polls.len() + seen.statuses.len()) as f64;
        let wanted = 2.0 * agents as f64 / interval.as_secs_f64();
        self.line("requests", requests / wall, "/s", Some(wanted), None);
        self.line("failed", seen.failed as f64, "", None, Some(0.0));
        self.line("turns that began too late", seen.late as f64, "", None, None);
    }

    pub(crate) fn end(self) -> ExitCode {
        println!("{} bars MISSED", self.missed);
        if self.missed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
