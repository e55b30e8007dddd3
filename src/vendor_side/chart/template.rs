//! A template of a chart, and where something stands in it.

use serde_json::{Map, Value};

use super::overlay::overlay;

/// A template, or another file that one may read.
#[derive(Debug, Clone)]
pub(in super::super) struct Template {
    /// What messages call it.
    pub(in super::super) place: String,
    /// What helm calls it: `erp/charts/db/templates/a.yaml`.
    pub(in super::super) source: String,
    /// What the template knows of its chart.
    pub(super) chart: [(&'static str, Option<String>); 3],
    /// Where the values of its chart stand in those of the outermost one.
    pub(super) values: Vec<String>,
    /// Its text.
    pub(in super::super) text: String,
}

impl Template {
    /// Returns where a reference comes from, as `FILE:LINE`: the line that has it or a part of it, else one that speaks of images.
    pub(in super::super) fn line_of(&self, reference: &str) -> String {
        let name = reference.split('@').next().unwrap_or_default();
        let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
        let last = name.rsplit('/').next().unwrap_or_default();
        let line = [reference, name, last, "image:", "Image:", "image"]
            .into_iter()
            .filter(|needle| !needle.is_empty())
            .find_map(|needle| {
                let says = |line: &&str| line.contains(needle) && !line.trim_start().starts_with('#');
                self.text.lines().position(|line| says(&line))
            });
        match line {
            Some(line) => format!("{}:{}", self.place, line.saturating_add(1)),
            None => self.place.clone(),
        }
    }

    /// Returns how long it is.
    pub(in super::super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Returns the values that its chart sees: those under its path, with the global ones.
    pub(super) fn values_of(&self, whole: &Value) -> Value {
        let mut own = self
            .values
            .iter()
            .try_fold(whole, |at, key| at.get(key))
            .cloned()
            .unwrap_or_else(|| Value::Object(Map::new()));
        // A chart's own globals hold where those above it say nothing.
        for length in (0..self.values.len()).rev() {
            let above = self.values.iter().take(length).try_fold(whole, |at, key| at.get(key));
            if let (Some(globals), Value::Object(own)) = (above.and_then(|above| above.get("global")), &mut own) {
                overlay(own.entry("global").or_insert(Value::Null), globals.clone());
            }
        }
        own
    }
}
