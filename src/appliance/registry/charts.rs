//! Charts of a repository as helm's classic repositories list them: made from tags, manifests and chart configurations.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::content::Found;
use super::names::{Asked, Reference};
use super::service::Registry;
use super::snapshot::Snapshot;
use crate::domain::{Digest, RepositoryName, Result, Tag};

/// Media type of a chart's configuration: `Chart.yaml` as JSON.
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
/// Media type of a chart's archive.
const CONTENT: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// Charts in one index.
const CHARTS: usize = 1000;
/// Longest configuration that is read.
const CONFIG_BYTES: u64 = 1 << 20;

/// One version of a chart.
#[derive(Debug, Clone)]
pub struct Chart {
    /// File name of its archive: `<name>-<version>.tgz`.
    pub file: String,
    /// Its archive.
    pub archive: Found,
    /// Its entry in the index.
    pub entry: Value,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
}

impl Registry {
    /// Lists the charts that live releases tag in a repository: at most 1,000. Tags of anything else are left out. Waits for the disk.
    ///
    /// # Errors
    ///
    /// Those of the database; `E-STATE blob-damaged`, `E-IO`.
    pub fn charts(&self, snapshot: &Snapshot, repository: &RepositoryName) -> Result<Vec<Chart>> {
        let asked = Asked {
            name: repository.as_str().to_owned(),
            namespace: None,
        };
        let Ok(tags) = self.tags(snapshot, &asked, "", CHARTS)? else {
            return Ok(Vec::new());
        };
        let mut charts = Vec::new();
        for tag in tags {
            charts.extend(self.chart(snapshot, &asked, tag)?);
        }
        Ok(charts)
    }

    fn chart(&self, snapshot: &Snapshot, asked: &Asked, tag: Tag) -> Result<Option<Chart>> {
        let Ok(found) = self.find(snapshot, asked, &Reference::Tag(tag))? else {
            return Ok(None);
        };
        let bytes = self.manifest(&found)?;
        let Some(manifest) = read::<Manifest>(&bytes) else {
            return Ok(None);
        };
        let archive = manifest.layers.iter().find(|layer| layer.media_type == CONTENT);
        let (Some(archive), true) = (archive, manifest.config.media_type == CONFIG) else {
            return Ok(None);
        };
        let content = |digest| self.find(snapshot, asked, &Reference::Digest(digest));
        let (Ok(config), Ok(archive)) = (content(manifest.config.digest)?, content(archive.digest)?) else {
            return Ok(None);
        };
        if config.size > CONFIG_BYTES {
            return Ok(None);
        }
        let Some(mut entry) = read::<Map<String, Value>>(&self.manifest(&config)?) else {
            return Ok(None);
        };
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let (Some(name), Some(version)) = (text("name"), text("version")) else {
            return Ok(None);
        };
        let file = format!("{name}-{version}.tgz");
        // The name becomes a path and an address.
        if !file.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c)) || file.starts_with('.') {
            return Ok(None);
        }
        entry.insert("urls".into(), json!([file]));
        entry.insert("digest".into(), archive.digest.0.to_hex().into());
        Ok(Some(Chart {
            file,
            archive,
            entry: Value::Object(entry),
        }))
    }
}

/// Reads a document of a chart; what is none is no error, because anything may be tagged.
#[expect(
    clippy::disallowed_methods,
    reason = "bytes that were checked against a signed digest, in other people's formats, and bounded before"
)]
fn read<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}
