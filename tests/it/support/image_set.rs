//! Images made on the spot: blobs, manifests and tags, to be written as a layout or served by the test registry.
#![allow(clippy::disallowed_methods, reason = "tests write what they read")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use airlock::domain::{Digest, Hash};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::Digest as _;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Content by digest, and names for some of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImageSet {
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    /// Descriptors of manifests, in the order in which they were made.
    pub(crate) manifests: Vec<Value>,
    pub(crate) tags: BTreeMap<String, Digest>,
}

pub(crate) fn digest_of(bytes: &[u8]) -> Digest {
    Digest(Hash(sha2::Sha256::digest(bytes).into()))
}

/// The digest that a descriptor names.
pub(crate) fn digest(descriptor: &Value) -> Digest {
    descriptor["digest"].as_str().unwrap().parse().unwrap()
}

impl ImageSet {
    pub(crate) fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest_of(bytes);
        self.blobs.insert(digest, bytes.to_vec());
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// Puts a manifest or index into the set.
    pub(crate) fn manifest(&mut self, document: &Value) -> Value {
        let media_type = document["mediaType"].as_str().unwrap_or(MANIFEST).to_owned();
        let descriptor = self.blob(&media_type, document.to_string().as_bytes());
        self.manifests.push(descriptor.clone());
        descriptor
    }

    /// Makes an image of one layer for a platform.
    pub(crate) fn image(&mut self, platform: &str, layer: &[u8]) -> Value {
        let (os, architecture) = platform.split_once('/').unwrap();
        let config = json!({"os": os, "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": []}});
        let config = self.blob(CONFIG, config.to_string().as_bytes());
        let layer = self.blob(LAYER, layer);
        self.manifest(&json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}))
    }

    /// Makes an artifact that is about something.
    pub(crate) fn referrer(&mut self, subject: &Value, text: &str) -> Value {
        let config = self.blob("application/vnd.oci.empty.v1+json", b"{}");
        let layer = self.blob("text/plain", text.as_bytes());
        let subject = json!({
            "mediaType": subject["mediaType"], "digest": subject["digest"], "size": subject["size"],
        });
        self.manifest(&json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "text/plain", "config": config,
            "layers": [layer], "subject": subject,
        }))
    }

    pub(crate) fn index(&mut self, children: &[Value]) -> Value {
        self.manifest(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}))
    }

    pub(crate) fn tag(&mut self, tag: &str, descriptor: &Value) {
        self.tags.insert(tag.to_owned(), digest(descriptor));
    }

    /// Makes an index of an image for amd64, one for arm64 and an attestation of each, and returns the descriptors of all.
    pub(crate) fn multi_platform(&mut self) -> (Value, [Value; 4]) {
        let amd = child(&self.image("linux/amd64", b"amd64 layer"), "linux", "amd64");
        let arm = child(&self.image("linux/arm64", b"arm64 layer"), "linux", "arm64");
        let mut attest = |about: &Value, text: &[u8]| {
            let mut attestation = child(&self.image("unknown/unknown", text), "unknown", "unknown");
            attestation["annotations"] = json!({
                "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": about["digest"],
            });
            attestation
        };
        let (about_amd, about_arm) = (attest(&amd, b"about amd64"), attest(&arm, b"about arm64"));
        let children = [amd, arm, about_amd, about_arm];
        (self.index(&children), children)
    }

    fn files(&self, listed: &[Value]) -> Vec<(String, Vec<u8>)> {
        let mut entries = Vec::new();
        for descriptor in listed {
            let names: Vec<_> = self
                .tags
                .iter()
                .filter(|(_, digest_)| **digest_ == digest(descriptor))
                .collect();
            if names.is_empty() {
                entries.push(descriptor.clone());
            }
            for (name, _) in names {
                let mut entry = descriptor.clone();
                entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
                entries.push(entry);
            }
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string();
        let mut files = vec![
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), index.into_bytes()),
        ];
        for (digest, bytes) in &self.blobs {
            files.push((format!("blobs/sha256/{}", digest.0), bytes.clone()));
        }
        files
    }

    /// Writes a layout whose `index.json` lists these manifests.
    pub(crate) fn write_folder(&self, folder: &Path, listed: &[Value]) {
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        for (name, bytes) in self.files(listed) {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    /// Writes the same as a tar.
    pub(crate) fn tar(&self, listed: &[Value]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, bytes) in self.files(listed) {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("./{name}"), bytes.as_slice())
                .unwrap();
        }
        tar.into_inner().unwrap()
    }

    /// Writes the same as a gzipped tar.
    pub(crate) fn tar_gz(&self, listed: &[Value]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&self.tar(listed)).unwrap();
        gzip.finish().unwrap()
    }
}

fn child(descriptor: &Value, os: &str, architecture: &str) -> Value {
    let mut child = descriptor.clone();
    child["platform"] = json!({"os": os, "architecture": architecture});
    child
}
