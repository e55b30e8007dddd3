//! Plain files and artifacts, as manifests of a release of the tests.

use std::collections::{BTreeMap, BTreeSet};

use airlock::bundle::{BundleContent, TagLine};
use airlock::domain::{Digest, Hash, oci};

use crate::support::bundles::Made;
use crate::support::in_process::InProcessAppliance;
use crate::support::site::{Draft, digest};

/// A plain file to carry.
#[derive(Debug, Clone, Copy)]
pub(super) struct File<'a> {
    /// `PRODUCT/CHANNEL/NAME`.
    pub(super) path: &'a str,
    pub(super) title: &'a str,
    pub(super) mode: &'a str,
    pub(super) media_type: &'a str,
    pub(super) bytes: &'a [u8],
}

impl<'a> File<'a> {
    pub(super) fn new(path: &'a str, bytes: &'a [u8]) -> Self {
        Self {
            path,
            title: "manual.pdf",
            mode: "0644",
            media_type: "application/pdf",
            bytes,
        }
    }

    /// The repository of the file, of a vendor.
    pub(super) fn repository(&self, domain: Hash) -> String {
        format!("files.airlock.internal/{domain}/{}", self.path)
    }

    pub(super) fn digest(&self) -> Digest {
        digest(self.bytes)
    }

    pub(super) fn manifest(&self) -> Vec<u8> {
        let artifact = r#","artifactType":"application/vnd.airlock.file.v1""#;
        manifest(&[(self.title, self.mode, self.media_type, self.bytes)], artifact)
    }

    pub(super) fn carried<'d>(&self, draft: Draft<'d>) -> Draft<'d> {
        let repository = self.repository(draft.domain());
        draft
            .tag(&repository, "latest", &self.manifest())
            .blob(&repository, self.bytes)
            .blob(&repository, b"{}")
    }
}

/// A manifest of layers with titles, modes, media types and bytes.
pub(super) fn manifest(layers: &[(&str, &str, &str, &[u8])], more: &str) -> Vec<u8> {
    let layers: Vec<String> = layers
        .iter()
        .map(|(title, mode, media_type, bytes)| {
            format!(
                r#"{{"mediaType":"{media_type}","digest":"{}","size":{},"annotations":{{"org.opencontainers.image.title":"{title}","internal.airlock.file.mode":"{mode}"}}}}"#,
                digest(bytes),
                bytes.len()
            )
        })
        .collect();
    let config = format!(
        r#"{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{}","size":2}}"#,
        digest(b"{}")
    );
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}"{more},"config":{config},"layers":[{}]}}"#,
        oci::OCI_MANIFEST,
        layers.join(",")
    )
    .into_bytes()
}

/// The bundle of a release of `crm` with one plain file.
pub(super) fn bundle(instance: &InProcessAppliance, sequence: u64, file: &File<'_>) -> Made {
    let bytes = file.manifest();
    let name = digest(&bytes);
    let content = BundleContent {
        tags: vec![TagLine {
            digest: name,
            media_type: oci::OCI_MANIFEST.into(),
            repository: file.repository(instance.vendor.domain()).parse().unwrap(),
            size: bytes.len() as u64,
            tag: Some("latest".parse().unwrap()),
        }],
        manifests: BTreeMap::from([(name, bytes)]),
        absent: BTreeMap::new(),
        documents: Vec::new(),
        requires: BTreeSet::new(),
    };
    let blobs = [file.bytes, b"{}"].map(|bytes| (digest(bytes), bytes.to_vec()));
    Made {
        bytes: instance.vendor.bundle_with(sequence, content, blobs.into()),
        manifest: name,
        layers: Vec::new(),
    }
}
