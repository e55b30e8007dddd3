//! Prometheus' text form: a line that explains a name, one that says its kind, then a line for each set of labels.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::families::{FAMILIES, Kind};

/// Lines of a name: labels, and the number.
type Samples = Vec<(String, i64)>;

/// The numbers of a page.
#[derive(Debug, Default)]
pub(super) struct Numbers(BTreeMap<&'static str, Samples>);

impl Numbers {
    /// Adds a number without labels.
    pub(super) fn add(&mut self, name: &'static str, value: impl Number) {
        self.add_with(name, &[], value);
    }

    /// Adds a number with labels.
    pub(super) fn add_with(&mut self, name: &'static str, labels: &[(&str, &str)], value: impl Number) {
        debug_assert!(FAMILIES.iter().any(|family| family.name == name), "{name} is no name");
        let mut text = String::new();
        for (label, value) in labels {
            let separator = if text.is_empty() { "" } else { "," };
            // A string takes whatever is written into it.
            write!(text, "{separator}{label}=\"{}\"", escaped(value)).ok();
        }
        self.0.entry(name).or_default().push((text, value.number()));
    }

    /// Writes the page.
    pub(super) fn page(&self) -> String {
        let mut page = String::new();
        for family in FAMILIES {
            let Some(samples) = self.0.get(family.name) else {
                continue;
            };
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            let name = family.name;
            write!(page, "# HELP {name} {}\n# TYPE {name} {kind}\n", family.help).ok();
            for (labels, value) in samples {
                if labels.is_empty() {
                    writeln!(page, "{name} {value}").ok();
                } else {
                    writeln!(page, "{name}{{{labels}}} {value}").ok();
                }
            }
        }
        page
    }
}

/// What can stand on the page.
pub(super) trait Number {
    /// The number; one that is too large is the largest.
    fn number(self) -> i64;
}

impl Number for i64 {
    fn number(self) -> i64 {
        self
    }
}

impl Number for u64 {
    fn number(self) -> i64 {
        i64::try_from(self).unwrap_or(i64::MAX)
    }
}

impl Number for usize {
    fn number(self) -> i64 {
        i64::try_from(self).unwrap_or(i64::MAX)
    }
}

impl Number for bool {
    fn number(self) -> i64 {
        i64::from(self)
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let mut numbers = Numbers::default();
        numbers.add_with("airlock_panics_total", &[("part", "a\"b\\c\n")], 2_u64);
        numbers.add("airlock_connections", 7_usize);
        numbers.add_with(
            "airlock_answers_total",
            &[("route", "registry"), ("class", "2xx")],
            u64::MAX,
        );
        let page = numbers.page();
        let lines: Vec<&str> = page.lines().filter(|line| !line.starts_with("# HELP")).collect();
        assert_eq!(
            lines,
            [
                "# TYPE airlock_answers_total counter",
                "airlock_answers_total{route=\"registry\",class=\"2xx\"} 9223372036854775807",
                "# TYPE airlock_connections gauge",
                "airlock_connections 7",
                "# TYPE airlock_panics_total counter",
                "airlock_panics_total{part=\"a\\\"b\\\\c\\n\"} 2",
            ]
        );
        assert!(page.ends_with('\n'));
    }
}
