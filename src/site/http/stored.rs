//! The body of an answer with stored content, a manifest's or a blob's: whichever way costs least memory.

use axum::body::Body;
use axum::http::Method;
use axum::http::request::Parts;

use super::app::App;
use super::blob_body::{self, BlobBody, Source};
use super::connection::FileQueue;
use super::oci_error::OciError;
use crate::appliance::registry::{BlobReader, Found};

/// Blobs up to this size are read at once, where there is room for it; longer ones are streamed.
const AT_ONCE: u64 = 64 << 10;

/// Makes the body of an answer with bytes of a blob. A question about its head alone reads none of them.
pub(super) async fn body(app: &App, found: &Found, start: u64, end: u64, request: &Parts) -> Result<Body, OciError> {
    if request.method == Method::HEAD && app.registry.has_blob(found) {
        return Ok(Body::empty());
    }
    let reader = open(app, found, start).await?;
    if request.method == Method::HEAD {
        return Ok(Body::empty());
    }
    let account = app.sending.in_flight.account(&request.extensions);
    if end.saturating_sub(start) <= AT_ONCE
        && reader.checked_until(start) >= end
        && let Some(bytes) = blob_body::read_at_once(&app.sending, &account, &reader, start, end).await?
    {
        return Ok(Body::from(bytes));
    }
    let queue = request.extensions.get::<FileQueue>().cloned();
    let source = Source {
        sending: app.sending.clone(),
        account,
        registry: app.registry.clone(),
        found: found.clone(),
        reader,
        queue,
    };
    Ok(Body::new(BlobBody::new(source, start, end)))
}

/// Opens the blob, checked as far as the first bytes to send.
async fn open(app: &App, found: &Found, start: u64) -> Result<BlobReader, OciError> {
    if let Some(reader) = app.registry.open_blob_cached(found)
        && (reader.checked_until(start) > start || found.size == 0)
    {
        return Ok(reader);
    }
    Ok(app.sending.open(&app.registry, found, start).await?)
}
