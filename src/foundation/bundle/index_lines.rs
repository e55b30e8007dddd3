//! The lines of an index as they stand, but for those of chunks (SPEC section 6).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::crypto::canonical::{integer, optional_integer};
use crate::domain::{Class, Digest, Error, Result, oci};

/// A `tag` line as it stands: its names are judged together with the content (X13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTag {
    pub(super) digest: Digest,
    pub(super) kind: TagKind,
    pub(super) media_type: String,
    pub(super) repository: String,
    #[serde(with = "integer")]
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tag: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AbsentLine {
    pub(super) digest: Digest,
    pub(super) kind: AbsentKind,
    pub(super) platform: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NeedLine {
    pub(super) digest: Digest,
    pub(super) kind: NeedKind,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_integer")]
    pub(super) plain_size: Option<u64>,
    #[serde(with = "integer")]
    pub(super) size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlobLine {
    pub(super) digest: Digest,
    /// Judged by M-141, whatever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) encoding: Option<Value>,
    pub(super) kind: BlobKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    #[serde(with = "integer")]
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_integer")]
    pub(super) travel_size: Option<u64>,
}

macro_rules! kinds {
    ($($type:ident $word:literal),*) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub(super) enum $type {
            #[serde(rename = $word)]
            Kind,
        }
    )*};
}
kinds!(TagKind "tag", AbsentKind "absent", NeedKind "need", BlobKind "blob");

/// Returns the media type of a manifest or index that a line may state.
///
/// # Errors
///
/// `E-FORMAT media-type`.
pub(super) fn known_media_type(text: &str) -> Result<&'static str> {
    [
        oci::OCI_MANIFEST,
        oci::OCI_INDEX,
        oci::DOCKER_MANIFEST,
        oci::DOCKER_INDEX,
    ]
    .into_iter()
    .find(|known| *known == text)
    .ok_or_else(|| {
        Error::new(
            Class::Format,
            "media-type",
            format!("a blob line states the media type {text:?}"),
        )
        .expected("one of a manifest or index, or none")
    })
}
