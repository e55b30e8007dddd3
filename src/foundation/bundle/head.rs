//! The signed head: who, what, for whom, how new, how big (SPEC section 5).

use serde::{Deserialize, Serialize};

use super::feature::Feature;
use super::kind::BUNDLE;
use crate::container::{Builder, PageEntry, Totals, check_features, check_outline};
use crate::crypto::canonical::{self, integer};
use crate::domain::oci::Layers;
use crate::domain::{
    Audience, Class, Counter, Digest, DocumentType, Error, Hash, Name, Result, Scope, Timestamp, Version, counted,
    limits,
};

/// The head of a bundle. Who holds one from a reader knows that the release role signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Whom it is for.
    pub audience: Audience,
    /// What built it.
    pub builder: Builder,
    /// Channel of the product.
    pub channel: Name,
    /// Plain bytes of a full chunk.
    #[serde(with = "integer")]
    pub chunk_bytes: u64,
    /// Release documents.
    pub documents: Vec<DocumentEntry>,
    /// Trust domain.
    pub domain: Hash,
    /// Epoch of the counter.
    #[serde(with = "integer")]
    pub epoch: u64,
    /// After this time it is not imported any more.
    pub expires: Timestamp,
    /// Registry hosts whose repositories answer without a host in the name.
    pub home_hosts: Vec<String>,
    /// Index pages.
    pub index: Vec<PageEntry>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// Oldest airlock that may import it.
    pub minimum_appliance: Version,
    /// Where the first chunk's header stands.
    #[serde(with = "integer")]
    pub payload_offset: u64,
    /// The product.
    pub product: Name,
    /// Version of airlock that reads it.
    pub reader: Version,
    /// Features beyond version 1 of the format.
    pub requires: Vec<String>,
    /// Root under which it was made.
    #[serde(with = "integer")]
    pub root_version: u64,
    /// Number within the epoch.
    #[serde(with = "integer")]
    pub sequence: u64,
    /// Totals, so that they are known before the index is read.
    pub totals: Totals,
    /// The release's label, for people.
    pub version: String,
    /// Chunk count of each volume.
    pub volumes: Vec<u64>,
}

/// A release document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentEntry {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    #[serde(with = "integer")]
    pub size: u64,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: DocumentType,
}

