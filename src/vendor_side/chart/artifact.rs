//! A chart as an OCI artifact: its archive byte for byte as the one layer, `Chart.yaml` as the config.

use std::collections::BTreeMap;

use serde_json::Value;

use super::contents::Chart;
use crate::collect::MadeArtifact;

/// Config of an OCI chart.
const CHART_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
/// Layer of an OCI chart.
pub(in super::super) const CHART_LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// Makes the artifact of a chart from its archive; nothing in it depends on when or where.
pub(in super::super) fn artifact(chart: &Chart, archive: Vec<u8>, label: &str) -> MadeArtifact {
    let mut annotations = BTreeMap::from([
        ("org.opencontainers.image.title".to_owned(), chart.name.clone()),
        ("org.opencontainers.image.version".to_owned(), chart.version.clone()),
    ]);
    if let Some(description) = chart.metadata.get("description").and_then(Value::as_str) {
        annotations.insert(
            "org.opencontainers.image.description".to_owned(),
            description.to_owned(),
        );
    }
    let mut metadata = chart.metadata.clone();
    as_texts(&mut metadata, false);
    let config = metadata.to_string().into_bytes();
    MadeArtifact::new(
        label.to_owned(),
        (CHART_CONFIG, config),
        (CHART_LAYER, archive),
        &annotations,
    )
}

/// Makes texts of numbers, and of truth values among annotations: helm's own form of `Chart.yaml` has texts there, whatever the
/// author wrote.
fn as_texts(value: &mut Value, truths: bool) {
    match value {
        Value::Number(number) => *value = Value::String(number.to_string()),
        Value::Bool(truth) if truths => *value = Value::String(truth.to_string()),
        Value::Object(map) => {
            for (key, value) in map {
                as_texts(value, truths || key == "annotations");
            }
        }
        Value::Array(list) => {
            for value in list {
                as_texts(value, truths);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_become_texts_and_truth_values_stay() {
        let mut value =
            json!({"appVersion": 1.5, "deprecated": true, "annotations": {"a": true, "b": 2}, "keywords": [1]});
        as_texts(&mut value, false);
        assert_eq!(
            value,
            json!({"appVersion": "1.5", "deprecated": true, "annotations": {"a": "true", "b": "2"}, "keywords": ["1"]})
        );
    }
}
