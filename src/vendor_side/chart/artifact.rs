//! A chart as an OCI artifact: its archive byte for byte as the one layer, `Chart.yaml` as the config.

use std::collections::BTreeMap;

use serde_json::Value;

use super::contents::Chart;
use crate::vendor_side::collect::MadeArtifact;

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
    let config = chart.metadata.to_string().into_bytes();
    MadeArtifact::new(
        label.to_owned(),
        (CHART_CONFIG, config),
        (CHART_LAYER, archive),
        &annotations,
    )
}
