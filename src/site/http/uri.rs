//! How long an address of a request may be.

use axum::http::Uri;

/// Longest address of a request (threat model 2.8).
pub(super) const URI_BYTES: usize = 4 << 10;

/// Returns the length of an address.
pub(super) fn uri_bytes(uri: &Uri) -> usize {
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    authority.saturating_add(path)
}
