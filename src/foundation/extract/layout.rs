//! What an OCI image layout says: which content it holds, and under which names.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::bundle::Graph;
use crate::domain::{Digest, oci};

/// The file `oci-layout`.
pub(super) const VERSION: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// By which skopeo, podman and oras find an image.
const REFERENCE: &str = "org.opencontainers.image.ref.name";
/// By which containerd and docker do.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// A layout to be written.
pub(super) struct Layout {
    /// Everything that its names reach, ascending.
    pub(super) content: BTreeSet<Digest>,
    /// The file `index.json`.
    pub(super) index: Vec<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IndexFile<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'a str,
    digest: Digest,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, String>,
}

impl Layout {
    /// Makes the layout of a checked graph: each name, then what refers to images and has no name of its own.
    pub(super) fn of(graph: &Graph) -> Self {
        let content = graph.contents().map(|blob| blob.digest).collect();
        let mut named = BTreeSet::new();
        let mut manifests = Vec::with_capacity(graph.tags.len());
        for line in &graph.tags {
            named.insert(line.digest);
            let annotations = match &line.tag {
                Some(tag) => {
                    let name = format!("{}:{tag}", line.repository);
                    BTreeMap::from([(REFERENCE, name.clone()), (IMAGE_NAME, name)])
                }
                // No tag may hold an `@`: those who look for one find it by its digest.
                None => BTreeMap::from([(IMAGE_NAME, format!("{}@{}", line.repository, line.digest))]),
            };
            manifests.push(Descriptor {
                media_type: &line.media_type,
                digest: line.digest,
                size: line.size,
                artifact_type: None,
                annotations,
            });
        }
        for referrer in &graph.referrers {
            if named.insert(referrer.digest) {
                manifests.push(Descriptor {
                    media_type: referrer.media_type,
                    digest: referrer.digest,
                    size: referrer.size,
                    artifact_type: referrer.artifact_type.as_deref(),
                    annotations: BTreeMap::new(),
                });
            }
        }
        let file = IndexFile {
            schema_version: 2,
            media_type: oci::OCI_INDEX,
            manifests,
        };
        let index = serde_json::to_vec(&file).expect("texts and numbers have a JSON form");
        Self { content, index }
    }
}
