//! Documents in other people's formats: manifests, configurations of charts.

use serde::Deserialize;

/// Reads a document of an image or chart; what is none is no error, because anything may be tagged.
#[expect(
    clippy::disallowed_methods,
    reason = "bytes that were checked against a signed digest, in other people's formats, and bounded before"
)]
pub(super) fn read<T: for<'a> Deserialize<'a>>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}
