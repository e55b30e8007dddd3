//! Charts from a repository with an `index.yaml`, as helm has them besides registries.
//!
//! The archive must have the digest that the index names. The index itself is believed as far as HTTPS goes: its charts become
//! part of a signed bundle, and whoever signs answers for it.

use reqwest::Url;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::connections::Connections;
use super::image_options::ImageOptions;
use super::image_request::ImageRequest;
use super::reference::ImageReference;
use super::registry_options::RegistryOptions;
use super::source::Source;
use super::sources::collect;
use crate::bundle::BlobSource as _;
use crate::domain::oci::Document;
use crate::domain::{Class, Digest, Error, Hash, Result};
use crate::stream::read_bounded;

/// Largest index.
const INDEX_BYTES: u64 = 32 << 20;

/// A chart as it was found.
#[derive(Debug)]
pub(crate) struct FetchedChart {
    /// The archive.
    pub(crate) archive: Vec<u8>,
    /// Its address without scheme, for the repository that it is stored under: `HOST/PATH`.
    pub(crate) place: String,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    entries: std::collections::BTreeMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    version: Option<String>,
    #[serde(default)]
    urls: Vec<String>,
    digest: Option<String>,
}

/// Fetches a chart of a repository.
///
/// # Errors
///
/// `E-CONTENT missing` when the repository does not have it; `E-CONTENT chart` when the index does not say what it must;
/// `E-INTEGRITY source` when the archive is another one; `E-IO`, `E-LIMIT`, `E-USAGE` of the connection.
pub(crate) fn fetch_chart(
    options: &RegistryOptions,
    address: &str,
    name: &str,
    version: &str,
    limit: u64,
) -> Result<FetchedChart> {
    let mut connections = Connections::new(options.clone());
    let label = format!("the chart {name} {version} of {address}");
    let chart = |what: &str| Error::new(Class::Content, "chart", format!("{label}: {what}"));
    let missing = |what: String| Error::new(Class::Content, "missing", format!("{label}: {what}"));
    let base = Url::parse(&format!("{address}/"))
        .map_err(|error| Error::new(Class::Usage, "value", format!("{address:?} is no address: {error}")))?;
    let index = base.join("index.yaml").map_err(|_| chart("it has no address"))?;
    let bytes = connections
        .get(&index, INDEX_BYTES, "index.yaml")?
        .ok_or_else(|| missing("there is no index.yaml".to_owned()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| chart("index.yaml is no UTF-8 text"))?;
    let large = serde_saphyr::options! {
        with_snippet: false,
        budget: None,
    };
    let index: Index = serde_saphyr::from_str_with_options(text, large).map_err(|error: serde_saphyr::Error| {
        let said = error.without_snippet().to_string();
        let said: String = said.lines().next().unwrap_or_default().chars().take(160).collect();
        chart(&format!("index.yaml does not parse: {said}"))
    })?;
    let versions = index
        .entries
        .get(name)
        .ok_or_else(|| missing("there is no chart of this name".to_owned()))?;
    let entry = versions
        .iter()
        .find(|entry| entry.version.as_deref() == Some(version))
        .ok_or_else(|| {
            let known: Vec<&str> = versions
                .iter()
                .filter_map(|entry| entry.version.as_deref())
                .take(20)
                .collect();
            missing("there is no such version".to_owned()).expected(format!("one of {}", known.join(", ")))
        })?;
    let wanted: Digest = entry
        .digest
        .as_deref()
        .map(|digest| digest.strip_prefix("sha256:").unwrap_or(digest))
        .and_then(|hex| format!("sha256:{hex}").parse().ok())
        .ok_or_else(|| {
            chart("the index names no sha256 digest for it").expected("an index as `helm repo index` makes it")
        })?;
    let url = entry
        .urls
        .first()
        .and_then(|url| base.join(url).ok())
        .ok_or_else(|| chart("the index names no address for it"))?;
    if base.scheme() == "https" && url.scheme() != "https" {
        return Err(chart("the index leads from HTTPS to another scheme"));
    }
    let archive = connections
        .get(&url, limit, "a chart")?
        .ok_or_else(|| missing(format!("there is no {}", url.path())))?;
    let held = Digest(Hash(Sha256::digest(&archive).into()));
    if held != wanted {
        return Err(Error::new(
            Class::Integrity,
            "source",
            format!("{label}: the archive has the digest {held}, the index names {wanted}"),
        )
        .expected("content that matches its digest")
        .remedy("check the repository, and what stands between it and here"));
    }
    let host = base.host_str().unwrap_or_default();
    let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
    Ok(FetchedChart {
        archive,
        place: format!("{host}{port}{}", base.path().trim_end_matches('/')),
    })
}

/// Fetches a chart of a registry, and returns the digest of its manifest and the archive.
///
/// # Errors
///
/// Those of [`collect`]; `E-CONTENT chart` for what is no chart.
pub(crate) fn pull_chart(
    options: &RegistryOptions,
    reference: &ImageReference,
    layer_type: &str,
    limit: u64,
) -> Result<(Digest, Vec<u8>)> {
    let request = ImageRequest {
        source: Source::Registry(reference.clone()),
        name: None,
        options: ImageOptions::default(),
    };
    let chart = |what: &str| Error::new(Class::Content, "chart", format!("{reference}: {what}"));
    let (content, sources) = collect(&[request], &[], Vec::new(), options, |_| {})?;
    let line = content
        .tags
        .iter()
        .find(|line| line.tag == reference.tag)
        .ok_or_else(|| chart("it has no name"))?;
    let manifest = content
        .manifests
        .get(&line.digest)
        .ok_or_else(|| chart("it has no manifest"))?;
    let document = Document::parse(manifest, &line.media_type)?;
    let layer = document
        .layers
        .iter()
        .find(|layer| layer.media_type == layer_type)
        .ok_or_else(|| chart("it is no chart").expected(format!("a layer of type {layer_type}")))?;
    if layer.size > limit {
        return Err(
            Error::new(Class::Limit, "chart", format!("{reference} has {} bytes", layer.size))
                .expected(format!("at most {limit}")),
        );
    }
    let archive = read_bounded(sources.open(&layer.digest, layer.size)?, limit, "a chart")?;
    if Digest(Hash(Sha256::digest(&archive).into())) != layer.digest {
        return Err(Error::new(
            Class::Integrity,
            "source",
            format!("{reference}: what is called {} is something else", layer.digest),
        )
        .expected("content that matches its digest"));
    }
    Ok((line.digest, archive))
}