impl Head {
    /// Parses a head whose signatures were verified before.
    ///
    /// # Errors
    ///
    /// `E-FORMAT needs-newer-reader` first; then `E-FORMAT` and `E-LIMIT` for everything that is not exactly the document
    /// that the specification describes.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        check_features(&BUNDLE, bytes, &Feature::NAMES)?;
        let head: Self = canonical::from_slice(bytes, "the head")?;
        head.check()?;
        Ok(head)
    }

    /// Checks everything that holds within the document.
    ///
    /// # Errors
    ///
    /// `E-FORMAT` and `E-LIMIT`.
    pub(super) fn check(&self) -> Result<()> {
        let format = |code, found: &str| Err(Error::new(Class::Format, code, found.to_owned()));
        let limit = |code, found: String| Err(Error::new(Class::Limit, code, found));
        if !(limits::CHUNK_BYTES_MIN..=limits::CHUNK_BYTES_MAX).contains(&self.chunk_bytes)
            || !self.chunk_bytes.is_power_of_two()
        {
            return format("chunk-bytes", "chunk_bytes is not a power of two from 1 MiB to 16 MiB");
        }
        if let Audience::Sites(sites) = &self.audience
            && !ascending(sites)
        {
            return format("audience", "the audience repeats sites or has them out of order");
        }
        if self.issued_at >= self.expires {
            return format("times", "the bundle expires before it was issued");
        }
        if !(1..=128).contains(&self.version.len()) || self.builder.name.is_empty() || self.builder.version.is_empty() {
            return format("labels", "the version label or the builder is empty or too long");
        }
        if !ascending(&self.requires) {
            return format("requires", "requires repeats features or has them out of order");
        }
        if !ascending(&self.home_hosts) || self.home_hosts.iter().any(|host| !crate::domain::is_host(host)) {
            return Err(Error::new(
                Class::Format,
                "home-hosts",
                "home_hosts are repeated, out of order or no hosts",
            )
            .expected("registry hosts such as registry.example.com or localhost:5000, each once, ascending")
            .remedy("have the vendor correct `home_hosts` in the release file and make the release again"));
        }
        if self.home_hosts.len() > limits::HOME_HOSTS {
            return Err(Error::new(
                Class::Limit,
                "home-hosts",
                format!("the release has {} home hosts", self.home_hosts.len()),
            )
            .expected(format!("at most {}", limits::HOME_HOSTS))
            .remedy("have the vendor name fewer `home_hosts` in the release file; images keep their names with host"));
        }
        let documents: Vec<_> = self
            .documents
            .iter()
            .map(|document| (document.kind, document.digest))
            .collect();
        if !ascending(&documents) {
            return format("documents", "documents are repeated or out of order");
        }
        for document in &self.documents {
            let most = limits::document_bytes(document.kind);
            if document.size > most {
                return limit(
                    "document-size",
                    format!(
                        "the {} document {} has {} bytes, more than {most}",
                        document.kind, document.digest, document.size
                    ),
                );
            }
        }
        self.check_acknowledgement()?;
        self.check_secrets()?;
        if self.root_version == 0 || !self.payload_offset.is_multiple_of(BUNDLE.offset_unit) {
            return format(
                "payload-offset",
                "payload_offset is not a multiple of 4,096, or root_version is 0",
            );
        }
        check_outline(&BUNDLE, &self.volumes, &self.index, &self.totals)?;
        self.check_volumes()
    }

    /// Readers of a shared bundle would see each other's ids and counts in an acknowledgement (M-107).
    fn check_acknowledgement(&self) -> Result<()> {
        let entries = self.documents.iter();
        let carried = entries
            .filter(|entry| entry.kind == DocumentType::Acknowledgement)
            .count();
        let for_one_site = matches!(&self.audience, Audience::Sites(sites) if sites.len() == 1);
        if carried > 1 || (carried == 1 && !for_one_site) {
            return Err(Error::new(
                Class::Format,
                "acknowledgement",
                format!("the bundle carries {}", counted(carried, "acknowledgement")),
            )
            .expected("at most one, and only in a bundle for exactly one site"));
        }
        Ok(())
    }

    /// As far as the head alone tells: a deployment may use secrets without a document of them.
    fn check_secrets(&self) -> Result<()> {
        let entries = self.documents.iter();
        let sealed = entries.filter(|entry| entry.kind == DocumentType::Secrets).count();
        if sealed > limits::SECRETS_DOCUMENTS {
            return Err(Error::new(
                Class::Limit,
                "secrets",
                format!("the bundle carries {} of sealed secrets", counted(sealed, "document")),
            )
            .expected(format!("at most {}, one for each site", limits::SECRETS_DOCUMENTS))
            .remedy("have the vendor make bundles for fewer sites each"));
        }
        if sealed > 0 && !self.has(Feature::Secrets) {
            return Err(unsaid_secrets());
        }
        Ok(())
    }

    /// Returns its document of a type that stands once at most.
    pub fn document(&self, kind: DocumentType) -> Option<&DocumentEntry> {
        self.documents.iter().find(|entry| entry.kind == kind)
    }

    /// Whether the vendor says that it needs a feature.
    pub fn has(&self, feature: Feature) -> bool {
        self.requires.iter().any(|name| name == feature.name())
    }

    /// Which layers its manifests may have.
    pub(super) fn layers(&self) -> Layers {
        if self.has(Feature::NondistributableLayers) {
            Layers::Any
        } else {
            Layers::Distributable
        }
    }

    /// Returns the scope of the release.
    pub fn scope(&self) -> Scope {
        Scope {
            domain: self.domain,
            product: self.product.clone(),
            channel: self.channel.clone(),
        }
    }

    /// Returns the number of the release.
    pub fn counter(&self) -> Counter {
        Counter {
            epoch: self.epoch,
            sequence: self.sequence,
        }
    }

    /// Returns the document's bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        canonical::to_vec(self)
    }
}

/// Secrets are there and the head does not say so.
pub(super) fn unsaid_secrets() -> Error {
    Error::new(
        Class::Format,
        "requires",
        "the release has secrets, and the bundle does not require readers that know them",
    )
    .expected(format!("{} in requires", Feature::Secrets.name()))
    .remedy("have the vendor make the release again with `airlock bundle create`")
}

fn ascending<T: Ord>(values: &[T]) -> bool {
    values.is_sorted_by(|a, b| a < b)
}
