//! What is printed: a line for each figure, and all of them as one line of JSON at the end.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::Bench;

/// What a figure must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
    /// No less than the first, and no more than the second.
    Between(f64, f64),
    /// The design names no bar.
    None,
}

/// Figures so far.
pub(crate) struct Report {
    figures: Vec<Value>,
    missed: usize,
}

/// The median of some figures.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

impl Report {
    pub(crate) fn start(bench: &Bench) -> Self {
        println!(
            "large set {} MiB, small set {} blobs, {} rounds, {} cores, in {}",
            bench.mib,
            bench.blobs,
            bench.rounds,
            airlock::stream::worker_count(),
            bench.folder.display()
        );
        println!(
            "{:<44} {:>12} {:>12} {:>8} {:>15} {:>8}",
            "figure", "ours", "floor", "ratio", "rounds", "bar"
        );
        Self {
            figures: Vec::new(),
            missed: 0,
        }
    }

    /// A figure beside its floor, one value of each for every round: the bar is one of their ratio.
    pub(crate) fn beside(&mut self, name: &str, unit: &str, ours: &[f64], floor: &[f64], bar: Bar) {
        let ratios: Vec<f64> = ours.iter().zip(floor).map(|(ours, floor)| ours / floor).collect();
        let (ours, floor) = (median(ours), median(floor));
        self.line(name, unit, ours, Some(floor), ours / floor, &ratios, bar);
    }

    /// A figure with a bar of its own.
    pub(crate) fn alone(&mut self, name: &str, unit: &str, ours: &[f64], bar: Bar) {
        self.line(name, unit, median(ours), None, median(ours), ours, bar);
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of a line")]
    fn line(&mut self, name: &str, unit: &str, ours: f64, floor: Option<f64>, value: f64, rounds: &[f64], bar: Bar) {
        let (low, high) = rounds.iter().fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(*value), high.max(*value))
        });
        let (met, wanted, word) = match bar {
            Bar::AtMost(limit) => (value <= limit, Some(limit), format!("<= {}", short(limit))),
            Bar::AtLeast(limit) => (value >= limit, Some(limit), format!(">= {}", short(limit))),
            Bar::Between(least, most) => (
                (least..=most).contains(&value),
                Some(most),
                format!("{}..{}", short(least), short(most)),
            ),
            Bar::None => (true, None, "-".to_owned()),
        };
        let verdict = match (wanted, met) {
            (None, _) => "",
            (_, true) => "ok",
            (_, false) => "MISSED",
        };
        self.missed += usize::from(!met);
        println!(
            "{name:<44} {:>12} {:>12} {:>8} {:>15} {word:>8} {verdict}",
            format!("{} {unit}", short(ours)),
            floor.map_or_else(String::new, |floor| format!("{} {unit}", short(floor))),
            floor.map_or_else(String::new, |_| short(value)),
            format!("{}..{}", short(low), short(high)),
        );
        self.figures.push(json!({
            "figure": name, "unit": unit, "ours": ours, "floor": floor, "ratio": floor.map(|_| value),
            "rounds": rounds, "bar": wanted, "met": wanted.map(|_| met),
        }));
    }

    /// Something that could not be measured here, and why.
    pub(crate) fn skipped(&mut self, name: &str, why: &str) {
        println!("{name:<44} skipped: {why}");
        self.figures.push(json!({"figure": name, "skipped": why}));
    }

    pub(crate) fn end(self) -> ExitCode {
        println!("{} figures, {} MISSED", self.figures.len(), self.missed);
        println!("{}", json!({"figures": self.figures, "missed": self.missed}));
        if self.missed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Three significant digits.
fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 || value == 0.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}
